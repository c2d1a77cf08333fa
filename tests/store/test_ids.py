from __future__ import annotations

import multiprocessing
import threading

import pytest
from sqlalchemy import text

from crm_core.domain.accounts import Account
from crm_core.domain.contacts import Contact
from crm_core.errors import Conflict
from crm_core.store.ids import BLOCK, IdPool
from tests.store import journal_support as support
from tests.store.journal_support import Note


def take(url: str, count: int, found: list[int]) -> None:
    """Add records in sessions of all kinds, some of which are rolled back."""
    from crm_core.store.store import Store

    store = Store(url, support.all_types())
    try:
        for number in range(count):
            with store.session(principal="test") as session:
                if number % 5 == 4:
                    session.add(Note(name="lost"))
                    session.rollback()
                savepoint = session.begin_nested()
                session.add(Note(name="lost"))
                session.flush()
                savepoint.rollback()
                ids = [session.add_one(Note(name="kept")).id, *session.add_many(Note, [{"name": "k"}] * (number % 3))]
            found += [*ids, session.last_change_set]
    finally:
        store.close()


def _process(url: str, count: int, results) -> None:
    found: list[int] = []
    take(url, count, found)
    results.put(found)


def test_ids_are_unique_over_processes(database_url):
    support.open_store(database_url).close()
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    workers = [context.Process(target=_process, args=(database_url, 12, results)) for _ in range(2)]
    for worker in workers:
        worker.start()
    found = [id_ for _ in workers for id_ in results.get(timeout=120)]
    for worker in workers:
        worker.join(60)
        assert worker.exitcode == 0
    assert len(found) == len(set(found)) > 40


def test_ids_are_unique_over_threads(database_url):
    with support.opened(database_url) as store:
        found: list[int] = []

        def work() -> None:
            for _ in range(15):
                with store.session(principal="test") as session:
                    ids = [session.add_one(Note(name="n")).id, *session.add_many(Note, [{"name": "m"}] * 2)]
                found.extend([*ids, session.last_change_set])

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(found) == len(set(found)) == 4 * 15 * 4


def test_ids_are_known_before_anything_is_written_and_run_over_all_types(database_url):
    with support.opened(database_url) as store, store.session(principal="test") as session:
        account, contact = Account(name="a"), Contact(name="c")
        session.add_all([account, contact])
        (note,) = session.add_many(Note, [{"name": "n"}])
        assert len({account.id, contact.id, note, session.change_set_id()}) == 4


def test_a_record_that_was_rolled_back_gets_a_new_id(database_url):
    """Its old one may belong to somebody else by now."""
    with support.opened(database_url) as store:
        with store.session(principal="test") as session:
            lost = session.add_one(Account(name="lost"))
            session.flush()
            session.rollback()
            assert lost.id is None
            first = session.add_one(Contact(name="first"))
            again = session.add_one(lost)
            assert again.id != first.id
        assert len({id_ for _, id_ in support.state(store)}) == 2


def test_a_block_lost_with_a_savepoint_is_not_given_out_again(database_url):
    with support.opened(database_url) as one, support.opened(database_url) as other:
        with one.session(principal="test") as session:
            savepoint = session.begin_nested()
            session.add(Note(name="lost"))
            savepoint.rollback()
            kept = [session.add_one(Note(name="kept")).id for _ in range(3)]
        with other.session(principal="test") as session:
            theirs = session.add_many(Account, [{"name": "x"}] * 50)
        assert not set(kept) & set(theirs)


def test_the_pool_gives_each_id_once():
    pool = IdPool()
    pool.give([range(1, 4), range(10, 20), range(0)])
    assert pool.take_run(5) == range(10, 15)
    assert pool.take_run(6) is None
    taken = pool.take(4)
    assert sorted(id_ for part in taken for id_ in part) != []
    rest = pool.take(100)
    assert sorted(id_ for part in [*taken, *rest] for id_ in part) == [1, 2, 3, 15, 16, 17, 18, 19]
    assert pool.take(1) == []


def test_small_sessions_do_not_use_up_a_block_each(database_url):
    with support.opened(database_url) as store:
        last = 0
        for _ in range(5):
            with store.session(principal="test") as session:
                last = session.add_many(Note, [{"name": "n"}] * 3)[-1]
        assert last <= BLOCK


def test_a_sequence_that_went_back_is_mended_by_preparing_the_database(database_url):
    """As after a crash of a server whose database was made as a copy of a template a moment before."""
    with support.opened(database_url) as store, support.opened(database_url) as other:
        if store.dialect != "postgresql":
            pytest.skip("SQLite gives ids in the transaction that writes them")
        with store.session(principal="test") as session:
            ids = {session.add_one(Note(name="kept")).id for _ in range(3)}
            ids |= {each for _ in range(3) for each in session.add_many(Note, [{"name": "kept"}] * BLOCK)}
        before = sequence(store)
        store.migrated()
        assert sequence(store) == before
        with store.engine.begin() as connection:
            connection.execute(text("SELECT setval('crm_id_seq', 1, false)"))
        with pytest.raises(Conflict), other.session(principal="test") as session:
            session.add(Note(name="again"))
        store.migrated()
        with other.session(principal="test") as session:
            assert session.add_one(Note(name="again")).id > max(ids)
        assert session.last_change_set > max(ids)


def sequence(store):
    with store.engine.connect() as connection:
        return connection.execute(text("SELECT last_value, is_called FROM crm_id_seq")).one()
