"""Recycling: accounts that nobody cares for go back to their pool, after a warning."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import attrs

from crm_core.domain.accounts import Account
from crm_core.domain.pools import Pool, PoolEvent, PoolEventKind, RecycleRule
from crm_core.errors import PermissionDenied
from crm_core.store.locking import in_turn, lock
from crm_core.store.parts import in_parts
from crm_core.store.pools.claiming import end_ownership, require_writing
from crm_core.store.pools.free import Bound, account_type, bound
from crm_core.store.pools.standing import Deadline, Owned, Standing, look, owned

if TYPE_CHECKING:
    from crm_core.store.session import CrmSession

__all__ = ["Due", "RecycleReport", "Recycled", "due", "recycle", "require_run"]

_BATCH = 1000


@attrs.frozen
class Recycled:
    """What a rule does to an account: its owner is warned (``due`` is when it would be taken), or it is taken (``due``
    is the day of the run, however long it might have been taken before).
    """

    account_id: int
    user_id: int
    pool: str
    rule: str
    kind: PoolEventKind
    due: dt.date


@attrs.frozen
class RecycleReport:
    """What a run of the rules did, or (``dry_run``) would do; ``looked_at`` counts owned accounts."""

    steps: tuple[Recycled, ...]
    looked_at: int
    dry_run: bool

    def of(self, kind: PoolEventKind) -> tuple[Recycled, ...]:
        """The steps of one kind."""
        return tuple(step for step in self.steps if step.kind is kind)

    @property
    def warned(self) -> tuple[Recycled, ...]:
        """Whose owners are warned."""
        return self.of(PoolEventKind.WARNED)

    @property
    def recycled(self) -> tuple[Recycled, ...]:
        """Which go back."""
        return self.of(PoolEventKind.RECYCLED)


@attrs.frozen
class Due:
    """By which rule, and when at the earliest, an account goes back to its pool; ``warned_at`` if its owner was."""

    account_id: int
    user_id: int
    pool: Pool
    rule: RecycleRule
    day: dt.date
    warned_at: dt.datetime | None


def require_run(session: CrmSession) -> None:
    """Refuse whoever may not let the rules run."""
    if not session.visibility.reach("pool.run").all:
        raise PermissionDenied(
            "{principal} may not let the rules of the pools run.",
            mend="A role with the permission pool.run at scope all is needed.",
            principal=session.actor.principal,
        )


def recycle(
    session: CrmSession, *, dry_run: bool = False, progress: Callable[[int], None] | None = None
) -> RecycleReport:
    """Let the rules of all pools run once: warn owners, and give back to the pools what is due.

    Meant to run once a day; running it again on the same day changes nothing more. Needs the permission ``pool.run`` at
    scope all. A constant number of statements for each thousand owned accounts; ``progress`` is told how many were
    looked at. Raises :class:`~crm_core.errors.HookError`, and changes nothing, when a plugin cannot tell the signs of
    life that a rule looks at.
    """
    require_run(session)
    if not dry_run:
        require_writing(session)
        in_turn(session, [account_type(session)])
    now = session.clock()
    pools = bound(session)
    steps: list[Recycled] = []
    looked_at = 0
    system = session.as_system("pool.recycle")
    try:
        for scope in pools.scopes:
            for batch in _batches(session, pools, scope, now):
                found = _steps(session, look(session, system, batch, now), now)
                if not dry_run:
                    found = _carry_out(session, pools, scope, batch, found, now)
                steps += found
                looked_at += len(batch)
                if progress is not None:
                    progress(looked_at)
    finally:
        system.close()
    return RecycleReport(tuple(steps), looked_at, dry_run)


def _batches(session: CrmSession, pools: Bound, scope: str, now: dt.datetime) -> Iterator[list[Owned]]:
    if not any(pool.recycle for pool in pools.of_scope(scope).pools):
        return
    after = 0
    while batch := owned(session, pools, scope, now, after=after, limit=_BATCH):
        yield batch
        if len(batch) < _BATCH:
            return
        after = batch[-1].account_id


def _steps(session: CrmSession, standings: Iterable[Standing], now: dt.datetime) -> list[Recycled]:
    tz = session.policy.tz
    today = now.astimezone(tz).date()
    steps: list[Recycled] = []
    for standing in standings:
        taken = next((each for each in standing.deadlines if _taken_on(each, tz) <= today), None)
        if taken is not None:
            steps.append(_step(standing.owned, taken.rule, PoolEventKind.RECYCLED, today))
            continue
        for each in standing.deadlines:
            if each.rule.warn_days and each.warned_at is None and each.rule.warn_on(each.due) <= today:
                taken_on = each.rule.taken_on(each.due, today) or each.due
                steps.append(_step(standing.owned, each.rule, PoolEventKind.WARNED, taken_on))
    return steps


def _taken_on(each: Deadline, tz: dt.tzinfo) -> dt.date:
    warned_on = None if each.warned_at is None else each.warned_at.astimezone(tz).date()
    return each.rule.taken_on(each.due, warned_on) or dt.date.max


def _step(each: Owned, rule: RecycleRule, kind: PoolEventKind, due_: dt.date) -> Recycled:
    return Recycled(each.account_id, each.user_id, each.pool.name, rule.key, kind, due_)


def _carry_out(
    session: CrmSession, pools: Bound, scope: str, batch: Sequence[Owned], steps: list[Recycled], now: dt.datetime
) -> list[Recycled]:
    """Write the steps about accounts whose owner is still the one that was looked at."""
    ids = sorted({step.account_id for step in steps})
    if not ids:
        return []
    lock(session, account_type(session), ids)
    seen = {each.account_id: each.ownership_id for each in batch}
    still = {
        each.account_id for each in owned(session, pools, scope, now, ids) if seen[each.account_id] == each.ownership_id
    }
    steps = [step for step in steps if step.account_id in still]
    taken = [step.account_id for step in steps if step.kind is PoolEventKind.RECYCLED]
    with session.writer.as_kernel(seeing={"account": ids}):
        session.add_many(
            PoolEvent,
            [
                {
                    "account_id": step.account_id, "pool": step.pool, "user_id": step.user_id, "kind": step.kind,
                    "at": now, "rule": step.rule,
                }
                for step in steps
            ],
        )  # fmt: skip
        end_ownership(session, taken, scope, now)
        session.check()
    return steps


def due(session: CrmSession, accounts: Iterable[Account | int]) -> dict[int, Due]:
    """When accounts go back to their pools at the earliest if nothing happens, and by which rule, by account id.

    Accounts that the actor does not see, that nobody owns or that no rule is about, are left out. Raises
    :class:`~crm_core.errors.HookError` when a plugin cannot tell the signs of life that a rule looks at.
    """
    ids = {account if isinstance(account, int) else account.id for account in accounts}
    visible = session.writer.visible_ids(account_type(session), ids)
    pools = bound(session)
    now = session.clock()
    tz = session.policy.tz
    today = now.astimezone(tz).date()
    found: dict[int, Due] = {}
    system = session.as_system("pools.due")
    try:
        for scope in pools.scopes if visible else ():
            if not any(pool.recycle for pool in pools.of_scope(scope).pools):
                continue
            for part in in_parts(sorted(visible), _BATCH):
                for standing in look(session, system, owned(session, pools, scope, now, part), now):
                    each = _earliest(standing, today, tz)
                    if each is not None and (each.account_id not in found or each.day < found[each.account_id].day):
                        found[each.account_id] = each
    finally:
        system.close()
    return found


def _earliest(standing: Standing, today: dt.date, tz: dt.tzinfo) -> Due | None:
    each, best = standing.owned, None
    for deadline in standing.deadlines:
        rule, warned_at = deadline.rule, deadline.warned_at
        warned_on = max(rule.warn_on(deadline.due), today) if warned_at is None else warned_at.astimezone(tz).date()
        day = max(rule.taken_on(deadline.due, warned_on) or deadline.due, today)
        if best is None or day < best.day:
            best = Due(each.account_id, each.user_id, each.pool, rule, day, warned_at)
    return best
