"""What a database knows of its tables: counted anew when much has come in, or it plans as if they were empty.

PostgreSQL counts by itself, but only within minutes, and SQLite never does. Until then a page of a pool, or a look for
duplicates, can take a hundred times as long.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING

from sqlalchemy import text
from sqlalchemy.pool import QueuePool

from crm_core.logs import logger
from crm_core.store.tables import CHANGE, MATCH_KEY, SEARCH_DOCUMENT

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

__all__ = ["LARGE", "Grown", "refresh", "rows_known"]

LARGE = 10_000
"""From so many new rows in one transaction on, the tables that they are in are counted."""

_FOLLOWING = (CHANGE.name, MATCH_KEY.name, SEARCH_DOCUMENT.name)
_LOOKS = 1000
"""So many rows of each index SQLite looks at: a sample is as good, and takes milliseconds."""


class Grown:
    """The tables into which a transaction has put rows."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._over = False

    def add(self, tables: Iterable[str]) -> None:
        """A row came into each of these, one after the other."""
        if self._over:
            self._counts.clear()
            self._over = False
        self._counts.update(tables)

    def end(self, *, committed: bool) -> None:
        """The transaction is over; what was rolled back did not come."""
        self._over = True
        if not committed:
            self._counts.clear()

    def take(self) -> list[str]:
        """The tables of a committed transaction into which very much came, with those that follow; told once."""
        much = self._over and self._counts.total() >= LARGE
        found = [*self._counts, *_FOLLOWING] if much else []
        if self._over:
            self._counts.clear()
        return found


_ROWS = text("SELECT CAST(reltuples AS bigint) FROM pg_class WHERE oid = to_regclass(:name)")
_COUNTED = text("SELECT 1 FROM sqlite_master WHERE name = 'sqlite_stat1'")
_STATISTICS = text("SELECT stat FROM sqlite_stat1 WHERE tbl = :name")


def rows_known(connection: Connection, table: str) -> int:
    """About how many rows the database knows a table to have: 0 where it never counted."""
    if connection.dialect.name == "postgresql":
        return max(0, connection.execute(_ROWS, {"name": table}).scalar() or 0)
    if connection.execute(_COUNTED).first() is None:
        return 0
    # Each of its indexes says it, as far as was looked.
    return max((int(stat.split()[0]) for (stat,) in connection.execute(_STATISTICS, {"name": table})), default=0)


def refresh(engine: Engine, tables: Collection[str]) -> None:
    """Let the database count these tables. Nobody waits for it, and it waits for nobody: what is locked is left out."""
    quote = engine.dialect.identifier_preparer.quote
    names = [quote(table) for table in sorted(tables)]
    if not names:
        return
    if engine.dialect.name == "sqlite":
        _sqlite(engine, names)
        return
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql(f"ANALYZE (SKIP_LOCKED) {', '.join(names)}")


def _sqlite(engine: Engine, names: Sequence[str]) -> None:
    # By the driver: SQLAlchemy would begin a transaction, and wait for the lock.
    connection = engine.raw_connection()
    try:
        cursor = connection.cursor()
        wait = cursor.execute("PRAGMA busy_timeout").fetchone()[0]
        cursor.execute("PRAGMA busy_timeout = 0")
        cursor.execute(f"PRAGMA analysis_limit = {_LOOKS}")
        try:
            for name in names:
                cursor.execute(f"ANALYZE {name}")
        except engine.dialect.loaded_dbapi.OperationalError as error:
            logger("crm_core.store").warning("statistics left out", error=str(error))
        finally:
            cursor.execute(f"PRAGMA busy_timeout = {wait}")
    finally:
        connection.close()
    if isinstance(engine.pool, QueuePool):
        # An open connection goes on by what it read when it was opened.
        engine.dispose()
