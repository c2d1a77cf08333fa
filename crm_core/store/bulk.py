"""The fast way into a table: driver rows without SQLAlchemy's statement machinery."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy.exc import DBAPIError

if TYPE_CHECKING:
    from sqlalchemy import Connection, Dialect

__all__ = ["delete_tuples", "insert_tuples", "update_tuples"]

# Below this, setting up COPY costs more than it saves.
_COPY_FROM = 20


def insert_tuples(connection: Connection, table: str, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
    """Insert rows that are already in the driver's form."""
    if not rows:
        return
    dialect = connection.dialect
    if dialect.name == "postgresql" and len(rows) >= _COPY_FROM:
        driver = connection.connection.driver_connection
        assert driver is not None
        quote = dialect.identifier_preparer.quote
        copying = f"COPY {quote(table)} ({', '.join(map(quote, columns))}) FROM STDIN"
        try:
            with driver.cursor() as cursor, cursor.copy(copying) as copy:
                write = copy.write_row
                for row in rows:
                    write(row)
        except Exception as error:
            # The driver's errors in SQLAlchemy's terms, as for every other statement.
            raise DBAPIError.instance(copying, None, error, dialect.loaded_dbapi.Error) from error
        return
    connection.exec_driver_sql(_insertion(dialect, table, tuple(columns)), list(rows) if len(rows) > 1 else rows[0])


def update_tuples(
    connection: Connection, table: str, columns: Sequence[str], by: Sequence[str], rows: Sequence[tuple[Any, ...]]
) -> int:
    """Write ``columns`` of the rows that have these values ``by``, all in the driver's form; returns how many had.

    A row holds the values of the columns, and then those by which it is found.
    """
    if not rows:
        return 0
    statement = _updating(connection.dialect, table, tuple(columns), tuple(by))
    return connection.exec_driver_sql(statement, list(rows) if len(rows) > 1 else rows[0]).rowcount


def delete_tuples(connection: Connection, table: str, by: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
    """Delete the rows that have these values ``by``.

    Each is looked up by itself. With a list for every column the database would try all pairs, a million of a thousand.
    """
    if rows:
        statement = _deletion(connection.dialect, table, tuple(by))
        connection.exec_driver_sql(statement, list(rows) if len(rows) > 1 else rows[0])


@functools.lru_cache(
    maxsize=1024
)  # as many tables as builds of one process have; made anew it costs as much as it does
def _insertion(dialect: Dialect, table: str, columns: tuple[str, ...]) -> str:
    quote = dialect.identifier_preparer.quote
    marks = ", ".join(["?" if dialect.name == "sqlite" else "%s"] * len(columns))
    # Names are quoted identifiers of declared tables; values are always parameters.
    return f"INSERT INTO {quote(table)} ({', '.join(map(quote, columns))}) VALUES ({marks})"  # noqa: S608


@functools.lru_cache(maxsize=1024)
def _updating(dialect: Dialect, table: str, columns: tuple[str, ...], by: tuple[str, ...]) -> str:
    quote, mark = dialect.identifier_preparer.quote, "?" if dialect.name == "sqlite" else "%s"
    setting = ", ".join(f"{quote(name)} = {mark}" for name in columns)
    # As above.
    return f"UPDATE {quote(table)} SET {setting} WHERE {_having(dialect, by)}"  # noqa: S608


@functools.lru_cache(maxsize=1024)
def _deletion(dialect: Dialect, table: str, by: tuple[str, ...]) -> str:
    # As above.
    return f"DELETE FROM {dialect.identifier_preparer.quote(table)} WHERE {_having(dialect, by)}"  # noqa: S608


def _having(dialect: Dialect, by: tuple[str, ...]) -> str:
    quote, mark = dialect.identifier_preparer.quote, "?" if dialect.name == "sqlite" else "%s"
    return " AND ".join(f"{quote(name)} = {mark}" for name in by)
