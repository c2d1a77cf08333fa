"""The feed: committed change sets in commit order, at least once, for consumers with a position of their own.

On PostgreSQL neither ids nor transaction ids are in commit order. So each head has a place (see
:mod:`crm_core.store.journal`), and the feed stops before the oldest transaction of this database that is still running:
a late committer is never skipped.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

import attrs
from sqlalchemy import and_, insert, or_, select, update

from crm_core.records import Types
from crm_core.store.changes import Change, ChangeSet
from crm_core.store.history import to_change, to_change_set
from crm_core.store.horizon import settled_before
from crm_core.store.tables import CHANGE, CHANGE_SET, FEED_POSITION

if TYPE_CHECKING:
    from sqlalchemy import Connection

__all__ = ["Position", "advance", "behind", "end", "join", "one", "position", "read"]


@attrs.frozen(order=True)
class Position:
    """How far a consumer has come: the place in the feed, and the change set that it saw last."""

    place: int = 0
    change_set_id: int = 0


def position(connection: Connection, consumer: str) -> Position:
    """Where a consumer stands; at the beginning when it is new."""
    row = connection.execute(select(FEED_POSITION).where(FEED_POSITION.c.consumer == consumer)).first()
    return Position(row.place, row.change_set_id) if row is not None else Position()


def read(connection: Connection, types: Types, after: Position, limit: int = 100) -> list[tuple[Position, ChangeSet]]:
    """The next change sets after a position, each with its changes."""
    query = (
        select(CHANGE_SET)
        .where(
            or_(
                CHANGE_SET.c.place > after.place,
                and_(CHANGE_SET.c.place == after.place, CHANGE_SET.c.id > after.change_set_id),
            )
        )
        .order_by(CHANGE_SET.c.place, CHANGE_SET.c.id)
        .limit(limit)
    )
    if (settled := settled_before(connection)) is not None:
        query = query.where(CHANGE_SET.c.place < settled)
    heads = connection.execute(query).all()
    changes = _changes(connection, types, [head.id for head in heads])
    return [(Position(head.place, head.id), to_change_set(head, changes.get(head.id, ()))) for head in heads]


def _changes(connection: Connection, types: Types, ids: Sequence[int]) -> dict[int, list[Change]]:
    found: dict[int, list[Change]] = {}
    if ids:
        rows: Any = connection.execute(
            select(CHANGE).where(CHANGE.c.change_set_id.in_(ids)).order_by(CHANGE.c.change_set_id, CHANGE.c.position)
        )
        for row in rows:
            found.setdefault(row.change_set_id, []).append(to_change(types, row))
    return found


def join(connection: Connection, consumer: str) -> None:
    """A new consumer begins after what is committed by now; one that has a position keeps it."""
    if connection.execute(select(FEED_POSITION.c.consumer).where(FEED_POSITION.c.consumer == consumer)).first():
        return
    query = select(CHANGE_SET.c.place, CHANGE_SET.c.id).order_by(CHANGE_SET.c.place.desc(), CHANGE_SET.c.id.desc())
    if (settled := settled_before(connection)) is not None:
        query = query.where(CHANGE_SET.c.place < settled)
    last = connection.execute(query.limit(1)).first()
    if last is not None:
        advance(connection, consumer, Position(last.place, last.id))


def advance(connection: Connection, consumer: str, to: Position) -> None:
    """A consumer has dealt with everything up to ``to``."""
    values = {"place": to.place, "change_set_id": to.change_set_id, "failures": 0, "put_aside": 0, "last_error": None}
    changed = connection.execute(update(FEED_POSITION).where(FEED_POSITION.c.consumer == consumer).values(**values))
    if changed.rowcount == 0:
        connection.execute(insert(FEED_POSITION).values(consumer=consumer, **values))


def one(connection: Connection, types: Types, change_set: int) -> ChangeSet | None:
    """One change set with its changes, by its id."""
    head = connection.execute(select(CHANGE_SET).where(CHANGE_SET.c.id == change_set)).first()
    return None if head is None else to_change_set(head, _changes(connection, types, [head.id]).get(head.id, ()))


def end(connection: Connection) -> Position:
    """The last change set that is committed by now, though perhaps not yet to be read; the beginning if none is."""
    query = select(CHANGE_SET.c.place, CHANGE_SET.c.id).order_by(CHANGE_SET.c.place.desc(), CHANGE_SET.c.id.desc())
    last = connection.execute(query.limit(1)).first()
    return Position() if last is None else Position(last.place, last.id)


def behind(connection: Connection, consumers: Collection[str]) -> bool:
    """Whether a consumer that has not failed lately has yet to be told of something that is committed by now."""
    last = end(connection)
    rows: Any = connection.execute(select(FEED_POSITION).where(FEED_POSITION.c.consumer.in_(sorted(consumers))))
    known = {row.consumer: row for row in rows}
    return (
        any(
            name not in known
            or (known[name].failures == 0 and Position(known[name].place, known[name].change_set_id) < last)
            for name in consumers
        )
        and last > Position()
    )
