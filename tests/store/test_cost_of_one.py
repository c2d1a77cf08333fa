"""What it takes to write one customer and to change one: statements, whatever there is already."""

from __future__ import annotations

import pytest

from crm_core import Account, Affiliation, Contact, Crm, Membership, Ownership, Unit, User
from crm_core.testing.statements import counted

PLUGINS = ["consumer_goods", "industrial", "key_accounts", "project_sales", "stakeholders"]


@pytest.fixture
def crm(database_url):
    crm = Crm.open({"crm": {"name": "cost", "database": database_url, "plugins": PLUGINS}}, check=False)
    crm.store.create_all()
    with crm.system_session("init") as session:
        unit = session.add_one(Unit(name="Sales"))
        for login, role in (("li", "sales"), ("ada", "administrator")):
            user = session.add_one(User(login=login, name=login))
            session.add(Membership(user_id=user.id, unit_id=unit.id, role=role))
        # What is counted is not who takes the first ids.
        session.add_many(Account, [{"name": f"First {number}"} for number in range(3)])
    yield crm
    crm.close()


def create(crm, owner: int, number: int) -> int:
    with crm.session("ada") as session:
        account = session.add_one(Account(name=f"Acme {number}", email=f"info@acme{number}.example"))
        contact = session.add_one(Contact(name=f"Ann {number}"))
        session.add(Affiliation(account_id=account.id, contact_id=contact.id, role="buyer"))
        session.add(Ownership(account_id=account.id, user_id=owner))
    return account.id


def rename(crm, id_: int, name: str) -> None:
    with crm.session("ada") as session:
        session.require(Account, id_).name = name


def of_records(statements: list[str]) -> list[str]:
    """Without those that begin a transaction, of which only SQLite tells."""
    return [each for each in statements if not each.startswith("BEGIN")]


def test_no_plugin_adds_a_statement_where_it_has_nothing_to_do(crm) -> None:
    with crm.system_session("read", read_only=True) as session:
        li = next(user.id for user in session.list(User) if user.login == "li")
    create(crm, li, 0)
    with counted(crm) as first:
        account = create(crm, li, 1)
    assert not [statement for statement in first if "crm_head" not in statement and "SAVEPOINT" in statement.upper()]
    # The words of SQLite's index are in a table of their own.
    on_sqlite = crm.store.dialect == "sqlite"
    assert len([statement for statement in of_records(first) if "crm_head" not in statement]) == 12 + on_sqlite
    rename(crm, account, "Acme one")
    with counted(crm) as second:
        rename(crm, account, "Acme the first")
    assert len([statement for statement in of_records(second) if "crm_head" not in statement]) == 9 + 2 * on_sqlite
    assert not [statement for statement in second if "crm_head" not in statement and "SAVEPOINT" in statement.upper()]

    for number in range(2, 30):
        create(crm, li, number)
    with counted(crm) as later:
        create(crm, li, 30)
    with counted(crm) as changed:
        rename(crm, account, "Acme again")
    assert len(later) == len(first)
    assert len(changed) == len(second)
