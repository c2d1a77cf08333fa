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

__all__ = ["changing", "require_partitions"]

_PATIENCE: Final = "5s"
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
    """A transaction that excludes others who change partitions; :class:`Conflict` where it would have to wait long.

    Whoever waits for a table holds up all who come later, so that it waits for seconds only.
    """
    try:
        with store.engine.begin() as connection:
            connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{_PATIENCE}'")
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({LOCK})")
            yield connection
    except OperationalError as error:
        if getattr(error.orig, "sqlstate", None) != _LOCK_NOT_AVAILABLE:
            raise
        raise Conflict(
            "Somebody has been working with the journal for longer than {patience}. Nothing was changed.",
            mend="Try again, perhaps when no import is running.",
            patience=_PATIENCE,
        ) from error
