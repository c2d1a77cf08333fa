"""The generator of large companies: deterministic, consistent, of the size that was asked for."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import select

from crm_core import Account, Activity, Affiliation, Contact, Crm, Membership, Ownership, Unit, User
from crm_core.testing.company import generate

CLASSES = (Unit, User, Account, Contact, Affiliation, Ownership, Activity)


@pytest.fixture
def crm(database_url: str) -> Iterator[Crm]:
    with Crm.open({}, database=database_url, check=False) as crm:
        crm.migrate()
        yield crm


def invent(crm, accounts, seed=1, **options):
    with crm.system_session("demo", streaming=True) as session:
        return generate(session, accounts, seed, **options)


def told(crm):
    """All that is said of accounts and people, without ids."""
    with crm.system_session("test", read_only=True) as session:
        accounts = session.execute(select(Account.name, Account.local_name, Account.tags).order_by(Account.id)).all()
        people = session.execute(select(Contact.name, Contact.local_name).order_by(Contact.id)).all()
        days = session.scalars(
            select(Ownership.valid_from).order_by(Ownership.id), execution_options={"all_dates": True}
        )
        return accounts, people, days.all()


def test_what_is_reported_is_there(crm):
    seen = []
    found = invent(crm, 2300, progress=seen.append)
    assert seen == [1000, 2000, 2300]
    with crm.system_session("test", read_only=True) as session:
        counts = tuple(session.count(cls, all_dates=True) for cls in CLASSES)
        assert counts == (
            found.units, found.users, found.accounts, found.contacts, found.affiliations, found.ownerships,
            found.activities,
        )  # fmt: skip
        assert found.accounts == 2300
        assert session.count(Membership, all_dates=True) > found.users
        assert session.count(Account, 'contains(local_name, "有限公司")') > 1000
        # Everybody owns something, every account has an owner today, and some had another one before.
        assert session.count(Ownership) == 2300
        assert found.ownerships > 2300
    with crm.session("sales1") as session:
        assert 0 < session.count(Account) < 2300
    with crm.session("manager1") as session:
        assert 0 < session.count(Account) < 2300
    with crm.session("director") as session:
        assert session.count(Account) == 2300


def test_the_same_seed_gives_the_same_company(crm, tmp_path):
    invent(crm, 300)
    with Crm.open({}, database=f"sqlite:///{tmp_path / 'other.db'}", check=False) as other:
        other.migrate()
        invent(other, 300)
        assert told(other) == told(crm)
    with Crm.open({}, database=f"sqlite:///{tmp_path / 'third.db'}", check=False) as third:
        third.migrate()
        invent(third, 300, seed=2)
        assert told(third) != told(crm)
