"""``crm plugin``: for authors of plugins. Each subcommand has a module of its own, imported when it is run."""

from __future__ import annotations

from collections.abc import Mapping

from crm_core.cli.helping import group
from crm_core.cli.lazy import lazy

__all__ = ["SUBCOMMANDS", "command"]

SUBCOMMANDS: Mapping[str, str] = {
    "new": "Write a complete distribution for a new plugin, whose tests pass at once.",
    "revision": "Write the next revision of a plugin, from what its records declare.",
    "verify": "Check that a plugin conforms, by the conformance kit.",
}
"""The subcommands, each with its line of help."""


@group("plugin", cls=lazy(SUBCOMMANDS), no_args_is_help=True)
def command() -> None:
    """Make a plugin, write its revisions, and check that it conforms."""
