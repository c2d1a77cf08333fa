"""A detached part of the journal in a file: compressed, with what it holds said at both ends and proven by a sum.

The rows are as PostgreSQL itself writes them for ``COPY``, so that they come back bit by bit.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import attrs

from crm_core.errors import NotFound, StoreError
from crm_core.store.copies.placing import Workplace, flush, flush_folder
from crm_core.store.partitions.layout import DIVIDED, name_of
from crm_core.store.partitions.moving import columns_of

if TYPE_CHECKING:
    from sqlalchemy import Connection

__all__ = ["InFile", "file_name", "load", "occupied", "read", "write"]

_FORMAT = "crm-core journal part 1"


@attrs.frozen
class InFile:
    """What a file says of the part that it holds; ``rows`` are those of each table."""

    number: int
    rows: dict[str, int]
    columns: dict[str, str]
    sha256: str


def file_name(number: int) -> str:
    """What the file of a part is called."""
    return f"journal-part-{number}.gz"


def write(connection: Connection, number: int, file: Path) -> InFile:
    """Write the tables of a detached part to a file, which appears whole or not at all, and was read back then.

    A file that is there already and holds just the same is taken: whoever wrote it was stopped before the database
    knew. Raises :class:`StoreError` where it holds something else, or what was written reads otherwise.
    """
    with Workplace.beside(file) as place:
        made = place.folder / file.name
        with gzip.open(made, "wb", compresslevel=6) as out:
            columns = {table: columns_of(connection, table) for table, _ in DIVIDED}
            _line(out, {"format": _FORMAT, "number": number, "columns": columns})
            rows: dict[str, int] = {}
            sums = hashlib.sha256()
            for table, _ in DIVIDED:
                _line(out, {"table": table})
                rows[table] = _dump(connection, name_of(table, number), columns[table], out, sums)
            _line(out, {"rows": rows, "sha256": sums.hexdigest()})
        made.chmod(0o600)  # all that the journal knows, for whoever makes backups
        flush(made)
        found = read(made)
        if found != InFile(number, rows, columns, sums.hexdigest()):
            raise StoreError("What was written to {path} reads otherwise.", mend="Check the disk.", path=str(file))
        if not file.exists():
            os.rename(made, file)
        elif not _holds(file, found):
            raise occupied(file)
        flush_folder(file.parent)
    return found


def occupied(file: Path) -> StoreError:
    """The error of a file that is where a part was to be written."""
    return StoreError("There is a file {path} already.", mend="Give another folder.", path=str(file))


def _holds(file: Path, part: InFile) -> bool:
    try:
        return read(file) == part
    except StoreError:
        return False


def read(file: Path, take: Callable[[str, bytes], None] | None = None) -> InFile:
    """Read a file to its end; ``take`` is called with each row, as ``COPY`` takes it, and the name of its table.

    Raises :class:`NotFound` where there is no such file, and :class:`StoreError` where it is not whole.
    """
    try:
        with gzip.open(file, "rb") as opened:
            return _read(file, opened, take)
    except FileNotFoundError:
        raise NotFound("There is no file {file}.", mend="Correct the path.", file=str(file)) from None
    except (OSError, EOFError, zlib.error, ValueError, KeyError, TypeError) as error:
        raise _broken(file, str(error) or type(error).__name__) from error


def load(connection: Connection, file: Path, number: int) -> None:
    """Fill the tables of a part, which are there and empty, from its file."""
    driver: Any = connection.connection.driver_connection
    for table, _ in DIVIDED:
        columns = columns_of(connection, table)
        with driver.cursor() as cursor, cursor.copy(f"COPY {name_of(table, number)} ({columns}) FROM STDIN") as copy:
            read(file, partial(_copy, copy, table))


def _copy(copy: Any, table: str, of: str, row: bytes) -> None:
    if of == table:
        copy.write(row)


def _line(out: IO[bytes] | gzip.GzipFile, value: Any) -> None:
    # No row begins like this: COPY writes a backslash as two.
    out.write(b"\\#" + json.dumps(value).encode() + b"\n")


def _dump(connection: Connection, table: str, columns: str, out: gzip.GzipFile, sums: Any) -> int:
    driver: Any = connection.connection.driver_connection
    rows = 0
    with driver.cursor() as cursor, cursor.copy(f"COPY {table} ({columns}) TO STDOUT") as copy:
        for chunk in copy:
            data = bytes(chunk)
            rows += data.count(b"\n")
            sums.update(data)
            out.write(data)
    return rows


def _read(file: Path, opened: gzip.GzipFile, take: Callable[[str, bytes], None] | None) -> InFile:
    said: dict[str, Any] = {}
    rows: dict[str, int] = {}
    sums = hashlib.sha256()
    table = ""
    for line in opened:
        if line.startswith(b"\\#"):
            said |= json.loads(line[2:])
            table = said.get("table", "")
            rows.setdefault(table, 0)
            continue
        rows[table] += 1
        sums.update(line)
        if take is not None:
            take(table, line)
    if said.get("format") != _FORMAT:
        raise _broken(file, "it is no part of a journal")
    rows.pop("", None)
    if said.get("rows") != rows or said.get("sha256") != sums.hexdigest():
        raise _broken(file, "it does not hold what was written")
    return InFile(said["number"], rows, said["columns"], said["sha256"])


def _broken(file: Path, reason: str) -> StoreError:
    return StoreError(
        "{path} is no whole part of a journal: {reason}.",
        mend="Take another copy of the file.",
        path=str(file),
        reason=reason,
    )
