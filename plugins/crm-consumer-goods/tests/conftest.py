"""A company with two salespeople in two units and their manager, for the tests of this plugin."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import attrs
import pytest

from crm_core import Account, Crm, CrmSession, Unit, User, organisation, ownership
from crm_core.testing.statements import counted


@attrs.frozen
class Company:
    """A migrated CRM, its people and its accounts by name."""

    crm: Crm
    accounts: dict[str, int]

    def session(self, who: str = "li.wei", **options: Any) -> CrmSession:
        return self.crm.session(who, **options)

    def account(self, session: CrmSession, name: str) -> Account:
        return session.require(Account, self.accounts[name])

    def statements(self) -> AbstractContextManager[list[str]]:
        """The statements that reach the database meanwhile."""
        return counted(self.crm)


@pytest.fixture
def open_company(database_url: str) -> Iterator[Callable[..., Company]]:
    opened: list[Crm] = []

    def make(**settings: Any) -> Company:
        config = {
            "crm": {"plugins": ["consumer_goods"], "time_zone": "Asia/Shanghai"},
            "plugins": {"consumer_goods": settings},
        }
        crm = Crm.open(config, database=database_url, check=False)
        opened.append(crm)
        crm.migrate()
        accounts = {}
        with crm.system_session("test") as session:
            root = session.add_one(Unit(name="Sales", code="sales"))
            for code, login in (("east", "li.wei"), ("west", "zhang.min")):
                unit = session.add_one(Unit(name=code.title(), code=code, parent_id=root.id))
                session.add(User(login=login, name=login.title()))
                session.flush()
                organisation.join(session, login, unit, role="sales", since_always=True)
            session.add(User(login="boss", name="Boss"))
            session.flush()
            organisation.join(session, "boss", root, role="manager", since_always=True)
            for name, login in (("Kiosk", "li.wei"), ("Mart", "li.wei"), ("Bistro", "zhang.min")):
                account = session.add_one(Account(name=name))
                ownership.assign(session, account, to=login, since_always=True)
                accounts[name] = account.id
        return Company(crm, accounts)

    yield make
    for crm in opened:
        crm.close()


@pytest.fixture
def company(open_company: Callable[..., Company]) -> Company:
    return open_company()
