"""Activities: what we planned and did with customers, what it cost, and how they took it."""

from __future__ import annotations

import datetime as dt
from enum import Enum

from sqlalchemy.orm import Mapped

from crm_core.domain.accounts import Account
from crm_core.domain.contacts import Contact
from crm_core.domain.organisation import User
from crm_core.fields import Money, choice, moment, money, number, ref, text
from crm_core.records import Record, parent, record, via

__all__ = ["Activity", "Feeling", "Participant", "Status"]


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
    indexes=[("account_id", "planned_start"), ("user_id", "planned_start")],
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
    series_id: Mapped[int | None] = ref("activity", default=None, on_delete="clear", collection="series")
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
