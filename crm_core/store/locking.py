"""Rows that are to be changed, made one's own before: so that on PostgreSQL nobody waits for each other in a ring.

Whoever holds a row and waits for another, which is held by somebody who waits for the first, is ended by PostgreSQL
after a second. SQLite has one writer at a time, and needs none of this.
"""

from __future__ import annotations

import functools
import zlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs
from sqlalchemy import Select, Table, func, select

from crm_core.store.parts import in_parts

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from crm_core.records import RecordType
    from crm_core.store.session import CrmSession

__all__ = ["all_at_once", "in_turn", "lock", "lock_selected"]

_TURNS = 0x43524D54
"""The advisory locks of :func:`in_turn` among those of PostgreSQL: four letters, CRMT."""
_TRIES = 10
_REMEMBERED = 20_000


def lock(session: CrmSession, record_type: RecordType, ids: Collection[int], *, shared: bool = False) -> None:
    """Let others who want to change these records wait until we are done; references to them are not held up.

    Who locks several gets them in the order of their ids, as everybody does. ``shared`` lets others lock them so, too.
    """
    if session.dialect != "postgresql":
        return
    known = session.writer.locked[record_type.name]
    wanted = sorted(set(ids) - known)
    for part in in_parts(wanted):
        _lock(session, _by_id(record_type.table, part).with_for_update(key_share=not shared, read=shared))
    if not shared:
        _remember(known, wanted)


def lock_selected(session: CrmSession, record_type: RecordType, ids: Select[int]) -> None:
    """Like :func:`lock` for the records whose ids a query finds."""
    if session.dialect == "postgresql":
        query = _by_id(record_type.table, ids).with_for_update(key_share=True)
        _remember(session.writer.locked[record_type.name], _lock(session, query))


def _lock(session: CrmSession, query: Select[int]) -> Sequence[int]:
    return session._translated(lambda: session.core(query).scalars().all())


def _by_id(table: Table, ids: Any) -> Select[int]:
    return select(table.c.id).where(table.c.id.in_(ids)).order_by(table.c.id)


def _remember(known: set[int], ids: Iterable[int]) -> None:
    """What is locked need not be locked again; a long work must not grow with its length."""
    if len(known) > _REMEMBERED:
        known.clear()
    known.update(ids)


def all_at_once(
    session: CrmSession,
    changing: Mapping[RecordType, Collection[int]],
    going: Mapping[RecordType, Collection[int]] | None = None,
) -> None:
    """Make all these records one's own, or wait for somebody else's without holding any: what is found in one's way
    then waits for nothing of ours. ``changing`` are records to change, ``going`` those to delete.

    To be called before a session writes anything. After many tries in vain it waits while holding some.
    """
    if session.dialect != "postgresql":
        return
    rows = [
        _Rows(record_type.table, sorted(ids), whole)
        for whole, wanted in ((False, changing), (True, going or {}))
        for record_type, ids in sorted(wanted.items(), key=lambda pair: pair[0].name)
        if ids
    ]
    session._translated(lambda: _all_at_once(session.core_connection(), rows))
    for record_type, ids in (*changing.items(), *(going or {}).items()):
        _remember(session.writer.locked[record_type.name], ids)


def in_turn(
    session: CrmSession,
    changing: Iterable[RecordType],
    *,
    adding: Iterable[RecordType] = (),
    waiting: Callable[[str], None] | None = None,
) -> None:
    """Let one long work at a time change records of these types, until the transaction ends.

    A long work comes to its records batch by batch, and holds those that it has changed: of two that have some in
    common, each might wait for the other. Those that are only ``adding`` do not wait for each other. Whoever changes a
    few records, and knows which, calls :func:`all_at_once`. ``waiting`` is told the type for which others are at it.
    """
    if session.dialect != "postgresql":
        return
    alone = {record_type.name for record_type in changing}
    for name in sorted(alone.union(record_type.name for record_type in adding)):
        key = zlib.crc32(name.encode()) - (1 << 31)
        if waiting is not None:
            free = func.pg_try_advisory_xact_lock if name in alone else func.pg_try_advisory_xact_lock_shared
            if session.core(select(free(_TURNS, key))).scalar():
                continue
            waiting(name)
        wait = func.pg_advisory_xact_lock if name in alone else func.pg_advisory_xact_lock_shared
        session._translated(functools.partial(session.core, select(wait(_TURNS, key))))


@attrs.frozen
class _Rows:
    """Rows of one table, by their ids in order; ``whole`` keeps others even from referring to them."""

    table: Table
    ids: Sequence[int]
    whole: bool

    def wait(self, connection: Connection) -> None:
        """Lock them, whoever holds them by now."""
        for part in in_parts(self.ids):
            connection.execute(self._query(part)).all()

    def held(self, connection: Connection) -> int | None:
        """Lock those that are free; the first that is not, if there is one."""
        for part in in_parts(self.ids):
            found = set(connection.execute(self._query(part, skip_locked=True)).scalars())
            missing = [id_ for id_ in part if id_ not in found]
            if missing:
                # Some may only be deleted.
                there = connection.execute(
                    select(func.min(self.table.c.id)).where(self.table.c.id.in_(missing))
                ).scalar()
                if there is not None:
                    return int(there)
        return None

    def _query(self, ids: Sequence[int], *, skip_locked: bool = False) -> Select[int]:
        return _by_id(self.table, ids).with_for_update(key_share=not self.whole, skip_locked=skip_locked)


def _all_at_once(connection: Connection, wanted: Sequence[_Rows]) -> None:
    waited: _Rows | None = None
    for _ in range(_TRIES):
        with connection.begin_nested() as savepoint:
            if waited is not None:
                waited.wait(connection)
            waited = _first_held(connection, wanted)
            if waited is None:
                return
            savepoint.rollback()
    for rows in wanted:
        rows.wait(connection)


def _first_held(connection: Connection, wanted: Iterable[_Rows]) -> _Rows | None:
    for rows in wanted:
        id_ = rows.held(connection)
        if id_ is not None:
            return attrs.evolve(rows, ids=[id_])
    return None
