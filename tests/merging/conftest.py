"""A small organisation whose customers are there twice."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import attrs
import pytest

from crm_core import Account, Affiliation, Contact, Membership, Unit, User, ownership
from crm_core.store.policy import Policy
from crm_core.store.session import CrmSession
from crm_core.store.store import Store

from .records import POLICY, TYPES, Plugins


@attrs.frozen
class Company:
    """Li and Wang sell in East, Zhao is in charge of it, Sun sells in West, Qian administers, Wu looks and merges."""

    store: Store
    users: dict[str, int]

    def session(self, login: str | None = None, **options: Any) -> CrmSession:
        return self.store.session(login, principal="test", **options)

    def account(self, owner: str | None, **values: Any) -> int:
        """An account of somebody's."""
        with self.session() as session:
            account = session.add_one(Account(**{"name": "Acme", **values}))
            if owner is not None:
                ownership.assign(session, account, to=owner, since_always=True)
            return account.id

    def person(self, account: int | None, **values: Any) -> int:
        """Somebody who works at an account."""
        with self.session() as session:
            contact = session.add_one(Contact(**{"name": "Ann", **values}))
            if account is not None:
                session.add(Affiliation(account_id=account, contact_id=contact.id))
            return contact.id

    def with_policy(self, policy: Policy) -> Company:
        """The same company under other rules."""
        return Company(Store(str(self.store.engine.url.render_as_string(False)), TYPES, policy, Plugins()), self.users)


@pytest.fixture
def company(database_url: str, fill_database: Any) -> Iterator[Company]:
    users = fill_database(_found)
    store = Store(database_url, TYPES, POLICY, Plugins())
    yield Company(store, users)
    store.close()


def _found(url: str) -> dict[str, int]:
    store = Store(url, TYPES, POLICY, Plugins())
    store.create_all()
    users = {}
    with store.session(principal="init") as session:
        units = {name: session.add_one(Unit(name=name)).id for name in ("East", "West", "Root")}
        for login, unit, role in (
            ("li", "East", "sales"), ("wang", "East", "sales"), ("zhao", "East", "manager"), ("sun", "West", "sales"),
            ("qian", "Root", "admin"), ("mei", "East", "reader"), ("wu", "Root", "looker"),
        ):  # fmt: skip
            users[login] = session.add_one(User(login=login, name=login.capitalize())).id
            session.add(Membership(user_id=users[login], unit_id=units[unit], role=role))
    store.close()
    return users
