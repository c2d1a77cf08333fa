"""The people at an account: who works there and who did, in which role since when, and how to reach them."""

from __future__ import annotations

import datetime as dt
import functools
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import attrs
from sqlalchemy import bindparam, select

from crm_core.domain.accounts import Account
from crm_core.domain.contacts import Affiliation, Consent, ContactPoint
from crm_core.domain.dated import holds
from crm_core.fields.columns import BIGINT
from crm_core.views.asked import activities_held, affiliations

if TYPE_CHECKING:
    from crm_core.store.session import CrmSession

__all__ = ["Elsewhere", "Person", "Place", "Point", "account_points", "people"]

# Statements are made once: to put them together takes longer than to run them.
_ACCOUNT: Any = bindparam("account", type_=BIGINT)
_ALL_DATES = {"all_dates": True}


@attrs.frozen(kw_only=True)
class Point:
    """One way to reach somebody; ``consent`` is empty where nobody asked."""

    kind: str
    value: str
    consent: str = ""
    label: str | None = None
    preferred: bool = False


@attrs.frozen(kw_only=True)
class Place:
    """A role at the account, from ``since`` (absent: always) until ``until`` (absent: still)."""

    affiliation_id: int
    role: str | None = None
    title: str | None = None
    department: str | None = None
    primary: bool = False
    since: dt.datetime | None = None
    until: dt.datetime | None = None
    confirmed_at: dt.datetime | None = None
    present: bool


@attrs.frozen(kw_only=True)
class Elsewhere:
    """Where else somebody works at the moment that is looked at."""

    account_id: int
    name: str
    role: str | None = None


@attrs.frozen(kw_only=True)
class Person:
    """Somebody who works at the account, worked there, or is to begin.

    ``role``, ``title``, ``department``, ``since``, ``until`` and ``confirmed_at`` are those of the place that holds, or
    of the latest one; ``places`` are all of them, latest first. ``decides`` says that the role or title sounds like it,
    ``last_contact`` when an activity was last held that was about this very person, or in which they took part.
    """

    contact_id: int
    name: str
    role: str | None
    title: str | None
    department: str | None
    since: dt.datetime | None
    until: dt.datetime | None
    confirmed_at: dt.datetime | None
    present: bool
    decides: bool
    last_contact: dt.datetime | None = None
    points: tuple[Point, ...] = ()
    places: tuple[Place, ...] = ()
    elsewhere: tuple[Elsewhere, ...] = ()

    @property
    def reachable(self) -> bool:
        """Whether there is any way to reach them that they have not forbidden."""
        return any(point.consent != Consent.WITHDRAWN.value for point in self.points)

    @property
    def known_since(self) -> dt.datetime | None:
        """When it was last known that they work there: it was confirmed, they began, or we met them."""
        known = (self.confirmed_at, self.since, self.last_contact)
        return max((moment for moment in known if moment is not None), default=None)


def people(session: CrmSession, account_id: int) -> tuple[Person, ...]:
    """Everybody with a place at the account: those who hold one at the session's ``at`` first.

    In four statements at most.
    """
    rows: defaultdict[int, list[Any]] = defaultdict(list)
    for row in affiliations(session, [account_id]):
        rows[row.contact_id].append(row)
    points = _points(session, account_id)
    left = any(row.valid_to is not None for each in rows.values() for row in each)
    elsewhere = _elsewhere(session, account_id) if left else {}
    spoken = _last_contacts(session, account_id)
    found = [
        _person(session, contact_id, held, points.get(contact_id, ()), elsewhere.get(contact_id, ()),
                spoken.get(contact_id))
        for contact_id, held in rows.items()
    ]  # fmt: skip
    return tuple(sorted(found, key=_rank))


def _rank(person: Person) -> tuple[Any, ...]:
    main = any(place.primary and place.present for place in person.places)
    return (not person.present, not person.decides, not main, person.name, person.contact_id)


def _person(
    session: CrmSession,
    contact_id: int,
    rows: list[Any],
    points: tuple[Point, ...],
    elsewhere: tuple[Elsewhere, ...],
    last_contact: dt.datetime | None,
) -> Person:
    places = tuple(
        Place(
            affiliation_id=row.id, role=row.role, title=row.title, department=row.department, primary=row.primary,
            since=row.valid_from, until=row.valid_to, confirmed_at=row.confirmed_at, present=holds(row, session.at),
        )
        for row in rows
    )  # fmt: skip
    main = next((place for place in places if place.present and place.primary), None)
    main = main or next((place for place in places if place.present), places[0])
    rules = session.policy.views
    return Person(
        contact_id=contact_id,
        name=rows[0].name,
        role=main.role,
        title=main.title,
        department=main.department,
        since=main.since,
        until=main.until,
        confirmed_at=main.confirmed_at,
        present=main.present,
        decides=main.present and any(rules.decides(each.role, each.title) for each in places if each.present),
        last_contact=last_contact,
        points=points,
        places=places,
        elsewhere=elsewhere if not main.present else (),
    )


@functools.cache
def _points_there() -> Any:
    there = select(Affiliation.contact_id).where(Affiliation.account_id == _ACCOUNT)
    return (
        select(
            ContactPoint.contact_id, ContactPoint.kind, ContactPoint.value, ContactPoint.consent, ContactPoint.label,
            ContactPoint.preferred,
        )
        .where(ContactPoint.contact_id.in_(there))
        .order_by(ContactPoint.preferred.desc(), ContactPoint.id)
    )  # fmt: skip


def _points(session: CrmSession, account_id: int) -> dict[int, tuple[Point, ...]]:
    found: defaultdict[int, list[Point]] = defaultdict(list)
    for row in session.execute(_points_there(), {"account": account_id}, execution_options=_ALL_DATES):
        found[row.contact_id].append(_point(row))
    return {contact_id: tuple(points) for contact_id, points in found.items()}


@functools.cache
def _own_points() -> Any:
    return (
        select(ContactPoint.kind, ContactPoint.value, ContactPoint.consent, ContactPoint.label, ContactPoint.preferred)
        .where(ContactPoint.account_id == _ACCOUNT, ContactPoint.contact_id.is_(None))
        .order_by(ContactPoint.preferred.desc(), ContactPoint.id)
    )


def account_points(session: CrmSession, account_id: int) -> tuple[Point, ...]:
    """How to reach the account itself."""
    return tuple(_point(row) for row in session.execute(_own_points(), {"account": account_id}))


def _point(row: Any) -> Point:
    consent = "" if row.consent is Consent.UNKNOWN else row.consent.value
    return Point(kind=row.kind.value, value=row.value, consent=consent, label=row.label, preferred=row.preferred)


@functools.cache
def _places_elsewhere() -> Any:
    here = select(Affiliation.contact_id).where(Affiliation.account_id == _ACCOUNT, Affiliation.valid_to.is_not(None))
    return (
        select(Affiliation.contact_id, Affiliation.account_id, Affiliation.role, Account.name,
               Affiliation.valid_from, Affiliation.valid_to)
        .join(Account, Account.id == Affiliation.account_id)
        .where(Affiliation.contact_id.in_(here), Affiliation.account_id != _ACCOUNT)
        .order_by(Affiliation.id)
    )  # fmt: skip


def _elsewhere(session: CrmSession, account_id: int) -> dict[int, tuple[Elsewhere, ...]]:
    """Where people of the account work now, as far as the actor may see those other accounts."""
    found: defaultdict[int, list[Elsewhere]] = defaultdict(list)
    for row in session.execute(_places_elsewhere(), {"account": account_id}, execution_options=_ALL_DATES):
        if holds(row, session.at):
            found[row.contact_id].append(Elsewhere(account_id=row.account_id, name=row.name, role=row.role))
    return {contact_id: tuple(places) for contact_id, places in found.items()}


def _last_contacts(session: CrmSession, account_id: int) -> dict[int, dt.datetime]:
    last: dict[int, dt.datetime] = {}
    for row in activities_held(session, account_id):
        if row.contact_id is not None:
            last[row.contact_id] = max(row.last, last.get(row.contact_id, row.last))
    return last
