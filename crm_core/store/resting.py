"""Connections that rested in the pool: asked whether they are still there only where there is a reason to doubt it.

To ask each time costs as much as a small statement, and a page is two of them. A server that ends a connection says so,
or hangs up, and the operating system knows that there is something to read; what is cut without a word, by a firewall
for example, has rested for long.
"""

from __future__ import annotations

import select
import time
from functools import partial
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.exc import InvalidatePoolError

__all__ = ["LONG", "ask_when_in_doubt"]

LONG = 5.0
"""Seconds after which a connection is asked even if nothing was heard of it."""

_SINCE = "crm_rests_since"


def ask_when_in_doubt(engine: Engine) -> None:
    """Let the pool of a PostgreSQL engine replace connections that are gone, as ``pool_pre_ping`` does."""
    event.listen(engine, "checkin", _rests)
    event.listen(engine, "checkout", partial(_look, engine))


def _rests(_connection: Any, record: Any) -> None:
    record.info[_SINCE] = time.monotonic()


def _look(engine: Engine, connection: Any, record: Any, _proxy: Any) -> None:
    since = record.info.get(_SINCE)
    if since is None or (time.monotonic() - since < LONG and _quiet(connection)):
        return
    try:
        engine.dialect.do_ping(connection)
    except _errors(engine) as error:
        # The pool then makes a new one, and throws away all that are as old.
        raise InvalidatePoolError from error


def _errors(engine: Engine) -> type[Exception]:
    """Whatever the driver raises."""
    errors: type[Exception] = engine.dialect.loaded_dbapi.Error
    return errors


def _quiet(connection: Any) -> bool:
    """Whether the server has said nothing since: no word of a shutdown, no end of the stream."""
    if connection.closed or not hasattr(select, "poll"):  # Windows has none
        return False
    look = select.poll()
    look.register(connection.fileno(), select.POLLIN)
    return not look.poll(0)
