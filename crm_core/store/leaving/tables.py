"""The tables of a plugin as they lie in the database, whatever its code says: found by their names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import attrs
from sqlalchemy import Column, Connection, MetaData, Table, func, inspect, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.types import NullType

__all__ = ["TableSize", "bare", "foreign_keys_to", "names_of", "sizes"]


@attrs.frozen
class TableSize:
    """One table: the record type that lies in it (none for a technical one), its rows, and its bytes with its indexes.

    ``bytes`` is absent where the database does not tell.
    """

    name: str
    record: str | None
    rows: int
    bytes: int | None


def names_of(connection: Connection, plugin: str) -> list[str]:
    """The tables of a plugin; every name of theirs begins with its own."""
    return sorted(name for name in inspect(connection).get_table_names() if name.startswith(f"{plugin}__"))


def bare(connection: Connection, name: str) -> Table:
    """A table with its columns and no types: values stay in the form in which the driver has them."""
    found = inspect(connection).get_columns(name)
    return Table(name, MetaData(), *(Column(column["name"], NullType()) for column in found))


def sizes(connection: Connection, tables: Iterable[str], records: dict[str, str]) -> tuple[TableSize, ...]:
    """How large tables are; ``records`` are the names of record types by table."""
    found = []
    for name in tables:
        count = connection.execute(select(func.count()).select_from(bare(connection, name))).scalar_one()
        found.append(TableSize(name, records.get(name), count, _bytes(connection, name)))
    return tuple(found)


def _bytes(connection: Connection, name: str) -> int | None:
    if connection.dialect.name == "postgresql":
        quoted = connection.dialect.identifier_preparer.quote(name)
        return int(connection.execute(text("SELECT pg_total_relation_size(CAST(:name AS regclass))"),
                                      {"name": quoted}).scalar_one())  # fmt: skip
    inspector = inspect(connection)
    parts = [name, *(str(index["name"]) for index in inspector.get_indexes(name))]
    query = text("SELECT sum(pgsize) FROM dbstat WHERE name = :name")
    try:
        return sum(int(connection.execute(query, {"name": part}).scalar() or 0) for part in parts)
    except DBAPIError:  # SQLite was built without the table that tells
        return None


def foreign_keys_to(connection: Connection, plugin: str, tables: Sequence[str]) -> list[tuple[str, str]]:
    """Columns of other tables that the database ties to these, as table and column; also of plugins nobody knows."""
    inspector: Any = inspect(connection)
    found = []
    for (_, name), keys in inspector.get_multi_foreign_keys().items():
        if not name.startswith(f"{plugin}__"):
            for key in keys:
                if key["referred_table"] in tables:
                    found += [(name, column) for column in key["constrained_columns"]]
    return sorted(found)
