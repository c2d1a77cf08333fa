"""Organisations made up by chance: units, users, roles, ownership, shares; and rows of every record in them.

The same seed gives the same organisation, but for its days, which lie around the present.
"""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import attrs
from sqlalchemy import update

from crm_core.domain.accounts import Account, AccountRelation
from crm_core.domain.activities import Activity, Participant
from crm_core.domain.contacts import Affiliation, Contact, ContactPoint, PointKind
from crm_core.domain.organisation import Membership, Unit, User
from crm_core.domain.ownership import Ownership, OwnershipRole, Share
from crm_core.testing.conformance.marks import Lively, Mark, owners
from crm_core.testing.conformance.oracle import Oracle, honest_roles, rows_of
from crm_core.testing.conformance.population import PRINCIPAL, Population, populate

if TYPE_CHECKING:
    from crm_core.assembly.crm import Crm
    from crm_core.store.session import CrmSession
    from crm_core.testing.conformance.subject import Subject

__all__ = ["Organisation", "Size", "company", "open_organisation", "organisations", "sign", "with_roles"]

_GRANTING = ("unit", "user", "membership")


@attrs.frozen
class Size:
    """How many there are of each in a company that is made up."""

    units: int = 5
    users: int = 8
    accounts: int = 10
    people: int = 8
    activities: int = 12
    shares: int = 6


_USUAL = Size()


@attrs.frozen(eq=False)
class Organisation:
    """One of them, as it lies in a database: who sees what, and whose the words are that stand in its rows."""

    seed: int
    now: dt.datetime
    logins: Mapping[int, str]
    oracle: Oracle
    marks: Mapping[str, Sequence[Mark]]

    def ids(self, record: str) -> list[int]:
        """The ids of all records of a type."""
        return sorted(self.oracle.rows[record])

    def hidden(self, user: int, word: str) -> bool:
        """Whether a word stands only where a user may not read it."""
        places = self.marks.get(word, ())
        return bool(places) and not any(self._reads(user, mark) for mark in places)

    def _reads(self, user: int, mark: Mark) -> bool:
        permission = self.oracle.types[mark.record].by_name[mark.field].restricted
        seen = self.oracle.sees(user, mark.record, mark.id)
        return seen and (permission is None or self.oracle.reads(user, permission))


def with_roles(subject: Subject) -> dict[str, Any]:
    """The build file with roles that reach differently for different records, beside those that plugins bring."""
    everywhere = {"own": "own", "unit": "unit", "subtree": "subtree", "all": "all"}
    roles: dict[str, Any] = {f"kit_{name}": {"*.read": scope} for name, scope in everywhere.items()}
    roles["kit_guest"] = {}
    roles["kit_customers"] = dict.fromkeys(("account.read", "contact.read", "affiliation.read"), "subtree")
    roles["kit_split"] = {
        f"{subject.plugin}.*": "all", "account.read": "own", "affiliation.read": "own", "contact.read": "own",
        "activity.read": "unit",
    }  # fmt: skip
    given = subject.config
    written = {name: {"permissions": permissions} for name, permissions in roles.items()}
    return {**given, "roles": {**written, **given.get("roles", {})}}


@contextmanager
def open_organisation(subject: Subject, address: str, now: dt.datetime) -> Iterator[Crm]:
    """The build with those roles, opened on a database whose clock stands still."""
    from crm_core.assembly.crm import Crm

    config = with_roles(subject)
    with Crm.open(config, database=address, discovery=subject.discovery, check=False, clock=lambda: now) as crm:
        yield crm


def organisations(subject: Subject) -> Iterator[tuple[Organisation, str]]:
    """Organisations from the seeds of the run, each with the address of its database and for as long as it is used."""
    subject.loaded  # noqa: B018 - tells why it cannot be loaded, before a database is made
    now = subject.now
    for seed in subject.seeds:

        def prepare(address: str, seed: int = seed) -> None:
            with open_organisation(subject, address, now) as crm:
                crm.migrate()
                _invent(subject, crm, random.Random(seed), seed)  # noqa: S311 - made up, no secrets

        with subject.databases.new(f"organisation {seed}", prepare) as address:
            with (
                open_organisation(subject, address, now) as crm,
                crm.system_session(PRINCIPAL, read_only=True) as session,
            ):
                rows = rows_of(session)
                types = crm.build.types
                oracle = Oracle(types, honest_roles(crm.build), rows, now)
            logins = {id_: row["login"] for id_, row in rows["user"].items()}
            yield Organisation(seed, now, logins, oracle, owners(rows, types)), address


def _invent(subject: Subject, crm: Crm, chance: random.Random, seed: int) -> None:
    soft = [
        (reference.record, name)
        for reference in crm.build.policy.references
        for name in (reference.id_field, reference.type_field)
        if name is not None
    ]
    lively = Lively(chance, crm.store.clock(), soft)
    with crm.system_session(PRINCIPAL) as session:
        population = company(session, chance, lively, sorted(crm.build.policy.roles))
    populate(subject, crm, population, each=subject.examples, seed=seed, liven=lively)
    with crm.system_session(PRINCIPAL) as session:
        sign(session, chance, population.ids["user"])


def company(
    session: CrmSession,
    chance: random.Random,
    lively: Lively,
    roles: Sequence[str],
    size: Size = _USUAL,
    lent: Sequence[str] = ("reader", "editor", "kit_guest", "kit_split"),
) -> Population:
    """Units, users with places in them, accounts with owners and shares, people and activities, all by chance.

    ``roles`` are those that users get, besides the usual ones; ``lent`` those of shares.
    """
    units = [_added(session, Unit(name=lively.word()))]
    for _ in range(size.units - 1):
        units.append(_added(session, Unit(name=lively.word(), parent_id=chance.choice(units))))
    known = ["sales", "manager", *roles, *(role for role in roles if role.startswith("kit_"))]
    users = [_added(session, User(login=f"user{number}", name=lively.word())) for number in range(size.users)]
    for user in users:
        for place in range(chance.choice((1, 2, 2))):
            start, end = (None, None) if place == 0 else lively.validity()
            role, unit = chance.choice(known), chance.choice(units)
            session.add(Membership(user_id=user, unit_id=unit, role=role, valid_from=start, valid_to=end))
    accounts = [_added(session, Account(name=lively.word(), note=lively.word())) for _ in range(size.accounts)]
    for account in accounts:
        if chance.random() < 0.85:
            owner = chance.choice(users)
            session.add(Ownership(account_id=account, user_id=owner, role=OwnershipRole.OWNER))
        if chance.random() < 0.3:
            start, end = lively.validity()
            helper, part = chance.choice(users), OwnershipRole.COLLABORATOR
            session.add(Ownership(account_id=account, user_id=helper, role=part, valid_from=start, valid_to=end))
    for _ in range(size.shares):
        start, end = lively.validity()
        shared = chance.choice(units) if chance.random() < 0.3 else None
        session.add(
            Share(
                account_id=chance.choice(accounts), role=chance.choice(lent),
                reason="made up", user_id=None if shared else chance.choice(users), unit_id=shared, valid_from=start,
                valid_to=end,
            )
        )  # fmt: skip
    people = [_person(session, chance, lively, accounts) for _ in range(size.people)]
    activities = [_activity(session, chance, lively, users, accounts, people) for _ in range(size.activities)]
    one, other = chance.sample(accounts, 2)
    session.add(AccountRelation(account_id=one, other_id=other, kind="partner"))
    ids = {"unit": units, "user": users, "account": accounts, "contact": people, "activity": activities}
    return Population(ids)


def _person(session: CrmSession, chance: random.Random, lively: Lively, accounts: Sequence[int]) -> int:
    person = _added(session, Contact(name=lively.word(), note=lively.word()))
    for account in chance.sample(list(accounts), chance.choice((0, 1, 1, 2))):
        start, end = lively.validity()
        session.add(
            Affiliation(contact_id=person, account_id=account, title=lively.word(), valid_from=start, valid_to=end)
        )
    session.add(ContactPoint(contact_id=person, kind=PointKind.OTHER, value=lively.word()))
    return person


def _activity(
    session: CrmSession,
    chance: random.Random,
    lively: Lively,
    users: Sequence[int],
    accounts: Sequence[int],
    people: Sequence[int],
) -> int:
    start = lively.now + dt.timedelta(days=chance.randint(-20, 20))
    activity = Activity(
        kind="call", subject=lively.word(), note=lively.word(), planned_start=start,
        account_id=chance.choice([None, *accounts, *accounts]), contact_id=chance.choice([None, *people]),
        user_id=chance.choice([None, *users]),
    )  # fmt: skip
    new = _added(session, activity)
    if chance.random() < 0.4:
        session.add(Participant(activity_id=new, contact_id=chance.choice(people)))
    return new


def _added(session: CrmSession, record: Any) -> int:
    id_: int = session.add_one(record).id
    return id_


def sign(session: CrmSession, chance: random.Random, users: Sequence[int]) -> None:
    """Let each row be somebody's, or the system's; the creator of a row may see it where nobody else is to."""
    for record_type in session.types.values():
        if record_type.name not in _GRANTING:
            for id_ in (
                session.core(record_type.table.select().with_only_columns(record_type.table.c.id)).scalars().all()
            ):
                author = chance.choice([None, *users])
                session.core(update(record_type.table).where(record_type.table.c.id == id_).values(created_by=author))
