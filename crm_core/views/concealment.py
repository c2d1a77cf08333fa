"""Where knowledge about customers may be concealed: by a person, or by a department."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from crm_core.domain.accounts import Account
from crm_core.domain.activities import Activity, Participant, Status
from crm_core.domain.contacts import Affiliation, Contact
from crm_core.domain.organisation import Membership, Unit, User, find_unit, find_user
from crm_core.domain.ownership import Ownership
from crm_core.domain.pools import HELD_ACTIVITY, SIGNALS
from crm_core.hooks.values import Failed, Gathered, Signal
from crm_core.views.aliases import another
from crm_core.views.contact_changes import contact_changes
from crm_core.views.risks import KINDS, Concealment, Risk, RiskKind, parts

if TYPE_CHECKING:
    from crm_core.store.session import CrmSession

__all__ = ["KINDS", "Concealment", "Risk", "RiskKind", "concealment"]

_CHUNK = 1000
_ORDER = "order"
"""The sign of life that an order is, by the plugins that tell it."""


def concealment(
    session: CrmSession,
    *,
    user: str | User | int | None = None,
    unit: str | Unit | int | None = None,
    days: int = 90,
    before: int = 30,
    ordered: int = 365,
) -> list[Concealment]:
    """The risks at a user; or at a unit and each of its people; or, without either, at all units and people.

    Accounts are quiet where nothing was held in ``days``: no activity, and nothing that a plugin counts as one. Orders
    are those of the last ``ordered`` days. Changes of contact data count in the last ``before`` days before a
    handover took effect, before the user was deactivated, or before now. Only what the actor sees is told; a constant
    number of statements for a thousand accounts.
    """
    places = _places(session)
    units = _units(session, unit) if user is None else {}
    members = {id_: {each for each, homes in places.items() if homes & below} for id_, (_, below) in units.items()}
    people: set[int] | None = None
    if user is not None:
        people = {find_user(session, user).id}
    elif unit is not None:
        people = set().union(*members.values())
    book = _book(session, people)
    names = _names(session, people)
    work = _Work(session, days, ordered)
    for part in parts(sorted({id_ for ids in book.values() for id_ in ids})):
        work.look(part)
    changed, cut = contact_changes(session, sorted(names), before)
    failed = tuple(work.failed)
    tells_orders = _ORDER in session.policy.vocabularies.get(SIGNALS, {})
    report = [
        Concealment(
            kind="unit",
            id=id_,
            name=name,
            accounts=len(owned := set().union(*(book.get(each, set()) for each in members[id_]))),
            risks=(*work.risks(owned, members[id_]), *(risk for each in members[id_] for risk in changed[each])),
            failed=failed,
            begins=cut,
            tells_orders=tells_orders,
        )
        for id_, (name, _) in units.items()
        if members[id_]
    ]
    return report + [
        Concealment(
            kind="user",
            id=id_,
            name=name,
            accounts=len(book.get(id_, ())),
            risks=(*work.risks(book.get(id_, set()), None), *changed[id_]),
            failed=failed,
            begins=cut,
            tells_orders=tells_orders,
        )
        for id_, name in names.items()
        if people is not None or id_ in book or changed[id_]
    ]


class _Work:
    """What is known about the accounts in question."""

    def __init__(self, session: CrmSession, days: int, ordered: int) -> None:
        self.session = session
        self.quiet_since = session.at - dt.timedelta(days)
        self.ordered_since = session.at - dt.timedelta(ordered)
        self.names: dict[int, str] = {}
        self.people: defaultdict[int, dict[int, str]] = defaultdict(dict)
        self.last: dict[int, dt.datetime] = {}
        self.ordering: set[int] = set()
        self.knowing: defaultdict[int, set[int]] = defaultdict(set)
        self.failed: dict[Failed, None] = {}

    def look(self, ids: Sequence[int]) -> None:
        """Read what concerns these accounts."""
        session = self.session
        names = select(Account.id, Account.name).where(Account.id.in_(ids))
        self.names.update((row.id, row.name) for row in session.execute(names))
        self.ordering.update(signal.account_id for signal in self._signals(ids, _ORDER, self.ordered_since, session.at))
        people = (
            select(Affiliation.account_id, Affiliation.contact_id, Contact.name)
            .join(Contact, Contact.id == Affiliation.contact_id)
            .where(Affiliation.account_id.in_(ids))
        )
        for row in session.execute(people):
            self.people[row.account_id][row.contact_id] = row.name
        when = func.max(func.coalesce(Activity.started_at, Activity.planned_start))
        held = select(Activity.account_id, when).where(Activity.account_id.in_(ids), Activity.status == Status.HELD)
        for account_id, at in session.execute(held.group_by(Activity.account_id)):
            if account_id is not None and at is not None:
                self.last[account_id] = at
        self._held_elsewhere(ids, self.quiet_since, session.at)
        # Of what is quiet it is told since when; only there one has to look at all that ever was.
        quiet = [id_ for id_ in ids if self._quiet(id_)]
        if quiet:
            self._held_elsewhere(quiet, None, self.quiet_since)
        self._who_knows(ids)

    def _held_elsewhere(self, ids: Sequence[int], since: dt.datetime | None, until: dt.datetime) -> None:
        """What plugins count as held, in records of their own."""
        for signal in self._signals(ids, HELD_ACTIVITY, since, until):
            self.last[signal.account_id] = max(signal.at, self.last.get(signal.account_id, signal.at))

    def _signals(
        self, ids: Sequence[int], kind: str, since: dt.datetime | None, until: dt.datetime
    ) -> Iterable[Signal]:
        found: Gathered[Signal] = self.session.store.dispatch.gather_signals(self.session, ids, {kind}, since, until)
        self.failed.update(dict.fromkeys(found.failed))
        return found.parts

    def _quiet(self, id_: int) -> bool:
        last = self.last.get(id_)
        return last is None or last < self.quiet_since

    def _who_knows(self, ids: Sequence[int]) -> None:
        """By person, everybody of us who ever held something with them."""
        wanted = select(Affiliation.contact_id).where(Affiliation.account_id.in_(ids))
        theirs, ours = another(Participant), another(Participant, 2)
        held = Activity.status == Status.HELD
        queries = (
            select(Activity.contact_id, Activity.user_id).where(held, Activity.contact_id.in_(wanted)),
            select(Activity.contact_id, ours.user_id)
            .join(ours, ours.activity_id == Activity.id)
            .where(held, Activity.contact_id.in_(wanted)),
            select(theirs.contact_id, Activity.user_id)
            .join(Activity, Activity.id == theirs.activity_id)
            .where(held, theirs.contact_id.in_(wanted)),
            select(theirs.contact_id, ours.user_id)
            .join(Activity, Activity.id == theirs.activity_id)
            .join(ours, ours.activity_id == Activity.id)
            .where(held, theirs.contact_id.in_(wanted)),
        )
        for query in queries:
            for contact_id, user_id in self.session.execute(query.distinct()):
                if contact_id is not None and user_id is not None:
                    self.knowing[contact_id].add(user_id)

    def risks(self, accounts: Collection[int], department: Collection[int] | None) -> Iterable[Risk]:
        """The risks at accounts; of a ``department`` also the people that nobody outside of it ever met."""
        ids = [id_ for id_ in sorted(accounts) if id_ in self.names]
        for id_ in ids:
            if id_ in self.ordering and not self.people[id_]:
                yield Risk(kind="orders_without_contact", account_id=id_, account=self.names[id_])
        for id_ in ids:
            if self._quiet(id_):
                yield Risk(kind="quiet", account_id=id_, account=self.names[id_], at=self.last.get(id_))
        for id_ in ids:
            for contact_id, name in sorted(self.people[id_].items()):
                knowing = self.knowing.get(contact_id, set())
                person = {"account_id": id_, "account": self.names[id_], "contact_id": contact_id, "contact": name}
                if len(knowing) == 1:
                    yield Risk(kind="known_to_one", user_id=next(iter(knowing)), **person)  # type: ignore[arg-type]
                elif knowing and department is not None and knowing <= set(department):
                    yield Risk(kind="known_to_unit", **person)  # type: ignore[arg-type]


def _places(session: CrmSession) -> dict[int, set[int]]:
    """The units of each user now."""
    places: defaultdict[int, set[int]] = defaultdict(set)
    for row in session.execute(select(Membership.user_id, Membership.unit_id)):
        places[row.user_id].add(row.unit_id)
    return places


def _units(session: CrmSession, unit: str | Unit | int | None) -> dict[int, tuple[str, set[int]]]:
    """The unit (or every unit), with its name and all units below it; units are few."""
    rows = session.execute(select(Unit.id, Unit.name, Unit.parent_id).order_by(Unit.id)).all()
    children: defaultdict[int | None, list[int]] = defaultdict(list)
    for row in rows:
        children[row.parent_id].append(row.id)
    chosen = None if unit is None else find_unit(session, unit).id
    found: dict[int, tuple[str, set[int]]] = {}
    for row in rows:
        if chosen is None or row.id == chosen:
            below, work = {row.id}, [row.id]
            while work:
                new = [child for child in children[work.pop()] if child not in below]
                below.update(new)
                work += new
            found[row.id] = (row.name, below)
    return found


def _book(session: CrmSession, people: set[int] | None) -> dict[int, set[int]]:
    """The accounts that each of us is responsible for now."""
    book: defaultdict[int, set[int]] = defaultdict(set)
    for part in [None] if people is None else parts(sorted(people)):
        query = select(Ownership.user_id, Ownership.account_id)
        for row in session.execute(query if part is None else query.where(Ownership.user_id.in_(part))):
            book[row.user_id].add(row.account_id)
    return book


def _names(session: CrmSession, people: set[int] | None) -> dict[int, str]:
    query = select(User.id, User.name).order_by(User.id)
    return {row.id: row.name for row in session.execute(query) if people is None or row.id in people}
