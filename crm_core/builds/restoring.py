"""Putting a backup back: verified before, compared after, and never half done."""

from __future__ import annotations

import tempfile
from pathlib import Path

import attrs
from sqlalchemy import URL

from crm_core.builds import archives
from crm_core.builds.archives import Archive
from crm_core.builds.backing_up import told_when_full
from crm_core.errors import StoreError
from crm_core.store.copies import Left, Tell, place_of, quiet, target

__all__ = ["Restored", "check_backup", "restore"]


@attrs.frozen
class Restored:
    """A backup that was put back: into which database, and what an interrupted run had left there."""

    archive: Archive
    database: str
    left: tuple[Left, ...] = ()


def restore(file: Path, to: str | URL, tell: Tell = quiet, *, force: bool = False) -> Restored:
    """Put a backup into a database that is empty or not there yet.

    The archive is compared with its sums first, and the tables with the manifest afterwards, before anybody sees them.
    On another PostgreSQL server than that of the backup, the positions in the feed are set anew. ``force`` replaces
    what is in the database, in one step. Raises :class:`~crm_core.errors.StoreError`; the database is as it was then.
    """
    place = target(to)
    archive = archives.read(file, tell)
    made_of = archive.manifest.database.dialect
    if made_of != place.dialect:
        raise StoreError(
            "The backup is of a {made_of} database, and {database} is none.",
            mend="Restore it into the same kind, and go over to the other by export and import.",
            made_of={"sqlite": "SQLite", "postgresql": "PostgreSQL"}.get(made_of, made_of),
            database=place_of(to),
        )
    empty = place.is_empty()
    if not empty and not force:
        raise StoreError(
            "{database} is not empty.",
            mend="Restore into another database, look at it, and let the build file name that one. With --force this "
            "one is replaced.",
            database=place_of(to),
        )
    with told_when_full(file), place.workplace() as workplace:
        database = archive.extract(workplace.folder, tell)
        place.put(database, archive.manifest.tables, archive.manifest.database, tell, replace=not empty)
        return Restored(archive, place_of(to), workplace.left)


def check_backup(file: Path, tell: Tell = quiet) -> Archive:
    """Verify a backup without restoring it: every file against its sum, and a SQLite database by opening it, too.

    Raises :class:`~crm_core.errors.StoreError` when something is wrong with it.
    """
    archive = archives.read(file, tell)
    if archive.manifest.database.dialect == "sqlite":
        from crm_core.store.copies.sqlite import check_file

        with told_when_full(file), tempfile.TemporaryDirectory(prefix="crm-check-") as folder:
            check_file(archive.extract(Path(folder), tell), archive.manifest.tables, tell)
    return archive
