"""Visits to outlets: planned by frequency, checked in and out on the spot."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from typing import Any

import attrs
from sqlalchemy import func, select

from crm_consumer_goods.outlets import Outlet, frequency
from crm_consumer_goods.settings import settings_of
from crm_core import (
    Account,
    Activity,
    Change,
    ChangeBatch,
    Conflict,
    CrmSession,
    Mapped,
    Problem,
    Record,
    Status,
    User,
    ValidationError,
    activities,
    dated,
    day,
    moment,
    number,
    organisation,
    parent,
    record,
    ref,
    text,
    via,
)

__all__ = ["Visit", "check_in", "check_out", "due_days", "plan_visits"]

_CHUNK = 1000
_EPOCH = dt.date(2000, 1, 3)  # a Monday, so that working days are counted from the start of a week
_LIMITS = {"latitude": 90, "longitude": 180}


@record(
    "consumer_goods.visit",
    access=via("account_id"),
    label="Outlet visit",
    indexes=[("account_id", "planned_on"), ("account_id", "checked_in_at"), ("user_id", "planned_on")],
)
class Visit(Record):
    """A visit to an outlet. What was planned stays beside what happened."""

    account_id: Mapped[int] = ref("account", collection="visits", index=False)
    user_id: Mapped[int | None] = ref("user", default=None, on_delete="clear", collection="visits", index=False)
    activity_id: Mapped[int | None] = ref("activity", default=None, on_delete="clear", collection="visits")
    planned_on: Mapped[dt.date | None] = day(default=None, label="Planned day")
    checked_in_at: Mapped[dt.datetime | None] = moment(default=None, label="Check-in")
    checked_out_at: Mapped[dt.datetime | None] = moment(default=None, label="Check-out")
    minutes: Mapped[int | None] = number(0, default=None, label="Time in the outlet (minutes)")
    place: Mapped[str | None] = text(200, default=None)
    latitude: Mapped[Decimal | None] = number(6, default=None)
    longitude: Mapped[Decimal | None] = number(6, default=None)
    note: Mapped[str | None] = text(None, default=None)

    account: Mapped[Account] = parent("account_id")
    user: Mapped[User | None] = parent("user_id")
    activity: Mapped[Activity | None] = parent("activity_id")


def due_days(
    frequency: int, from_: dt.date, until: dt.date, *, working_days: Sequence[int], offset: int = 0
) -> list[dt.date]:
    """The days from ``from_`` (inclusive) to ``until`` (exclusive) on which an outlet is due, one for each visit.

    The plugin's own rule: working days are numbered without a gap, and a visit is due wherever ``frequency * number /
    working days in four weeks`` passes a whole number (the rule by which Bresenham, 1965, draws a straight line). So
    any four weeks hold exactly ``frequency`` visits, at distances that differ by one working day at most, and the
    plan of a day is the same whichever span is planned. ``offset`` shifts the rhythm, so that outlets do not all fall
    on one day.
    """
    week = sorted(working_days)
    cycle = 4 * len(week)
    found: list[dt.date] = []
    for passed in range((until - from_).days):
        date = from_ + dt.timedelta(passed)
        if date.isoweekday() not in week:
            continue
        weeks = (date - _EPOCH).days // 7
        place = weeks * len(week) + week.index(date.isoweekday()) + offset
        found += [date] * (frequency * (place + 1) // cycle - frequency * place // cycle)
    return found


def plan_visits(
    session: CrmSession,
    accounts: Iterable[Account],
    *,
    from_: dt.date,
    until: dt.date,
    user: str | User | int | None = None,
) -> list[Visit]:
    """Plan the visits that the outlets' frequencies ask for; returns the new ones in order of day.

    ``from_`` is inclusive, ``until`` exclusive, ``user`` whoever is to go (default: the actor). A day on which a visit
    to the outlet is planned already gets no second one, so planning again plans nothing. Accounts that are no outlet
    have no frequency and are left out. Raises :class:`ValidationError` when the span is empty.
    """
    if from_ >= until:
        raise ValidationError(
            "There is no day from {start} to {end}.",
            mend="The last day is exclusive: give a later one.",
            start=from_,
            end=until,
        )
    who = session.user_id if user is None else organisation.find_user(session, user).id
    wanted = sorted({account.id for account in accounts})
    working_days = settings_of(session).working_days
    rows: list[dict[str, Any]] = []
    for start in range(0, len(wanted), _CHUNK):
        part = wanted[start : start + _CHUNK]
        planned: dict[tuple[int, dt.date | None], int] = {
            (row[0], row[1]): row[2]
            for row in session.execute(
                select(Visit.account_id, Visit.planned_on, func.count())
                .where(Visit.account_id.in_(part), Visit.planned_on >= from_, Visit.planned_on < until)
                .group_by(Visit.account_id, Visit.planned_on)
            )
        }
        for outlet in session.scalars(select(Outlet).where(Outlet.id.in_(part)).order_by(Outlet.id)):
            times = frequency(session, outlet)
            for date in due_days(times, from_, until, working_days=working_days, offset=outlet.id):
                if planned.get((outlet.id, date), 0) > 0:
                    planned[outlet.id, date] -= 1
                else:
                    rows.append({"account_id": outlet.id, "user_id": who, "planned_on": date})
    rows.sort(key=lambda row: (row["planned_on"], row["account_id"]))
    ids = session.add_many(Visit, rows)
    visits: dict[int, Visit] = {}
    for start in range(0, len(ids), _CHUNK):
        found = session.scalars(select(Visit).where(Visit.id.in_(ids[start : start + _CHUNK])))
        visits |= {visit.id: visit for visit in found}
    return [visits[id_] for id_ in ids]


def check_in(
    session: CrmSession,
    where: Account | Visit,
    *,
    user: str | User | int | None = None,
    at: dt.datetime | None = None,
    place: str | None = None,
    latitude: Decimal | None = None,
    longitude: Decimal | None = None,
) -> Visit:
    """Begin a visit at a moment (default: now).

    ``where`` is a planned visit, or an account: then the user's visit planned there for this day begins, or one that
    was not planned. Raises :class:`Conflict` when the visit has begun already, or the user is still checked in
    somewhere: nobody is in two outlets at once.
    """
    began = dated.as_moment(session, at)
    who = session.user_id if user is None else organisation.find_user(session, user).id
    visit = where if isinstance(where, Visit) else _planned(session, where, who, began)
    if visit.checked_in_at is not None:
        raise Conflict(
            "The visit began at {moment} already.",
            mend="Check it out, or check in at the account for another visit.",
            record="consumer_goods.visit",
            moment=visit.checked_in_at,
        )
    _refuse_second(session, who)
    visit.user_id = who
    visit.checked_in_at = began
    visit.place = place or visit.place
    visit.latitude = visit.latitude if latitude is None else latitude
    visit.longitude = visit.longitude if longitude is None else longitude
    return visit


def check_out(session: CrmSession, visit: Visit, *, at: dt.datetime | None = None, note: str | None = None) -> Visit:
    """End a visit at a moment (default: now): its minutes are counted, and its activity, if it has one, was held.

    Raises :class:`Conflict` when the visit has not begun or has ended already, :class:`ValidationError` when it would
    end before it began.
    """
    if visit.checked_in_at is None:
        raise Conflict(
            "The visit has not begun.", mend="Check in first: visits.check_in.", record="consumer_goods.visit"
        )
    if visit.checked_out_at is not None:
        raise Conflict(
            "The visit ended at {moment} already.",
            mend="Correct checked_out_at instead.",
            record="consumer_goods.visit",
            moment=visit.checked_out_at,
        )
    ended = dated.as_moment(session, at)
    if ended < visit.checked_in_at:
        raise ValidationError(
            "The visit would end ({end}) before it began ({start}).",
            mend="Give a later moment, or correct the check-in.",
            record="consumer_goods.visit",
            end=ended,
            start=visit.checked_in_at,
        )
    visit.checked_out_at = ended
    visit.minutes = _minutes(visit.checked_in_at, ended)
    visit.note = note or visit.note
    activity = visit.activity
    if activity is not None and activity.status is Status.PLANNED:
        activities.hold(session, activity, started=visit.checked_in_at, ended=ended, place=visit.place)
    return visit


def _planned(session: CrmSession, account: Account, who: int, began: dt.datetime) -> Visit:
    today = began.astimezone(session.policy.tz).date()
    planned = session.scalars(
        select(Visit)
        .where(
            Visit.account_id == account.id,
            Visit.user_id == who,
            Visit.planned_on == today,
            Visit.checked_in_at.is_(None),
        )
        .order_by(Visit.id)
        .limit(1)
    ).first()
    return planned or session.add_one(Visit(account_id=account.id, user_id=who))


def _refuse_second(session: CrmSession, who: int) -> None:
    """Say at once, and where the actor may know it with the place, what the check before the commit would say."""
    still = session.scalars(
        select(Visit)
        .where(Visit.user_id == who, Visit.checked_in_at.is_not(None), Visit.checked_out_at.is_(None))
        .order_by(Visit.id)
        .limit(1)
    ).first()
    if still is not None:
        raise Conflict(
            "There is a check-in at {account} since {moment} without a check-out.",
            mend="Check that visit out first: visits.check_out.",
            record="consumer_goods.visit",
            account=still.account.name,
            moment=still.checked_in_at,
        )


def _minutes(start: dt.datetime, end: dt.datetime) -> int:
    return int((end - start).total_seconds() // 60)


# -- rules that hold whichever way a visit is written -----------------------------------------------------------


@attrs.frozen
class _State:
    """A changed visit as it now stands."""

    change: Change
    user_id: int | None
    start: dt.datetime | None
    end: dt.datetime | None
    minutes: int | None

    @property
    def wrong_order(self) -> bool:
        return self.end is not None and (self.start is None or self.end < self.start)


def _states(session: CrmSession, batch: ChangeBatch) -> Iterator[_State]:
    """The times of created and changed visits; a change tells only what changed, so the rest is read."""
    changed = []
    for change in batch.of("create", "update"):
        if change.operation == "create":
            new = change.after
            yield _State(
                change, new.get("user_id"), new.get("checked_in_at"), new.get("checked_out_at"), new.get("minutes")
            )
        elif change.fields & {"user_id", "checked_in_at", "checked_out_at"}:
            changed.append(change)
    for start in range(0, len(changed), _CHUNK):
        part = {change.id: change for change in changed[start : start + _CHUNK]}
        query = select(Visit.id, Visit.user_id, Visit.checked_in_at, Visit.checked_out_at, Visit.minutes)
        for row in session.execute(query.where(Visit.id.in_(part))):
            yield _State(part[row[0]], row[1], row[2], row[3], row[4])


def problems(system: CrmSession, batch: ChangeBatch) -> Iterator[Problem]:
    """Places that are none, visits that end before they begin, and people in two outlets at once."""
    for change in batch.of("create", "update"):
        for name, limit in _LIMITS.items():
            given = change.after.get(name)
            if given is not None and abs(given) > limit:
                yield Problem(
                    name,
                    "{given} is no place on Earth.",
                    "Give degrees from -{limit} to {limit}.",
                    {"given": given, "limit": limit},
                )
    opened: set[int] = set()
    for state in _states(system, batch):
        if state.wrong_order:
            yield Problem(
                "checked_out_at", "The visit would end before it begins.", "Correct the check-in or the check-out."
            )
        elif state.start is not None and state.end is None and state.user_id is not None:
            opened.add(state.user_id)
    if not opened:
        return
    # On PostgreSQL, somebody who checks in twice at the same time waits here, and then sees the other visit.
    people = select(User.id).where(User.id.in_(sorted(opened))).order_by(User.id)
    system.scalars(people.with_for_update(key_share=True)).all()
    # People of ours are few, visits are many: grouped by the former, in one query.
    twice = system.scalars(
        select(User.name)
        .join(Visit, Visit.user_id == User.id)
        .where(User.id.in_(sorted(opened)), Visit.checked_in_at.is_not(None), Visit.checked_out_at.is_(None))
        .group_by(User.id, User.name)
        .having(func.count() > 1)
        .order_by(User.id)
    )
    for name in twice:
        yield Problem(
            "checked_in_at",
            "{user} would be checked in at two outlets at once.",
            "Check the earlier visit out first.",
            {"user": name},
        )


def count_minutes(session: CrmSession, batch: ChangeBatch) -> None:
    """Bring the minutes in line with check-in and check-out where those were written or corrected."""
    rows = []
    for state in _states(session, batch):
        if state.start is not None and state.end is not None and state.end >= state.start:
            minutes = _minutes(state.start, state.end)
            if minutes != state.minutes:
                rows.append({"id": state.change.id, "minutes": minutes})
    if rows:
        session.update_many(Visit, rows)
