"""One clock for all who share a database: leases and due times must not depend on whose machine is fast."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from crm_core.fields.columns import Moment

if TYPE_CHECKING:
    from sqlalchemy import Connection

__all__ = ["CLOCK", "database_now"]

CLOCK = "crm_clock"
"""Execution option: a clock that was given to the CRM, in place of the database's."""


def database_now(connection: Connection) -> dt.datetime:
    """The present moment by the database's clock; SQLite has that of the machine on which it lies."""
    given = connection.get_execution_options().get(CLOCK)
    if given is not None:
        moment: dt.datetime = given()
        return moment
    if connection.dialect.name == "postgresql":
        # Not now(): that is when the transaction began, perhaps long before it got the lock.
        moment = connection.execute(select(func.clock_timestamp(type_=Moment()))).scalar_one()
        return moment
    return dt.datetime.now(dt.UTC)
