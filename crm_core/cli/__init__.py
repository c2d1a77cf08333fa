"""The command ``crm``.

A plugin's commands are made of :func:`command`, :func:`group`, :func:`option` and :func:`argument` from here, so that
their help is translated like the kernel's, and take the :class:`Application` by :func:`pass_application`.
"""

from __future__ import annotations

from crm_core.cli.application import Application, pass_application
from crm_core.cli.helping import argument, command, group, option

__all__ = ["Application", "argument", "command", "group", "main", "option", "pass_application"]


def main() -> None:
    """The entry point of the command."""
    import gc
    import sys

    # Most of what a command makes in its first second stays to its end; to go through it each time that seven hundred
    # more objects are there was a sixth of that second.
    gc.set_threshold(100_000, 20, 50)

    from crm_core.cli.running import run

    sys.exit(run(sys.argv[1:]))
