"""One transaction in which nobody else migrates, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from sqlalchemy import Connection, Engine

from crm_core.errors import MigrationError

__all__ = ["dangling", "exclusive", "still_open"]

# "crm_core" in ASCII: a lock of ours among those of other applications in the same database.
_LOCK = 0x63726D5F636F7265
# Another process that migrates a large database needs its time; milliseconds.
_PATIENCE = 60_000


@contextmanager
def exclusive(engine: Engine) -> Iterator[Connection]:
    """A connection in a transaction that excludes other migrations; any error rolls it back."""
    if engine.dialect.name == "sqlite":
        with engine.connect() as connection, _sqlite(connection):
            yield connection
    elif engine.dialect.name == "postgresql":
        # Under a stricter level we would go on seeing what was there before we waited for the lock.
        with (
            engine.connect().execution_options(isolation_level="READ COMMITTED") as connection,
            connection.begin(),
        ):
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
            # A table with deferred checks still to come cannot be altered in the same transaction.
            connection.exec_driver_sql("SET CONSTRAINTS ALL IMMEDIATE")
            yield connection
    else:
        raise MigrationError(
            "crm-core cannot migrate a database of kind {dialect}.",
            mend="Use SQLite or PostgreSQL.",
            dialect=engine.dialect.name,
        )


@contextmanager
def _sqlite(connection: Connection) -> Iterator[None]:
    """Our own BEGIN IMMEDIATE, with references switched off around it.

    A table is changed by building it anew and dropping the old one; with references on, dropping it deletes
    the rows that refer to it. The switch has no effect inside a transaction.
    """
    driver: Any = connection.connection.driver_connection
    # SQLAlchemy's isolation level would leave the driver in another state than the engine set up.
    implicit, driver.isolation_level = driver.isolation_level, None
    references = _pragma(driver, "foreign_keys")
    patience = _pragma(driver, "busy_timeout")
    driver.execute("PRAGMA foreign_keys = OFF")
    driver.execute(f"PRAGMA busy_timeout = {max(patience, _PATIENCE)}")
    try:
        with connection.begin():
            # What SQLAlchemy, or a listener of the engine, began may be deferred.
            if driver.in_transaction:
                driver.execute("ROLLBACK")
            driver.execute("BEGIN IMMEDIATE")
            try:
                yield
                driver.execute("COMMIT")
            finally:
                if driver.in_transaction:
                    with suppress(Exception):  # the first error is the one to tell
                        driver.execute("ROLLBACK")
    finally:
        driver.execute(f"PRAGMA foreign_keys = {references}")
        driver.execute(f"PRAGMA busy_timeout = {patience}")
        driver.isolation_level = implicit


def _pragma(driver: Any, name: str) -> int:
    value: int = driver.execute(f"PRAGMA {name}").fetchone()[0]
    return value


def still_open(connection: Connection) -> bool:
    """Whether the transaction was neither committed nor rolled back behind our back."""
    driver: Any = connection.connection.driver_connection
    if connection.dialect.name == "sqlite":
        return bool(driver.in_transaction)
    return str(driver.info.transaction_status.name) == "INTRANS"


def dangling(connection: Connection) -> list[str]:
    """References that lead nowhere, at most ten; only on SQLite, as PostgreSQL checks them by itself."""
    if connection.dialect.name != "sqlite":
        return []
    rows = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchmany(10)
    return [f"{table} row {row} -> {parent}" for table, row, parent, _ in rows]
