"""Records with a field of every kind, hanging on accounts, on people and on each other."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from enum import Enum
from typing import Any

from sqlalchemy.orm import Mapped

from crm_core import Dated, Money, Record, extends, record, via
from crm_core import fields as f
from crm_core.fields import Address


class Mood(Enum):
    """How it went."""

    GOOD = "good"
    BAD = "bad"


@record("leaver.visit", label="Visit", access=via("account_id"), title="subject")
class Visit(Record):
    """A visit, with a value of every kind."""

    account_id: Mapped[int] = f.ref("account", collection="leaver_visits")
    contact_id: Mapped[int | None] = f.ref("contact", on_delete="clear", default=None)
    subject: Mapped[str] = f.text(80, search=True)
    remark: Mapped[str | None] = f.text(None, default=None, personal=True)
    met: Mapped[str] = f.text(80, default="", personal=True, folded=True)
    score: Mapped[Decimal | None] = f.number(2, default=None)
    count: Mapped[int] = f.number(0, default=0)
    cost: Mapped[Money | None] = f.money(4, default=None)
    day: Mapped[dt.date | None] = f.day(default=None)
    begun_at: Mapped[dt.datetime | None] = f.moment(default=None)
    paid: Mapped[bool] = f.flag(default=False)
    labels: Mapped[frozenset[str]] = f.tags(default=frozenset())
    readings: Mapped[Any | None] = f.json(default=None)
    mood: Mapped[Mood | None] = f.choice(Mood, default=None)
    site: Mapped[Address | None] = f.address(default=None)
    link: Mapped[str | None] = f.url(default=None)
    mail: Mapped[str | None] = f.email(default=None, personal=True)
    call: Mapped[str | None] = f.phone(default=None, personal=True)


@record("leaver.step", label="Step", access=via("visit_id"), title="name")
class Step(Record):
    """A step of a visit; steps lie in each other."""

    visit_id: Mapped[int] = f.ref("leaver.visit", collection="leaver_steps")
    above_id: Mapped[int | None] = f.ref("leaver.step", on_delete="clear", default=None)
    name: Mapped[str] = f.text(80)


@record("leaver.tie", label="Tie", access=via("account_id"))
class Tie(Dated):
    """That a person advises an account, for a while."""

    account_id: Mapped[int] = f.ref("account", collection="leaver_ties")
    contact_id: Mapped[int] = f.ref("contact", collection="leaver_ties")
    words: Mapped[str | None] = f.text(200, default=None, personal=True)


@extends("account", name="leaver.profile")
class Profile(Record):
    """What the plugin adds to an account."""

    stars: Mapped[int] = f.number(0, default=0)
    motto: Mapped[str | None] = f.text(200, default=None)
    tone: Mapped[str] = f.text(20, default="plain")
