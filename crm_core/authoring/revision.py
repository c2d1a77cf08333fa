"""The first migration of a new plugin, written in a process of its own: its records stay out of this one."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from pathlib import Path

from crm_core.errors import MigrationError

__all__ = ["main", "write_revision"]

_RUN = "import sys; sys.path[:] = sys.argv[4:]; from crm_core.authoring.revision import main; main(*sys.argv[1:4])"


def write_revision(folder: Path, package: str, plugin: str) -> None:
    """Write the first revision of the package in ``folder``; raises :class:`~crm_core.errors.MigrationError`."""
    paths = [str(folder), *(str(Path(each).resolve()) for each in sys.path)]
    command = [sys.executable, "-B", "-c", _RUN, str(folder), package, plugin, *paths]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise MigrationError(
            "The records of the new plugin cannot be declared: {reason}",
            mend="Report it, with the table that they were proposed from.",
            plugin=plugin,
            reason=(done.stderr.strip().splitlines() or ["?"])[-1],
        )


def main(folder: str, package: str, plugin: str) -> None:
    """What runs in that process."""
    from crm_core.records import declared, link
    from crm_core.store.migrations import MigrationSource, kernel_source, make_revision

    import_module(f"{package}.records")
    link(declared)
    source = MigrationSource.of(plugin, Path(folder) / package / "migrations", declared)
    make_revision(source, "First tables", requires=[kernel_source()])
