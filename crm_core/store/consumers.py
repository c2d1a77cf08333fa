"""Consumers of the feed: where each stands, who is telling it just now, and what it could not bear."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import attrs
from sqlalchemy import and_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from crm_core.store.backoff import MOST_PAUSE
from crm_core.store.clock import database_now
from crm_core.store.feed import Position
from crm_core.store.tables import FEED_POSITION

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from crm_core.store.session import CrmSession

__all__ = ["Consumer", "advance", "consumers", "failed", "hold", "put_aside", "release", "renew"]

_C = FEED_POSITION.c


@attrs.frozen
class Consumer:
    """One consumer: its position, and how it fares.

    ``failures`` counts those at the next change set, ``put_aside`` the change sets that were put aside since it took
    one. It is told nothing before ``retry_at``; until ``held_until`` it is being told by ``holder``.
    """

    name: str
    position: Position
    failures: int
    put_aside: int
    last_error: str | None
    retry_at: dt.datetime | None
    holder: str | None
    held_until: dt.datetime | None


def consumers(connection: Connection) -> list[Consumer]:
    """All consumers that ever had a position."""
    return [_consumer(row) for row in connection.execute(select(FEED_POSITION).order_by(_C.consumer))]


def hold(connection: Connection, name: str, holder: str, lease: int, *, at_once: bool) -> Consumer | None:
    """Become the one who tells the consumer for ``lease`` seconds; ``None`` while somebody else is, or it rests.

    ``at_once`` does not wait for the end of a pause after a failure.
    """
    make = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    new = {"consumer": name, "place": 0, "change_set_id": 0, "failures": 0, "put_aside": 0}
    connection.execute(make(FEED_POSITION).values(**new).on_conflict_do_nothing())
    row = connection.execute(
        select(FEED_POSITION).where(_C.consumer == name).with_for_update(skip_locked=True)
    ).first()  # fmt: skip
    if row is None:
        return None
    now = database_now(connection)
    if row.held_until is not None and row.held_at > now:
        # The clock was set back since: its holder may be alive, and gets one lease to show it.
        _change(connection, _C.consumer == name, held_at=now, held_until=now + (row.held_until - row.held_at))
        return None
    if row.held_until is not None and row.held_until > now and row.holder != holder:
        return None
    if not at_once and row.retry_at is not None and now < row.retry_at <= now + MOST_PAUSE:
        return None
    until = now + dt.timedelta(seconds=lease)
    _change(connection, _C.consumer == name, holder=holder, held_at=now, held_until=until)
    return attrs.evolve(_consumer(row), holder=holder, held_until=until)


def renew(connection: Connection, name: str, holder: str, lease: int) -> bool:
    """The holder is alive: its lease begins anew. False when it is no longer the holder."""
    now = database_now(connection)
    return _change(connection, _held(name, holder), held_at=now, held_until=now + dt.timedelta(seconds=lease))


def release(connection: Connection, name: str, holder: str) -> None:
    """The holder has done what it could."""
    _change(connection, _held(name, holder), holder=None, held_at=None, held_until=None)


def advance(connection: Connection, name: str, holder: str, to: Position, *, put_aside: int = 0) -> bool:
    """The consumer has dealt with everything up to ``to``, or (``put_aside``) its last was put aside.

    False, and nothing is changed, when ``holder`` no longer is the holder.
    """
    return _change(connection, _held(name, holder), place=to.place, change_set_id=to.change_set_id, failures=0,
                   put_aside=put_aside, last_error=None, retry_at=None)  # fmt: skip


def put_aside(session: CrmSession, name: str, holder: str, to: Position, count: int) -> bool:
    """The consumer goes on after ``to``, the ``count``-th in a row that it could not take; with the transaction."""
    return advance(session.core_connection(), name, holder, to, put_aside=count)


def failed(connection: Connection, name: str, holder: str, error: str, pause: dt.timedelta) -> bool:
    """The consumer failed once more, and rests for a while."""
    at = database_now(connection) + pause
    return _change(connection, _held(name, holder), failures=_C.failures + 1, last_error=error, retry_at=at)


def _held(name: str, holder: str) -> Any:
    return and_(_C.consumer == name, _C.holder == holder)


def _change(connection: Connection, where: Any, **values: Any) -> bool:
    return connection.execute(update(FEED_POSITION).where(where).values(**values)).rowcount == 1


def _consumer(row: Any) -> Consumer:
    return Consumer(row.consumer, Position(row.place, row.change_set_id), row.failures, row.put_aside, row.last_error,
                    row.retry_at, row.holder, row.held_until)  # fmt: skip
