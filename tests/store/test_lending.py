"""Nobody lends by a share what they do not hold there, whatever kind of permission it is."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from crm_core import (
    Account,
    Contact,
    Crm,
    Membership,
    Ownership,
    PermissionDenied,
    Share,
    Unit,
    User,
    contacts,
    organisation,
    ownership,
    shares,
)
from crm_core.store.policy import Role, Scope
from crm_core.testing.statements import counted
from tests.store import journal_support

LENT = {
    "eraser": {"*.read": "own", "contact.erase": "own"},
    "merger": {"*.read": "own", "account.merge": "own"},
    "digger": {"*.read": "own", "system.undo": "own"},
    "details": {"*.read": "own", "handover.read_details": "own"},
    "appointer": {"*.read": "own", "ownership.create": "own"},
    "seller": {"*.read": "own", "contact.update": "own", "contact.merge": "own"},
}


@pytest.fixture
def crm(database_url: str) -> Iterator[Crm]:
    """Li sells, Zhou manages, Qian administers, Sun receives."""
    roles = {name: {"permissions": grants} for name, grants in LENT.items()}
    with Crm.open({"crm": {"database": database_url}, "roles": roles}, check=False) as crm:
        crm.migrate()
        with crm.system_session("test") as session:
            session.add(Unit(name="Sales"))
            for login, role in (("li", "sales"), ("zhou", "manager"), ("qian", "administrator"), ("sun", "reader")):
                session.add(User(login=login, name=login.title()))
                session.flush()
                organisation.join(session, login, "Sales", role=role, since_always=True)
            for name in ("Acme", "Beta"):
                account = session.add_one(Account(name=name))
                ownership.assign(session, account, to="li", since_always=True)
            person = session.add_one(Contact(name="Ann"))
            contacts.affiliate(session, person, session.list(Account, 'name == "Acme"')[0])
        yield crm


def lend(crm: Crm, login: str, role: str) -> None:
    with crm.session(login) as session:
        shares.grant(session, session.list(Account, 'name == "Acme"')[0], user="sun", role=role, reason="test")


@pytest.mark.parametrize(
    ("role", "may"),
    [
        ("eraser", {"qian"}),
        ("merger", {"zhou", "qian"}),
        ("digger", {"qian"}),
        ("details", {"zhou", "qian"}),
        ("appointer", {"zhou", "qian"}),
        ("seller", {"li", "zhou", "qian"}),
    ],
)
def test_what_one_does_not_hold_one_does_not_lend(crm: Crm, role: str, may: set[str]) -> None:
    for login in ("li", "zhou", "qian"):
        if login in may:
            lend(crm, login, role)
            continue
        with pytest.raises(PermissionDenied, match=f"{login} cannot lend the role {role} on the account"):
            lend(crm, login, role)


def test_a_person_is_not_erased_by_way_of_a_share(crm: Crm) -> None:
    with pytest.raises(PermissionDenied):
        lend(crm, "li", "eraser")
    with crm.session("sun") as session:
        assert session.list(Account) == []


def test_many_shares_cost_no_more_questions_than_one(crm: Crm) -> None:
    def cost(count: int) -> int:
        with crm.session("li") as session:
            ids = sorted(account.id for account in session.list(Account))[:count]
            row = {"user_id": organisation.find_user(session, "sun").id, "role": "editor", "reason": "r"}
            with counted(crm) as seen:
                session.add_many(Share, [{"account_id": id_, **row} for id_ in ids])
            session.rollback()
            return len(seen)

    assert cost(1) == cost(2)


@pytest.mark.parametrize("lent", ["contact.create", "contact.read", "contact.update", "contact.delete"])
def test_a_store_without_a_build_knows_what_follows_from_its_records(database_url: str, lent: str) -> None:
    """No list of permissions is needed for that."""
    roles = {
        "lender": Role("lender", (("account.*", Scope.OWN), ("share.*", Scope.OWN))),
        "lent": Role("lent", (("account.read", Scope.OWN), (lent, Scope.OWN))),
    }
    with journal_support.opened(database_url, roles=roles) as store:
        with store.session(principal="init") as session:
            unit = session.add_one(Unit(name="Sales"))
            li, sun = session.add_one(User(login="li", name="Li")), session.add_one(User(login="sun", name="Sun"))
            session.add(Membership(user_id=li.id, unit_id=unit.id, role="lender"))
            account = session.add_one(Account(name="Acme"))
            session.add(Ownership(account_id=account.id, user_id=li.id))
        with store.session("li") as session:
            session.add(Share(account_id=account.id, user_id=sun.id, role="lent", reason="r"))
            with pytest.raises(PermissionDenied, match="cannot lend the role lent"):
                session.flush()
            session.rollback()
