"""Copies of SQLite databases: by the library's own online backup, within one read transaction."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import quote

import attrs
from sqlalchemy import URL

from crm_core.errors import Problem, StoreError
from crm_core.store.copies.contents import Contents, Tell, differences, quiet, quoted, sqlite_contents, sqlite_tables
from crm_core.store.copies.placing import flush, flush_folder
from crm_core.store.copies.source import Facts, Keyed, Verified
from crm_core.store.engine import shown_url
from crm_core.store.migrating.revisions import VERSION_PREFIX

__all__ = ["SqliteSource", "check_file", "file_of", "is_empty", "mend_ids", "put"]

_PAGES = 4096
_ROWS = 2000
_PATIENCE = 30.0


def file_of(url: URL) -> Path:
    """The file of a SQLite address; raises :class:`~crm_core.errors.StoreError` when it is none."""
    name = url.database
    if not name or name == ":memory:" or name.startswith("file:"):
        raise StoreError(
            "{address} is no file, so there is nothing to copy.",
            mend="Name a file: sqlite:///crm.db.",
            address=shown_url(url),
        )
    return Path(name)


def _open(file: Path, mode: str) -> sqlite3.Connection:
    connection = sqlite3.connect(f"file:{quote(str(file.resolve()))}?mode={mode}", uri=True, timeout=_PATIENCE)
    connection.isolation_level = None
    return connection


@contextmanager
def _told(file: Path) -> Iterator[None]:
    """What SQLite complains of, as an error of ours."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        full = error.sqlite_errorcode == sqlite3.SQLITE_FULL
        raise StoreError(
            "SQLite cannot work with {file}: {reason}.",
            mend="Make room on the disk, and begin again; nothing is half done." if full else
            "Check the path, the permissions and the disk. If the file is damaged, restore the last good backup.",
            file=str(file),
            reason=str(error),
        ) from error  # fmt: skip


@attrs.frozen
class SqliteSource:
    """One moment of a SQLite file."""

    file: Path
    facts: Facts
    _connection: sqlite3.Connection

    @classmethod
    @contextmanager
    def of(cls, url: URL) -> Iterator[SqliteSource]:
        """Open the file for reading, and hold the moment by a transaction: writers are not kept waiting (WAL)."""
        file = file_of(url)
        if not file.is_file():
            raise StoreError("There is no database {file}.", mend="Correct the path, or make one by 'crm init'.",
                             file=str(file))  # fmt: skip
        with _told(file), closing(_open(file, "ro")) as connection:
            connection.execute("BEGIN")
            connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
            yield cls(file, Facts("sqlite", sqlite3.sqlite_version), connection)

    def contents(self, tell: Tell = quiet) -> Contents:
        """What the tables hold at this moment."""
        return sqlite_contents(self._connection, tell)

    def key(self, table: str) -> tuple[str, ...]:
        """The columns of the primary key, in its order."""
        columns = self._connection.execute(f"PRAGMA table_info({quoted(table)})").fetchall()
        return tuple(row[1] for row in sorted(columns, key=lambda row: row[5]) if row[5])

    def rows(self, table: str, key: Sequence[str], columns: Sequence[str]) -> Iterator[Keyed]:
        """All rows in the order of their keys."""
        listed = ", ".join(map(quoted, (*key, *columns)))
        order = ", ".join(f"{quoted(each)} COLLATE BINARY" for each in key)
        cursor = self._connection.execute(f"SELECT {listed} FROM {quoted(table)} ORDER BY {order}")  # noqa: S608
        while batch := cursor.fetchmany(_ROWS):
            for row in batch:
                yield row[: len(key)], row[len(key) :]

    def filled(self, table: str, columns: Sequence[str]) -> dict[str, int]:
        """How many values columns have."""
        if not columns:
            return {}
        counted = ", ".join(f"count({quoted(each)})" for each in columns)
        row = self._connection.execute(f"SELECT {counted} FROM {quoted(table)}").fetchone()  # noqa: S608
        return dict(zip(columns, row, strict=True))

    def revisions(self) -> dict[str, str]:
        """The revision of every plugin."""
        tables = [name for name in sqlite_tables(self._connection) if name.startswith(VERSION_PREFIX)]
        read = {name: self._connection.execute(f"SELECT version_num FROM {quoted(name)}").fetchone() for name in tables}  # noqa: S608
        return {name.removeprefix(VERSION_PREFIX): row[0] for name, row in read.items() if row is not None}

    def write(self, file: Path, tell: Tell = quiet) -> None:
        """Copy this moment. The transaction keeps SQLite from beginning anew whenever somebody writes."""
        with _told(file), closing(sqlite3.connect(file)) as copy:
            self._connection.backup(
                copy, pages=_PAGES, progress=lambda _status, left, total: tell("copying", total - left, total)
            )
            # A file by itself: a log beside it would be forgotten.
            copy.execute("PRAGMA journal_mode=DELETE")
        flush(file)

    def verify(self, file: Path, contents: Contents, tell: Tell = quiet) -> Verified:
        """Read a copy back."""
        check_file(file, contents, tell)
        return "opened"


def check_file(file: Path, contents: Contents, tell: Tell = quiet) -> None:
    """Raise :class:`~crm_core.errors.StoreError` unless a file is a sound database with these contents."""
    with _told(file), closing(_open(file, "ro")) as connection:
        tell("checking", 0, 1)
        problems = [Problem("integrity", row[0].replace("{", "{{").replace("}", "}}")) for row in
                    connection.execute("PRAGMA integrity_check(10)") if row[0] != "ok"]  # fmt: skip
        problems += [
            Problem(table, "The reference of row {row} to {parent} leads nowhere.", "", {"row": row, "parent": parent})
            for table, row, parent, _ in connection.execute("PRAGMA foreign_key_check").fetchmany(10)
        ]
        connection.execute("BEGIN")
        problems += differences(contents, sqlite_contents(connection, tell))
    if problems:
        raise StoreError(
            "The copy is not what was copied: {problems}",
            mend="The disk or the memory may be faulty, or the database is damaged: see 'PRAGMA integrity_check'.",
            problems=" ".join(map(str, problems[:10])),
        )


def is_empty(file: Path) -> bool:
    """Whether there is no database here, or one without tables; what is damaged is not empty."""
    if not file.exists() or file.stat().st_size == 0:
        return True
    with _told(file):
        try:
            with closing(_open(file, "ro")) as connection:
                return not sqlite_tables(connection)
        except sqlite3.DatabaseError as error:
            if error.sqlite_errorcode & 0xFF in {sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT}:
                return False
            raise


def mend_ids(file: Path) -> int | None:
    """Let the next id be above every one that is used; returns it where it was not."""
    with _told(file), closing(_open(file, "rw")) as connection:
        tables = set(sqlite_tables(connection))
        if not {"crm_record_type", "crm_id_block", "crm_change_set"} <= tables:
            return None
        named = {row[0] for row in connection.execute('SELECT "table" FROM crm_record_type')}
        highest = max(
            (connection.execute(f"SELECT max(id) FROM {quoted(name)}").fetchone()[0] or 0  # noqa: S608
             for name in (named | {"crm_change_set", "crm_job"}) & tables),
            default=0,
        )  # fmt: skip
        connection.execute("BEGIN IMMEDIATE")
        row = connection.execute("SELECT next FROM crm_id_block WHERE name = 'record'").fetchone()
        late = row is not None and row[0] <= highest
        if late:
            connection.execute("UPDATE crm_id_block SET next = ? WHERE name = 'record'", (highest + 1,))
        connection.execute("COMMIT")
        return highest + 1 if late else None


def put(new: Path, target: Path) -> None:
    """Put a file that lies on the same disk in the place of a database, in one step.

    Raises :class:`~crm_core.errors.StoreError` while somebody has the old one open: they would go on writing to a file
    that nobody finds any more.
    """
    flush(new)
    if target.exists() and target.stat().st_size and _in_use(target):
        raise StoreError(
            "{file} is in use.",
            mend="Stop the CRM, its worker and everybody else who has it open, and restore again.",
            file=str(target),
        )
    if target.exists():
        _like(new, target)
    # Before the new file is there: SQLite would take an old log for its own.
    for suffix in ("-wal", "-shm", "-journal"):
        Path(f"{target}{suffix}").unlink(missing_ok=True)
    os.replace(new, target)
    flush_folder(target.parent)


def _like(new: Path, target: Path) -> None:
    """Let whoever may use the old file use the new one."""
    shutil.copymode(target, new)
    had = target.stat()
    if hasattr(os, "geteuid") and os.geteuid() == 0:  # a file of root's would be a wall for the CRM's own user
        os.chown(new, had.st_uid, had.st_gid)


def _in_use(file: Path) -> bool:
    """Whether others have a database open; what was in its log is in the file afterwards.

    Only the last one who has it open can end the log.
    """
    with closing(_open(file, "rw")) as connection:
        try:
            connection.execute("PRAGMA busy_timeout = 1000")
            if connection.execute("PRAGMA journal_mode=DELETE").fetchone()[0] != "delete":
                return True
            connection.execute("BEGIN EXCLUSIVE")
        except sqlite3.DatabaseError as error:
            # A damaged file is what one restores for.
            return error.sqlite_errorcode & 0xFF in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
    return False
