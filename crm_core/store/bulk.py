"""The fast way into a table: driver rows without SQLAlchemy's statement machinery."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy.exc import DBAPIError

if TYPE_CHECKING:
    from sqlalchemy import Connection

__all__ = ["insert_tuples"]

# Below this, setting up COPY costs more than it saves.
_COPY_FROM = 20


def insert_tuples(connection: Connection, table: str, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
    """Insert rows that are already in the driver's form."""
    if not rows:
        return
    quote = connection.dialect.identifier_preparer.quote
    names = ", ".join(quote(column) for column in columns)
    if connection.dialect.name == "postgresql" and len(rows) >= _COPY_FROM:
        driver = connection.connection.driver_connection
        assert driver is not None
        copying = f"COPY {quote(table)} ({names}) FROM STDIN"
        try:
            with driver.cursor() as cursor, cursor.copy(copying) as copy:
                write = copy.write_row
                for row in rows:
                    write(row)
        except Exception as error:
            # The driver's errors in SQLAlchemy's terms, as for every other statement.
            raise DBAPIError.instance(copying, None, error, connection.dialect.loaded_dbapi.Error) from error
        return
    mark = "?" if connection.dialect.name == "sqlite" else "%s"
    marks = ", ".join([mark] * len(columns))
    # Names are quoted identifiers of declared tables; values are always parameters.
    connection.exec_driver_sql(
        f"INSERT INTO {quote(table)} ({names}) VALUES ({marks})",  # noqa: S608
        list(rows) if len(rows) > 1 else rows[0],
    )
