"""Whom and what the cards of one batch mean, looked up together: never more than the actor sees."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs
from sqlalchemy import select

from crm_core.domain.accounts import Account
from crm_core.domain.contacts import Affiliation, Contact, ContactPoint, PointKind
from crm_core.errors import ValidationError
from crm_core.exchange.cards.model import Person, Point
from crm_core.exchange.lookups import Resolver, Target
from crm_core.exchange.moved.columns import Wanted
from crm_core.exchange.moved.finding import Found, is_called
from crm_core.exchange.own_keys import own_id, uid_of
from crm_core.fields import matching

if TYPE_CHECKING:
    from crm_core.store.session import CrmSession

__all__ = ["Known"]

_PEOPLE = (PointKind.EMAIL, PointKind.MOBILE, PointKind.PHONE, PointKind.WECHAT)


@attrs.define
class Known:
    """What is here already of the people and companies on a batch of cards."""

    session: CrmSession
    found: Found
    contacts: dict[int, Contact] = attrs.field(factory=dict)
    accounts: dict[int, Account] = attrs.field(factory=dict)
    targets: dict[tuple[str, str], Target] = attrs.field(factory=dict)
    points: defaultdict[int, dict[tuple[str, str], str | None]] = attrs.field(factory=lambda: defaultdict(dict))
    """By record the ways to reach it, in the form in which they are compared, with their labels."""
    places: defaultdict[int, list[Affiliation]] = attrs.field(factory=lambda: defaultdict(list))
    named: dict[str, Account] = attrs.field(factory=dict)
    """Accounts that cards of this batch made, by match key of their names."""

    @classmethod
    def of(cls, session: CrmSession, people: Sequence[Person], system: str) -> Known:
        """Look up a batch in a fixed number of statements."""
        found = Found.of(session, [row for person in people for row in _rows(person)])
        known = cls(session, found)
        resolver = Resolver(session)
        for type_, company in ((Contact.crm_type, False), (Account.crm_type, True)):
            keys = {person.key for person in people if person.company is company}
            for key, target in resolver.targets(type_, system, keys).items():
                known.targets[type_.name, key] = target
        ids: dict[str, set[int]] = {"contact": set(), "account": set()}
        for (name, _), target in known.targets.items():
            ids[name].add(target.record_id)
        for person in people:
            if (own := own_id(person.key, _type(person))) is not None:
                ids[_type(person)].add(own)
            ids["contact"] |= {each.id for each in known._holders(person)}
            ids["account"] |= {each.id for name in _names(person) for each in found.called(name)}
        known.contacts = {each.id: each for each in _read(session, Contact, ids["contact"])}
        known.accounts = {each.id: each for each in _read(session, Account, ids["account"])}
        known._read_what_hangs_on_them()
        return known

    def _read_what_hangs_on_them(self) -> None:
        session, ids = self.session, sorted(self.contacts)
        columns = (
            ContactPoint.contact_id,
            ContactPoint.account_id,
            ContactPoint.kind,
            ContactPoint.value,
            ContactPoint.label,
        )
        query = select(*columns).where(
            ContactPoint.contact_id.in_(ids) | ContactPoint.account_id.in_(sorted(self.accounts))
        )
        for contact_id, account_id, kind, value, label in session.execute(query):
            self.points[contact_id or account_id or 0][self.form(kind, value)] = label
        places = select(Affiliation).where(Affiliation.contact_id.in_(ids)).order_by(Affiliation.id)
        for place in session.scalars(places, execution_options={"all_dates": True}):
            self.places[place.contact_id].append(place)

    def form(self, kind: PointKind, value: str) -> tuple[str, str]:
        """A contact point in the form in which two of them are compared."""
        return self.found.key(kind, value) or (kind.value, value)

    def _holders(self, person: Person) -> list[Contact]:
        found = {
            each.id: each
            for point in person.points
            if point.kind in _PEOPLE
            for each in self.found.holders(point.kind, point.value)
        }
        return list(found.values())

    def record(self, person: Person) -> tuple[Contact | Account | None, bool]:
        """The contact (or account) that a card is, and whether its key says so.

        Without a key that is known, it is the one person of the same name who is reached at the same place, or the one
        account of the same name. Raises :class:`ValidationError` for a key that nobody may change any more.
        """
        records: Any = self.accounts if person.company else self.contacts
        own = records.get(own_id(person.key, _type(person)))
        if own is not None and uid_of(own) == person.key:
            return own, True
        target = self.targets.get((_type(person), person.key))
        if target is not None:
            if target.erased:
                raise ValidationError("The person behind this key was erased.", mend="Take the row out of the file.")
            if target.record_id not in records:
                raise ValidationError(
                    "The key {key!r} belongs to no {record} that may be changed here.",
                    key=person.key, record=_type(person),
                )  # fmt: skip
            return records[target.record_id], True
        if person.company:
            return self.account(person.name), False
        same = [each for each in self._holders(person) if is_called(each, person.name)]
        return (same[0], False) if len(same) == 1 else (None, False)

    def account(self, name: str) -> Account | None:
        """The account of this name; raises :class:`ValidationError` where there are several."""
        made = self.named.get(matching.name_key(name) or name)
        if made is not None:
            return made
        found = self.found.called(name)
        if len(found) > 1:
            raise ValidationError(
                "Several accounts are called {name}: {accounts}.", mend="Merge them, or import the person by hand.",
                name=name, accounts=", ".join(f"{each.name} ({each.id})" for each in found),
            )  # fmt: skip
        return found[0] if found else None

    def keep(
        self,
        companies: Iterable[Account],
        forms: Mapping[tuple[int, tuple[str, str]], str | None],
        places: Iterable[Affiliation],
    ) -> None:
        """Remember what a card brought, for those after it."""
        for account in companies:
            self.named[matching.name_key(account.name) or account.name] = account
        for (id_, form), label in forms.items():
            self.points[id_][form] = label
        for place in places:
            self.places[place.contact_id].append(place)


def _type(person: Person) -> str:
    return "account" if person.company else "contact"


def _names(person: Person) -> list[str]:
    return [person.name] if person.company else [place.account for place in person.places]


def _rows(person: Person) -> list[Wanted]:
    points: tuple[tuple[PointKind, str], ...] = tuple((each.kind, each.value) for each in _reached(person))
    names: list[str | None] = [*_names(person)] or [None]
    return [
        Wanted(
            line=person.number, cells=None, key=None, id=None, name=person.name, points=points, new_points=(),
            employer=name, employer_registration=None, employer_key=None, former_employer=None, place={}, at=None,
        )
        for name in names
    ]  # fmt: skip


def _reached(person: Person) -> list[Point]:
    return [each for each in person.points if each.kind in _PEOPLE] if not person.company else []


def _read(session: CrmSession, entity: Any, ids: set[int]) -> Sequence[Any]:
    return session.scalars(select(entity).where(entity.id.in_(sorted(ids)))).all() if ids else []
