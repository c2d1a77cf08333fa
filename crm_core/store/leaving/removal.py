"""Export and removal of a plugin's data as one transaction: nobody writes between what was read and what goes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from crm_core.errors import StoreError
from crm_core.store.leaving import exported as folders
from crm_core.store.leaving.dump import keep_writers_out, verify, write_table
from crm_core.store.leaving.exported import FORMAT, Exported
from crm_core.store.leaving.held import Held, held
from crm_core.store.leaving.taking import require_idle, take_away
from crm_core.store.migrating.transactions import exclusive
from crm_core.store.tables import JOB

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from crm_core.store.migrations import MigrationSource
    from crm_core.store.store import Store

__all__ = ["Origin", "Records", "Stage", "export_only", "remove_data"]

Stage = Callable[[str, str, int], None]
"""Called at each step with what is done, to what, and how many rows: ``("export", "industrial__touch", 1000)``."""

ROWS = "rows"


@attrs.frozen
class Origin:
    """Where the plugin came from, for whoever wants to bring it back."""

    distribution: str | None = None
    version: str | None = None


Records = Callable[[Path], tuple[dict[str, str], str | None]]
"""Writes further files into the folder: by record type, and the mapping that reads them."""


def remove_data(
    store: Store,
    plugin: str,
    source: MigrationSource | None,
    folder: Path,
    *,
    origin: Origin,
    records: Records | None,
    tell: Stage,
) -> Exported:
    """Write everything into ``folder``, read it back, and only then take it away; all or nothing."""
    with exclusive(store.engine) as connection:
        keep_writers_out(connection, [JOB.name])  # a job that came after the export would go unseen
        kept = held(connection, plugin)
        done = _export(connection, store, kept, folder, origin, records, tell)
        tell("remove", plugin, kept.rows)
        take_away(connection, store.search.driver, kept, source, lambda _, each: tell("downgrade", each.id, 0))
        tell("removed", plugin, kept.rows)
    store.migrated_away()
    tell("committed", plugin, done.rows)
    return done


def export_only(
    store: Store, plugin: str, folder: Path, *, origin: Origin, records: Records | None, tell: Stage
) -> Exported:
    """Only write and read back; nobody writes to the plugin's tables meanwhile."""
    with exclusive(store.engine) as connection:
        return _export(connection, store, held(connection, plugin), folder, origin, records, tell)


def _export(
    connection: Connection,
    store: Store,
    kept: Held,
    folder: Path,
    origin: Origin,
    records: Records | None,
    tell: Stage,
) -> Exported:
    require_idle(connection, kept.plugin)
    _prepare(folder)
    names = [table.name for table in kept.tables]
    keep_writers_out(connection, names)

    def telling(what: str) -> Callable[[str, int], None]:
        return lambda name, rows: tell(what, name, rows)

    files = [
        write_table(connection, table.name, table.record, folder / ROWS / f"{table.name}.jsonl", telling("export"))
        for table in kept.tables
    ]
    for file in files:
        verify(connection, file, folder / ROWS / file.file, telling("verify"))
    more, mapping = records(folder) if records is not None else ({}, None)
    done = Exported(
        format=FORMAT,
        plugin=kept.plugin,
        distribution=origin.distribution,
        version=origin.version,
        revision=kept.revision,
        dialect=connection.dialect.name,
        at=store.clock(),
        tables=tuple(attrs.evolve(file, file=f"{ROWS}/{file.file}") for file in files),
        records=more,
        mapping=mapping,
        **folders.catalogue_of(connection, kept),
    )
    folders.write(folder, done)
    tell("exported", kept.plugin, done.rows)
    return done


def _prepare(folder: Path) -> None:
    """A new folder that only its owner may look into: it will hold personal data."""
    try:
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise StoreError(
                "{folder} is there already, and not empty.", mend="Name another folder.", folder=str(folder)
            )
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        folder.chmod(0o700)  # one that was there already, too
        (folder / ROWS).mkdir(mode=0o700)
    except OSError as error:
        raise StoreError(
            "{folder} cannot be made: {reason}.",
            mend="Choose another place.",
            folder=str(folder),
            reason=error.strerror or str(error),
        ) from error
