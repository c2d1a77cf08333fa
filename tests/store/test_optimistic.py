from __future__ import annotations

import multiprocessing
import threading

import pytest

from crm_core.domain.accounts import Account
from crm_core.errors import Conflict, NotFound
from crm_core.store.store import Store
from tests.store import journal_support as support
from tests.store.journal_support import Note


@pytest.fixture
def store(database_url):
    with support.opened(database_url) as store:
        yield store


@pytest.fixture
def account(store):
    with store.session(principal="test") as session:
        return session.add_one(Account(name="Acme", grade="A")).id


def looked_at(store, id_: int) -> Account:
    """A record as somebody has it on their screen."""
    with store.session(principal="test", read_only=True) as session:
        return session.get(Account, id_)


def change(store, id_: int, **values) -> None:
    with store.session(principal="somebody else") as session:
        session.update_many(Account, [{"id": id_, **values}])


@pytest.mark.parametrize("way", ["assign", "delete"])
def test_what_was_changed_since_it_was_read_is_not_written_over(store, account, way):
    stale = looked_at(store, account)
    change(store, account, grade="B")
    with store.session(principal="test") as session:
        session.add(stale)
        if way == "assign":
            stale.note = "stale"
        else:
            session.delete(stale)
        with pytest.raises(Conflict, match="Somebody else changed"):
            session.commit()
        session.rollback()
    assert support.state(store)["account", account] == {
        "name": "Acme", "grade": "B", "kind": "company", "active": True, "tags": frozenset(),
    }  # fmt: skip


def test_what_was_deleted_since_it_was_read(store, account):
    stale = looked_at(store, account)
    with store.session(principal="test") as session:
        session.delete_many(Account, [account])
    with store.session(principal="test") as session:
        session.add(stale)
        stale.note = "stale"
        with pytest.raises((Conflict, NotFound)):
            session.commit()
        session.rollback()
        with pytest.raises(NotFound):
            session.update_many(Account, [{"id": account, "note": "stale"}])


@pytest.mark.parametrize("way", ["update", "delete"])
def test_bulk_changes_meet_a_concurrent_writer(store, account, way):
    """On PostgreSQL both run at once: the second waits, and then sees that the row is not what it read."""
    if store.dialect == "sqlite":
        pytest.skip("SQLite has one writer at a time")
    first = store.session(principal="first")
    first.update_many(Account, [{"id": account, "grade": "B"}])
    outcome: list[object] = []

    def second() -> None:
        try:
            with store.session(principal="second") as session:
                if way == "update":
                    session.update_many(Account, [{"id": account, "grade": "C"}])
                else:
                    session.delete_many(Account, [account])
            outcome.append("done")
        except Conflict as error:
            outcome.append(error)

    thread = threading.Thread(target=second)
    thread.start()
    thread.join(0.5)
    assert not outcome, "it waits"
    first.commit()
    first.close()
    thread.join(30)
    if way == "update":
        assert isinstance(outcome[0], Conflict)
    else:
        assert outcome == ["done"]
    assert support.replay(store) == support.state(store)


def _count(url: str, id_: int, times: int) -> None:
    store = Store(url, support.all_types())
    done = 0
    while done < times:
        try:
            with store.session(principal="test") as session:
                note = session.get(Note, id_)
                note.body = str(int(note.body or "0") + 1)
            done += 1
        except Conflict:
            continue
    store.close()


def test_no_update_is_lost_between_processes(store, database_url):
    with store.session(principal="test") as session:
        id_ = session.add_one(Note(name="counter", body="0")).id
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_count, args=(database_url, id_, 10)) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(120)
        assert worker.exitcode == 0
    assert support.state(store)["journal_test.note", id_]["body"] == "20"
    assert support.replay(store) == support.state(store)


def test_versions_cannot_be_forged(store, account):
    with store.session(principal="test") as session:
        record = session.get(Account, account)
        record.version = 7
        with pytest.raises(Conflict, match="the store's own"):
            session.flush()
        session.rollback()
