"""Leases that are kept, lost and waited for, while somebody works."""

from __future__ import annotations

import datetime as dt
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import update
from sqlalchemy.exc import OperationalError
from structlog.testing import capture_logs

from crm_core import Account, jobs
from crm_core.jobs import Worker
from crm_core.store.heartbeat import Heartbeat
from crm_core.store.tables import JOB

SLOW = """
    import time

    began = []

    def slow(where, arguments):
        began.append(arguments)
        time.sleep(arguments["seconds"])

    def stop(crm, arguments):
        raise KeyboardInterrupt

    @hookimpl
    def crm_register_jobs():
        return [
            Job(name="crm_slow.plain", run=slow, atomic=False, lease=1, attempts=1),
            Job(name="crm_slow.atomic", run=slow, lease=1, attempts=1),
            Job(name="crm_slow.stop", run=stop, atomic=False),
        ]
"""


@pytest.fixture
def crm(open_crm, plugin):
    return open_crm(plugin("crm_slow", SLOW))


@pytest.fixture
def began(crm):
    return crm.build.plugin("crm_slow").namespace.began


@pytest.mark.parametrize("name", ["crm_slow.plain", "crm_slow.atomic"])
def test_a_job_that_takes_longer_than_its_lease_is_not_taken_over(crm, began, name):
    id_ = jobs.enqueue(crm, name, {"seconds": 2.5})
    told = []
    first, second = Worker(crm, tell=told.append, poll=0.1), Worker(crm, tell=told.append, poll=0.1)
    with ThreadPoolExecutor(2) as threads:
        running = [threads.submit(worker.run) for worker in (first, second)]
        while crm.store.queue.find(ids=[id_])[0].state != "done":
            time.sleep(0.1)
            assert all(not each.done() for each in running)
        for worker in (first, second):
            worker.stop()
        for each in running:
            each.result(30)
    assert len(began) == 1
    assert [event.kind for event in told if "job" in event.values] == ["begun", "done"]


def test_a_worker_that_is_stopped_ends_its_job_and_takes_no_other(crm, began):
    for _ in range(2):
        jobs.enqueue(crm, "crm_slow.plain", {"seconds": 0.5})
    worker = Worker(crm, poll=0.1)
    thread = threading.Thread(target=worker.run)
    thread.start()
    while not began:
        time.sleep(0.02)
    worker.stop()
    thread.join(30)
    assert sorted(job.state for job in crm.store.queue.find()) == ["done", "waiting"]


def test_an_interrupt_hands_the_job_back(crm):
    id_ = jobs.enqueue(crm, "crm_slow.stop")
    with pytest.raises(KeyboardInterrupt):
        Worker(crm).once()
    (job,) = crm.store.queue.find(ids=[id_])
    assert (job.state, job.attempts, job.last_error) == ("waiting", 1, "It was interrupted.")
    assert job.run_at <= dt.datetime.now(dt.UTC)


def test_a_failure_after_the_lease_was_lost_is_the_other_workers_to_judge(crm):
    jobs.enqueue(crm, "crm_slow.plain", {})
    told = []
    job = crm.build.jobs["crm_slow.plain"]

    def lose(crm, arguments):
        with crm.store.engine.begin() as connection:
            connection.execute(update(JOB).values(worker="other"))
        raise OSError("too late")

    object.__setattr__(job, "run", lose)
    with capture_logs():
        Worker(crm, tell=told.append).once()
    assert [event.kind for event in told] == ["started", "begun", "lost", "stopped"]
    assert [(job.state, job.worker) for job in crm.store.queue.find()] == [("running", "other")]


def test_a_worker_outlives_a_database_that_is_away(crm, monkeypatch):
    jobs.enqueue(crm, "crm_slow.plain", {"seconds": 0})
    told, refusals = [], [True, True]
    worker = Worker(
        crm, tell=lambda event: (told.append(event.kind), event.kind == "done" and worker.stop()), poll=0.02
    )
    take = crm.store.queue.take

    def refusing(*args, **options):
        if refusals:
            refusals.pop()
            raise OperationalError("SELECT", {}, Exception("connection refused"))
        return take(*args, **options)

    monkeypatch.setattr(crm.store.queue, "take", refusing)
    worker.run()
    assert told == ["started", "trouble", "trouble", "begun", "done", "stopped"]


def test_an_error_of_the_worker_itself_ends_it(crm, monkeypatch):
    monkeypatch.setattr(crm.store.queue, "recover", lambda terms: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        Worker(crm).run()


def test_the_same_work_is_not_begun_before_whoever_asked_again_has_committed(crm, began):
    """Who asks for work that waits already has changed something: the job must see it."""
    if crm.store.dialect == "sqlite":
        pytest.skip("SQLite has one writer at a time")
    first = jobs.enqueue(crm, "crm_slow.plain", {"seconds": 0}, key="k")
    with crm.system_session("test") as session:
        session.add(Account(name="Changed"))
        assert jobs.enqueue(session, "crm_slow.plain", {"seconds": 0}, key="k") == first
        assert crm.store.queue.take("eager", crm.build.jobs) is None
    assert crm.store.queue.take("eager", crm.build.jobs).id == first


def test_a_heartbeat_beats_until_the_lease_is_lost():
    beats = []
    with Heartbeat(lambda: beats.append(1) is None and len(beats) < 3, 0.01) as beat:
        time.sleep(0.3)
        assert beat.lost
    assert len(beats) == 3


def test_a_heartbeat_that_is_refused_goes_on():
    beats = []

    def beat():
        beats.append(1)
        raise OperationalError("UPDATE", {}, Exception("database is locked"))

    with capture_logs() as logs, Heartbeat(beat, 0.01) as heartbeat:
        time.sleep(0.3)
    assert len(beats) > 3
    assert not heartbeat.lost
    assert {each["event"] for each in logs} == {"heartbeat failed"}


def test_a_heartbeat_ends_with_its_block():
    beats = []
    with Heartbeat(lambda: beats.append(1) is None, 0.01):
        time.sleep(0.05)
    before = len(beats)
    time.sleep(0.1)
    assert 0 < before == len(beats)
