"""Two jobs of one name and key are never taken at a time, whatever happens between the look and the taking."""

from __future__ import annotations

import datetime as dt
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import event

from crm_core import jobs

KEYED = """
    @hookimpl
    def crm_register_jobs():
        return [Job(name="crm_keyed.plain", run=lambda crm, arguments: None, atomic=False)]
"""


@pytest.fixture
def crm(open_crm, plugin):
    return open_crm(plugin("crm_keyed", KEYED))


def taken(crm, worker, only=None):
    return crm.store.queue.take(worker, crm.build.jobs, only=only)


def states(crm):
    return {job.id: job.state for job in crm.store.queue.find()}


def only_postgresql(crm):
    if crm.store.dialect != "postgresql":
        pytest.skip("SQLite has one writer at a time, so nothing comes between the look and the taking")


def test_who_asks_while_a_job_is_being_taken_waits_and_its_job_is_left_until_that_one_is_done(crm):
    only_postgresql(crm)
    first = jobs.enqueue(crm, "crm_keyed.plain", key="k")
    taking, go_on = threading.Event(), threading.Event()

    def hold(connection):
        if not taking.is_set():
            taking.set()
            go_on.wait(30)

    event.listen(crm.store.engine, "commit", hold)
    with ThreadPoolExecutor(2) as threads:
        running = threads.submit(taken, crm, "one")
        assert taking.wait(30)  # it is the worker's by its own sight, and nobody else knows
        asking = threads.submit(jobs.enqueue, crm, "crm_keyed.plain", key="k")
        time.sleep(0.3)
        assert not asking.done()
        assert taken(crm, "two") is None
        go_on.set()
        job, second = running.result(30), asking.result(30)
    assert (job.id, second != first) == (first, True)
    assert taken(crm, "two") is None
    assert crm.store.queue.done(job)
    assert taken(crm, "two").id == second


def test_a_look_that_is_out_of_date_when_it_takes_finds_nothing(crm):
    """A worker has looked, and before it takes the job that one fails for good, its twin begins, and it is repeated."""
    only_postgresql(crm)
    queue = crm.store.queue
    first = jobs.enqueue(crm, "crm_keyed.plain", key="k")
    looked = threading.Event()

    def linger(connection, cursor, statement, parameters, context, many):
        if threading.current_thread().name.startswith("late") and "SKIP LOCKED" in statement:
            # The statement has its view of the table from here on, and locks the row when it has slept.
            statement = statement.replace("ORDER BY", "AND pg_sleep(2) IS NOT NULL ORDER BY", 1)
            threading.Timer(0.5, looked.set).start()
        return statement, parameters

    event.listen(crm.store.engine, "before_cursor_execute", linger, retval=True)
    try:
        with ThreadPoolExecutor(1, thread_name_prefix="late") as threads:
            late = threads.submit(taken, crm, "late", first)
            assert looked.wait(30)
            assert queue.failed(taken(crm, "one"), "no ink", None)
            second = jobs.enqueue(crm, "crm_keyed.plain", key="k")
            assert taken(crm, "two").id == second
            queue.retry([first])
            assert not late.done(), "nothing was between"
            assert late.result(30) is None
    finally:
        event.remove(crm.store.engine, "before_cursor_execute", linger)
    assert states(crm) == {first: "waiting", second: "running"}


def test_what_has_no_key_or_another_runs_beside_it(crm):
    at = dt.datetime.now(dt.UTC) - dt.timedelta(minutes=1)
    for key in (None, None, "a", "b"):
        jobs.enqueue(crm, "crm_keyed.plain", key=key, at=at)
    assert [taken(crm, str(number)) is not None for number in range(5)] == [True] * 4 + [False]
