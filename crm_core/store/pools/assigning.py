"""Handing out the accounts of a pool in turn."""

from __future__ import annotations

import datetime as dt
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs
from sqlalchemy import func, select

from crm_core.domain.organisation import User
from crm_core.domain.ownership import Ownership, OwnershipRole
from crm_core.domain.pools import Pool, PoolEvent, PoolEventKind, first_day_after
from crm_core.store.locking import in_turn, lock
from crm_core.store.pools.claiming import held_by_grade, over_capacity, require_writing
from crm_core.store.pools.free import Bound, account_type, bound, free
from crm_core.store.pools.members import receivers
from crm_core.store.pools.recycling import require_run

if TYPE_CHECKING:
    from crm_core.store.session import CrmSession

__all__ = ["AssignReport", "Assigned", "assign"]

_BATCH = 1000
_NEVER = dt.datetime.min.replace(tzinfo=dt.UTC)


@attrs.frozen
class Assigned:
    """An account that was handed out."""

    account_id: int
    user_id: int
    pool: str


@attrs.frozen
class AssignReport:
    """What was handed out, or (``dry_run``) would be; ``left`` counts by pool what nobody had room for."""

    steps: tuple[Assigned, ...]
    left: Mapping[str, int]
    dry_run: bool


def assign(
    session: CrmSession, *, dry_run: bool = False, progress: Callable[[int], None] | None = None
) -> AssignReport:
    """Hand out what is in the pools that say ``assign = "round_robin"``, in order of the accounts' ids.

    It is the turn of whoever was assigned an account of the pool longest ago, by its log; whoever is new comes first,
    once. Somebody who is at their capacity, or owned the account lately, is passed over and keeps their turn. Needs the
    permission ``pool.run`` at scope all. A constant number of statements for each thousand accounts.
    """
    require_run(session)
    if not dry_run:
        require_writing(session)
        in_turn(session, [account_type(session)])
    pools = bound(session)
    steps: list[Assigned] = []
    left: dict[str, int] = {}
    for pool in pools.pools:
        if pool.assign:
            found, count = _hand_out(session, pools, pool, dry_run, progress)
            steps += found
            if count:
                left[pool.name] = count
    return AssignReport(tuple(steps), left, dry_run)


def _hand_out(
    session: CrmSession, pools: Bound, pool: Pool, dry_run: bool, progress: Callable[[int], None] | None
) -> tuple[list[Assigned], int]:
    people = receivers(session, pool)
    if not dry_run:
        lock(session, User.crm_type, people)
    now = session.clock()
    turns = Turns(pool, people, _last_turns(session, pool, people), held_by_grade(session, pool.scope, people))
    steps: list[Assigned] = []
    left = 0
    for batch in _batches(session, pools, pool, now):
        grades = batch if dry_run else _still_free(session, pools, pool, batch, now)
        cooling = _cooling(session, pool, people, list(grades), now)
        found: list[Assigned] = []
        for account_id, grade in grades.items():
            user_id = turns.next(grade, cooling.get(account_id, frozenset()))
            if user_id is None:
                left += 1
            else:
                found.append(Assigned(account_id, user_id, pool.name))
        if found and not dry_run:
            _write(session, pool, found, now, len(steps))
        steps += found
        if progress is not None:
            progress(len(steps) + left)
    return steps, left


@attrs.define
class Turns:
    """Whose turn it is: ``people`` in the order in which the pool names them, with when they last had one."""

    pool: Pool
    people: Sequence[int]
    last: Mapping[int, dt.datetime]
    held: Mapping[int, Any]
    _queue: deque[int] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        places = {user_id: place for place, user_id in enumerate(self.people)}
        self._queue = deque(sorted(self.people, key=lambda each: (self.last.get(each, _NEVER), places[each])))

    def next(self, grade: str | None, never: frozenset[int]) -> int | None:
        """Who gets an account of a grade; ``never`` must not. Their turn is over then."""
        for place, user_id in enumerate(self._queue):
            if user_id not in never and over_capacity(self.pool, self.held[user_id], grade) is None:
                del self._queue[place]
                self._queue.append(user_id)
                self.held[user_id][grade] += 1
                return user_id
        return None


def _last_turns(session: CrmSession, pool: Pool, people: Sequence[int]) -> dict[int, dt.datetime]:
    event = PoolEvent.crm_type.table
    query = (
        select(event.c.user_id, func.max(event.c.at))
        .where(event.c.pool == pool.name, event.c.kind == PoolEventKind.ASSIGNED, event.c.user_id.in_(people))
        .group_by(event.c.user_id)
    )
    rows: Any = session.core(query).all()
    return dict(rows)


def _batches(session: CrmSession, pools: Bound, pool: Pool, now: dt.datetime) -> Iterator[dict[int, str | None]]:
    """The accounts of a pool with their grades, by id."""
    after = 0
    while rows := session.core(_query(session, pools, pool, now).where(account_type(session).table.c.id > after)).all():
        yield {row.id: row.grade for row in rows}
        if len(rows) < _BATCH:
            return
        after = rows[-1].id


def _query(session: CrmSession, pools: Bound, pool: Pool, now: dt.datetime) -> Any:
    table = account_type(session).table
    mine = pools.of_scope(pool.scope).taken_by(pool, table)
    query = select(table.c.id, table.c.grade).where(mine, free(table, pool.scope, now))
    return query.order_by(table.c.id).limit(_BATCH)


def _still_free(
    session: CrmSession, pools: Bound, pool: Pool, batch: Mapping[int, str | None], now: dt.datetime
) -> dict[int, str | None]:
    """Those that nobody claimed before we held them."""
    lock(session, account_type(session), list(batch))
    table = account_type(session).table
    rows = session.core(_query(session, pools, pool, now).where(table.c.id.in_(list(batch))))
    return {row.id: row.grade for row in rows}


def _cooling(
    session: CrmSession, pool: Pool, people: Sequence[int], ids: Sequence[int], now: dt.datetime
) -> dict[int, frozenset[int]]:
    """Who owned an account so lately that they must wait."""
    if not pool.cooling_days or not ids:
        return {}
    owner, tz = Ownership.crm_type.table, session.policy.tz
    today = now.astimezone(tz).date()
    rows: Any = session.core(
        select(owner.c.account_id, owner.c.user_id, func.max(owner.c.valid_to))
        .where(
            owner.c.account_id.in_(ids),
            owner.c.user_id.in_(people),
            owner.c.scope == pool.scope,
            owner.c.role == OwnershipRole.OWNER,
        )
        .group_by(owner.c.account_id, owner.c.user_id)
    )
    found: dict[int, frozenset[int]] = {}
    for account_id, user_id, ended in rows:
        if today < first_day_after(ended, pool.cooling_days - 1, tz):
            found[account_id] = found.get(account_id, frozenset()) | {user_id}
    return found


def _write(session: CrmSession, pool: Pool, steps: Sequence[Assigned], now: dt.datetime, before: int) -> None:
    ids = [step.account_id for step in steps]
    with session.writer.as_kernel(seeing={"account": ids}):
        session.add_many(
            Ownership,
            [
                {"account_id": step.account_id, "user_id": step.user_id, "scope": pool.scope, "valid_from": now,
                 "reason": f"assigned: {pool.title}"[:200]}
                for step in steps
            ],
        )  # fmt: skip
        session.add_many(
            PoolEvent,
            [
                # A little later each, so that the log says whose turn was before whose.
                {"account_id": step.account_id, "pool": pool.name, "user_id": step.user_id,
                 "kind": PoolEventKind.ASSIGNED, "at": now + dt.timedelta(microseconds=before + place)}
                for place, step in enumerate(steps)
            ],
        )  # fmt: skip
        session.check()
