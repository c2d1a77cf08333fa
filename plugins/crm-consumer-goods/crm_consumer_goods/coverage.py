"""Coverage: of the visits that were planned, how many were held."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Mapping
from decimal import ROUND_HALF_EVEN, Decimal

import attrs
from sqlalchemy import func, select

from crm_consumer_goods.visits import Visit
from crm_core import Account, CrmSession, Membership, Unit, User, ValidationError, dated, organisation

__all__ = ["Coverage", "by_account", "coverage"]

_MANY = 5000
"""Beyond so many accounts their ids are no longer sent to the database, which takes only so many parameters."""


@attrs.frozen(kw_only=True)
class Coverage:
    """Visits planned for a span of days, and how many of them were held.

    ``unplanned`` visits were held in the span without a plan; they do not mend the coverage. ``outlets`` are those
    with a planned visit, ``reached`` those of them where at least one was held.
    """

    planned: int = 0
    held: int = 0
    unplanned: int = 0
    outlets: int = 0
    reached: int = 0

    @property
    def rate(self) -> Decimal | None:
        """Held by planned visits, 0 to 1 with four decimals; ``None`` where nothing was planned.

        The plugin's own definition: a planned visit counts as held once somebody checked in for it, also on another
        day than was planned.
        """
        if not self.planned:
            return None
        return (Decimal(self.held) / self.planned).quantize(Decimal("0.0001"), ROUND_HALF_EVEN)


def coverage(
    session: CrmSession,
    accounts: Iterable[Account | int] | None = None,
    *,
    unit: str | Unit | int | None = None,
    user: str | User | int | None = None,
    from_: dt.date,
    until: dt.date,
) -> Coverage:
    """Coverage of the days from ``from_`` (inclusive) to ``until`` (exclusive), in a constant number of statements.

    It counts the visits that the actor sees: to ``accounts``, or of ``user``, or of the people who belonged to ``unit``
    or a unit below it on the day in question; without any of these, all. Raises :class:`ValidationError` when more
    than one of them is given.
    """
    if sum(given is not None for given in (accounts, unit, user)) > 1:
        raise ValidationError(
            "Coverage is that of accounts, of a unit or of a user.", mend="Give only one of accounts, unit and user."
        )
    if unit is not None:
        found = _of_unit(session, organisation.find_unit(session, unit), from_, until)
    elif user is not None:
        found = _by_account(session, None, organisation.find_user(session, user).id, from_, until)
    else:
        found = _by_account(session, None if accounts is None else _ids(accounts), None, from_, until)
    return _total(found)


def by_account(
    session: CrmSession, accounts: Iterable[Account | int], *, from_: dt.date, until: dt.date
) -> dict[int, Coverage]:
    """Coverage of each account that had a visit planned or held, by its id; in two statements."""
    return _by_account(session, _ids(accounts), None, from_, until)


def _ids(accounts: Iterable[Account | int]) -> set[int]:
    return {account if isinstance(account, int) else account.id for account in accounts}


def _total(found: Mapping[int, Coverage]) -> Coverage:
    parts = found.values()
    return Coverage(
        planned=sum(part.planned for part in parts),
        held=sum(part.held for part in parts),
        unplanned=sum(part.unplanned for part in parts),
        outlets=sum(part.outlets for part in parts),
        reached=sum(part.reached for part in parts),
    )


class _Count:
    """What is being counted of one account."""

    def __init__(self) -> None:
        self.planned = self.held = self.unplanned = 0

    def done(self) -> Coverage:
        return Coverage(
            planned=self.planned,
            held=self.held,
            unplanned=self.unplanned,
            outlets=int(self.planned > 0),
            reached=int(self.held > 0),
        )


def _by_account(
    session: CrmSession, accounts: set[int] | None, user_id: int | None, from_: dt.date, until: dt.date
) -> dict[int, Coverage]:
    start, end = dated.as_moment(session, from_), dated.as_moment(session, until)
    planned = (
        select(Visit.account_id, func.count(), func.count(Visit.checked_in_at))
        .where(Visit.planned_on >= from_, Visit.planned_on < until)
        .group_by(Visit.account_id)
    )
    unplanned = (
        select(Visit.account_id, func.count())
        .where(Visit.planned_on.is_(None), Visit.checked_in_at >= start, Visit.checked_in_at < end)
        .group_by(Visit.account_id)
    )
    if user_id is not None:
        planned, unplanned = planned.where(Visit.user_id == user_id), unplanned.where(Visit.user_id == user_id)
    if accounts is not None and len(accounts) <= _MANY:
        among = Visit.account_id.in_(sorted(accounts))
        planned, unplanned = planned.where(among), unplanned.where(among)
    counts: defaultdict[int, _Count] = defaultdict(_Count)
    for account_id, count, held in session.execute(planned):
        if accounts is None or account_id in accounts:
            counts[account_id].planned, counts[account_id].held = count, held
    for account_id, count in session.execute(unplanned):
        if accounts is None or account_id in accounts:
            counts[account_id].unplanned = count
    return {account_id: count.done() for account_id, count in counts.items()}


def _of_unit(session: CrmSession, unit: Unit, from_: dt.date, until: dt.date) -> dict[int, Coverage]:
    """By the day in question, because people change units: the visits of March stay with the unit of March."""
    start, end = dated.as_moment(session, from_), dated.as_moment(session, until)
    below = _below(session, unit)
    places: defaultdict[int, list[Membership]] = defaultdict(list)
    for place in session.scalars(select(Membership), execution_options={"all_dates": True}):
        if place.unit_id in below:
            places[place.user_id].append(place)

    def belonged(user_id: int, when: dt.datetime) -> bool:
        return any(dated.holds(place, when) for place in places[user_id])

    users = sorted(places)
    counts: defaultdict[int, _Count] = defaultdict(_Count)
    planned = (
        select(Visit.account_id, Visit.user_id, Visit.planned_on, func.count(), func.count(Visit.checked_in_at))
        .where(Visit.planned_on >= from_, Visit.planned_on < until, Visit.user_id.in_(users))
        .group_by(Visit.account_id, Visit.user_id, Visit.planned_on)
    )
    for account_id, user_id, planned_on, count, held in session.execute(planned):
        if user_id is not None and belonged(user_id, dated.as_moment(session, planned_on)):
            counts[account_id].planned += count
            counts[account_id].held += held
    unplanned = select(Visit.account_id, Visit.user_id, Visit.checked_in_at).where(
        Visit.planned_on.is_(None), Visit.checked_in_at >= start, Visit.checked_in_at < end, Visit.user_id.in_(users)
    )
    for account_id, user_id, checked_in_at in session.execute(unplanned):
        if user_id is not None and checked_in_at is not None and belonged(user_id, checked_in_at):
            counts[account_id].unplanned += 1
    return {account_id: count.done() for account_id, count in counts.items()}


def _below(session: CrmSession, unit: Unit) -> set[int]:
    """The unit and all beneath it; units are few, so one statement reads them all."""
    children: defaultdict[int | None, list[int]] = defaultdict(list)
    for id_, parent_id in session.execute(select(Unit.id, Unit.parent_id)):
        children[parent_id].append(id_)
    found, work = {unit.id}, [unit.id]
    while work:
        new = [child for child in children[work.pop()] if child not in found]
        found.update(new)
        work += new
    return found
