"""Making parts of the journal, taking their tables out of it and putting them back, within a caller's transaction."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from typing import TYPE_CHECKING

from sqlalchemy import select

from crm_core.store.partitions.changing import lock, take_turns
from crm_core.store.partitions.layout import DIVIDED, REST, bounds, made, name_of
from crm_core.store.tables import CHANGE, CHANGE_SET, JOURNAL_PART

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine, Table

__all__ = ["columns_of", "ensure", "erasures", "prepare", "put_back", "take_out"]

_TABLES: tuple[Table, ...] = (CHANGE_SET, CHANGE)
_CHECK = "ck_crm_part"


def prepare(engine: Engine) -> None:
    """Make the first part where the database has parts; harmless when repeated."""
    if engine.dialect.name != "postgresql":
        return
    with engine.begin() as connection:
        if not made(connection) and connection.execute(select(JOURNAL_PART.c.number).limit(1)).first() is None:
            take_turns(connection)
            ensure(connection, 0)


def ensure(connection: Connection, number: int) -> bool:
    """Make a part, unless it is there; whether it was not.

    What was written to the default partitions meanwhile and belongs here is moved.
    """
    if number in made(connection):
        return False
    for table, _ in DIVIDED:
        connection.exec_driver_sql(f"CREATE TABLE {name_of(table, number)} (LIKE {table} INCLUDING ALL)")
    put_back(connection, number)
    return True


def columns_of(connection: Connection, table: str) -> str:
    """The columns of a divided table as a statement lists them."""
    quote = connection.dialect.identifier_preparer.quote
    return ", ".join(quote(each.name) for of in _TABLES if of.name == table for each in of.columns)


def erasures(connection: Connection, partition: int | str) -> list[int]:
    """The change sets in a partition by which somebody was erased.

    They stay with the journal, for whatever is attached later: it may be older, and they are all that tells.
    """
    heads = name_of(CHANGE_SET.name, partition)
    query = f"SELECT id FROM {heads} WHERE source = 'erasure'"  # noqa: S608 - a name of our own making
    return list(connection.exec_driver_sql(query).scalars())


def take_out(connection: Connection, number: int, cut: dt.datetime, staying: Collection[int]) -> None:
    """Detach the tables of a part, but for change sets that stay with the journal.

    That are those that are given, and what was recorded from ``cut`` on. Such is there where a process went on using
    ids that it had been given before: a day's worth at most.
    """
    lock(connection, [CHANGE.name, CHANGE_SET.name])
    for table, _ in DIVIDED:
        connection.exec_driver_sql(f"ALTER TABLE {table} DETACH PARTITION {name_of(table, number)}")
    heads = name_of(CHANGE_SET.name, number)
    late = connection.exec_driver_sql(f"SELECT id FROM {heads} WHERE at >= %s", (cut,)).scalars()  # noqa: S608
    ids = [*staying, *late]
    for table, column in DIVIDED if ids else ():
        columns = columns_of(connection, table)
        connection.exec_driver_sql(
            f"WITH moved AS (DELETE FROM {name_of(table, number)} WHERE {column} = ANY (%s) RETURNING {columns}) "  # noqa: S608
            f"INSERT INTO {table} ({columns}) SELECT {columns} FROM moved",
            (ids,),
        )


def put_back(connection: Connection, number: int) -> None:
    """Attach the tables of a part, with what came to its ids meanwhile.

    That all of it belongs there is proven before anybody has to wait: by a condition, which PostgreSQL then takes for
    proof.
    """
    inside = {column: _inside(column, number) for _, column in DIVIDED}
    for table, column in DIVIDED:
        connection.exec_driver_sql(
            f"ALTER TABLE {name_of(table, number)} ADD CONSTRAINT {_CHECK} CHECK ({inside[column]})"
        )
    # Also those who write: one who has chosen the default partition for a row would be refused by what it is now.
    lock(connection, [CHANGE.name, CHANGE_SET.name])
    start, end = bounds(number)
    for table, column in DIVIDED:
        name, rest, columns = name_of(table, number), name_of(table, REST), columns_of(connection, table)
        connection.exec_driver_sql(
            f"WITH moved AS (DELETE FROM {rest} WHERE {inside[column]} RETURNING {columns}) "  # noqa: S608 - our names
            f"INSERT INTO {name} ({columns}) SELECT {columns} FROM moved"
        )
        connection.exec_driver_sql(
            f"ALTER TABLE {table} ATTACH PARTITION {name} "
            f"FOR VALUES FROM ({'MINVALUE' if number == 0 else start}) TO ({end})"
        )
        connection.exec_driver_sql(f"ALTER TABLE {name} DROP CONSTRAINT {_CHECK}")


def _inside(column: str, number: int) -> str:
    start, end = bounds(number)
    return f"{column} < {end}" if number == 0 else f"{column} >= {start} AND {column} < {end}"
