"""What a database holds, told by numbers: for every table its rows and a hash over them.

The hash of a table is a sum over the hashes of its rows, so the order in which a database hands them out does not
matter. Columns go by name, because a restored table may have them in another order. It says whether two databases of
the same product hold the same; those of different products write values differently, and their hashes differ.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import attrs
import msgspec

from crm_core.errors import Problem

if TYPE_CHECKING:
    import sqlite3

    from sqlalchemy import Connection

__all__ = [
    "Content", "Contents", "Tell", "differences", "postgresql_contents", "postgresql_statement", "postgresql_tables",
    "quiet", "quoted", "sqlite_contents", "sqlite_tables",
]  # fmt: skip

Tell = Callable[[str, int, int], None]
"""Called during long work: what is being done, how much of it is done, and how much there is."""

_MODULUS = 1 << 256
_BATCH = 2000


def _tuple(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(names)


@attrs.frozen
class Content:
    """What one table holds: its rows, the hash over them, and its columns in the order of their names."""

    rows: int
    sha256: str
    columns: tuple[str, ...] = attrs.field(converter=_tuple)


Contents = Mapping[str, Content]
"""The contents of a database by table."""


def quiet(_what: str, _done: int, _total: int) -> None:
    """A :data:`Tell` that says nothing."""


def quoted(name: str) -> str:
    """A name as both databases take it in a statement."""
    return '"' + name.replace('"', '""') + '"'


def differences(wanted: Contents, found: Contents) -> list[Problem]:
    """How a database differs from what it should hold; nothing when it does not."""
    problems: list[Problem] = []
    for name in sorted({*wanted, *found}):
        one, other = wanted.get(name), found.get(name)
        if other is None:
            problems.append(Problem(name, "The table is missing."))
        elif one is None:
            problems.append(Problem(name, "The table should not be there."))
        elif one.rows != other.rows:
            values = {"wanted": one.rows, "found": other.rows}
            problems.append(Problem(name, "It has {found} rows, and should have {wanted}.", "", values))
        elif one.sha256 != other.sha256:
            problems.append(Problem(name, "Its rows are as many as they should be, but hold something else."))
    return problems


# -- SQLite ----------------------------------------------------------------------------------------------------


def sqlite_tables(connection: sqlite3.Connection) -> list[str]:
    """Every table with rows of its own; the full-text index counts by the tables that it keeps them in."""
    rows = connection.execute(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND sql NOT LIKE 'CREATE VIRTUAL%' "
        "AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name"
    )
    return [_text(row[0]) for row in rows]


def sqlite_contents(connection: sqlite3.Connection, tell: Tell = quiet) -> dict[str, Content]:
    """The contents as one transaction sees them; the caller has begun it."""
    # Texts need not be decoded to be compared, and one that is no UTF-8 must not stop a backup.
    factory, connection.text_factory = connection.text_factory, bytes
    try:
        tables = sqlite_tables(connection)
        found = {}
        for number, name in enumerate(tables):
            tell("reading", number, len(tables))
            found[name] = _sqlite_content(connection, name)
        tell("reading", len(tables), len(tables))
        return found
    finally:
        connection.text_factory = factory


def _sqlite_content(connection: sqlite3.Connection, name: str) -> Content:
    columns = sorted(_text(row[1]) for row in connection.execute(f"PRAGMA table_info({quoted(name)})"))
    listed = ", ".join(quoted(each) for each in columns)
    cursor = connection.execute(f"SELECT {listed} FROM {quoted(name)}")  # noqa: S608 - names from the schema
    encode, total, rows = msgspec.msgpack.Encoder().encode, 0, 0
    while batch := cursor.fetchmany(_BATCH):
        rows += len(batch)
        for row in batch:
            total += int.from_bytes(hashlib.sha256(encode(row)).digest(), "big")
    return Content(rows, hashlib.sha256(f"{rows}:{total % _MODULUS:064x}".encode()).hexdigest(), tuple(columns))


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


# -- PostgreSQL ------------------------------------------------------------------------------------------------

_TABLES = """
SELECT n.nspname, c.relname, array_agg(a.attname::text ORDER BY a.attname::text COLLATE "C")
  FROM pg_catalog.pg_class AS c
  JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
  JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
 WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence <> 't'
   AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\\_%'
   AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_depend AS d
                    WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid
                      AND d.deptype = 'e')
 GROUP BY n.nspname, c.relname
 ORDER BY n.nspname, c.relname
"""

SETTINGS = ("SET TIME ZONE 'UTC'", "SET datestyle TO 'ISO, YMD'", "SET intervalstyle TO 'postgres'",
            "SET bytea_output TO 'hex'", "SET extra_float_digits TO 1", "SET jit TO off")  # fmt: skip
"""What PostgreSQL writes values by, so that the same values have the same text in every session."""


def postgresql_tables(connection: Connection) -> dict[str, tuple[str, tuple[str, ...]]]:
    """Every table with rows: by name how a statement writes it, and its columns.

    A table outside of the schema ``public``, or with a point in its name, has its schema before that.
    """
    return {
        table if schema == "public" and "." not in table else f"{schema}.{table}": (
            f"{quoted(schema)}.{quoted(table)}",
            tuple(columns),
        )
        for schema, table, columns in connection.exec_driver_sql(_TABLES.replace("%", "%%"))
    }


def postgresql_statement(written: str, columns: tuple[str, ...]) -> str:
    """A statement that gives the rows and the hash of a table; the server counts, no row travels."""
    row = ", ".join(quoted(each) for each in columns)
    sums = " || ':' || ".join(
        f"coalesce(sum(('x' || substr(h, {start}, 16))::bit(64)::bigint), 0)::text" for start in (1, 17, 33, 49)
    )
    return (
        f"SELECT count(*) AS rows, encode(sha256(convert_to(count(*)::text || ':' || {sums}, 'UTF8')), "  # noqa: S608
        "'hex') AS sha256"
        f" FROM (SELECT encode(sha256(convert_to(ROW({row})::text, 'UTF8')), 'hex') AS h FROM {written}) AS hashed"
    )


def postgresql_contents(connection: Connection, tell: Tell = quiet) -> dict[str, Content]:
    """The contents as one transaction sees them; the caller has begun it."""
    for setting in SETTINGS:
        connection.exec_driver_sql(setting)
    tables = postgresql_tables(connection)
    found = {}
    for number, (name, (written, columns)) in enumerate(tables.items()):
        tell("reading", number, len(tables))
        rows, sha256 = connection.exec_driver_sql(postgresql_statement(written, columns).replace("%", "%%")).one()
        found[name] = Content(rows, sha256, columns)
    tell("reading", len(tables), len(tables))
    return found
