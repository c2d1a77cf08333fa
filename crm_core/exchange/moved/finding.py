"""Who and where is meant: people by any contact point, employers by name, number or key; one answer or none.

What the actor does not see is not there: a number that is somebody else's, elsewhere, finds nobody.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs
from sqlalchemy import or_, select

from crm_core.domain.accounts import Account
from crm_core.domain.contacts import Contact, ContactPoint, PointKind
from crm_core.domain.external import ExternalRef
from crm_core.errors import NotFound, ValidationError
from crm_core.exchange.moved.columns import Wanted
from crm_core.fields import matching
from crm_core.records import RecordType
from crm_core.store.duplicates import holders_of

if TYPE_CHECKING:
    from crm_core.store.session import CrmSession

__all__ = ["Found", "is_called"]

_PHONES = (PointKind.PHONE, PointKind.MOBILE)


@attrs.define
class Found:
    """What the rows of one batch may mean, looked up together."""

    session: CrmSession
    _points: dict[tuple[str, str], set[int]] = attrs.field(factory=dict)
    _other: dict[str, set[int]] = attrs.field(factory=dict)
    _keys: dict[tuple[str, str], int] = attrs.field(factory=dict)
    _people: dict[int, Contact] = attrs.field(factory=dict)
    _names: dict[str, set[int]] = attrs.field(factory=dict)
    _numbers: dict[str, set[int]] = attrs.field(factory=dict)
    _accounts: dict[int, Account] = attrs.field(factory=dict)

    @classmethod
    def of(cls, session: CrmSession, rows: Sequence[Wanted]) -> Found:
        """Look up a batch in a fixed number of statements."""
        found = cls(session)
        session.writer.write_down()
        keys = {key for row in rows for kind, value in row.points if (key := found.key(kind, value)) is not None}
        found._points = dict(holders_of(session, Contact.crm_type, keys).seen)
        others = {value for row in rows for kind, value in row.points if kind is PointKind.OTHER}
        query = select(ContactPoint.value, ContactPoint.contact_id).where(
            ContactPoint.value.in_(sorted(others)), ContactPoint.contact_id.is_not(None)
        )
        for value, contact_id in session.execute(query) if others else ():
            if contact_id is not None:
                found._other.setdefault(value, set()).add(contact_id)
        found._keys = _by_key(session, Contact.crm_type, (row.key for row in rows))
        found._keys |= _by_key(session, Account.crm_type, (row.employer_key for row in rows))
        ids = {id_ for held in (*found._points.values(), *found._other.values()) for id_ in held}
        ids |= {row.id for row in rows if row.id is not None} | set(found._keys.values())
        people = session.scalars(select(Contact).where(Contact.id.in_(sorted(ids))))
        found._people = {each.id: each for each in people}
        found._look_up_accounts(rows)
        return found

    def key(self, kind: PointKind, value: str) -> tuple[str, str] | None:
        """A contact point as the table of match keys has it."""
        if kind in _PHONES:
            found = matching.phone_key(value, self.session.policy.duplicates.region, extension=True)
            return None if found is None else ("phone", found)
        if kind is PointKind.EMAIL:
            found = matching.mail_key(value)
            return None if found is None else ("email", found)
        return ("wechat", matching.word_key(value)) if kind is PointKind.WECHAT else None

    def _look_up_accounts(self, rows: Sequence[Wanted]) -> None:
        session = self.session
        names = {name for row in rows for name in (row.employer, row.former_employer) if name}
        numbers = {row.employer_registration for row in rows if row.employer_registration}
        keys = {("name", matching.name_key(name)) for name in names}
        keys |= {("registration", key) for number in numbers if (key := matching.registration_key(None, number))}
        held = holders_of(session, Account.crm_type, keys).seen
        ids = {id_ for ids in held.values() for id_ in ids} | set(self._keys.values())
        exact = or_(
            Account.name.in_(sorted(names)), Account.local_name.in_(sorted(names)),
            Account.legal_name.in_(sorted(names)), Account.registration_number.in_(sorted(numbers)),
            Account.id.in_(sorted(ids)),
        )  # fmt: skip
        self._accounts = {each.id: each for each in session.scalars(select(Account).where(exact))}
        for name in names:
            exactly = {
                each.id for each in self._accounts.values() if name in (each.name, each.local_name, each.legal_name)
            }
            # The very name counts before one that differs by its legal form.
            self._names[name] = exactly or held.get(("name", matching.name_key(name)), set())
        for number in numbers:
            exactly = {each.id for each in self._accounts.values() if each.registration_number == number}
            key = matching.registration_key(None, number)
            self._numbers[number] = exactly or held.get(("registration", key or ""), set())

    # -- answers -----------------------------------------------------------------------------------------------

    def person(self, row: Wanted) -> Contact:
        """The one person whom a row means; raises with the reason when there is none, or when they are several."""
        ids = {id_ for kind, value in row.points for id_ in self._at(kind, value)}
        if row.key is not None:
            ids |= _one(self._keys.get((Contact.crm_type.name, row.key)))
        ids |= _one(row.id)
        people = [self._people[id_] for id_ in sorted(ids) if id_ in self._people]
        if row.name is not None and len(people) > 1:
            # Several share a switchboard: the name tells them apart.
            people = [each for each in people if is_called(each, row.name)] or people
        if not people:
            raise NotFound(
                "Nobody has one of these contact points or this key.",
                mend="Correct them, or add the person first.",
                record="contact",
            )
        if len(people) > 1:
            raise ValidationError(
                "The contact points belong to several people: {people}.",
                mend="Leave out those that are shared, or give the key of the person.",
                people=", ".join(f"{each.name} ({each.id})" for each in people),
            )
        (person,) = people
        if row.name is not None and not is_called(person, row.name):
            raise ValidationError(
                "The contact point belongs to {person} ({id}), not to {name}.",
                mend="Numbers are given to others: check who it is, and correct the name or the contact point.",
                person=person.name,
                id=person.id,
                name=row.name,
            )
        return person

    def _at(self, kind: PointKind, value: str) -> set[int]:
        key = self.key(kind, value)
        return self._other.get(value, set()) if key is None else self._points.get(key, set())

    def known(self, person: Contact, kind: PointKind, value: str) -> bool:
        """Whether it is one of the person's contact points already."""
        return person.id in self._at(kind, value)

    def holders(self, kind: PointKind, value: str) -> list[Contact]:
        """Everybody who is reached there."""
        return [self._people[id_] for id_ in sorted(self._at(kind, value)) if id_ in self._people]

    def called(self, name: str) -> list[Account]:
        """Every account of this name: with the very name, else with one that differs by its legal form."""
        return [self._accounts[id_] for id_ in sorted(self._names.get(name, ())) if id_ in self._accounts]

    def employer(self, row: Wanted) -> Account | None:
        """The new employer of a row; nothing where the person left."""
        if row.leaves:
            return None
        answers: list[set[int]] = []
        if row.employer_key is not None:
            answers.append(_one(self._keys.get((Account.crm_type.name, row.employer_key))))
        if row.employer_registration is not None:
            answers.append(self._numbers[row.employer_registration])
        elif row.employer is not None and row.employer_key is None:
            # A key or number outranks the name, which may be written in many ways.
            answers.append(self._names[row.employer])
        return self._account(set.intersection(*answers), row.employer_key or row.employer_registration or row.employer)

    def former(self, row: Wanted) -> Account | None:
        """The employer that is left, where the row names one."""
        if row.former_employer is None:
            return None
        return self._account(self._names[row.former_employer], row.former_employer)

    def _account(self, ids: set[int], given: str | None) -> Account:
        accounts = [self._accounts[id_] for id_ in sorted(ids) if id_ in self._accounts]
        if not accounts:
            raise NotFound(
                "There is no account {name!r}.", mend="Add it first, or correct its name.", record="account", name=given
            )
        if len(accounts) > 1:
            raise ValidationError(
                "Several accounts are called {name!r}: {accounts}.",
                mend="Give the registration number or the key of the right one.",
                name=given,
                accounts=", ".join(f"{each.name} ({each.id})" for each in accounts),
            )
        return accounts[0]


def _one(id_: int | None) -> set[int]:
    return set() if id_ is None else {id_}


def is_called(person: Contact, name: str) -> bool:
    """Whether the name, however it is written, is one of the person's."""
    wanted = matching.person_key(name)
    return wanted in {matching.person_key(each) for each in (person.name, person.local_name) if each}


def _by_key(session: CrmSession, record_type: RecordType, given: Iterable[str | None]) -> dict[tuple[str, str], int]:
    """Ids by ``system:key``; whether the actor sees the record is asked of the record itself, afterwards."""
    pairs: Mapping[tuple[str, str], str] = {
        (system, key): each for each in given if each for system, _, key in [each.partition(":")] if key
    }
    if not pairs:
        return {}
    system_session = session if session.actor.system else session.as_system("look-up by key")
    query = select(ExternalRef.system, ExternalRef.key, ExternalRef.record_id).where(
        ExternalRef.record_type == record_type.name,
        ExternalRef.system.in_(sorted({system for system, _ in pairs})),
        ExternalRef.key.in_(sorted({key for _, key in pairs})),
    )
    rows: Sequence[Any] = system_session.execute(query).all()
    return {(record_type.name, pairs[row[0], row[1]]): row[2] for row in rows if (row[0], row[1]) in pairs}
