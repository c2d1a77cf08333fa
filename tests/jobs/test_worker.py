"""The worker: jobs that are done, that fail, that are taken over, that nobody knows."""

from __future__ import annotations

import datetime as dt

import pytest
from sqlalchemy import select, update
from structlog.testing import capture_logs

from crm_core import Account, CrmSession, NotFound, ValidationError, jobs
from crm_core.errors import UnsupportedStatement
from crm_core.jobs import Worker
from crm_core.store.tables import CHANGE_SET, JOB

HOUR = dt.timedelta(hours=1)

MAKING = """
    ran = []

    def make(session, arguments):
        ran.append(arguments)
        session.add(Account(name=arguments["name"]))
        if arguments.get("fail"):
            session.flush()
            raise LookupError(arguments["fail"])

    def tell(crm, arguments):
        ran.append(arguments)
        if arguments.get("exit"):
            raise SystemExit(3)

    def commit(session, arguments):
        session.add(Account(name="half"))
        session.commit()

    def start_anew(session, arguments):
        session.add(Account(name="forgotten"))
        session.rollback()
        session.add(Account(name="kept"))

    @hookimpl
    def crm_register_jobs():
        return [
            Job(name="crm_jobbing.make", run=make, attempts=3, arguments={"name": "Acme"}),
            Job(name="crm_jobbing.tell", run=tell, atomic=False, attempts=2),
            Job(name="crm_jobbing.commit", run=commit, attempts=1),
            Job(name="crm_jobbing.start_anew", run=start_anew),
        ]
"""


def no_pause(_failures: int) -> dt.timedelta:
    return dt.timedelta()


def names(crm):
    with crm.system_session("test", read_only=True) as session:
        return list(session.scalars(select(Account.name).order_by(Account.name)))


def states(crm):
    return {job.name.removeprefix("crm_jobbing."): job.state for job in crm.store.queue.find()}


@pytest.fixture
def crm(open_crm, plugin):
    crm = open_crm(plugin("crm_jobbing", MAKING))
    crm.ran = crm.build.plugin("crm_jobbing").namespace.ran
    return crm


@pytest.fixture
def work(crm):
    """Works until nothing is due; the kinds of what happened."""

    def run(**options):
        told = []
        with capture_logs():
            Worker(crm, tell=told.append, pausing=no_pause, **options).until_empty()
        return [event.kind for event in told if event.kind not in ("started", "stopped")]

    return run


def test_a_job_is_done_once_as_a_system_principal(crm, work):
    id_ = jobs.enqueue(crm, "crm_jobbing.make", {"name": "Beta"})

    assert work() == ["begun", "done"]
    assert work() == []
    assert names(crm) == ["Beta"]
    (job,) = crm.store.queue.find(ids=[id_])
    assert (job.state, job.attempts, job.last_error) == ("done", 1, None)
    assert job.finished_at is not None
    assert job.lease_until is None
    with crm.store.reading() as connection:
        (head,) = connection.execute(select(CHANGE_SET)).all()
    assert (head.principal, head.source, head.reason) == ("crm_jobbing.make", "job", f"job {id_}")


def test_a_job_is_there_exactly_if_the_transaction_commits(crm, work):
    with crm.system_session("test") as session:
        session.add(Account(name="Asks"))
        jobs.enqueue(session, "crm_jobbing.make")
        session.rollback()
        jobs.enqueue(session, "crm_jobbing.make")
        with pytest.raises(ZeroDivisionError), session.begin_nested():
            jobs.enqueue(session, "crm_jobbing.make", {"name": "Never"})
            1 / 0

    assert work() == ["begun", "done"]
    assert names(crm) == ["Acme"]


def test_a_failed_job_is_tried_again_and_then_dead(crm, work):
    id_ = jobs.enqueue(crm, "crm_jobbing.make", {"fail": "no ink"})

    assert work() == ["begun", "failed", "begun", "failed", "begun", "dead"]
    assert names(crm) == []
    (job,) = crm.store.queue.find(ids=[id_])
    assert (job.state, job.attempts, job.last_error) == ("dead", 3, "LookupError: no ink")

    assert [each.id for each in jobs.retry(crm)] == [id_]
    assert work() == ["begun", "failed", "begun", "failed", "begun", "dead"]


def test_a_failed_job_waits_before_it_is_tried_again(crm):
    jobs.enqueue(crm, "crm_jobbing.make", {"fail": "no ink"})
    told = []
    with capture_logs():
        Worker(crm, tell=told.append).until_empty()

    assert [event.kind for event in told] == ["started", "begun", "failed", "stopped"]
    (job,) = crm.store.queue.find(states=["waiting"])
    assert dt.timedelta(seconds=4) < job.run_at - dt.datetime.now(dt.UTC) < dt.timedelta(seconds=11)
    assert job.last_error == "LookupError: no ink"
    (again,) = jobs.retry(crm, [job.id])
    assert again.run_at <= dt.datetime.now(dt.UTC)


def test_an_exit_of_a_job_is_its_failure_and_not_the_workers(crm, work):
    jobs.enqueue(crm, "crm_jobbing.tell", {"exit": True})

    assert work() == ["begun", "failed", "begun", "dead"]


def test_an_atomic_job_must_not_commit(crm, work):
    jobs.enqueue(crm, "crm_jobbing.commit")

    assert work() == ["begun", "dead"]
    assert names(crm) == []
    assert "atomic=False" in crm.store.queue.find()[0].last_error


def test_an_atomic_job_that_starts_anew_is_still_done_with_its_commit(crm, work):
    jobs.enqueue(crm, "crm_jobbing.start_anew")

    assert work() == ["begun", "done"]
    assert names(crm) == ["kept"]
    assert states(crm) == {"start_anew": "done"}


def test_the_same_work_is_not_queued_twice_while_it_waits(crm, work):
    first = jobs.enqueue(crm, "crm_jobbing.make", {"name": "A"}, key="a", at=dt.datetime.now(dt.UTC) + HOUR)
    assert jobs.enqueue(crm, "crm_jobbing.make", {"name": "Other"}, key="a") == first
    assert jobs.enqueue(crm, "crm_jobbing.make", {"name": "B"}, key="b") != first
    assert jobs.enqueue(crm, "crm_jobbing.tell", key="a") != first

    # It was asked for now, so it is due now; its arguments stay.
    assert work() == ["begun", "done"] * 3
    assert names(crm) == ["A", "B"]
    assert jobs.enqueue(crm, "crm_jobbing.make", {"name": "C"}, key="a") != first


def test_a_job_does_not_run_before_its_time(crm, work):
    jobs.enqueue(crm, "crm_jobbing.make", at=dt.datetime.now(dt.UTC) + HOUR)
    jobs.enqueue(crm, "crm_jobbing.make", {"name": "Day"}, at=dt.date(2020, 1, 1))

    assert work() == ["begun", "done"]
    assert names(crm) == ["Day"]


def test_what_cannot_be_asked_for(crm):
    with pytest.raises(NotFound, match=r"Did you mean crm_jobbing\.make"):
        jobs.enqueue(crm, "crm_jobbing.mak")
    with pytest.raises(ValidationError, match="cannot be kept"):
        jobs.enqueue(crm, "crm_jobbing.make", {"name": dt.date(2026, 1, 1)})
    with pytest.raises(ValidationError, match="cannot be kept"):
        jobs.enqueue(crm, "crm_jobbing.make", {"name": float("nan")})
    with pytest.raises(ValidationError, match="201 characters"):
        jobs.enqueue(crm, "crm_jobbing.make", key="x" * 201)
    with (
        pytest.raises(UnsupportedStatement, match="only reads"),
        crm.system_session("test", read_only=True) as session,
    ):
        jobs.enqueue(session, "crm_jobbing.make")


def test_jobs_of_a_plugin_that_is_gone_wait_and_are_told(crm, open_crm, plugin, work):
    jobs.enqueue(crm, "crm_jobbing.make")
    told = []
    other = open_crm()
    Worker(other, tell=told.append).until_empty()

    left = [event.values for event in told if event.kind == "left"]
    assert left == [{"job": "crm_jobbing.make", "count": 1, "known": False}]
    assert [job.state for job in other.store.queue.find()] == ["waiting"]
    assert work() == ["begun", "done"]


def lapse(crm):
    """The lease of every running job ran out a minute ago."""
    past = dt.datetime.now(dt.UTC) - dt.timedelta(minutes=1)
    with crm.store.engine.begin() as connection:
        connection.execute(update(JOB).where(JOB.c.state == "running").values(lease_until=past, touched_at=past))


def test_a_job_whose_worker_went_silent_is_taken_over(crm, work):
    jobs.enqueue(crm, "crm_jobbing.make")
    gone = crm.store.queue.take("gone", crm.build.jobs)
    assert work() == []
    lapse(crm)

    assert work() == ["silent", "begun", "done"]
    assert names(crm) == ["Acme"]
    # When it comes back, nothing that it does counts.
    assert not crm.store.queue.done(gone)
    assert not crm.store.queue.failed(gone, "late", None)
    assert not crm.store.queue.renew(gone, crm.build.jobs[gone.name])
    assert states(crm) == {"make": "done"}


def test_a_job_that_kills_its_worker_ends_dead(crm, work):
    id_ = jobs.enqueue(crm, "crm_jobbing.make")
    for number in range(3):
        taken = crm.store.queue.take(f"victim-{number}", crm.build.jobs)
        assert taken.attempts == number + 1
        lapse(crm)
        crm.store.queue.recover(crm.build.jobs)

    (job,) = crm.store.queue.find(ids=[id_])
    assert job.state == "dead"
    assert "victim-2 went silent" in job.last_error
    assert work() == []


def test_a_lease_that_was_lost_meanwhile_takes_everything_back(crm, monkeypatch):
    jobs.enqueue(crm, "crm_jobbing.make")
    told = []

    def slow(session: CrmSession, arguments):
        session.add(Account(name="Twice"))
        # Within the same transaction, because on SQLite nobody else could write now.
        session.core(update(JOB).values(attempts=JOB.c.attempts + 1))

    job = crm.build.jobs["crm_jobbing.make"]
    object.__setattr__(job, "run", slow)
    with capture_logs():
        Worker(crm, tell=told.append).once()

    assert [event.kind for event in told] == ["started", "begun", "lost", "stopped"]
    assert names(crm) == []
