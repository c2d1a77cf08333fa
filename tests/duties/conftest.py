"""A CRM with duties and key fields: East above North; Li and Wang sell, Zhou leads East, Sun is the steward."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from typing import Any

import attrs
import pytest

from crm_core import Account, Affiliation, Contact, ContactPoint, Crm, PointKind, Unit, User, organisation, ownership
from crm_core.errors import CrmError
from crm_core.store.session import CrmSession

START = dt.datetime(2026, 1, 1, 4, tzinfo=dt.UTC)
BUILD: dict[str, Any] = {
    "crm": {"time_zone": "Asia/Shanghai"},
    "custom_fields": {"account": {"segment": {"kind": "text"}}},
    "steward": {
        "key_fields": {"account": ["name", "registration_number", "segment"], "contact": ["name"]},
        "stale_days": 100,
    },
    "duties": {
        "contact_details": {
            "label": "Contact details", "record": "contact_point", "fields": ["value", "consent"],
            "where": 'grade == "A"', "every_days": 90,
        },
        "places": {"record": "affiliation", "each": True, "every_days": 30, "who": ["backup", "manager"]},
    },
    "roles": {
        "clerk": {"permissions": {"*.read": "unit"}},
        "forger": {"permissions": {"*.read": "own", "quality_issue.*": "own"}},
    },
}  # fmt: skip


@attrs.define
class Clock:
    """The time that the sessions of a test have; it may only go on."""

    now: dt.datetime = START

    def forward(self, days: float) -> dt.datetime:
        self.now += dt.timedelta(days=days)
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """A clock that the test turns."""
    clock = Clock()
    monkeypatch.setattr(CrmSession, "clock", lambda session: clock.now)
    made = CrmSession.__init__

    def begin(session: CrmSession, *args: Any, **options: Any) -> None:
        made(session, *args, **{**options, "now": clock.now})

    monkeypatch.setattr(CrmSession, "__init__", begin)
    return clock


@pytest.fixture
def crm(database_url: str, fill_database: Any, clock: Clock) -> Iterator[Crm]:
    """The build on a new database."""
    fill_database(_tables)
    with Crm.open(BUILD, database=database_url, check=False) as crm:
        yield crm


def _tables(url: str) -> None:
    with Crm.open(BUILD, database=url, check=False) as crm:
        crm.migrate()


@attrs.frozen
class World:
    """Ids of what is there."""

    crm: Crm
    clock: Clock
    units: dict[str, int]
    users: dict[str, int]
    accounts: dict[str, int]
    people: dict[str, int]
    points: dict[str, int]
    places: dict[str, int]

    def session(self, login: str | None = None, **options: Any) -> CrmSession:
        return self.crm.session(login, **options) if login else self.crm.system_session("test", **options)


PEOPLE = (
    ("zhou", "East", "manager"), ("li", "East", "sales"), ("wang", "North", "sales"), ("sun", "East", "steward"),
    ("qian", "East", "administrator"), ("mei", "North", "clerk"), ("gao", "West", "sales"),
)  # fmt: skip


@pytest.fixture
def world(database_url: str, fill_database: Any, clock: Clock) -> Iterator[World]:
    """Li owns Acme (grade A) and Beta, Wang owns Cave (grade A), Gao in the West owns Delta (grade A)."""
    ids = fill_database(_world)
    with Crm.open(BUILD, database=database_url, check=False) as crm:
        yield World(crm, clock, *ids)


def _world(url: str) -> Any:
    _tables(url)
    with Crm.open(BUILD, database=url, check=False) as crm, crm.system_session("init") as session:
        units = {"East": session.add_one(Unit(name="East")).id, "West": session.add_one(Unit(name="West")).id}
        units["North"] = session.add_one(Unit(name="North", parent_id=units["East"])).id
        users = {}
        for login, unit, role in PEOPLE:
            users[login] = session.add_one(User(login=login, name=login.capitalize())).id
            session.flush()
            organisation.join(session, users[login], units[unit], role=role, since_always=True)
        accounts, people, points, places = {}, {}, {}, {}
        for name, owner, grade in (("Acme", "li", "A"), ("Beta", "li", "B"), ("Cave", "wang", "A"),
                                   ("Delta", "gao", "A")):  # fmt: skip
            account = session.add_one(Account(name=name, grade=grade, registration_number=f"{name}-1",
                                              registration_country="LI"))  # fmt: skip
            person = session.add_one(Contact(name=f"{name} Buyer"))
            places[name] = session.add_one(
                Affiliation(account_id=account.id, contact_id=person.id, role="buyer", primary=True)
            ).id
            points[name] = session.add_one(
                ContactPoint(contact_id=person.id, kind=PointKind.MOBILE, value=f"+86138001380{len(points)}0")
            ).id
            accounts[name], people[name] = account.id, person.id
            session.flush()
            ownership.assign(session, account, to=users[owner], since_always=True)
    return units, users, accounts, people, points, places


def refusal(world: World, login: str, work: Callable[[CrmSession], Any]) -> str:
    """The error that a piece of work ends with, as its class and text; "" when it succeeds (and is taken back)."""
    with world.session(login) as session:
        try:
            work(session)
            session.check()
        except CrmError as error:
            return f"{type(error).__name__}: {error}"
        finally:
            session.rollback()
    return ""
