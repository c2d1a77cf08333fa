"""One transaction in which somebody changes the partitions, and which keeps nobody waiting for long."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from sqlalchemy.exc import OperationalError

from crm_core.errors import Conflict, StoreError
from crm_core.store.partitions.layout import LOCK

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from crm_core.store.store import Store

__all__ = ["PATIENCE", "changing", "guarded", "require_partitions", "take_turns"]

PATIENCE: Final = "5s"
"""So long others are waited for."""

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
    """Exclude others who change partitions until the end of the transaction, and wait for nobody for long.

    Whoever waits for a table holds up all who come later, so that it is seconds only.
    """
    connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{PATIENCE}'")
    connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({LOCK})")


@contextmanager
def guarded() -> Iterator[None]:
    """Raise :class:`Conflict` where somebody else holds a table for long."""
    try:
        yield
    except OperationalError as error:
        if getattr(error.orig, "sqlstate", None) != _LOCK_NOT_AVAILABLE:
            raise
        raise Conflict(
            "Somebody has been working with the journal for longer than {patience}. Nothing was changed.",
            mend="Try again, perhaps when no import is running.",
            patience=PATIENCE,
        ) from error
