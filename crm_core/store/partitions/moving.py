"""Taking the tables of one part out of the journal and putting them back, within a transaction of the caller's."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from crm_core.store.partitions.layout import DIVIDED, attach, name_of
from crm_core.store.tables import CHANGE, CHANGE_SET

if TYPE_CHECKING:
    from sqlalchemy import Connection, Table

__all__ = ["columns_of", "put_back", "take_out"]

_TABLES: tuple[Table, ...] = (CHANGE_SET, CHANGE)


def columns_of(connection: Connection, table: str) -> str:
    """The columns of a divided table as a statement lists them."""
    quote = connection.dialect.identifier_preparer.quote
    return ", ".join(quote(each.name) for of in _TABLES if of.name == table for each in of.columns)


def take_out(connection: Connection, number: int, cut: dt.datetime) -> None:
    """Detach the tables of a part; what was recorded in it from ``cut`` on stays with the journal.

    Such is there where a process went on using ids that it had been given before: a day's worth at most.
    """
    for table, _ in DIVIDED:
        connection.exec_driver_sql(f"ALTER TABLE {table} DETACH PARTITION {name_of(table, number)}")
    heads = name_of(CHANGE_SET.name, number)
    late = list(connection.exec_driver_sql(f"SELECT id FROM {heads} WHERE at >= %s", (cut,)).scalars())  # noqa: S608
    for table, column in DIVIDED if late else ():
        columns = columns_of(connection, table)
        connection.exec_driver_sql(
            f"WITH moved AS (DELETE FROM {name_of(table, number)} WHERE {column} = ANY (%s) RETURNING {columns}) "  # noqa: S608
            f"INSERT INTO {table} ({columns}) SELECT {columns} FROM moved",
            (late,),
        )


def put_back(connection: Connection, number: int) -> None:
    """Attach the tables of a part again, with what came to its ids meanwhile."""
    for table, column in DIVIDED:
        attach(connection, table, column, number)
