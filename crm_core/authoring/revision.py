"""Revisions of plugins: the first of a new one, written in a process of its own, and the next of one that is here."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import attrs

from crm_core.assembly.discovery import Discovery, Found, installed
from crm_core.assembly.manifest import Manifest
from crm_core.errors import MigrationError

__all__ = ["NextRevision", "main", "next_revision", "write_revision"]

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


@attrs.frozen
class NextRevision:
    """The next revision of a plugin: its file, what is in it, and pairs of template and values on what to look at."""

    plugin: str
    file: Path
    code: str
    notes: tuple[tuple[str, dict[str, Any]], ...] = ()


def next_revision(
    name: str,
    message: str,
    *,
    config: Mapping[str, Any] | None = None,
    dry_run: bool = False,
    discovery: Discovery = installed,
) -> NextRevision:
    """Write the next revision of an installed plugin, by its name or that of its distribution.

    It leads from what the revisions that are there make to what the records declare now. ``config`` are further
    sections of a build file, for a plugin that cannot do without settings. Raises
    :class:`~crm_core.errors.NotFound` where there is no such plugin, :class:`~crm_core.errors.BuildError` where it
    cannot be loaded, and :class:`~crm_core.errors.MigrationError` where its manifest names no folder for revisions, or
    nothing has changed.
    """
    from crm_core.assembly.load import assemble
    from crm_core.store.migrations import draft_revision
    from crm_core.testing.conformance.subject import build_content, find

    found = find(name, discovery)
    plugin = found.name
    with _folder_of(found):
        build = assemble(build_content([plugin], config, discovery), strict=True, discovery=discovery)
        sources = build.migration_sources()
    own = next((each for each in sources if each.plugin == plugin), None)
    if own is None:
        raise MigrationError(
            "The manifest of {plugin} names no folder for its revisions.",
            mend='Write migrations="migrations" in it.',
            plugin=plugin,
        )
    file, code = draft_revision(own, message, [each for each in sources if each.plugin != plugin])
    if not dry_run:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(code, encoding="utf-8")
    return NextRevision(plugin, file, code, tuple(_notes(code)))


@contextmanager
def _folder_of(found: Found) -> Iterator[None]:
    """The folder for revisions, meanwhile: without it no plugin is loaded, and before its first one it is not there."""
    try:
        manifest = found.load()
        module = manifest.module if isinstance(manifest, Manifest) else ""
        spec = find_spec(module.rpartition(".")[0] or module)
    except Exception:
        manifest = spec = None  # assembly tells of it
    places = list(spec.submodule_search_locations or ()) if spec is not None else []
    folder = None
    if isinstance(manifest, Manifest) and manifest.migrations and places:
        folder = Path(places[0], manifest.migrations)
    if folder is None or folder.exists():
        yield
        return
    folder.mkdir()
    try:
        yield
    finally:
        folder.rmdir()


_ASKED = "Answer what it asks where it raises NotImplementedError, and take that line out."
_RENAMED = (
    "It drops and adds. If what is added is a new name of what is dropped, rename it instead, or the data are lost."
)


def _notes(code: str) -> Iterator[tuple[str, dict[str, Any]]]:
    up = code.partition("def downgrade")[0]
    if "raise NotImplementedError" in up:
        yield _ASKED, {}
    pairs = (("drop_column", "add_column"), ("drop_table", "create_table"))
    if any(f"{lost}(" in up and f"{new}(" in up for lost, new in pairs):
        yield _RENAMED, {}
