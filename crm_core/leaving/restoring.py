"""Bringing back a plugin that was removed: its tables as they were, its rows into them, and then up to date."""

from __future__ import annotations

from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from crm_core.errors import BuildError, Conflict, StoreError
from crm_core.leaving import editing
from crm_core.leaving.removing import BUILD
from crm_core.store.leaving.bringing import Brought, bring_back, is_back
from crm_core.store.leaving.dump import lines_of
from crm_core.store.leaving.exported import Exported, read
from crm_core.store.leaving.held import held
from crm_core.store.leaving.removal import Stage
from crm_core.store.migrating.running import run_to
from crm_core.store.migrations import MigrationSource, check_current, downgrade
from crm_core.store.search.reindex import reindex

if TYPE_CHECKING:
    from crm_core.assembly.crm import Crm

__all__ = ["Restored", "build_with", "restore"]


@attrs.frozen
class Restored:
    """What a restoration did."""

    exported: Exported
    brought: Brought


def build_with(file: Path, folder: Path) -> tuple[Exported, str]:
    """What a folder holds, and the text of the build file with the plugin and its sections back in it."""
    exported = read(folder)
    try:
        taken = (folder / BUILD).read_text(encoding="utf-8")
    except FileNotFoundError:
        taken = ""
    return exported, editing.merge_in(file, exported.plugin, taken)


def restore(crm: Crm, folder: Path, tell: Stage = lambda what, name, rows: None) -> Restored:
    """Put back what was exported to ``folder``, into a build that loads the plugin (opened with ``check=False``).

    The tables are made as they were at the export, the rows are put into them with their ids and versions, and then the
    plugin is migrated to what is installed. What has happened meanwhile is respected; see
    :class:`~crm_core.store.leaving.bringing.Brought`. May be interrupted and run again.

    Raises :class:`~crm_core.errors.StoreError` where the folder is incomplete or damaged, or came from the other kind
    of database, :class:`~crm_core.errors.Conflict` where the tables hold other rows.
    """
    exported = read(folder)
    source = _source(crm, exported)
    for file in exported.tables:
        deque(lines_of(folder / file.file, file), maxlen=0)
        tell("check", file.table, file.rows)
    others = [each for each in crm.build.migration_sources() if each.plugin != exported.plugin]
    check_current(crm.store.engine, others)
    brought = Brought()
    anew = _anew(crm, source)
    if _make_tables(crm, source, folder, exported, tell):
        with crm.system_session("restore", reason=f"plugin {exported.plugin} restored", source="restore") as session:
            brought = bring_back(session, folder, exported, anew=anew)
            # The rows were checked when they were written; nobody may object to their being back.
            session.writer.checked = len(session.writer.log)
    for name, rows in brought.rows.items():
        tell("insert", name, rows)
    crm.migrate(lambda plugin, each: tell("migrate", f"{plugin} {each.id}", 0))
    reindex(crm.store, lambda name, done, _total: tell("index", name, done), only=crm.unindexed())
    return Restored(exported, brought)


def _source(crm: Crm, exported: Exported) -> MigrationSource:
    plugin = crm.build.plugin(exported.plugin)
    if plugin is None:
        raise BuildError(
            "The plugin {plugin} is not loaded, so there is nothing to restore into.",
            mend="Install {origin}, and list it in [crm] plugins.",
            plugin=exported.plugin,
            origin=f"{exported.distribution} {exported.version}" if exported.distribution else "its distribution",
        )
    if crm.store.dialect != exported.dialect:
        raise StoreError(
            "The rows in this folder have the form of {was}, and this database is {is_}.",
            mend="Restore them into a database of the same kind; 'crm import' reads the files in records/ into any.",
            was=exported.dialect,
            is_=crm.store.dialect,
        )
    found = next((each for each in crm.build.migration_sources() if each.plugin == plugin.name), None)
    if found is None:
        raise BuildError(
            "The plugin {plugin} has no migrations, so nothing can make its tables.",
            mend="Install the version that was exported.",
            plugin=plugin.name,
        )
    return found


def _anew(crm: Crm, source: MigrationSource) -> bool:
    """Whether the database has no tables of the plugin, so that all that they hold comes from here."""
    with crm.store.reading() as connection:
        return held(connection, source.plugin).revision is None


def _make_tables(crm: Crm, source: MigrationSource, folder: Path, exported: Exported, tell: Stage) -> bool:
    """Let the tables be as they were at the export; false where an earlier attempt has put the rows into them."""
    engine = crm.store.engine
    with crm.store.reading() as connection:
        kept = held(connection, source.plugin)
    if exported.revision is None:
        raise StoreError(
            "The export does not say at which revision its tables were.", mend="Take the folder from a copy."
        )
    if kept.revision not in (None, exported.revision):
        if kept.rows:
            with crm.system_session("restore", read_only=True) as session:
                if is_back(session, folder, exported):
                    return False
            raise Conflict(
                "The tables of {plugin} are at revision {revision} and hold {rows} rows; the export is of revision "
                "{wanted}.",
                mend="Remove the plugin again ('crm plugins remove {plugin}'), which exports those rows, and restore "
                "then.",
                plugin=source.plugin,
                revision=kept.revision,
                rows=kept.rows,
                wanted=exported.revision,
            )
        downgrade(engine, source)
    run_to(engine, source, exported.revision, lambda plugin, each: tell("migrate", f"{plugin} {each.id}", 0))
    return True
