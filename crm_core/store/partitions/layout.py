"""How the journal's tables are divided: which ids are in which partition, and the making of partitions.

Ranges of ids have a fixed width, so that they are known before anything is in them: a new partition is made while it
is empty, and nothing is ever scanned or moved for it. What time a range stands for follows from when ids begin to be
taken from it (:mod:`crm_core.store.partitions.keeping`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlalchemy import select, text

from crm_core.store.tables import CHANGE, CHANGE_SET, JOURNAL_PART

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

__all__ = [
    "DIVIDED",
    "LOCK",
    "REST",
    "WIDTH",
    "attach",
    "bounds",
    "ensure",
    "is_part",
    "made",
    "name_of",
    "number_of",
    "prepare",
]

WIDTH: Final = 100_000_000
"""How many ids a partition has room for; those of records count, as there is one source of ids."""

DIVIDED: Final = ((CHANGE_SET.name, "id"), (CHANGE.name, "change_set_id"))
"""The tables that are divided, each with the column that holds the id of a change set."""

REST: Final = "rest"
"""The name of the default partitions: what no other one takes is written there, so that no write ever fails."""

# "crm-part" in ASCII: one who changes the partitions at a time.
LOCK: Final = 0x63726D2D70617274

_MADE = text(
    """
    SELECT CAST(substring(c.relname FROM '_p([0-9]+)$') AS integer) AS number
      FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid
     WHERE i.inhparent = to_regclass(:table) AND c.relname ~ '_p[0-9]+$'
    """
)


def name_of(table: str, number: int | str) -> str:
    """The name of a partition of a table."""
    return f"{table}_{number}" if number == REST else f"{table}_p{number}"


def number_of(id_: int) -> int:
    """The number of the partition that a change set with this id belongs to."""
    return max(0, id_ // WIDTH)


def bounds(number: int) -> tuple[int, int]:
    """The first id of a partition, and the first one after it."""
    return number * WIDTH, (number + 1) * WIDTH


def is_part(table: str) -> bool:
    """Whether a table is a partition of the journal, or one that was detached: no record declares them."""
    for divided, _ in DIVIDED:
        tail = table.removeprefix(f"{divided}_")
        if tail != table and (tail == REST or (tail[:1] == "p" and tail[1:].isdigit())):
            return True
    return False


def made(connection: Connection) -> list[int]:
    """The numbers of the partitions that the journal has."""
    found = connection.execute(_MADE, {"table": CHANGE_SET.name}).scalars()
    return sorted(number for number in found if number is not None)


def ensure(connection: Connection, number: int) -> bool:
    """Make a partition of both tables, unless it is there; whether it was not.

    What was written to the default partitions meanwhile and belongs here is moved.
    """
    if number in made(connection):
        return False
    for table, column in DIVIDED:
        name = name_of(table, number)
        connection.exec_driver_sql(f"CREATE TABLE {name} (LIKE {table} INCLUDING ALL)")
        attach(connection, table, column, number)
    return True


def attach(connection: Connection, table: str, column: str, number: int) -> None:
    """Make a table that lies beside the journal a partition of it, with what the default partition has of its range."""
    name, rest, (start, end) = name_of(table, number), name_of(table, REST), bounds(number)
    inside = f"{column} < {end}" if number == 0 else f"{column} >= {start} AND {column} < {end}"
    if connection.exec_driver_sql(f"SELECT EXISTS (SELECT 1 FROM {rest} WHERE {inside})").scalar():  # noqa: S608
        columns = ", ".join(
            connection.dialect.identifier_preparer.quote(each.name)
            for each in (CHANGE_SET if table == CHANGE_SET.name else CHANGE).columns
        )
        connection.exec_driver_sql(f"LOCK TABLE {rest} IN ACCESS EXCLUSIVE MODE")
        connection.exec_driver_sql(
            f"WITH moved AS (DELETE FROM {rest} WHERE {inside} RETURNING {columns}) "  # noqa: S608
            f"INSERT INTO {name} ({columns}) SELECT {columns} FROM moved"
        )
    first = "MINVALUE" if number == 0 else str(start)
    connection.exec_driver_sql(f"ALTER TABLE {table} ATTACH PARTITION {name} FOR VALUES FROM ({first}) TO ({end})")


def prepare(engine: Engine) -> None:
    """Make the first partition where the database has partitions; harmless when repeated."""
    if engine.dialect.name != "postgresql":
        return
    with engine.begin() as connection:
        if not made(connection) and connection.execute(select(JOURNAL_PART.c.number).limit(1)).first() is None:
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({LOCK})")
            ensure(connection, 0)
