"""Two salespeople and their manager, each salesperson with an account and people in it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import attrs
import pytest

from crm_core import Account, Contact, Crm, CrmSession, Unit, User, contacts, organisation, ownership

# One role may not read stances: the grants of salespeople, all but one.
ROLES = {
    "assistant": {
        "permissions": {
            "*.read": "own",
            "stakeholders.role.create": "own",
            "stakeholders.role.update": "own",
        }
    }
}


BUILD: dict[str, Any] = {"crm": {"plugins": ["stakeholders"]}, "roles": ROLES}


@attrs.frozen
class Company:
    """Li owns Acme, where Ann and Bob work; Wang owns Beta, where Eve works. Zhou manages both, Pei assists Li."""

    crm: Crm
    acme: int
    beta: int
    ann: int
    bob: int
    eve: int

    def session(self, login: str, **options: Any) -> CrmSession:
        return self.crm.session(login, **options)

    def acme_of(self, session: CrmSession) -> Account:
        return session.require(Account, self.acme)

    def person(self, session: CrmSession, name: str) -> Contact:
        return session.require(Contact, getattr(self, name))


@pytest.fixture
def company(database_url: str, fill_database: Any) -> Iterator[Company]:
    ids = fill_database(_found)
    with Crm.open(BUILD, database=database_url, check=False) as crm:
        yield Company(crm, *ids)


@pytest.fixture
def crm(company: Company) -> Crm:
    """A build with the plugin alone, migrated."""
    return company.crm


def _found(url: str) -> list[int]:
    with Crm.open(BUILD, database=url, check=False) as crm:
        crm.migrate()
        with crm.system_session("init") as session:
            unit = session.add_one(Unit(name="Sales"))
            for login, role in (("li", "sales"), ("wang", "sales"), ("zhou", "manager"), ("pei", "assistant")):
                session.add(User(login=login, name=login.capitalize()))
                session.flush()
                organisation.join(session, login, unit, role=role, since_always=True)
            accounts = {name: session.add_one(Account(name=name)) for name in ("Acme", "Beta")}
            session.flush()
            ownership.assign(session, accounts["Acme"], to="li", since_always=True)
            ownership.assign(
                session, accounts["Acme"], to="pei", role=ownership.OwnershipRole.COLLABORATOR, since_always=True
            )
            ownership.assign(session, accounts["Beta"], to="wang", since_always=True)
            people = {}
            for name, account in (("Ann", "Acme"), ("Bob", "Acme"), ("Eve", "Beta")):
                people[name] = session.add_one(Contact(name=name))
                contacts.affiliate(session, people[name], accounts[account], since_always=True)
            return [record.id for record in (accounts["Acme"], accounts["Beta"], *people.values())]
