"""Activities: what we planned and did with customers, what it cost, and how they took it."""

from __future__ import annotations

import datetime as dt
from enum import Enum
from typing import TYPE_CHECKING

from sqlalchemy import select
from sqlalchemy.orm import Mapped

from crm_core.domain.accounts import Account
from crm_core.domain.contacts import Contact
from crm_core.domain.dated import as_moment
from crm_core.domain.organisation import User, find_user
from crm_core.errors import Conflict, ValidationError
from crm_core.fields import Money, choice, moment, money, number, ref, text
from crm_core.records import Record, parent, record, via

if TYPE_CHECKING:
    from collections.abc import Iterable

    from crm_core.store.session import CrmSession

_SERIES_LIMIT = 1000


__all__ = ["Activity", "Feeling", "Participant", "Status", "cancel", "hold", "plan"]


class Status(Enum):
    """What has become of an activity."""

    PLANNED = "planned"
    HELD = "held"
    CANCELLED = "cancelled"


class Feeling(Enum):
    """How the customer felt about it, as the one who was there judged."""

    DELIGHTED = "delighted"
    CONTENT = "content"
    NEUTRAL = "neutral"
    DISCONTENT = "discontent"
    ANGRY = "angry"


@record(
    "activity",
    access=via("account_id", "contact_id", own="user_id"),
    label="Activity",
    # Whoever walks along time is told by the last all that decides who sees it, and looks only at what is on the page.
    indexes=[
        ("account_id", "planned_start"),
        ("user_id", "planned_start"),
        ("planned_start", "id", "account_id", "contact_id", "user_id", "created_by"),
    ],
)
class Activity(Record):
    """A visit, call, meeting, message or task, planned against actual."""

    kind: Mapped[str] = text(40, vocabulary="activity.kind")
    subject: Mapped[str] = text(200, search=True)
    account_id: Mapped[int | None] = ref("account", default=None, collection="activities", index=False)
    contact_id: Mapped[int | None] = ref("contact", default=None, on_delete="clear", collection="activities")
    user_id: Mapped[int | None] = ref("user", default=None, on_delete="clear", collection="activities", index=False)
    status: Mapped[Status] = choice(Status, default=Status.PLANNED)
    planned_start: Mapped[dt.datetime | None] = moment(default=None)
    planned_end: Mapped[dt.datetime | None] = moment(default=None)
    planned_place: Mapped[str | None] = text(200, default=None)
    started_at: Mapped[dt.datetime | None] = moment(default=None)
    ended_at: Mapped[dt.datetime | None] = moment(default=None)
    place: Mapped[str | None] = text(200, default=None)
    cost: Mapped[Money | None] = money(default=None)
    outcome: Mapped[str | None] = text(None, default=None, search=True)
    feeling: Mapped[Feeling | None] = choice(Feeling, default=None)
    next_step: Mapped[str | None] = text(200, default=None)
    next_step_due: Mapped[dt.datetime | None] = moment(default=None)
    note: Mapped[str | None] = text(None, default=None, restricted="activity.read_notes")
    minutes: Mapped[int | None] = number(0, default=None, label="Time spent (minutes)")
    series_id: Mapped[int | None] = ref("activity", default=None, on_delete="clear", collection="occurrences")
    recurrence: Mapped[str | None] = text(200, default=None, label="Recurrence (RFC 5545 RRULE)")

    account: Mapped[Account | None] = parent("account_id")
    contact: Mapped[Contact | None] = parent("contact_id")
    user: Mapped[User | None] = parent("user_id")


@record("participant", access=via("activity_id", "contact_id", every=True), label="Participant")
class Participant(Record):
    """A person of theirs or a colleague of ours who takes part in an activity."""

    activity_id: Mapped[int] = ref("activity", collection="participants")
    contact_id: Mapped[int | None] = ref("contact", default=None, collection="participations")
    user_id: Mapped[int | None] = ref("user", default=None, collection="participations")

    activity: Mapped[Activity] = parent("activity_id")
    contact: Mapped[Contact | None] = parent("contact_id")
    user: Mapped[User | None] = parent("user_id")


def plan(
    session: CrmSession,
    kind: str,
    subject: str,
    *,
    start: dt.datetime | dt.date,
    end: dt.datetime | None = None,
    account: Account | None = None,
    contact: Contact | None = None,
    user: str | User | int | None = None,
    place: str | None = None,
    contacts: Iterable[Contact] = (),
    colleagues: Iterable[User] = (),
    recurrence: str | None = None,
    until: dt.datetime | dt.date | None = None,
) -> list[Activity]:
    """Plan an activity, or a series; returns the planned activities in order.

    ``recurrence`` is a rule of RFC 5545 (``"FREQ=WEEKLY;BYDAY=MO;COUNT=8"``), counted in the organisation's time zone,
    so that nine o'clock stays nine o'clock; a rule without COUNT or UNTIL needs ``until``. Without an ``account`` the
    kernel files it at the one where the ``contact`` works then, if there can only be one. Raises
    :class:`ValidationError` for a rule that cannot be read or does not end.
    """
    first = as_moment(session, start)
    starts = [first] if recurrence is None else _occurrences(session, first, recurrence, until)
    length = None if end is None else as_moment(session, end) - first
    responsible = session.actor.user_id if user is None else find_user(session, user).id
    people, team = list(contacts), list(colleagues)
    planned: list[Activity] = []
    for moment_ in starts:
        activity = session.add_one(
            Activity(
                kind=kind,
                subject=subject,
                account_id=None if account is None else account.id,
                contact_id=None if contact is None else contact.id,
                user_id=responsible,
                planned_start=moment_,
                planned_end=None if length is None else moment_ + length,
                planned_place=place,
                recurrence=recurrence,
                series_id=planned[0].id if planned else None,
            )
        )
        session.add_all(Participant(activity_id=activity.id, contact_id=person.id) for person in people)
        session.add_all(Participant(activity_id=activity.id, user_id=colleague.id) for colleague in team)
        planned.append(activity)
    return planned


def hold(
    session: CrmSession,
    activity: Activity,
    *,
    started: dt.datetime | None = None,
    ended: dt.datetime | None = None,
    outcome: str | None = None,
    feeling: Feeling | str | None = None,
    next_step: str | None = None,
    next_step_due: dt.datetime | dt.date | None = None,
    place: str | None = None,
    minutes: int | None = None,
    cost: Money | None = None,
) -> Activity:
    """Note that an activity took place: when, where, what came of it, how the customer felt, what comes next.

    What was planned stays beside it. Raises :class:`Conflict` when it was cancelled.
    """
    if activity.status is Status.CANCELLED:
        raise Conflict("The activity was cancelled.", mend="Plan a new one.", record="activity")
    activity.status = Status.HELD
    activity.started_at = as_moment(session, started or activity.planned_start)
    activity.ended_at = as_moment(session, ended) if ended else activity.ended_at
    if minutes is None and activity.ended_at is not None:
        minutes = int((activity.ended_at - activity.started_at).total_seconds() // 60)
    given = {
        "outcome": outcome,
        "feeling": None if feeling is None else Feeling(feeling),
        "next_step": next_step,
        "next_step_due": None if next_step_due is None else as_moment(session, next_step_due),
        "place": place,
        "minutes": minutes,
        "cost": cost,
    }
    for name, value in given.items():
        if value is not None:
            setattr(activity, name, value)
    return activity


def cancel(session: CrmSession, activity: Activity, *, reason: str | None = None, rest_of_series: bool = False) -> int:
    """Cancel a planned activity, and on demand those of its series that were to follow; returns how many."""
    if activity.status is Status.HELD:
        raise Conflict("The activity was held already.", mend="Correct its outcome instead.", record="activity")
    affected = [activity]
    if rest_of_series:
        head = activity.series_id or activity.id
        later = select(Activity).where(Activity.series_id == head, Activity.status == Status.PLANNED)
        if activity.planned_start is not None:
            later = later.where(Activity.planned_start > activity.planned_start)
        affected += [each for each in session.scalars(later) if each is not activity]
    for each in affected:
        each.status = Status.CANCELLED
        if reason is not None:
            each.outcome = reason
    return len(affected)


def _occurrences(
    session: CrmSession, first: dt.datetime, rule: str, until: dt.datetime | dt.date | None
) -> list[dt.datetime]:
    from dateutil.rrule import rrulestr

    local = first.astimezone(session.policy.tz)
    last = None if until is None else as_moment(session, until)
    if last is None and not any(part.strip().upper().startswith(("COUNT=", "UNTIL=")) for part in rule.split(";")):
        raise ValidationError(
            "The recurrence {rule!r} never ends.", mend="Add COUNT or UNTIL, or give until.", rule=rule
        )
    try:
        # Counted without a zone, so that daylight saving does not move the hour.
        rows = rrulestr(rule, dtstart=local.replace(tzinfo=None), ignoretz=True)
        starts: list[dt.datetime] = []
        for start in rows:
            moment_ = start.replace(tzinfo=local.tzinfo).astimezone(dt.UTC)
            if last is not None and moment_ > last:
                break
            if len(starts) >= _SERIES_LIMIT:
                raise ValueError(f"more than {_SERIES_LIMIT} occurrences")
            starts.append(moment_)
    except ValueError as error:
        raise ValidationError(
            "The recurrence {rule!r} cannot be used: {reason}.",
            mend="Write it as FREQ=WEEKLY;BYDAY=MO;COUNT=8.",
            rule=rule,
            reason=str(error),
        ) from None
    if not starts:
        raise ValidationError("The recurrence {rule!r} has no occurrence.", mend="Check its end.", rule=rule)
    return starts
