"""Several workers on one database: none of them does what another one does."""

from __future__ import annotations

import datetime as dt
import multiprocessing
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import select
from structlog.testing import capture_logs

from crm_core import Account, jobs
from crm_core.jobs import Worker
from crm_core.store import consumers
from crm_core.store.feed import Position
from crm_core.store.tables import CHANGE_SET

RACING = """
    import time
    from pathlib import Path

    FOLDER = Path(__file__).parent

    def make(session, arguments):
        session.add(Account(name=f"job {arguments['number']}"))

    def note(crm, arguments):
        with open(FOLDER / "notes.txt", "a") as file:
            file.write(f"{arguments['number']}\\n")

    def alone(crm, arguments):
        file = FOLDER / f"{arguments['key']}.lock"
        file.touch(exist_ok=False)
        time.sleep(0.01)
        file.unlink()

    @hookimpl
    def crm_register_jobs():
        return [
            Job(name="crm_racing.make", run=make, attempts=1),
            Job(name="crm_racing.note", run=note, attempts=1, atomic=False),
            Job(name="crm_racing.alone", run=alone, attempts=1, atomic=False),
        ]
"""


def counts(crm):
    return {
        (name.removeprefix("crm_racing."), state): count for (name, state), count in crm.store.queue.counts().items()
    }


def race(crm, processes):
    """So many processes, forked here, work until the queue is empty; the jobs that each did."""
    context = multiprocessing.get_context("fork")
    crm.close()  # no connection may be shared with a child
    gate, results = context.Event(), context.Queue()

    def work():
        done = []
        gate.wait()
        Worker(crm, tell=lambda event: done.append(event.values["id"]) if event.kind == "done" else None).until_empty()
        crm.close()
        results.put(done)

    children = [context.Process(target=work) for _ in range(processes)]
    for child in children:
        child.start()
    gate.set()
    done = [results.get(timeout=120) for _ in children]
    for child in children:
        child.join(30)
        assert child.exitcode == 0
    return done


def test_four_processes_do_five_hundred_jobs_each_once(open_crm, plugin, tmp_path):
    crm = open_crm(plugin("crm_racing", RACING))
    with crm.system_session("test") as session:
        for number in range(400):
            jobs.enqueue(session, "crm_racing.make", {"number": number})
        for number in range(100):
            jobs.enqueue(session, "crm_racing.note", {"number": number})

    done = race(crm, 4)

    assert counts(crm) == {("make", "done"): 400, ("note", "done"): 100}
    ids = Counter(id_ for each in done for id_ in each)
    assert len(ids) == 500
    assert set(ids.values()) == {1}
    if crm.store.dialect == "postgresql":
        assert all(done), "one of them had nothing to do, so it was no race"
    with crm.system_session("test", read_only=True) as session:
        names = Counter(session.scalars(select(Account.name)))
    assert names == {f"job {number}": 1 for number in range(400)}
    notes = Counter((tmp_path / "plugins" / "notes.txt").read_text().split())
    assert notes == {str(number): 1 for number in range(100)}


def test_jobs_with_one_key_never_run_at_the_same_time(open_crm, plugin):
    crm = open_crm(plugin("crm_racing", RACING))
    busy = threading.Event()

    def ask():
        while not busy.is_set():
            for key in ("a", "b"):
                jobs.enqueue(crm, "crm_racing.alone", {"key": key}, key=key)
            time.sleep(0.005)

    workers = [Worker(crm, poll=0.01) for _ in range(4)]
    with ThreadPoolExecutor(5) as threads, capture_logs():
        running = [threads.submit(worker.run) for worker in workers] + [threads.submit(ask)]
        time.sleep(2)
        busy.set()
        for worker in workers:
            worker.stop()
        for each in running:
            each.result(60)

    found = counts(crm)
    assert found["alone", "done"] > 20
    assert ("alone", "dead") not in found


TELLING = """
    import time

    told = []
    inside = 0
    overlaps = []
    seconds = 0.002

    @hookimpl
    def crm_on_committed(crm, change_sets):
        global inside
        inside += 1
        overlaps.append(inside)
        time.sleep(seconds)
        told.extend(each.id for each in change_sets)
        inside -= 1
"""


def test_several_who_deliver_tell_each_change_set_once_and_in_order(open_crm, plugin):
    crm = open_crm(plugin("crm_listening", TELLING))
    heard = crm.build.plugin("crm_listening").namespace
    crm.deliver()
    over = threading.Event()

    def write():
        for number in range(150):
            with crm.system_session("test") as session:
                session.add(Account(name=f"n{number}"))
        over.set()

    def tell():
        while True:
            last = over.is_set()
            crm.deliver(limit=3)
            if last and not crm.store.feed_behind(["crm_listening"]):
                return

    with ThreadPoolExecutor(5) as threads:
        for each in [threads.submit(write), *(threads.submit(tell) for _ in range(4))]:
            each.result(120)

    with crm.store.reading() as connection:
        query = select(CHANGE_SET.c.id).order_by(CHANGE_SET.c.place, CHANGE_SET.c.id)
        committed = list(connection.execute(query).scalars())
    assert len(committed) == 150
    assert heard.told == committed
    assert max(heard.overlaps) == 1


def test_somebody_whose_lease_ran_out_does_not_move_the_feed(open_crm, plugin):
    crm = open_crm(plugin("crm_listening", TELLING))
    heard = crm.build.plugin("crm_listening").namespace
    with crm.system_session("test") as session:
        session.add(Account(name="A"))
    with crm.store.engine.begin() as connection:
        assert consumers.hold(connection, "crm_listening", "somebody", 60, at_once=True)
    (left,) = crm.deliver()
    assert left.held
    assert heard.told == []

    with crm.store.engine.begin() as connection:
        assert consumers.renew(connection, "crm_listening", "somebody", -1)
    (told,) = crm.deliver()
    assert told.change_sets == 1
    with crm.store.engine.begin() as connection:
        position = crm.store.feed_next("crm_listening", 1)
        assert position == []
        assert not consumers.renew(connection, "crm_listening", "somebody", 60)
        assert not consumers.advance(connection, "crm_listening", "somebody", Position(1, 1))
        assert not consumers.failed(connection, "crm_listening", "somebody", "late", dt.timedelta())


def test_somebody_who_tells_for_longer_than_the_lease_is_left_to_it(open_crm, plugin):
    crm = open_crm(plugin("crm_listening", TELLING), sections={"jobs": {"feed.deliver": {"lease": 1}}})
    heard = crm.build.plugin("crm_listening").namespace
    heard.seconds = 2.5
    with crm.system_session("test") as session:
        session.add(Account(name="A"))
    with ThreadPoolExecutor(1) as threads:
        telling = threads.submit(crm.deliver)
        while not heard.overlaps:
            time.sleep(0.02)
        while not telling.done():
            (left,) = crm.deliver()
            assert left.held or telling.done() or heard.told
            time.sleep(0.1)
        (told,) = telling.result()
    assert told.change_sets == 1
    assert len(heard.told) == 1
    assert max(heard.overlaps) == 1


def test_somebody_who_lost_the_lease_leaves_the_position_to_the_other(open_crm, plugin):
    crm = open_crm(plugin("crm_listening", TELLING))
    heard = crm.build.plugin("crm_listening").namespace
    for name in "ABC":
        with crm.system_session("test") as session:
            session.add(Account(name=name))

    def taken_over(seconds):
        with crm.store.engine.begin() as connection:
            connection.execute(consumers.FEED_POSITION.update().values(holder="other"))

    heard.time = type("Time", (), {"sleep": staticmethod(taken_over)})
    (told,) = crm.deliver()
    assert told.change_sets == 0
    with crm.store.reading() as connection:
        (consumer,) = consumers.consumers(connection)
    assert (consumer.position, consumer.holder) == (Position(), "other")


def test_a_worker_that_empties_the_queue_waits_for_what_an_open_transaction_holds_back(open_crm, plugin):
    crm = open_crm(plugin("crm_listening", TELLING))
    if crm.store.dialect == "sqlite":
        pytest.skip("SQLite has one writer at a time, so nothing is held back")
    heard = crm.build.plugin("crm_listening").namespace
    slow = crm.system_session("slow")
    slow.add(Account(name="Slow"))
    slow.flush()
    with crm.system_session("test") as session:
        session.add(Account(name="Held back"))
    with ThreadPoolExecutor(1) as threads:
        working = threads.submit(Worker(crm).until_empty)
        time.sleep(0.7)
        assert heard.told == []
        assert not working.done()
        slow.commit()
        slow.close()
        working.result(60)
    assert len(heard.told) == 2
