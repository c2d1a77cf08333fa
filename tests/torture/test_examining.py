"""The examination of a database of which parts of the journal are detached."""

from __future__ import annotations

import datetime as dt

import pytest
from sqlalchemy import text

from crm_core import Account, Contact, Crm
from crm_core.store import ids
from crm_core.store.partitions import keeping
from crm_core.store.partitions.attaching import attach
from crm_core.store.partitions.detaching import detach
from torture.examining.examination import examine, heads

BUILD = {"custom_fields": {"account": {"vehicles": {"kind": "number", "scale": 0}}}}


@pytest.fixture
def crm(database_url):
    if database_url.startswith("sqlite"):
        pytest.skip("SQLite keeps the journal in one table")
    with Crm.open({"crm": {"database": database_url}, **BUILD}, check=False) as crm:
        crm.migrate()
        yield crm


def write(crm, work):
    with crm.system_session("test") as session:
        return work(session)


def made(session):
    found = [session.add_one(Account(name=name, note="old")) for name in ("kept", "changed", "deleted")]
    found[1].custom = {"vehicles": 3}
    return [each.id for each in found]


def changed(session, ids_):
    account = session.get(Account, ids_[1])
    account.name, account.note, account.custom = "changed again", None, {"vehicles": 5}
    session.delete_many(Account, [ids_[2]])
    session.add(Contact(name="new"))


def test_a_journal_that_begins_late_is_replayed_from_there(crm):
    first = write(crm, made)
    before = heads(crm.store)
    keeping.begin(crm.store)
    crm.store._ids = ids.IdPool()
    write(crm, lambda session: changed(session, first))
    assert examine(crm, before) == []
    detach(crm.store, dt.datetime.now(dt.UTC))
    assert [str(each) for each in examine(crm, {})] == []
    with crm.store.engine.begin() as connection:
        connection.execute(text(f"UPDATE crm_account SET name = 'wrong' WHERE id = {first[1]}"))
    complaints = [str(each) for each in examine(crm, {})]
    assert any("not as the journal says: name" in each for each in complaints), complaints
    with crm.store.engine.begin() as connection:
        connection.execute(text(f"UPDATE crm_account SET name = 'changed again' WHERE id = {first[1]}"))
    attach(crm.store, 0)
    assert examine(crm, before) == []
