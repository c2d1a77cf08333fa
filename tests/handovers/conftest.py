"""A company with a manager over two salespeople in one unit and one in another, and customers with open work."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

import attrs
import pytest
from sqlalchemy import insert

from crm_core import (
    Account,
    Address,
    Contact,
    Crm,
    CrmSession,
    Handover,
    Unit,
    User,
    activities,
    contacts,
    handovers,
    organisation,
    ownership,
    quality,
)
from crm_core.store.changes import ChangeSet
from crm_core.store.tables import JOURNAL_PART

POOLS = {"all": {"where": 'name != "Nowhere"', "roles": ["sales"]}}
BUILD: dict[str, Any] = {"crm": {"time_zone": "Asia/Shanghai"}, "pools": POOLS}
SOON = dt.timedelta(days=7)
CITIES = ("Shanghai", "Suzhou", "Shanghai", "Hangzhou", "Nanjing", "Suzhou")


@attrs.frozen
class Company:
    """Zhou manages East, where Li and Wang sell; Sun sells in West; Qian is the administrator.

    Li owns six accounts, one or two in each city; each has a buyer, a planned visit of Li's and a promise.
    """

    crm: Crm
    users: dict[str, int]
    accounts: list[int]
    other: int
    """An account of Wang's."""

    def session(self, login: str = "zhou", **options: Any) -> CrmSession:
        return self.crm.session(login, **options)

    def system(self, **options: Any) -> CrmSession:
        return self.crm.system_session("test", **options)

    def owners(self) -> dict[int, str]:
        """The owners of Li's accounts, now, by login."""
        with self.system(read_only=True) as session:
            logins = {id_: login for login, id_ in self.users.items()}
            found = {id_: ownership.owner(session, session.require(Account, id_)) for id_ in self.accounts}
            return {id_: "" if user is None else logins[user.id] for id_, user in found.items()}

    def offered(self, **options: Any) -> int:
        """A handover of all that Li has, offered."""
        with self.session() as session:
            handover = handovers.draft(session, "li", **({"to": "wang"} | options))
            handovers.offer(session, handover)
            return handover.id

    def accepted(self, **options: Any) -> int:
        """The same, accepted on behalf of the successors."""
        id_ = self.offered(**options)
        with self.session() as session:
            handover = session.require(Handover, id_)
            handovers.accept(session, handovers.items(session, handover, handovers.ItemState.OFFERED))
        return id_

    def done(self, **options: Any) -> int:
        """The same, done."""
        id_ = self.accepted(**options)
        with self.session(reason="Li leaves") as session:
            handovers.do(session, session.require(Handover, id_))
        return id_

    def left_to(self, login: str, account_id: int, subject: str | None) -> int:
        """Something about an account that was left to somebody to mend."""
        with self.system() as session:
            row = {"kind": "moved", "subject": subject, "account_id": account_id, "record_type": "account",
                   "record_id": account_id, "assignee_id": self.users[login]}  # fmt: skip
            (issue,) = quality.note_issues(session, [row])
            session.flush()
            return issue.id

    def state(self) -> dict[tuple[str, int], dict[str, Any]]:
        """Every declared field of every record that is no part of a handover."""
        found: dict[tuple[str, int], dict[str, Any]] = {}
        with self.system(read_only=True) as session:
            for name, record_type in self.crm.types.items():
                if name not in ("handover", "handover_item", "share"):
                    ids = session.core(record_type.table.select().with_only_columns(record_type.table.c.id)).scalars()
                    for id_, values in session.writer.rows(record_type, ids.all()).items():
                        found[name, id_] = {key: values.get(key) for key in record_type.by_name} | {
                            "custom": values.get("custom") or {}
                        }
        return found

    def latest(self) -> ChangeSet:
        """The latest change set."""
        from crm_core.store.history import change_sets

        with self.system(read_only=True) as session:
            return change_sets(session, 1)[0]


PLACES = (
    ("li", "East", "sales"), ("wang", "East", "sales"), ("zhou", "East", "manager"), ("sun", "West", "sales"),
    ("qian", "Root", "administrator"),
)  # fmt: skip


def found(crm: Crm) -> Company:
    """The company above."""
    users: dict[str, int] = {}
    with crm.system_session("init") as session:
        root = session.add_one(Unit(name="Root"))
        session.add_all([Unit(name="East", parent_id=root.id), Unit(name="West", parent_id=root.id)])
        for login, unit, role in PLACES:
            users[login] = session.add_one(User(login=login, name=login.capitalize())).id
            session.flush()
            organisation.join(session, login, unit, role=role, since_always=True)
        now = session.clock()
        accounts = []
        for number, city in enumerate(CITIES):
            account = session.add_one(Account(name=f"Firm {number}", address=Address(city=city)))
            ownership.assign(session, account, to="li", since_always=True)
            buyer = session.add_one(Contact(name=f"Buyer {number}"))
            contacts.affiliate(session, buyer, account, role="buyer", since_always=True)
            activities.plan(session, "visit", f"See {number}", start=now + SOON, account=account, user="li")
            (call,) = activities.plan(session, "call", f"Call {number}", start=now - SOON, account=account, user="li")
            activities.hold(session, call, next_step=f"Send sample {number}", next_step_due=now + SOON)
            accounts.append(account.id)
        other = session.add_one(Account(name="Other"))
        ownership.assign(session, other, to="wang", since_always=True)
    return Company(crm, users, accounts, other.id)


@pytest.fixture
def company(database_url: str, fill_database: Any) -> Iterator[Company]:
    """The company in a new database, of a build of the kernel alone."""
    ids = fill_database(_found)
    with Crm.open(BUILD, database=database_url, check=False) as crm:
        yield Company(crm, *ids)


def _found(url: str) -> Any:
    with Crm.open(BUILD, database=url, check=False) as crm:
        crm.store.create_all()
        company = found(crm)
    return company.users, company.accounts, company.other


def detach_before(crm: Crm, *, days: int) -> dt.datetime:
    """As if what was recorded until so many days ago were detached from the journal; that moment."""
    cut = crm.store.clock() - dt.timedelta(days)
    with crm.store.engine.begin() as connection:
        moments = dict.fromkeys(("first_at", "last_at", "cut", "detached_at"), cut)
        connection.execute(insert(JOURNAL_PART).values(number=7, place=1, change_sets=1, changes=1, **moments))
    return cut
