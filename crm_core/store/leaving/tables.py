"""The tables of a plugin as they lie in the database, whatever its code says: found by their names."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import attrs
from sqlalchemy import (
    BindParameter,
    Column,
    Connection,
    LargeBinary,
    MetaData,
    Select,
    Table,
    Text,
    bindparam,
    func,
    inspect,
    select,
    table,
    text,
)
from sqlalchemy.exc import DBAPIError
from sqlalchemy.types import NullType

__all__ = ["TableSize", "bare", "bytes_of", "columns_of", "counted", "foreign_keys_to", "names_of", "sizes"]


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


def bytes_of(connection: Connection, name: str) -> frozenset[str]:
    """The columns of a table whose values are bytes."""
    columns = inspect(connection).get_columns(name)
    return frozenset(column["name"] for column in columns if isinstance(column["type"], LargeBinary))


def columns_of(connection: Connection, tables: Collection[str]) -> dict[str, tuple[str, ...]]:
    """The columns of each of these tables, by one statement."""
    found: dict[str, list[str]] = {name: [] for name in tables}
    for row in connection.execute(text(_COLUMNS[connection.dialect.name]).bindparams(_names(tables))):
        found[row.table_name].append(row.column_name)
    return {name: tuple(columns) for name, columns in found.items()}


def sizes(connection: Connection, tables: Collection[str], records: Mapping[str, str]) -> tuple[TableSize, ...]:
    """How large tables are, by two statements; ``records`` are the names of record types by table."""
    counts = counted(connection, {name: select(func.count()).select_from(table(name)) for name in tables})
    taken = _bytes(connection, tables)
    return tuple(TableSize(name, records.get(name), counts[name], taken.get(name)) for name in tables)


def counted(connection: Connection, queries: Mapping[Any, Select[int]]) -> dict[Any, int]:
    """What each of these queries counts, by one statement."""
    if not queries:
        return {}
    keys = list(queries)
    row = connection.execute(select(*(queries[key].scalar_subquery() for key in keys))).one()
    return dict(zip(keys, row, strict=True))


def _bytes(connection: Connection, tables: Collection[str]) -> dict[str, int]:
    try:
        rows = connection.execute(text(_BYTES[connection.dialect.name]).bindparams(_names(tables)))
        return {row.table_name: int(row.bytes) for row in rows}
    except DBAPIError:
        if connection.dialect.name != "sqlite":
            raise
        return {}  # SQLite was built without the table that tells


def foreign_keys_to(connection: Connection, plugin: str, tables: Collection[str]) -> list[tuple[str, str]]:
    """Columns of other tables that the database ties to these, as table and column; also of plugins nobody knows.

    One statement.
    """
    rows = connection.execute(text(_TIED[connection.dialect.name]).bindparams(_names(tables)))
    return sorted((row.table_name, row.column_name) for row in rows if not row.table_name.startswith(f"{plugin}__"))


def _names(tables: Collection[str]) -> BindParameter[Any]:
    # Of no names at all, SQLAlchemy makes an empty list of numbers otherwise, which PostgreSQL compares with no name.
    return bindparam("names", list(tables), type_=Text, expanding=True)


_COLUMNS = {
    "sqlite": """
        SELECT t.name AS table_name, c.name AS column_name
          FROM sqlite_schema AS t JOIN pragma_table_info(t.name) AS c
         WHERE t.type = 'table' AND t.name IN :names
         ORDER BY t.name, c.cid
        """,
    "postgresql": """
        SELECT c.relname::text AS table_name, a.attname::text AS column_name
          FROM pg_catalog.pg_class AS c
          JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
         WHERE pg_table_is_visible(c.oid) AND c.relname IN :names
         ORDER BY c.relname, a.attnum
        """,
}
_BYTES = {
    "sqlite": """
        SELECT s.tbl_name AS table_name, sum(d.pgsize) AS bytes
          FROM sqlite_schema AS s JOIN dbstat AS d ON d.name = s.name
         WHERE s.tbl_name IN :names
         GROUP BY s.tbl_name
        """,
    "postgresql": """
        SELECT relname::text AS table_name, pg_total_relation_size(oid) AS bytes
          FROM pg_catalog.pg_class WHERE relkind = 'r' AND pg_table_is_visible(oid) AND relname IN :names
        """,
}
_TIED = {
    "sqlite": """
        SELECT t.name AS table_name, f."from" AS column_name
          FROM sqlite_schema AS t JOIN pragma_foreign_key_list(t.name) AS f
         WHERE t.type = 'table' AND f."table" IN :names
        """,
    "postgresql": """
        SELECT t.relname::text AS table_name, a.attname::text AS column_name
          FROM pg_catalog.pg_constraint AS k
          JOIN pg_catalog.pg_class AS t ON t.oid = k.conrelid
          JOIN pg_catalog.pg_class AS r ON r.oid = k.confrelid
          JOIN pg_catalog.pg_attribute AS a ON a.attrelid = t.oid AND a.attnum = ANY (k.conkey)
         WHERE k.contype = 'f' AND pg_table_is_visible(r.oid) AND r.relname IN :names
        """,
}
