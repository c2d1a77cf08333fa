"""What follows from a record that was changed as an object is made of that object, and says what the row says."""

from __future__ import annotations

import pytest
from sqlalchemy import select
from sqlalchemy.orm import load_only

from crm_core import Account, Address, Contact, ContactPoint
from crm_core.store import duplicates
from crm_core.store.search.reindex import check
from crm_core.testing.statements import counted


class _Held:
    def __init__(self, store) -> None:
        self.store = store


def right(store) -> bool:
    """Whether the keys and the search index are as they would be if they were made anew."""
    with store.session(principal="check") as session:
        keys = duplicates.check_index(session)
    return keys.right and check(store).right


@pytest.fixture
def account(store) -> int:
    with store.session(principal="init") as session:
        account = session.add_one(
            Account(name="海尔集团", email="info@haier.example", phone="0532 8893 8888", address=Address(country="CN"))
        )
        return account.id


def found(store, query: str) -> list[int]:
    with store.session(principal="read", read_only=True) as session:
        return [hit.record_id for hit in session.search(query)]


def reads_the_row(store, statements: list[str]) -> bool:
    """Whether the account is read once more than by the ``get``."""
    return len([each for each in statements if each.startswith("SELECT") and "FROM crm_account" in each]) > 1


def test_a_renamed_object_is_not_read_again(store, account) -> None:
    with counted(_Held(store)) as statements, store.session(principal="work") as session:
        session.require(Account, account).name = "Candy"
    assert not reads_the_row(store, statements)
    assert right(store)
    assert (found(store, "candy"), found(store, "海尔")) == ([account], [])


def test_what_another_change_made_of_it_counts(store, account) -> None:
    with store.session(principal="work") as session:
        held = session.require(Account, account)
        held.name = "Candy"
        session.flush()
        session.update_many(Account, [{"id": account, "name": "Hoover", "phone": "0532 1111 2222"}])
        held.email = "new@hoover.example"
        session.flush()
        session.update_many(Account, [{"id": account, "address": Address(country="DE")}])
    assert right(store)
    assert (found(store, "hoover"), found(store, "candy")) == ([account], [])


def test_an_object_that_has_left_the_session_tells_nothing_of_what_came_later(store, account) -> None:
    with store.session(principal="work") as session:
        held = session.require(Account, account)
        held.name = "Candy"
        session.flush()
        session.expunge(held)
        session.update_many(Account, [{"id": account, "name": "Hoover"}])
        held.email = "nobody@haier.example"
    assert right(store)
    assert (found(store, "hoover"), found(store, "nobody")) == ([account], [])


def test_what_it_was_not_loaded_with_is_read(store, account) -> None:
    with counted(_Held(store)) as statements, store.session(principal="work") as session:
        held = session.scalars(
            select(Account).where(Account.id == account).options(load_only(Account.name, Account.version))
        ).one()
        held.name = "Candy"
    assert reads_the_row(store, statements)
    assert right(store)
    assert found(store, "8893 8888") == [account]


def test_what_a_savepoint_took_back_is_not_told(store, account) -> None:
    with store.session(principal="work") as session:
        held = session.require(Account, account)
        held.email = "kept@haier.example"
        session.flush()
        savepoint = session.begin_nested()
        held.name = "Candy"
        session.flush()
        savepoint.rollback()
    assert right(store)
    assert (found(store, "candy"), found(store, "kept")) == ([], [account])


def test_what_is_assigned_while_the_plugins_are_told_is_told_as_well(store, account) -> None:
    with store.session(principal="work") as session:
        held = session.require(Account, account)
        held.name = "Candy"
        session.check()
        held.name = "Hoover"
    assert right(store)
    assert found(store, "hoover") == [account]


def test_people_and_their_telephones_follow_as_well(store, account) -> None:
    with store.session(principal="init") as session:
        person = session.add_one(Contact(name="Fang Wang"))
        point = session.add_one(ContactPoint(contact_id=person.id, kind="phone", value="021 5555 6666"))
    with store.session(principal="work") as session:
        session.require(Contact, person.id).name = "Wang Wu"
        session.require(ContactPoint, point.id).value = "021 7777 8888"
    assert right(store)
    assert (found(store, "7777 8888"), found(store, "5555 6666")) == ([person.id], [])


@pytest.mark.parametrize("many", [1, 8, 9, 40])
def test_documents_of_few_are_written_over_and_of_many_made_anew(store, many) -> None:
    with store.session(principal="init") as session:
        ids = session.add_many(Account, [{"name": f"Acme {number}"} for number in range(many)])
    with counted(_Held(store)) as statements, store.session(principal="work") as session:
        session.update_many(Account, [{"id": id_, "name": f"Candy {id_}"} for id_ in ids])
    removed = [each for each in statements if each.startswith("DELETE FROM crm_search_document")]
    assert bool(removed) == (many > 8)
    assert right(store)
    assert found(store, f"candy {ids[-1]}") == [ids[-1]]
    assert found(store, "acme") == []
