"""Notices: reminders of payment that were sent."""

from __future__ import annotations

import datetime as dt

from crm_core import Mapped, Money, Record, day, money, number, parent, record, ref, text, via
from crm_partner_credit.lines import READ_AMOUNTS, CreditLine

__all__ = ["LEVELS", "Notice"]

LEVELS = (1, 3)
"""The lowest and the highest level."""


@record("partner_dunning.notice", access=via("line_id"), label="Reminder of payment")
class Notice(Record):
    """A reminder that was sent along a credit line.

    ``level`` is 1 (friendly) to 3 (the last before a court; nothing is delivered meanwhile). ``settled_on`` is when it
    was paid. ``objection`` is what the customer says against it. The id of a credit line is that of its account.
    """

    line_id: Mapped[int] = ref("partner_credit.line", collection="notices", label="Credit line")
    level: Mapped[int] = number(0, default=1, label="Level (1 to 3)")
    claim: Mapped[Money | None] = money(2, default=None, label="Claim", restricted=READ_AMOUNTS)
    sent_on: Mapped[dt.date] = day(label="Sent on")
    settled_on: Mapped[dt.date | None] = day(default=None, label="Settled on")
    objection: Mapped[str | None] = text(200, default=None, label="Objection")

    line: Mapped[CreditLine] = parent("line_id")
