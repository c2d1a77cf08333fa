"""Nurture touches: what was done for a prospect, by which department, at what cost."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from decimal import Decimal
from typing import Any, cast

import attrs
from sqlalchemy import ColumnElement, func, select

from crm_core import (
    Account,
    Change,
    ChangeBatch,
    CrmSession,
    Mapped,
    Membership,
    Money,
    Problem,
    Record,
    Unit,
    User,
    dated,
    moment,
    organisation,
    parent,
    record,
    ref,
    text,
    via,
)
from crm_core.fields import money
from crm_industrial import programmes
from crm_industrial.programmes import Programme

__all__ = ["NurtureTouch", "expense_parts", "note", "overrun"]

_CHUNK = 1000


@record("industrial.touch", access=via("account_id"), label="Nurture touch", indexes=[("account_id", "at")])
class NurtureTouch(Record):
    """One touch of a prospect, with what it cost."""

    account_id: Mapped[int] = ref("account", collection="touches", index=False)
    programme_id: Mapped[int | None] = ref(
        "industrial.programme", default=None, on_delete="restrict", collection="touches"
    )
    kind: Mapped[str] = text(40, vocabulary="industrial.touch_kind")
    at: Mapped[dt.datetime] = moment(label="When")
    user_id: Mapped[int | None] = ref("user", default=None, on_delete="clear", collection="touches")
    unit_id: Mapped[int | None] = ref("unit", default=None, on_delete="clear", collection="touches", label="Department")
    expense: Mapped[Money | None] = money(default=None)
    note: Mapped[str | None] = text(None, default=None)

    account: Mapped[Account] = parent("account_id")
    programme: Mapped[Programme | None] = parent("programme_id")
    user: Mapped[User | None] = parent("user_id")
    unit: Mapped[Unit | None] = parent("unit_id")


def expense_parts() -> tuple[ColumnElement[Decimal], ColumnElement[str | None]]:
    """Amount and currency of the expense, for sums: SQLAlchemy gives the parts of a composite only untyped."""
    amount, currency = cast(Any, NurtureTouch.expense).clauses
    return amount, currency


def note(
    session: CrmSession,
    account: Account,
    kind: str,
    *,
    programme: str | Programme | int | None = None,
    expense: Money | None = None,
    at: dt.datetime | dt.date | None = None,
    user: str | User | int | None = None,
    unit: str | Unit | int | None = None,
    text: str | None = None,
) -> NurtureTouch:
    """Note a touch of a prospect and what it cost, at a moment (default: now).

    ``unit`` is the department that spends; without it, the unit in which the user was at that moment. A budget that
    does not suffice is objected to before the commit, or at ``session.check()``.
    """
    when = dated.as_moment(session, at)
    who = session.user_id if user is None else organisation.find_user(session, user).id
    department = _unit_of(session, who, when) if unit is None else organisation.find_unit(session, unit).id
    return session.add_one(
        NurtureTouch(
            account_id=account.id,
            programme_id=None if programme is None else programmes.find(session, programme).id,
            kind=kind,
            at=when,
            user_id=who,
            unit_id=department,
            expense=expense,
            note=text,
        )
    )


def _unit_of(session: CrmSession, user_id: int, when: dt.datetime) -> int | None:
    places = session.scalars(
        select(Membership).where(Membership.user_id == user_id).order_by(Membership.id),
        execution_options={"all_dates": True},
    )
    return next((place.unit_id for place in places if dated.holds(place, when)), None)


# -- rules that hold whichever way a touch is written -----------------------------------------------------------


@attrs.frozen
class _State:
    """A created or changed touch as it now stands, and what it cost which programme before."""

    programme_id: int | None
    expense: Money | None
    at: dt.datetime
    old_programme_id: int | None = None
    old_expense: Money | None = None


def problems(system: CrmSession, batch: ChangeBatch) -> Iterator[Problem]:
    """Expenses below nothing, touches outside their programme's time, and overrun budgets.

    ``system`` sees every touch, so that what the actor may not see counts, too; the objections tell nothing of it.
    """
    deltas: defaultdict[tuple[int, str], Decimal] = defaultdict(Decimal)
    moments: defaultdict[int, list[dt.datetime]] = defaultdict(list)
    for change in batch.of("create", "update"):
        expense = change.after.get("expense")
        if expense is not None and expense.amount < 0:
            yield Problem(
                "expense", "An expense is not negative: {given}.", "Correct the touch that cost less.",
                {"given": str(expense)},
            )  # fmt: skip
    for state in _states(system, batch):
        if state.programme_id is not None:
            moments[state.programme_id].append(state.at)
            if state.expense is not None:
                deltas[state.programme_id, state.expense.currency] += state.expense.amount
        if state.old_programme_id is not None and state.old_expense is not None:
            deltas[state.old_programme_id, state.old_expense.currency] -= state.old_expense.amount
    if moments:
        yield from _outside(system, moments)
    # Whoever makes a programme cheaper is never refused, even where its budget is overrun already.
    dearer: set[tuple[int, str | None]] = {key for key, delta in deltas.items() if delta > 0}
    if dearer:
        yield from overrun(system, dearer)


def _states(system: CrmSession, batch: ChangeBatch) -> Iterator[_State]:
    """A creation tells all there is to know; of an update, what did not change is read."""
    changed = []
    for change in batch.of("create", "update"):
        if change.operation == "create":
            yield _State(change.after.get("programme_id"), change.after.get("expense"), change.after["at"])
        elif change.fields & {"programme_id", "expense", "at"}:
            changed.append(change)
    for start in range(0, len(changed), _CHUNK):
        part = {change.id: change for change in changed[start : start + _CHUNK]}
        query = select(NurtureTouch.id, NurtureTouch.programme_id, NurtureTouch.expense, NurtureTouch.at)
        for id_, programme_id, expense, at in system.execute(query.where(NurtureTouch.id.in_(part))):
            yield _State(
                programme_id,
                expense,
                at,
                _before(part[id_], "programme_id", programme_id),
                _before(part[id_], "expense", expense),
            )


def _before(change: Change, name: str, now: Any) -> Any:
    return change.before.get(name) if name in change.fields else now


def _outside(system: CrmSession, moments: Mapping[int, list[dt.datetime]]) -> Iterator[Problem]:
    tz = system.policy.tz
    for programme in _programmes(system, moments):
        days = [at.astimezone(tz).date() for at in moments[programme.id]]
        first, last = programme.first_day, programme.last_day
        if (first is not None and min(days) < first) or (last is not None and max(days) > last):
            yield Problem(
                "at",
                "The programme {programme} runs from {first} to {last}.",
                "Give a day between, or another programme.",
                {"programme": programme.name, "first": first or "–", "last": last or "–"},
            )


def _programmes(system: CrmSession, ids: Collection[int]) -> list[Programme]:
    """The programmes, locked on PostgreSQL: who spends from the same budget meanwhile waits, and sees what we spent."""
    query = select(Programme).where(Programme.id.in_(sorted(ids))).order_by(Programme.id)
    query = query.with_for_update(key_share=True).execution_options(populate_existing=True)
    return list(system.scalars(query))


def overrun(system: CrmSession, dearer: Collection[tuple[int, str | None]]) -> Iterator[Problem]:
    """Objections to the budgets that do not suffice, for programmes and the currency in which they became dearer.

    Without a currency, whatever the programme spent counts. Two statements, however many touches and programmes. No
    figure is told: with the budget, which is public, it would tell what others spent.
    """
    ids = {id_ for id_, _ in dearer}
    found = {programme.id: programme for programme in _programmes(system, ids)}
    amount, currency = expense_parts()
    totals = system.execute(
        select(Programme.id, currency, func.sum(amount))
        .join(NurtureTouch, NurtureTouch.programme_id == Programme.id)
        .where(Programme.id.in_(sorted(ids)), currency.is_not(None))
        .group_by(Programme.id, currency)
        .order_by(Programme.id, currency)
    )
    concerned = set(dearer)
    for id_, code, total in totals:
        programme = found[id_]
        if programme.budget is None or not {(id_, code), (id_, None)} & concerned:
            continue
        if code != programme.budget.currency:
            yield Problem(
                "expense",
                "The budget of {programme} is in {currency}, not in {given}.",
                "Give the expense in {currency}, or choose another programme.",
                {"programme": programme.name, "currency": programme.budget.currency, "given": code},
            )
        elif total > programme.budget.amount:
            yield Problem(
                "expense",
                "The budget of {programme} does not suffice.",
                "Spend less, or ask whoever is responsible for the programme to raise its budget.",
                {"programme": programme.name},
            )
