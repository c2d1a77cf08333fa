"""Schedules: each due occurrence becomes one job, however many workers look, and however long none did."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

import attrs
from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError

from crm_core.store.clock import database_now
from crm_core.store.recurrence import latest_and_next, occurrences
from crm_core.store.tables import JOB_SCHEDULE

if TYPE_CHECKING:
    from crm_core.store.session import CrmSession
    from crm_core.store.store import Store

__all__ = ["KEY", "Scheduled", "Scheduling", "materialise", "next_of", "next_times"]

KEY = "schedule"
"""The key of scheduled jobs: of one name no two wait, nor run at the same time."""

_PRINCIPAL = "schedule"
_C = JOB_SCHEDULE.c
# A last occurrence that lies further ahead than this was made by a clock that ran ahead; a machine whose clock is a
# little behind the others' must not repeat it.
_AHEAD = dt.timedelta(hours=1)


class Scheduling(Protocol):
    """What a schedule must know of a job."""

    @property
    def schedule(self) -> str | None:
        """The rule."""

    @property
    def arguments(self) -> Mapping[str, Any]:
        """What its scheduled runs are given."""

    @property
    def enabled(self) -> bool:
        """Whether it runs at all."""


@attrs.frozen
class Scheduled:
    """An occurrence that has become a job."""

    name: str
    occurrence: dt.datetime
    job: int


@attrs.frozen
class _Plan:
    name: str
    rule: str
    """With the time zone, so that moving the organisation plans anew."""
    text: str
    arguments: Mapping[str, Any]


def materialise(store: Store, jobs: Mapping[str, Scheduling]) -> list[Scheduled]:
    """Make jobs of the occurrences that are due, and plan the next ones.

    A schedule that is new, or has changed, counts from now. Occurrences that were missed become one job, for the
    latest of them. Jobs that this build does not know keep their schedules untouched.
    """
    zone = store.policy.tz
    plans = [
        _Plan(name, f"{job.schedule} {zone}" if job.schedule and job.enabled else "", job.schedule or "", job.arguments)
        for name, job in jobs.items()
    ]
    with store.reading() as connection:
        known = {row.name: row for row in connection.execute(select(JOB_SCHEDULE))}
        now = database_now(connection)
    made = []
    for plan in plans:
        row = known.get(plan.name)
        if _is_settled(plan, row, now):
            continue
        try:
            with store.session(principal=_PRINCIPAL, source="schedule") as session:
                found = _attend(session, plan)
        except IntegrityError:
            # Another worker planned it first.
            continue
        if found is not None:
            made.append(found)
    return made


def next_times(store: Store) -> dict[str, tuple[dt.datetime | None, dt.datetime | None]]:
    """By name: when each schedule is due next, and when it was last, as far as a worker has seen it."""
    with store.reading() as connection:
        return {row.name: (row.next_at, row.last_at) for row in connection.execute(select(JOB_SCHEDULE))}


def next_of(times: Iterable[tuple[dt.datetime | None, dt.datetime | None]]) -> dt.datetime | None:
    """The earliest of the next times."""
    return min((next_at for next_at, _ in times if next_at is not None), default=None)


def _is_settled(plan: _Plan, row: Any, now: dt.datetime) -> bool:
    if row is None:
        return not plan.rule
    ahead = row.last_at is not None and row.last_at > now + _AHEAD
    return row.rule == plan.rule and not ahead and (row.next_at is None or row.next_at > now)


def _attend(session: CrmSession, plan: _Plan) -> Scheduled | None:
    """One schedule, looked at again within a transaction that writes."""
    connection = session.core_connection()
    row = connection.execute(select(JOB_SCHEDULE).where(_C.name == plan.name).with_for_update()).first()
    now = database_now(connection)
    if row is None:
        first = next(occurrences(plan.text, session.policy.tz, now), None)
        connection.execute(insert(JOB_SCHEDULE).values(name=plan.name, rule=plan.rule, next_at=first))
        return None
    if _is_settled(plan, row, now):
        return None
    mine = _C.name == plan.name
    ahead = row.last_at is not None and row.last_at > now + _AHEAD
    if row.rule != plan.rule or ahead:
        after = now if ahead or row.last_at is None else max(now, row.last_at)
        next_at = next(occurrences(plan.text, session.policy.tz, after), None) if plan.rule else None
        last_at = None if ahead else row.last_at
        connection.execute(update(JOB_SCHEDULE).where(mine).values(rule=plan.rule, next_at=next_at, last_at=last_at))
        return None
    occurrence, next_at = latest_and_next(plan.text, session.policy.tz, row.next_at, now)
    connection.execute(update(JOB_SCHEDULE).where(mine).values(next_at=next_at, last_at=occurrence))
    job = session.store.queue.put(session, plan.name, plan.arguments, key=KEY, occurrence=occurrence)
    return Scheduled(plan.name, occurrence, job)
