"""Revision files in a plugin's folder, read without running them and without importing Alembic."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import attrs
from sqlalchemy import Table

from crm_core.errors import MigrationError
from crm_core.records import KERNEL, Types

__all__ = ["VERSION_PREFIX", "MigrationSource", "Revision", "is_plugin", "read_revisions"]

VERSION_PREFIX = "crm_version_"
_PLUGIN = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)*")
_ASSIGNED = r"^{}\s*(?::[^=\n]*)?=\s*(?:None|[\"']([^\"'\n]+)[\"'])\s*(?:#.*)?$"
_REVISION = re.compile(_ASSIGNED.format("revision"), re.MULTILINE)
_FOLLOWS = re.compile(_ASSIGNED.format("down_revision"), re.MULTILINE)
_DEPENDS = re.compile(r"^depends_on\s*(?::[^=\n]*)?=\s*(?!None)\S", re.MULTILINE)
_DOC = re.compile(r"\s*(?:#.*\n\s*)*[rR]?(\"\"\"|'''|\"|')\s*(.*?)\s*(?:\n|\1)")


@attrs.frozen
class Revision:
    """One revision file: its id, the one it follows (``None``: it is the first), and what it says it does."""

    id: str
    follows: str | None
    doc: str
    path: Path


def is_plugin(name: str) -> bool:
    """Whether a plugin may be called so."""
    return _PLUGIN.fullmatch(name) is not None


def _checked_plugin(_source: Any, _attribute: Any, plugin: str) -> None:
    if not _PLUGIN.fullmatch(plugin) or len(VERSION_PREFIX + plugin) > 63:
        raise MigrationError(
            "{plugin!r} cannot be the name of a plugin with tables.",
            mend="Use snake_case and at most {most} characters.",
            plugin=plugin,
            most=63 - len(VERSION_PREFIX),
        )


def _tuple(tables: Iterable[Table]) -> tuple[Table, ...]:
    return tuple(tables)


@attrs.frozen
class MigrationSource:
    """A plugin's migrations: the folder with its revision files, and every table that it owns."""

    plugin: str = attrs.field(validator=_checked_plugin)
    location: Path = attrs.field(converter=Path)
    tables: tuple[Table, ...] = attrs.field(converter=_tuple, default=())

    @classmethod
    def of(cls, plugin: str, location: Path, types: Types, tables: Iterable[Table] = ()) -> MigrationSource:
        """The source of ``plugin`` with the tables of its record types among ``types``, and ``tables``."""
        own = [types[name].table for name in sorted(types) if types[name].plugin == plugin]
        return cls(plugin, location, [*own, *tables])

    @property
    def version_table(self) -> str:
        """The table with the id of the plugin's current revision."""
        return VERSION_PREFIX + self.plugin

    def owns(self, table: str) -> bool:
        """Whether a table in the database is this plugin's by its name: also one no longer declared."""
        if any(table == own.name for own in self.tables):
            return True
        if self.plugin == KERNEL:
            return table.startswith("crm_") and "__" not in table and not table.startswith(VERSION_PREFIX)
        return table.startswith(f"{self.plugin}__")


def read_revisions(source: MigrationSource) -> tuple[Revision, ...]:
    """The revisions in ``source.location``, each after the one it follows; none when there is no such folder.

    Raises :class:`~crm_core.errors.MigrationError` where they are not one line: the loader gives the order
    between plugins, so within one there is nothing to branch for.
    """
    found: dict[str, Revision] = {}
    for path in sorted(source.location.glob("*.py")):
        if path.name.startswith(("_", ".")):
            continue
        revision = _read(source, path)
        if revision.id in found:
            raise MigrationError(
                "{plugin} has two revisions {revision}: {one} and {two}.",
                mend="Give the one that was not released yet the next number, and let it follow the other.",
                plugin=source.plugin,
                revision=revision.id,
                one=found[revision.id].path.name,
                two=path.name,
            )
        found[revision.id] = revision
    return _in_line(source, found)


def _read(source: MigrationSource, path: Path) -> Revision:
    text = path.read_text(encoding="utf-8")
    revision, follows = _REVISION.search(text), _FOLLOWS.search(text)
    if revision is None or revision.group(1) is None or follows is None:
        raise MigrationError(
            "{path} of {plugin} does not say which revision it is, or which one it follows.",
            mend='Write revision = "..." and down_revision = "..." (or None for the first), one name each; '
            "begin the name of a file that is no revision with an underscore.",
            plugin=source.plugin,
            path=str(path),
        )
    if len(revision.group(1)) > 32:
        raise MigrationError(
            "The revision id {revision} of {plugin} is longer than 32 characters.",
            mend="Shorten it; the number of the revision is enough.",
            plugin=source.plugin,
            revision=revision.group(1),
        )
    if _DEPENDS.search(text):
        raise MigrationError(
            "{path} of {plugin} uses depends_on.",
            mend="Remove it: plugins are migrated in the order of their requirements.",
            plugin=source.plugin,
            path=str(path),
        )
    doc = _DOC.match(text)
    return Revision(revision.group(1), follows.group(1), doc.group(2) if doc else path.stem, path)


def _in_line(source: MigrationSource, found: dict[str, Revision]) -> tuple[Revision, ...]:
    after: dict[str | None, list[Revision]] = {}
    for revision in found.values():
        after.setdefault(revision.follows, []).append(revision)
    line: list[Revision] = []
    following = after.get(None, [])
    while following:
        if len(following) > 1:
            raise MigrationError(
                "The revisions {names} of {plugin} all follow {before}.",
                mend="Let them follow one another (down_revision): the one that was released comes first.",
                plugin=source.plugin,
                names=", ".join(revision.id for revision in following),
                before=following[0].follows or "nothing",
            )
        line += following
        following = after.get(line[-1].id, [])
    if len(line) < len(found):
        lost = sorted(found.keys() - {revision.id for revision in line})
        raise MigrationError(
            "The revisions {names} of {plugin} follow none that is there.",
            mend="Restore the missing file, or correct down_revision.",
            plugin=source.plugin,
            names=", ".join(lost),
        )
    return tuple(line)
