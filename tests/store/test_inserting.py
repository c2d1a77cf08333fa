"""New objects are written past SQLAlchemy's unit of work; of that nobody may notice anything."""

from __future__ import annotations

import datetime as dt

import pytest
from sqlalchemy import inspect, select

from crm_core import Account, Address, Contact, Money
from crm_core.errors import ValidationError
from crm_core.testing.statements import counted


def values_of(record) -> dict[str, object]:
    return {name: getattr(record, name) for name in (*record.crm_type.by_name, "id", "version", "created_at", "custom")}


WHOLE = {
    "name": "海尔集团",
    "revenue": Money("12.50", "CNY"),
    "address": Address(city="Qingdao", country="CN"),
    "tags": {"key", "north"},
    "employees": 7,
}


def test_what_was_just_written_is_what_is_read(store) -> None:
    with store.session(principal="init") as session:
        account = session.add_one(Account(**WHOLE))
        session.flush()
        state = inspect(account)
        assert state.persistent
        assert not state.modified
        assert account in session
        assert account not in session.dirty
        written, key = values_of(account), account.name_key
        session.expunge(account)
        again = session.get(Account, account.id)
        assert again is not account
        assert (values_of(again), again.name_key) == (written, key)


def test_it_is_found_by_its_id_without_asking_the_database(store) -> None:
    with store.session(principal="init") as session:
        account = session.add_one(Account(name="Acme"))
        session.flush()
        with counted_session(store) as statements:
            assert session.get(Account, account.id) is account
        assert statements == []


def counted_session(store):
    class Held:
        pass

    held = Held()
    held.store = store
    return counted(held)


def test_what_is_assigned_after_it_was_written_is_a_change(store) -> None:
    with store.session(principal="init") as session:
        account = session.add_one(Account(name="Acme"))
        session.flush()
        account.name, account.revenue = "Acme Ltd", Money("3", "EUR")
        session.flush()
        assert account.version == 2
    with store.session(principal="read", read_only=True) as session:
        found = session.get(Account, account.id)
        assert (found.name, found.revenue, found.version) == ("Acme Ltd", Money("3", "EUR"), 2)


def test_what_a_savepoint_takes_back_is_new_again_and_can_be_added_once_more(store) -> None:
    with store.session(principal="init") as session:
        kept = session.add_one(Account(name="Kept"))
        session.flush()
        savepoint = session.begin_nested()
        lost = session.add_one(Account(**WHOLE))
        session.flush()
        taken = lost.id
        savepoint.rollback()
        assert inspect(lost).transient
        assert inspect(kept).persistent
        assert lost not in session
        assert session.get(Account, taken) is None
        session.add(lost)
        session.flush()
        assert lost.name == WHOLE["name"]
    with store.session(principal="read", read_only=True) as session:
        assert sorted(session.scalars(select(Account.name))) == ["Kept", WHOLE["name"]]


def test_what_a_rollback_takes_back_is_new_again(store) -> None:
    with store.session(principal="init") as session:
        account = session.add_one(Account(name="Acme"))
        session.flush()
        session.rollback()
        assert inspect(account).transient
        session.add(account)
    with store.session(principal="read", read_only=True) as session:
        assert list(session.scalars(select(Account.name))) == ["Acme"]


def test_an_object_that_nobody_holds_does_not_stay_in_memory_after_the_commit(store) -> None:
    with store.session(principal="init") as session:
        for number in range(5):
            session.add(Account(name=f"Acme {number}"))
        session.commit()
        assert len(session.identity_map) == 0


def test_a_new_object_has_checked_values_and_defaults_before_it_is_added() -> None:
    account = Account(name="  Acme  ", tags=["b", "a", "a"])

    assert account.tags == frozenset({"a", "b"})
    assert account.active is True
    assert account.revenue is None
    assert account.legal_name is None
    with pytest.raises(ValidationError, match="There is no such field"):
        Account(name="Acme", nmae="x")
    with pytest.raises(ValidationError, match="A value is needed"):
        Account(industry="it")
    with pytest.raises(ValidationError):
        Account(name="Acme", employees="many")


def test_what_is_assigned_before_it_is_added_is_what_is_written(store) -> None:
    contact = Contact(name="Ann", birthday=dt.date(1990, 1, 1))
    contact.name = "Ann Reed"
    contact.birthday = None
    with store.session(principal="init") as session:
        session.add(contact)
    with store.session(principal="read", read_only=True) as session:
        found = session.get(Contact, contact.id)
        assert (found.name, found.birthday) == ("Ann Reed", None)
