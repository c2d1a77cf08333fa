"""Elevated reads: a session of the system on the same transaction, which sees more and writes nothing."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from crm_core.domain.accounts import Account
from crm_core.errors import PermissionDenied

from .conftest import Company


def names(session) -> set[str]:
    return set(session.scalars(select(Account.name)))


def test_it_sees_everything_also_what_is_not_committed(company: Company) -> None:
    with company.session("wang") as session:
        session.require(Account, company.beta).grade = "A"
        session.add(Account(name="New"))  # not even flushed
        with session.as_system("check for duplicates") as system:
            assert names(system) == {"Acme", "Beta", "New"}
            assert system.require(Account, company.beta).grade == "A"
            assert system.require(Account, company.beta) is not session.require(Account, company.beta)
            system.require(Account, company.acme)
        # What it has seen is not in the actor's identity map.
        assert session.get(Account, company.acme) is None
        assert names(session) == {"Beta"}
        session.rollback()
    assert names(company.session()) == {"Acme", "Beta"}


def test_closing_it_ends_nothing(company: Company) -> None:
    with company.session("wang") as session:
        session.add(Account(name="New"))
        with session.as_system("one") as system:
            names(system)
        system = session.as_system("two")
        names(system)
        system.rollback()
        system.close()
        with pytest.raises(RuntimeError), session.as_system("three") as system:
            names(system)
            raise RuntimeError
        with session.as_system("four") as outer, outer.as_system("five") as inner:
            assert names(inner) == names(outer)
        session.add(Account(name="Newer"))
    assert names(company.session()) == {"Acme", "Beta", "New", "Newer"}


def test_it_cannot_write(company: Company) -> None:
    with company.session("wang") as session, session.as_system("check") as system:
        for work in (
            lambda: system.add_many(Account, [{"name": "x"}]),
            lambda: system.update_many(Account, [{"id": company.beta, "name": "x"}]),
            lambda: system.delete_many(Account, [company.beta]),
        ):
            with pytest.raises(PermissionDenied):
                work()
        system.add(Account(name="x"))
        with pytest.raises(PermissionDenied):
            system.flush()
        system.expunge_all()
    assert names(company.session()) == {"Acme", "Beta"}


def test_an_elevated_session_of_a_savepoint(company: Company) -> None:
    with company.session("wang") as session:
        savepoint = session.begin_nested()
        session.add(Account(name="Gone"))
        with session.as_system("check") as system:
            assert "Gone" in names(system)
        savepoint.rollback()
        with session.as_system("check") as system:
            assert "Gone" not in names(system)
        session.add(Account(name="Kept"))
    assert names(company.session()) == {"Acme", "Beta", "Kept"}
