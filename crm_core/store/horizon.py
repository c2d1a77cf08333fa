"""Up to which transaction everything is settled: what the feed may tell without passing a late committer by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import text

if TYPE_CHECKING:
    from sqlalchemy import Connection

__all__ = ["settled_before"]

# A server gives its transaction ids to all its databases. Who works in another one cannot write here, and need not be
# waited for, and neither need the server's own housekeeping. That is known by having no user: the kind of a process
# is told to superusers alone. ``here`` is unknown where a transaction ended between the snapshot, which has it
# running, and the look at who runs what.
_RUNNING = text(
    """
    WITH running AS (
        SELECT CAST(CAST(each AS text) AS bigint) AS id,
               coalesce((SELECT bool_or(backend.datname = current_database() AND backend.usesysid IS NOT NULL)
                           FROM pg_stat_activity AS backend WHERE backend.backend_xid = CAST(each AS xid)),
                        (SELECT bool_or(prepared.database = current_database())
                           FROM pg_prepared_xacts AS prepared WHERE prepared.transaction = CAST(each AS xid))) AS here
          FROM pg_snapshot_xip(pg_current_snapshot()) AS each)
    SELECT CAST(CAST(least(pg_snapshot_xmax(pg_current_snapshot()), pg_current_xact_id_if_assigned()) AS text)
                AS bigint) AS unused,
           (SELECT min(id) FROM running WHERE here) AS here,
           (SELECT min(id) FROM running WHERE here IS NULL) AS unknown
    """
)
_LOOK_AFRESH = text("SELECT pg_stat_clear_snapshot()")
# On a busy server about one look in fifty meets a transaction that has just ended; five in a row do not.
_LOOKS: Final = 5


def settled_before(connection: Connection) -> int | None:
    """The transaction id below which every transaction of this database has ended; None where ids are in commit order.

    On PostgreSQL, which starts transactions in one order and commits them in another. What is below was committed
    before any later statement reads, so that a reader who goes no further misses nothing.
    """
    if connection.dialect.name != "postgresql":
        return None
    settled, unsure = _look(connection)
    for _ in range(_LOOKS - 1):
        if unsure >= settled:
            break
        connection.execute(_LOOK_AFRESH)
        settled, unsure = _look(connection)
    return min(settled, unsure)


def _look(connection: Connection) -> tuple[int, int]:
    """What is settled for certain, and the oldest transaction of which nothing is known (the same if there is none)."""
    found: Any = connection.execute(_RUNNING).one()
    settled = int(found.unused if found.here is None else min(found.unused, found.here))
    return settled, settled if found.unknown is None else int(found.unknown)
