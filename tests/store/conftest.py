"""A store with a small organisation in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import attrs
import pytest

from crm_core.domain.accounts import Account
from crm_core.domain.activities import Activity
from crm_core.domain.contacts import Affiliation, Contact
from crm_core.domain.organisation import Membership, Unit, User
from crm_core.errors import CrmError
from crm_core.store.session import CrmSession
from crm_core.store.store import Store

from .access_records import POLICY, TYPES
from .partition_support import Clock


@pytest.fixture
def store(database_url: str, fill_database: Any) -> Iterator[Store]:
    """A store of the kernel's records and the tests' own, empty."""
    fill_database(_tables)
    store = Store(database_url, TYPES, POLICY)
    yield store
    store.close()


def _tables(url: str) -> None:
    store = Store(url, TYPES, POLICY)
    store.create_all()
    store.close()


@pytest.fixture
def clock() -> Clock:
    """A clock that stands still until a test moves it."""
    return Clock()


@attrs.frozen
class Company:
    """Root above East and West. In East Li and Wang sell and Zhou is in charge; in West Sun sells; Qian is the admin.

    Li owns Acme, Wang owns Beta; Ann works at Acme, Bob at Beta; each account has an activity with a note.
    """

    store: Store
    units: dict[str, int]
    users: dict[str, int]
    acme: int
    beta: int
    ann: int
    bob: int
    acme_visit: int
    beta_visit: int

    def session(self, login: str | None = None, **options: object) -> CrmSession:
        """A session of a user; of the system without a login."""
        return self.store.session(login, **options)  # type: ignore[arg-type]


PLACES = (
    ("li", "East", "sales"), ("wang", "East", "sales"), ("zhou", "East", "manager"), ("sun", "West", "sales"),
    ("wu", "Root", "director"), ("qian", "Root", "admin"), ("mei", "East", "clerk"), ("han", "East", "dispatcher"),
    ("tao", "East", "confidant"), ("ned", "East", "guest"),
)  # fmt: skip


@pytest.fixture
def company(store: Store) -> Company:
    """The organisation above, written by the system."""
    with store.session(principal="init") as session:
        root = session.add_one(Unit(name="Root"))
        units = {"Root": root.id}
        for name in ("East", "West"):
            units[name] = session.add_one(Unit(name=name, parent_id=root.id)).id
        users = {}
        for login, unit, role in PLACES:
            users[login] = session.add_one(User(login=login, name=login.capitalize())).id
            session.add(Membership(user_id=users[login], unit_id=units[unit], role=role))
    ids = []
    for login, account, person in (("li", "Acme", "Ann"), ("wang", "Beta", "Bob")):
        with store.session(login) as session:
            firm = session.add_one(Account(name=account, industry="machinery"))
            contact = session.add_one(Contact(name=person, note=f"{person} is in debt"))
            session.add(Affiliation(account_id=firm.id, contact_id=contact.id, role="buyer"))
            visit = session.add_one(Activity(kind="visit", subject=f"See {account}", account_id=firm.id,
                                             contact_id=contact.id, user_id=users[login], note="angry"))  # fmt: skip
        ids.append((firm.id, contact.id, visit.id))
    (acme, ann, acme_visit), (beta, bob, beta_visit) = ids
    return Company(store, units, users, acme, beta, ann, bob, acme_visit, beta_visit)


def refusal(company: Company, login: str, work: Callable[[CrmSession], Any]) -> str:
    """The error that a piece of work ends with, as its class and text; "" when it succeeds (and is taken back)."""
    with company.session(login) as session:
        try:
            work(session)
            session.check()
        except CrmError as error:
            return f"{type(error).__name__}: {error}"
        finally:
            session.rollback()
    return ""


def like(cls: type[Any], id_: int) -> Any:
    """A record that was made up, with an id that somebody else's may have."""
    record = cls(name="x")
    record.id = id_
    return record
