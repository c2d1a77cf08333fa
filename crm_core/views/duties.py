"""Compliance with the reporting duties: computed from the journal, per account, person and unit, at any moment."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import attrs
from sqlalchemy import select

from crm_core.domain.dated import as_moment
from crm_core.domain.duties import Duty, confirm, find_duty
from crm_core.domain.organisation import Membership, Unit, User, find_unit, find_user
from crm_core.errors import UnsupportedStatement
from crm_core.store.partitions.recorded import require_recorded
from crm_core.store.touching import Responsibility, confirmed, responsibilities, touched, undone

if TYPE_CHECKING:
    from crm_core.store.session import CrmSession

__all__ = ["Compliance", "DutyReport", "Obligation", "UnitCompliance", "confirm", "due", "obligations", "report"]

_DAY = dt.timedelta(days=1)


@attrs.frozen(kw_only=True)
class Obligation:
    """What one person must keep fresh at one account, and how it stands ``at`` a moment.

    ``last`` is when it was last updated or confirmed, ``due`` when it must be again. Overdue days count from the day
    on which it was both due and theirs (``since``): whoever takes over a neglected account starts at nought. Nobody is
    responsible where ``user_id`` is ``None``.
    """

    duty: str
    label: str
    account_id: int
    account: str
    user_id: int | None
    user: str | None
    since: dt.datetime | None
    last: dt.datetime | None
    due: dt.datetime
    at: dt.datetime

    @property
    def fulfilled(self) -> bool:
        """Whether it is fresh."""
        return self.at < self.due

    @property
    def overdue_days(self) -> int:
        """Whole days since it should have been done; 0 while it is fresh, and on the first day."""
        start = self.due if self.since is None else max(self.due, self.since)
        return max((self.at - start) // _DAY, 0) if not self.fulfilled else 0

    @property
    def days_left(self) -> int:
        """Whole days until it is due; 0 once it is."""
        return max((self.due - self.at) // _DAY, 0)


@attrs.frozen(kw_only=True)
class Compliance:
    """Obligations counted: of a person, a duty, or all."""

    name: str
    id: int | None = None
    total: int
    fulfilled: int
    worst_days: int

    @property
    def overdue(self) -> int:
        """How many are not fresh."""
        return self.total - self.fulfilled

    @property
    def share(self) -> float | None:
        """The share fulfilled, from 0 to 1; ``None`` where there is nothing to do."""
        return self.fulfilled / self.total if self.total else None


@attrs.frozen(kw_only=True)
class UnitCompliance:
    """A unit: what its own members must do (``own``), and with the units below it (``whole``)."""

    unit_id: int
    name: str
    depth: int
    own: Compliance
    whole: Compliance


@attrs.frozen(kw_only=True)
class DutyReport:
    """The duties as they stand ``at`` a moment, for the accounts that the reader sees."""

    at: dt.datetime
    whole: Compliance
    duties: tuple[Compliance, ...]
    people: tuple[Compliance, ...]
    units: tuple[UnitCompliance, ...]
    due: tuple[Obligation, ...]
    """What is not fresh, or will not be within the days that were asked for."""


def obligations(
    session: CrmSession,
    *,
    user: str | User | int | None = None,
    unit: str | Unit | int | None = None,
    duty: str | None = None,
    at: dt.datetime | dt.date | None = None,
    accounts: Collection[int] | None = None,
) -> list[Obligation]:
    """Every obligation ``at`` a moment (default: the session's ``at``), earliest due first; of a user, or of a unit
    with those below it; with ``accounts`` (ids, at most a thousand) only at these.

    About active accounts that the actor sees. The rules and the fields in their ``where`` are those of today. The
    number of statements depends on the number of duties alone. Raises :class:`NotFound` for an unknown user, unit or
    duty.
    """
    moment = _moment(session, at)
    return _obligations(session, _Organisation(session, moment), moment, user, unit, duty, accounts)


def due(
    session: CrmSession,
    user: str | User | int,
    *,
    within_days: int = 0,
    at: dt.datetime | dt.date | None = None,
) -> list[Obligation]:
    """What a user must update or confirm now (or ``within_days``), longest overdue first."""
    horizon = dt.timedelta(days=within_days)
    return [each for each in obligations(session, user=user, at=at) if each.due <= each.at + horizon]


def report(
    session: CrmSession,
    *,
    user: str | User | int | None = None,
    unit: str | Unit | int | None = None,
    at: dt.datetime | dt.date | None = None,
    within_days: int = 0,
) -> DutyReport:
    """Compliance by duty, by person and by unit (with the units below it), and everything that is due
    (``within_days``).

    Whoever belongs to two units counts in both, but only once in a unit above them.
    """
    moment = _moment(session, at)
    organisation = _Organisation(session, moment)
    found = _obligations(session, organisation, moment, user, unit, None)
    labels = {rule.name: rule.title for rule in session.policy.duties.values()}
    people: dict[int | None, list[Obligation]] = {}
    kinds: dict[str, list[Obligation]] = {}
    for each in found:
        people.setdefault(each.user_id, []).append(each)
        kinds.setdefault(each.duty, []).append(each)
    return DutyReport(
        at=moment,
        whole=_count("", found),
        duties=tuple(_count(labels[name], mine) for name, mine in sorted(kinds.items())),
        people=tuple(
            sorted(
                (_count(organisation.users.get(id_ or 0, ""), mine, id_) for id_, mine in people.items()),
                key=lambda each: (each.id is None, each.share or 0.0, each.name),
            )
        ),
        units=tuple(organisation.roll_up(people)),
        due=tuple(each for each in found if each.due <= moment + dt.timedelta(days=within_days)),
    )


def _moment(session: CrmSession, at: dt.datetime | dt.date | None) -> dt.datetime:
    if session.as_of is not None:
        raise UnsupportedStatement(
            "Duties are computed from the journal, which a session with as_of is within.",
            mend="Use at: the report then shows how things stood at that moment.",
        )
    moment = session.at if at is None else as_moment(session, at)
    if at is not None or session.at_given:
        require_recorded(session, moment)
    return moment


def _obligations(
    session: CrmSession,
    organisation: _Organisation,
    moment: dt.datetime,
    user: str | User | int | None,
    unit: str | Unit | int | None,
    duty: str | None,
    within: Collection[int] | None = None,
) -> list[Obligation]:
    users: set[int] | None = None
    if user is not None:
        users = {find_user(session, user).id}
    if unit is not None:
        members = organisation.below(find_unit(session, unit).id)
        users = members if users is None else users & members
    rules = [find_duty(session, duty)] if duty is not None else list(session.policy.duties.values())
    # Who may not read a record learns nothing of when it was touched.
    if not session.can("ownership.read"):
        return []
    rules = [rule for rule in rules if session.can(session.types[rule.record].permission("read"))]
    taken_back = undone(session, rules, moment, users, within) if rules else set()
    found = [
        each for rule in rules for each in _of_rule(session, rule, moment, users, taken_back, organisation, within)
    ]  # fmt: skip
    return sorted(found, key=lambda each: (each.due, each.account_id, each.duty, each.user_id or 0))


def _of_rule(
    session: CrmSession,
    rule: Duty,
    moment: dt.datetime,
    users: Collection[int] | None,
    taken_back: Collection[int],
    organisation: _Organisation,
    within: Collection[int] | None,
) -> list[Obligation]:
    parts = responsibilities(session, rule, moment, users, within)
    written = touched(session, rule, moment, users, taken_back, within)
    said = confirmed(session, rule, moment, users, within)
    floor = None if rule.since is None else as_moment(session, rule.since)
    found = []
    for part, user_id, since in _assigned(rule, parts, organisation):
        if user_id is None and users is not None:
            continue
        moments = [each for each in (written.get(part.account_id), said.get(part.account_id)) if each is not None]
        last = max(moments, default=None)
        start = max(last or part.created_at, floor or part.created_at)
        found.append(
            Obligation(
                duty=rule.name, label=rule.title, account_id=part.account_id, account=part.account, user_id=user_id,
                user=None if user_id is None else organisation.users.get(user_id),
                since=since, last=last, due=start + rule.every, at=moment,
            )
        )  # fmt: skip
    return found


def _assigned(
    rule: Duty, parts: Iterable[Responsibility], organisation: _Organisation
) -> list[tuple[Responsibility, int | None, dt.datetime | None]]:
    """Who must do it at each account, since when; accounts that nobody must do it at come with ``None``."""
    wanted = set(rule.who)
    chosen: dict[tuple[int, int], tuple[Responsibility, dt.datetime | None]] = {}
    nobody: dict[int, Responsibility] = {}
    for part in parts:
        nobody.setdefault(part.account_id, part)
        if part.user_id is None or part.role is None:
            continue
        if part.role.value in wanted or organisation.roles.get(part.user_id, set()) & wanted:
            key = (part.account_id, part.user_id)
            known = chosen.get(key)
            if known is None or (known[1] is not None and (part.since is None or part.since < known[1])):
                chosen[key] = (part, part.since)
    for account_id, _ in chosen:
        nobody.pop(account_id, None)
    found: list[tuple[Responsibility, int | None, dt.datetime | None]] = [
        (part, user_id, since) for (_, user_id), (part, since) in chosen.items()
    ]
    return found + [(part, None, None) for part in nobody.values()]


def _count(name: str, found: Sequence[Obligation], id_: int | None = None) -> Compliance:
    return Compliance(
        name=name, id=id_, total=len(found), fulfilled=sum(each.fulfilled for each in found),
        worst_days=max((each.overdue_days for each in found), default=0),
    )  # fmt: skip


class _Organisation:
    """Who works where in which role at a moment, and which unit is beneath which."""

    def __init__(self, session: CrmSession, moment: dt.datetime) -> None:
        start, end = Membership.valid_from, Membership.valid_to
        rows = session.execute(
            select(Membership.user_id, Membership.unit_id, Membership.role).where(
                start.is_(None) | (start <= moment), end.is_(None) | (end > moment)
            ),
            execution_options={"all_dates": True},
        )
        self.roles: dict[int, set[str]] = {}
        self.members: dict[int, set[int]] = {}
        for user_id, unit_id, role in rows:
            self.roles.setdefault(user_id, set()).add(role)
            self.members.setdefault(unit_id, set()).add(user_id)
        self.units = {row.id: row for row in session.execute(select(Unit.id, Unit.name, Unit.parent_id))}
        self.users: dict[int, str] = {row.id: row.name for row in session.execute(select(User.id, User.name))}
        self.children: dict[int | None, list[int]] = {}
        for row in self.units.values():
            self.children.setdefault(row.parent_id, []).append(row.id)

    def below(self, unit_id: int) -> set[int]:
        """The members of a unit and of the units below it."""
        found = set(self.members.get(unit_id, ()))
        for child in self.children.get(unit_id, ()):
            found |= self.below(child)
        return found

    def roll_up(self, people: Mapping[int | None, Sequence[Obligation]]) -> Iterable[UnitCompliance]:
        """Units from the top, each before those below it; units where nobody must do anything are left out."""
        work = [(id_, 0) for id_ in reversed(self._ordered(None))]
        while work:
            unit_id, depth = work.pop()
            name = self.units[unit_id].name
            own = _count(name, self._of(self.members.get(unit_id, set()), people), unit_id)
            whole = _count(name, self._of(self.below(unit_id), people), unit_id)
            if whole.total:
                yield UnitCompliance(unit_id=unit_id, name=name, depth=depth, own=own, whole=whole)
                work += [(id_, depth + 1) for id_ in reversed(self._ordered(unit_id))]

    def _ordered(self, parent: int | None) -> list[int]:
        return sorted(self.children.get(parent, ()), key=lambda id_: (self.units[id_].name, id_))

    def _of(self, users: Collection[int], people: Mapping[int | None, Sequence[Obligation]]) -> list[Obligation]:
        return [each for user_id in sorted(users) for each in people.get(user_id, ())]
