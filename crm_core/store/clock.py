"""One clock for all who share a database: leases and due times must not depend on whose machine is fast."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from crm_core.fields.columns import Moment

if TYPE_CHECKING:
    from sqlalchemy import Connection

__all__ = ["database_now"]


def database_now(connection: Connection) -> dt.datetime:
    """The present moment by the database's clock; SQLite has that of the machine on which it lies."""
    if connection.dialect.name == "postgresql":
        # Not now(): that is when the transaction began, perhaps long before it got the lock.
        moment: dt.datetime = connection.execute(select(func.clock_timestamp(type_=Moment()))).scalar_one()
        return moment
    return dt.datetime.now(dt.UTC)
