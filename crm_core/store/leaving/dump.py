"""Rows of a plugin's tables as lines of JSON, in the form in which the database's driver has them."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import attrs
import msgspec
from sqlalchemy import Connection, Table, select, text

from crm_core.errors import StoreError
from crm_core.store.leaving.tables import bare
from crm_core.store.values import encode_values

__all__ = ["TableFile", "keep_writers_out", "lines_of", "sum_of", "sums", "verify", "with_bytes", "write_table"]

_PAGE = 1000
_BYTES = "$bytes"

Tell = Callable[[str, int], None]
"""Called with a table and how many of its rows are dealt with."""


@attrs.frozen
class TableFile:
    """One table in a file: where, how many rows, and the digest of what was written."""

    table: str
    record: str | None
    file: str
    rows: int
    sha256: str
    columns: tuple[str, ...]


def keep_writers_out(connection: Connection, tables: list[str]) -> None:
    """Let nobody write to these tables until the end of the transaction; readers go on."""
    if connection.dialect.name == "postgresql" and tables:
        quote = connection.dialect.identifier_preparer.quote
        connection.execute(text(f"LOCK TABLE {', '.join(map(quote, tables))} IN EXCLUSIVE MODE"))


def write_table(connection: Connection, name: str, record: str | None, path: Path, tell: Tell) -> TableFile:
    """Write all rows of a table."""
    table, digest, count = bare(connection, name), sha256(), 0
    with path.open("wb") as file:
        for line in _lines(connection, table):
            file.write(line)
            digest.update(line)
            count += 1
            if count % _PAGE == 0:
                tell(name, count)
        file.flush()
    tell(name, count)
    return TableFile(name, record, path.name, count, digest.hexdigest(), tuple(str(column.name) for column in table.c))


def verify(connection: Connection, written: TableFile, path: Path, tell: Tell) -> None:
    """Read a file back and compare it with the table, row by row; :class:`StoreError` where anything differs."""
    table, count = bare(connection, written.table), 0
    rows = _lines(connection, table)
    for found in lines_of(path, written):
        count += 1
        if found != msgspec.json.decode(next(rows, b"null")):
            raise _damaged(path)
        if count % _PAGE == 0:
            tell(written.table, count)
    if count != written.rows or next(rows, None) is not None:
        raise _damaged(path)
    tell(written.table, count)


def lines_of(path: Path, written: TableFile) -> Iterator[dict[str, Any]]:
    """The rows in a file; :class:`StoreError` at its end where it is not what was written."""
    digest, count = sha256(), 0
    try:
        with path.open("rb") as file:
            for line in file:
                digest.update(line)
                count += 1
                yield msgspec.json.decode(line)
    except (OSError, msgspec.DecodeError) as error:
        raise _damaged(path) from error
    if count != written.rows or digest.hexdigest() != written.sha256:
        raise _damaged(path)


def with_bytes(row: dict[str, Any], columns: Collection[str]) -> dict[str, Any]:
    """A row with the values of these columns as bytes again."""
    return {
        name: base64.b64decode(value[_BYTES]) if name in columns and isinstance(value, dict) else value
        for name, value in row.items()
    }


def sum_of(row: dict[str, Any]) -> bytes:
    """What tells rows of a table without an id from each other."""
    return sha256(msgspec.json.encode(row, order="sorted")).digest()


def sums(connection: Connection, name: str) -> Counter[bytes]:
    """How often each row stands in a table, by :func:`sum_of`."""
    return Counter(sum_of(msgspec.json.decode(line)) for line in _lines(connection, bare(connection, name)))


def _lines(connection: Connection, table: Table) -> Iterator[bytes]:
    order = [table.c.id] if "id" in table.c else list(table.c)
    query = select(table).order_by(*order).execution_options(stream_results=True, yield_per=_PAGE)
    for row in connection.execute(query).mappings():
        values = {str(name): _plain(value) for name, value in row.items()}
        yield encode_values(values).encode() + b"\n"


def _plain(value: Any) -> Any:
    return {_BYTES: base64.b64encode(value).decode()} if isinstance(value, bytes) else value


def _damaged(path: Path) -> StoreError:
    return StoreError(
        "{file} is not what was written: it was damaged or changed.",
        mend="Look for room on the disk and export again; a file that was complete once comes back from a copy.",
        file=str(path),
    )
