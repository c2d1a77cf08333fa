"""One transaction in which somebody changes the partitions, and which keeps nobody waiting for long."""

from __future__ import annotations

import random
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from sqlalchemy.exc import OperationalError

from crm_core.errors import Conflict, StoreError
from crm_core.store.partitions.layout import LOCK

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from crm_core.store.store import Store

__all__ = ["PATIENCE", "changing", "guarded", "lock", "require_partitions", "take_turns"]

PATIENCE: Final = 5.0
"""So many seconds others are waited for."""

_TRY = 0.4

_LOCK_NOT_AVAILABLE = "55P03"


def require_partitions(store: Store) -> None:
    """Raise :class:`StoreError` where the journal has no partitions."""
    if store.dialect != "postgresql":
        raise StoreError(
            "The journal of this database is one table: there are partitions on PostgreSQL alone.",
            mend="Keep years of history in a PostgreSQL database.",
        )


@contextmanager
def changing(store: Store) -> Iterator[Connection]:
    """A transaction that excludes others who change partitions; :class:`Conflict` where it would have to wait long."""
    with guarded(), store.engine.begin() as connection:
        take_turns(connection)
        yield connection


def take_turns(connection: Connection) -> None:
    """Exclude others who change partitions until the end of the transaction."""
    connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{PATIENCE * 1000:.0f}ms'")
    connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({LOCK})")


def lock(connection: Connection, tables: Iterable[str]) -> None:
    """Take tables for ourselves until the end of the transaction: all of them, or none and try again.

    Whoever waits for a table holds up all who come later; and who has one and waits for another may stand against
    somebody who has them the other way round, of whom the database would end one. So we let go before it looks for
    that, which by default is after a second.
    """
    until = time.monotonic() + PATIENCE
    while True:
        try:
            with connection.begin_nested():
                connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{min(_TRY, PATIENCE) * 1000:.0f}ms'")
                connection.exec_driver_sql(f"LOCK TABLE {', '.join(tables)} IN ACCESS EXCLUSIVE MODE")
            return
        except OperationalError as error:
            if not _is_held(error) or time.monotonic() > until:
                raise
        time.sleep(random.uniform(_TRY / 2, _TRY))  # noqa: S311 - no secret


@contextmanager
def guarded() -> Iterator[None]:
    """Raise :class:`Conflict` where somebody else holds a table for long."""
    try:
        yield
    except OperationalError as error:
        if not _is_held(error):
            raise
        raise Conflict(
            "Somebody has been working with the journal for longer than {seconds} seconds. Nothing was changed.",
            mend="Try again, perhaps when no import is running.",
            seconds=PATIENCE,
        ) from error


def _is_held(error: OperationalError) -> bool:
    return getattr(error.orig, "sqlstate", None) == _LOCK_NOT_AVAILABLE
