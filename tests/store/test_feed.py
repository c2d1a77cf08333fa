from __future__ import annotations

import datetime as dt
import threading
import time

import pytest
from sqlalchemy import create_engine, event, text

from crm_core.store import consumers, feed
from crm_core.store.feed import Position
from crm_core.store.horizon import settled_before
from tests.store import journal_support as support
from tests.store.journal_support import Note

START = Position()


@pytest.fixture
def store(database_url):
    with support.opened(database_url) as store:
        yield store


def note(store, name: str) -> int:
    with store.session(principal="test") as session:
        session.add(Note(name=name))
    return session.last_change_set


def read(store, after: Position = START, limit: int = 100):
    with store.engine.connect() as connection:
        return feed.read(connection, store.types, after, limit)


def names(found) -> list[str]:
    return [change.after["name"] for _, change_set in found for change in change_set.changes]


def test_change_sets_come_in_order_with_their_changes(store):
    ids = [note(store, name) for name in "abc"]
    found = read(store)
    assert [change_set.id for _, change_set in found] == ids
    assert names(found) == ["a", "b", "c"]
    assert [position for position, _ in found] == sorted(position for position, _ in found)
    assert names(read(store, found[0][0])) == ["b", "c"]
    assert names(read(store, limit=2)) == ["a", "b"]
    assert read(store, found[-1][0]) == []


def test_each_consumer_has_its_own_position(store):
    for name in "ab":
        note(store, name)
    found = read(store)
    with store.engine.begin() as connection:
        assert feed.position(connection, "one") == Position()
        feed.advance(connection, "one", found[0][0])
        feed.advance(connection, "two", found[1][0])
        feed.advance(connection, "one", found[0][0])
    with store.engine.connect() as connection:
        assert feed.position(connection, "one") == found[0][0]
        assert feed.position(connection, "two") == found[1][0]
    assert names(read(store, found[0][0])) == ["b"]


def test_a_failing_consumer_stays_where_it_is(store):
    note(store, "a")
    (first, _), *_ = read(store)
    pause = dt.timedelta(seconds=10)
    with store.engine.begin() as connection:
        feed.advance(connection, "old", first)
        for name, errors in (("new", ["boom"]), ("old", ["boom", "boom again"])):
            consumers.hold(connection, name, "me", 60, at_once=True)
            for error in errors:
                assert consumers.failed(connection, name, "me", error, pause)
    with store.engine.connect() as connection:
        found = {each.name: each for each in consumers.consumers(connection)}
    assert (found["new"].position, found["new"].failures, found["new"].last_error) == (Position(), 1, "boom")
    assert (found["old"].position, found["old"].failures, found["old"].last_error) == (first, 2, "boom again")
    assert found["old"].retry_at is not None
    with store.engine.begin() as connection:
        assert consumers.advance(connection, "old", "me", first)
        (old,) = (each for each in consumers.consumers(connection) if each.name == "old")
    assert (old.failures, old.last_error, old.retry_at) == (0, None, None)


def test_a_delivery_that_is_rolled_back_comes_again(store):
    note(store, "a")
    (position, _), *_ = read(store)
    with store.engine.connect() as connection:
        feed.advance(connection, "one", position)
        connection.rollback()
        assert feed.position(connection, "one") == Position()


def test_a_late_committer_is_never_skipped(store):
    """Two open transactions, the first of them committed last: the feed waits for it rather than pass it by."""
    if store.dialect == "sqlite":
        pytest.skip("SQLite has one writer at a time")
    early = store.session(principal="early")
    early.add(Note(name="early"))
    early.flush()
    late = store.session(principal="late")
    late.add(Note(name="late"))
    late.commit()
    assert names(read(store)) == [], "what lies behind a running transaction is not shown yet"
    early.commit()
    assert names(read(store)) == ["late", "early"]
    early.close()
    late.close()


def test_changes_of_one_record_are_told_as_they_happened_though_the_later_transaction_began_first(store):
    """Whoever keeps a copy of a record by the feed would otherwise end with an older state of it."""
    if store.dialect == "sqlite":
        pytest.skip("SQLite has one writer at a time")
    note(store, "shared")
    with store.session(principal="long") as long, store.session(principal="other") as other:
        long.add(Note(name="long"))
        long.flush()
        # Others that begin and end meanwhile: the number of the newest that has ended is no number of ours.
        other.add(Note(name="other"))
        other.flush()
        note(store, "neighbour")
        (shared,) = other.list(Note, "name == 'shared'")
        shared.body = "first"
        other.commit()
        (shared,) = long.list(Note, "name == 'shared'")
        assert shared.body == "first"
        shared.body = "second"
        long.commit()
    bodies = [change.after["body"] for _, each in read(store) for change in each.changes if "body" in change.after]
    assert bodies == ["first", "second"]
    assert read(store, read(store)[-1][0]) == []


def test_a_transaction_in_another_database_of_the_server_is_not_waited_for(store):
    if store.dialect == "sqlite":
        pytest.skip("an SQLite file is a database of its own")
    elsewhere = create_engine(store.engine.url.set(database="postgres"))
    with elsewhere.connect() as neighbour:
        neighbour.execute(text("SELECT pg_current_xact_id()"))
        note(store, "told")
        assert names(read(store)) == ["told"]
    elsewhere.dispose()


def test_transactions_that_end_in_another_database_while_the_feed_looks_are_not_waited_for(store):
    if store.dialect == "sqlite":
        pytest.skip("an SQLite file is a database of its own")
    elsewhere = create_engine(store.engine.url.set(database="postgres"), isolation_level="AUTOCOMMIT")
    stop = threading.Event()
    often = """DO $$ BEGIN FOR each IN 1..20 LOOP
                  PERFORM pg_current_xact_id(); PERFORM pg_sleep(0.005); COMMIT;
               END LOOP; END $$"""

    def neighbour() -> None:
        with elsewhere.connect() as connection:
            while not stop.is_set():
                connection.execute(text(often))

    neighbours = [threading.Thread(target=neighbour) for _ in range(4)]
    for thread in neighbours:
        thread.start()
    try:
        position, told = Position(), []
        for number in range(60):
            note(store, str(number))
            found = read(store, position)
            told.append(names(found))
            position = found[-1][0] if found else position
    finally:
        stop.set()
        for thread in neighbours:
            thread.join()
        elsewhere.dispose()
    assert told == [[str(number)] for number in range(60)]


def test_an_ordinary_user_of_the_server_knows_at_one_look_who_is_writing(store):
    """To others than superusers the server does not tell what kind of process somebody else's is."""
    if store.dialect == "sqlite":
        pytest.skip("an SQLite file has no users")
    looks: list[str] = []
    with store.engine.connect() as writer, store.engine.connect() as connection:
        running = writer.execute(text("SELECT CAST(CAST(pg_current_xact_id() AS text) AS bigint)")).scalar_one()
        note(store, "later")
        connection.execute(text("SET LOCAL ROLE pg_read_all_data"))
        event.listen(connection, "before_cursor_execute", lambda *given: looks.append(given[2]))
        assert settled_before(connection) == running
    assert len(looks) == 1, looks


def test_no_reader_misses_anything_under_concurrent_writers(store):
    def write(who: int) -> None:
        for number in range(12):
            with store.session(principal="test") as session:
                session.add(Note(name=f"{who}.{number}"))
                session.flush()
                time.sleep(0.001 * ((who * 7 + number * 3) % 5))

    threads = [threading.Thread(target=write, args=(who,)) for who in range(3)]
    for thread in threads:
        thread.start()
    seen: list[str] = []
    position = Position()
    while len(seen) < 36:
        running = any(thread.is_alive() for thread in threads)
        found = read(store, position, 5)
        seen += names(found)
        position = found[-1][0] if found else position
        if not found and not running and names(read(store, position)) == []:
            break
    for thread in threads:
        thread.join()
    assert sorted(seen) == sorted(f"{who}.{number}" for who in range(3) for number in range(12))
    assert len(seen) == len(set(seen))
