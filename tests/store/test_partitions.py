"""The journal in parts, on PostgreSQL: where ids go, and what is made in time."""

from __future__ import annotations

import datetime as dt
from types import SimpleNamespace

import pytest
from sqlalchemy import text

from crm_core import Crm, jobs
from crm_core.errors import Conflict, StoreError
from crm_core.store import ids
from crm_core.store.migrations import drift, kernel_source
from crm_core.store.partitions import changing, keeping
from crm_core.store.partitions.attaching import attach
from crm_core.store.partitions.detaching import detach
from crm_core.store.partitions.layout import WIDTH, bounds, is_part, name_of, number_of
from crm_core.store.partitions.listing import parts
from tests.store.partition_support import EPOCH, opened, rows, write


@pytest.fixture
def store(database_url, clock):
    with opened(database_url, clock) as store:
        yield store


@pytest.fixture
def divided(store):
    if store.dialect == "sqlite":
        pytest.skip("SQLite keeps the journal in one table")
    return store


def test_on_sqlite_there_are_no_parts(store):
    if store.dialect != "sqlite":
        pytest.skip("about SQLite")
    write(store)
    assert parts(store) == []
    assert keeping.keep(store, months=1, least=0) == keeping.Kept()
    for refused in (keeping.begin, lambda s: detach(s, EPOCH), lambda s: attach(s, 0)):
        with pytest.raises(StoreError, match="one table"):
            refused(store)


def test_the_names_of_parts_are_known_again():
    assert is_part(name_of("crm_change", 3)) and is_part(name_of("crm_change_set", "rest"))
    assert not is_part("crm_change") and not is_part("crm_change_set") and not is_part("crm_change_px")
    assert [number_of(id_) for id_ in (1, WIDTH - 1, WIDTH, 2 * WIDTH)] == [0, 0, 1, 2]
    assert bounds(2) == (2 * WIDTH, 3 * WIDTH)


def test_ids_that_nobody_used_are_thrown_away_after_a_day(monkeypatch):
    now = 1000.0
    monkeypatch.setattr(ids.time, "monotonic", lambda: now)
    pool, lasting = ids.IdPool(ids.KEPT), ids.IdPool()
    for each in (pool, lasting):
        each.give([range(1, 500)])
    now += ids.KEPT - 1
    assert pool.take(1) == [range(1, 2)]
    now += 2
    assert pool.take(1) == [] and pool.take_run(1) is None
    assert lasting.take(1) == [range(1, 2)]
    pool.give([range(600, 700)])
    now += ids.KEPT - 1
    assert pool.take(1) == [range(600, 601)]


def test_everything_is_written_to_the_first_part(divided):
    change_set, _ = write(divided)
    first, rest = parts(divided)
    assert (first.number, first.state, first.from_id, first.to_id) == (0, "current", 0, WIDTH)
    assert (first.change_sets, first.changes) == (1, 1)
    assert first.first_at == first.last_at == EPOCH
    assert first.bytes > 0
    assert (rest.number, rest.state, rest.change_sets, rest.changes) == (None, "default", 0, 0)
    assert change_set < WIDTH


def test_a_part_that_is_begun_gets_what_is_written_from_then_on(divided, database_url, clock):
    with opened(database_url, clock) as other:
        write(other)  # and keeps the rest of its block
        early, note = write(divided)
        assert keeping.begin(divided) == keeping.Kept((1, 2), 1)
        divided._ids = ids.IdPool()  # as a process that starts now
        later, _ = write(divided)
        assert number_of(early) == 0 and number_of(later) == 1
        late, _ = write(other)  # an id that was given before, and is used only now
        assert number_of(late) == 0
    assert [(each.number, each.state, each.change_sets) for each in parts(divided)] == [
        (0, "used", 3), (1, "current", 1), (2, "empty", 0), (None, "default", 0),
    ]  # fmt: skip
    with divided.session(principal="test", read_only=True) as session:
        assert [event.change_set_id for event in session.history("journal_test.note", note)] == [early]


def test_a_part_without_anything_in_it_goes_on(divided):
    write(divided)
    assert keeping.begin(divided).begun == 1
    assert keeping.begin(divided).begun is None
    assert [each.number for each in parts(divided)] == [0, 1, 2, None]


def test_ids_beyond_every_part_are_written_all_the_same_and_put_in_their_place(divided):
    with divided.engine.begin() as connection:
        connection.execute(text(f"SELECT setval('crm_id_seq', {5 * WIDTH + 1}, false)"))
    change_set, note = write(divided)
    assert number_of(change_set) == 5 and rows(divided, "crm_change_rest") == 1
    assert keeping.keep(divided).made == (5, 6)
    assert rows(divided, "crm_change_rest") == rows(divided, "crm_change_set_rest") == 0
    assert rows(divided, "crm_change_p5") == rows(divided, "crm_change_set_p5") == 1
    with divided.session(principal="test", read_only=True) as session:
        assert len(session.history("journal_test.note", note)) == 1


@pytest.mark.parametrize(
    ("months", "later", "least", "begun"),
    [(12, 364, 1, None), (12, 365, 1, 1), (3, 89, 1, None), (3, 90, 1, 1), (1, 31, 1, 1), (12, 3650, 2, None)],
)
def test_a_part_is_begun_when_its_time_is_over_and_it_is_worth_it(divided, clock, months, later, least, begun):
    write(divided)
    clock.now = EPOCH + dt.timedelta(days=later)
    assert keeping.keep(divided, months=months, least=least).begun == begun
    assert keeping.keep(divided, months=months, least=least) == keeping.Kept()  # once is enough


def test_parts_are_no_drift(divided):
    write(divided)
    keeping.begin(divided)
    assert drift(divided.engine, kernel_source()) == []


def test_whoever_reads_the_journal_is_not_waited_for_long(divided, monkeypatch):
    monkeypatch.setattr(changing, "PATIENCE", 0.05)
    write(divided)
    with divided.engine.connect() as reader:
        reader.execute(text("SELECT count(*) FROM crm_change"))
        with pytest.raises(Conflict, match=r"longer than 0\.05 seconds"):
            keeping.begin(divided)
    assert keeping.begin(divided).begun == 1


def test_the_job_lets_all_parts_be_counted_together(divided):
    def counted():
        with divided.engine.connect() as connection:
            return connection.execute(
                text("SELECT count(DISTINCT tablename) FROM pg_stats WHERE inherited AND tablename LIKE 'crm_change%'")
            ).scalar_one()

    write(divided)
    assert counted() == 0
    keeping.run(SimpleNamespace(store=divided), {"months": 12, "least": 1})
    assert counted() == 2
    assert [each.number for each in parts(divided)] == [0, 1, None]


def test_the_job_is_there_on_both_databases_and_does_its_part(database_url):
    with Crm.open({"crm": {"database": database_url}}, check=False) as crm:
        crm.migrate()
        assert crm.build.jobs["journal.keep"].arguments == {"months": 12, "least": 100_000}
        jobs.run_now(crm, "journal.keep", {})
        made = [each.number for each in parts(crm.store)]
        assert made == ([] if crm.store.dialect == "sqlite" else [0, 1, None])
