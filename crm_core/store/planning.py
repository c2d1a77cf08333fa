"""Plans that PostgreSQL keeps: to plan a statement under conditions of access takes longer than to run it.

The driver prepares what it has sent before, on each connection; the server then plans a prepared statement for its
values five more times before it considers one plan for all values. For what concerns few records, which are found by
their ids, one plan is as good as another, so that it is asked for at once. What reads pages keeps its plans by value,
since who sees a thousandth of all records is better served by another plan than who sees a fifth.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import URL, Connection, Engine, event

from crm_core.errors import StoreError

__all__ = ["KEPT", "SENT", "keep_plans", "planned_once", "prepare_after"]

SENT = 1
"""After how many times of being sent on a connection a statement is prepared there."""

KEPT = 400
"""How many prepared statements a connection holds; the one that was used longest ago goes first."""

_OPTION = "prepare_threshold"


def prepare_after(url: URL) -> tuple[URL, int | None]:
    """After how many times statements are prepared, as ``?prepare_threshold=`` of an address says, which is left out.

    ``none`` prepares nothing, for a pooler that gives the connection to somebody else after each transaction. Raises
    :class:`~crm_core.errors.StoreError` for anything else that is no number.
    """
    given = url.query.get(_OPTION, str(SENT))
    rest = url.difference_update_query([_OPTION])
    if given == "none":
        return rest, None
    if not isinstance(given, str) or not given.isdecimal():
        raise StoreError(
            "prepare_threshold of the database address is {given!r}, which is no number.",
            mend="Write after how many times a statement is prepared, or none to prepare nothing.",
            given=given,
        )
    return rest, int(given)


def keep_plans(engine: Engine, after: int | None) -> None:
    """Let each connection of a PostgreSQL engine prepare what was sent ``after`` times; ``None``: nothing."""

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: Any) -> None:
        connection.prepare_threshold = after
        connection.prepared_max = KEPT


@contextmanager
def planned_once(connection: Connection) -> Iterator[None]:
    """What is read meanwhile in this transaction is planned for all values at once; SQLite plans so in any case."""
    if connection.dialect.name != "postgresql" or _driver(connection).prepare_threshold is None:
        yield
        return
    connection.exec_driver_sql("SET LOCAL plan_cache_mode TO force_generic_plan")
    try:
        yield
    finally:
        # In a transaction that has failed or ended nothing can be set, and its end takes the setting with it.
        if not connection.closed and _driver(connection).info.transaction_status.name == "INTRANS":
            connection.exec_driver_sql("SET LOCAL plan_cache_mode TO DEFAULT")


def _driver(connection: Connection) -> Any:
    return connection.connection.driver_connection
