"""Pools (公海): customers without an owner, the rules by which people take them, and by which they fall back.

Which pools there are is decided by the build file. Whether an account is in one follows from it and from ownership: it
is derived, never stored. What is stored is the log of what happened there.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from enum import Enum
from typing import Literal

import attrs
from sqlalchemy.orm import Mapped

from crm_core.domain.accounts import Account
from crm_core.domain.dated import moment_of
from crm_core.domain.organisation import User
from crm_core.fields import choice, moment, ref, text
from crm_core.records import Record, parent, record, via

__all__ = [
    "ALL_GRADES", "HELD_ACTIVITY", "SIGNALS", "Pool", "PoolEvent", "PoolEventKind", "PoolRules", "RecycleRule",
    "first_day_after",
]  # fmt: skip

ALL_GRADES = "*"
"""In ``in_all``: accounts of whatever grade, taken together."""

HELD_ACTIVITY = "held_activity"
"""The sign of life that the kernel itself knows: an activity that was held."""

SIGNALS = "account.signal"
"""The vocabulary of signs of life; whoever implements ``crm_gather_signals`` adds the kinds that it tells."""


class PoolEventKind(Enum):
    """What happened to an account at a pool."""

    CLAIMED = "claimed"
    ASSIGNED = "assigned"
    WARNED = "warned"
    RECYCLED = "recycled"
    RELEASED = "released"


@record(
    "pool_event",
    access=via("account_id"),
    label="Pool event",
    indexes=[("account_id", "at"), ("user_id", "pool", "at"), ("pool", "at")],
)
class PoolEvent(Record):
    """An account was claimed from a pool, assigned, given back, or taken from its owner by a rule, who was warned.

    ``user_id`` is who got it, or who had it; ``rule`` is the key of the rule by which it was taken.
    """

    account_id: Mapped[int] = ref("account", collection="pool_events", index=False)
    pool: Mapped[str] = text(40)
    user_id: Mapped[int | None] = ref("user", default=None, on_delete="clear", collection="pool_events", index=False)
    kind: Mapped[PoolEventKind] = choice(PoolEventKind)
    at: Mapped[dt.datetime] = moment()
    rule: Mapped[str | None] = text(120, default=None)
    reason: Mapped[str | None] = text(200, default=None)

    account: Mapped[Account] = parent("account_id")
    user: Mapped[User | None] = parent("user_id")


@attrs.frozen(kw_only=True)
class RecycleRule:
    """``[[pools.<name>.recycle]]``: when an account goes back to the pool.

    Either ``without`` a sign of life (``held_activity``, ``order``) for more than ``days`` whole days, or as many
    ``after`` a date in its life (``contract_end``) that lies in the owner's time. ``warn_days`` before, the owner is
    warned; nobody loses an account of whose loss they were not warned so long. ``never_grades`` are spared. With
    ``since`` the days are counted as if somebody had been there on that day: silence before it does not matter, be it
    only that nobody had written down what happened.
    """

    without: str | None = None
    after: str | None = None
    days: int
    since: dt.date | None = None
    never_grades: tuple[str, ...] = ()
    warn_days: int = 0

    @property
    def signal(self) -> str:
        """The kind of the sign of life, or of the date, that the rule looks at."""
        return self.without or self.after or ""

    @property
    def key(self) -> str:
        """What the log calls the rule; a rule that is changed is another one, of which people are warned anew."""
        return f"{'without' if self.without else 'after'} {self.signal} {self.days}"

    def counts_from(
        self, held_from: dt.datetime | None, recorded: dt.datetime, last: dt.datetime | None, tz: dt.tzinfo
    ) -> dt.datetime | None:
        """From when the days of the rule are counted; ``None`` while there is nothing to count from.

        ``held_from`` is when the ownership began (``None``: since always) and ``recorded`` when that was written down;
        ``last`` is the latest sign of life, or date. A new owner has all of the days; a date before their time does
        not concern them.
        """
        if self.after is not None:
            found = last if last is not None and (held_from is None or last > held_from) else None
        else:
            known = [moment_ for moment_ in (held_from, last) if moment_ is not None]
            found = max(known, default=recorded)
        if found is None or self.since is None:
            return found
        return max(found, moment_of(self.since, tz))

    def due(self, counted_from: dt.datetime, tz: dt.tzinfo) -> dt.date:
        """The day on which the account goes back: the first one with ``days`` whole days before it."""
        return first_day_after(counted_from, self.days, tz)

    def warn_on(self, due: dt.date) -> dt.date:
        """The first day on which the owner is warned, where the rule warns."""
        return due - dt.timedelta(self.warn_days)

    def taken_on(self, due: dt.date, warned_on: dt.date | None) -> dt.date | None:
        """The first day on which the account may be taken; ``None`` before the owner was warned."""
        if not self.warn_days:
            return due
        return None if warned_on is None else max(due, warned_on + dt.timedelta(self.warn_days))

    def still_warned(self, warned_on: dt.date, day: dt.date) -> bool:
        """Whether a warning still holds on a day: one that led to nothing for as long as the rule has is forgotten."""
        return day <= warned_on + dt.timedelta(self.warn_days + self.days)

    def spares(self, grade: str | None) -> bool:
        """Whether accounts of a grade are never taken by the rule."""
        return grade is not None and grade in self.never_grades


def first_day_after(moment_: dt.datetime, days: int, tz: dt.tzinfo) -> dt.date:
    """The first day before which ``days`` whole days lie since a moment; the last day there is at the end of time."""
    try:
        return moment_.astimezone(tz).date() + dt.timedelta(days + 1)
    except OverflowError:
        return dt.date.max


@attrs.frozen(kw_only=True)
class PoolRules:
    """``[pools.<name>]``: one pool.

    ``where`` says of which accounts, by a filter expression over them; where it is empty, of all. An account is in the
    first pool of a ``scope`` (of ownership: a product line, a region) whose condition it meets. ``roles`` and ``units``
    say who may claim: somebody with one of these roles in one of these units (by code or name) or in a unit below.
    ``a_day`` limits how many one person claims on one day, ``in_all`` how many they may own in this scope, by grade
    (``"*"``: in all). The former owner waits ``cooling_days``. ``show`` are the fields that may be seen before
    claiming. With ``assign`` the accounts are handed out in turn to the ``members`` (logins), or to all who may claim.
    """

    label: str = ""
    where: str = ""
    scope: str = ""
    roles: tuple[str, ...] = ()
    units: tuple[str, ...] = ()
    a_day: int | None = None
    in_all: Mapping[str, int] = attrs.field(factory=dict)
    cooling_days: int = 0
    show: tuple[str, ...] = ("name", "industry", "grade")
    recycle: tuple[RecycleRule, ...] = ()
    assign: Literal["", "round_robin"] = ""
    members: tuple[str, ...] = ()


@attrs.frozen(kw_only=True)
class Pool(PoolRules):
    """A pool of a build, by its name."""

    name: str

    @classmethod
    def of(cls, name: str, rules: PoolRules) -> Pool:
        """The rules of a build file under their name."""
        return cls(name=name, **{each.name: getattr(rules, each.name) for each in attrs.fields(PoolRules)})

    @property
    def title(self) -> str:
        """What people read."""
        return self.label or self.name
