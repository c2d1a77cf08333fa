"""Programmes of nurture: what they are for, how long they run, what they may cost."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from decimal import ROUND_HALF_EVEN, Decimal

import attrs
from sqlalchemy import func, select

from crm_core import (
    ChangeBatch,
    CrmSession,
    Mapped,
    Money,
    NotFound,
    Problem,
    Record,
    Unit,
    day,
    parent,
    public,
    record,
    ref,
    text,
)
from crm_core.fields import money

__all__ = ["Programme", "Spending", "find", "spending"]


@record("industrial.programme", access=public(), label="Nurture programme")
class Programme(Record):
    """A programme under which prospects are nurtured; everybody may know of it and of its budget."""

    name: Mapped[str] = text(200, search=True, folded=True)
    budget: Mapped[Money | None] = money(default=None, help="Empty: expenses are noted, but not limited.")
    unit_id: Mapped[int | None] = ref(
        "unit", default=None, on_delete="clear", collection="programmes", label="Department"
    )
    first_day: Mapped[dt.date | None] = day(default=None)
    last_day: Mapped[dt.date | None] = day(default=None)
    note: Mapped[str | None] = text(None, default=None)

    unit: Mapped[Unit | None] = parent("unit_id")


@attrs.frozen(kw_only=True)
class Spending:
    """What was spent, as far as the actor sees it: touches of accounts that they may not see are not in it.

    ``spent`` is one sum per currency, because only a dated rate could add them up.
    """

    budget: Money | None
    spent: Mapping[str, Money]
    touches: int

    @property
    def left(self) -> Money | None:
        """Budget less visible expenses: what is left at most. ``None`` without a budget."""
        if self.budget is None:
            return None
        return self.budget - self.spent.get(self.budget.currency, Money(0, self.budget.currency))

    @property
    def share(self) -> Decimal | None:
        """Visible expenses by budget, 0 to 1 with four decimals; ``None`` without a budget."""
        if not self.budget:
            return None
        spent = self.spent.get(self.budget.currency, Money(0, self.budget.currency))
        return (spent.amount / self.budget.amount).quantize(Decimal("0.0001"), ROUND_HALF_EVEN)


def find(session: CrmSession, which: str | Programme | int) -> Programme:
    """A programme by name or id, or as such; :class:`NotFound` otherwise."""
    if isinstance(which, Programme):
        return which
    condition = Programme.id == which if isinstance(which, int) else Programme.name == which
    found = session.scalars(select(Programme).where(condition).order_by(Programme.id)).first()
    if found is None:
        raise NotFound(
            "There is no programme {which!r}.",
            mend="'crm list industrial.programme' shows all.",
            record="industrial.programme",
            which=which,
        )
    return found


def spending(session: CrmSession, programme: str | Programme | int) -> Spending:
    """What the touches of a programme cost, as far as the actor sees them; one sum per currency."""
    from crm_industrial.touches import NurtureTouch, expense_parts

    found = find(session, programme)
    amount, currency = expense_parts()
    rows = session.execute(
        select(currency, func.count(), func.sum(amount))
        .where(NurtureTouch.programme_id == found.id)
        .group_by(currency)
        .order_by(currency)
    ).all()
    return Spending(
        budget=found.budget,
        spent={code: Money(total, code) for code, _, total in rows if code is not None},
        touches=sum(count for _, count, _ in rows),
    )


def problems(system: CrmSession, batch: ChangeBatch) -> Iterator[Problem]:
    """Budgets below nothing or below what was spent already, and programmes that end before they begin."""
    from crm_industrial.touches import overrun

    rebudgeted = []
    for change in batch.of("create", "update"):
        budget = change.after.get("budget")
        if budget is not None and budget.amount < 0:
            yield Problem("budget", "A budget is not negative: {given}.", "Give 0 or more.", {"given": str(budget)})
        elif budget is not None and change.operation == "update":
            rebudgeted.append(change.id)
    dated = [change.id for change in batch.of("create", "update") if change.fields & {"first_day", "last_day"}]
    if dated:
        # Programmes are few: one query for whichever of them end before they begin.
        query = select(Programme.id, Programme.name).where(Programme.last_day < Programme.first_day)
        changed = set(dated)
        for id_, name in system.execute(query.order_by(Programme.id)):
            if id_ in changed:
                yield Problem(
                    "last_day",
                    "{programme} would end before it begins.",
                    "Give a last day that is not before the first.",
                    {"programme": name},
                )
    if rebudgeted:
        yield from overrun(system, {(id_, None) for id_ in rebudgeted})
