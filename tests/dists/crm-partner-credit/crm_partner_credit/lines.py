"""Credit lines: what an account may owe us, and what it does."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from sqlalchemy import select

from crm_core import CrmSession, Mapped, Money, Record, day, extends, flag, money, number

__all__ = ["READ_AMOUNTS", "RELEASE", "CreditLine", "over"]

READ_AMOUNTS = "partner_credit.read_amounts"
"""The permission to know limits and what is outstanding."""

RELEASE = "partner_credit.release"
"""The permission to let an account change hands although it is over its limit."""


@extends("account", "partner_credit.line", label="Credit line")
class CreditLine(Record):
    """What an account may owe us: ``limit`` against ``outstanding``, both absent where nobody has agreed on anything.

    ``days_to_pay`` is the time allowed for payment, in days. ``blocked`` is set by credit control, whatever is owed.
    """

    limit: Mapped[Money | None] = money(2, default=None, label="Credit limit", restricted=READ_AMOUNTS)
    outstanding: Mapped[Money | None] = money(2, default=None, label="Outstanding", restricted=READ_AMOUNTS)
    days_to_pay: Mapped[int] = number(0, default=30, label="Days to pay")
    blocked: Mapped[bool] = flag(default=False, label="Blocked by credit control")
    reviewed_on: Mapped[dt.date | None] = day(default=None, label="Reviewed on")


def over(session: CrmSession, accounts: Iterable[int]) -> set[int]:
    """Those of the accounts that are blocked or owe more than they may, by one statement.

    The session must be allowed to read the amounts. Amounts in two currencies are not compared.
    """
    lines = session.scalars(select(CreditLine).where(CreditLine.id.in_(sorted(set(accounts)))))
    return {line.id for line in lines if line.blocked or exceeds(line.outstanding, line.limit)}


def exceeds(outstanding: Money | None, limit: Money | None) -> bool:
    """Whether more is outstanding than allowed, in one currency."""
    if outstanding is None or limit is None or outstanding.currency != limit.currency:
        return False
    return outstanding.amount > limit.amount
