"""Looking after the queue: what is shown, run by hand, tried, repeated, dropped, tidied; other drivers."""

from __future__ import annotations

import datetime as dt

import pytest
from sqlalchemy import select, update
from structlog.testing import capture_logs

from crm_core import (
    Account,
    BuildError,
    Crm,
    NotFound,
    PermissionDenied,
    Unit,
    User,
    ValidationError,
    jobs,
    organisation,
)
from crm_core.assembly import given
from crm_core.errors import Conflict, UnsupportedStatement
from crm_core.jobs.managing import JobFailed, may_manage
from crm_core.jobs.trying import try_out
from crm_core.store.tables import JOB

MANAGED = """
    def make(session, arguments):
        account = session.add_one(Account(name=arguments["name"]))
        session.flush()
        account.employees = 5
        if arguments.get("wrong"):
            session.add(Account(name="x" * 999))
        if arguments.get("commit"):
            session.commit()

    def plain(crm, arguments):
        if arguments.get("wrong"):
            raise OSError("no net")

    @hookimpl
    def crm_register_jobs():
        return [
            Job(name="crm_managed.make", run=make, arguments={"name": "Acme"}, label="Make it"),
            Job(name="crm_managed.plain", run=plain, atomic=False, attempts=4),
        ]
"""


@pytest.fixture
def crm(open_crm, plugin):
    return open_crm(plugin("crm_managed", MANAGED))


def names(crm):
    with crm.system_session("test", read_only=True) as session:
        return list(session.scalars(select(Account.name).order_by(Account.name)))


def dead(crm):
    with capture_logs(), pytest.raises(JobFailed):
        jobs.run_now(crm, "crm_managed.plain", {"wrong": True})
    return crm.store.queue.find(states=["dead"])[0].id


def test_a_job_runs_here_and_now(crm):
    later = jobs.enqueue(crm, "crm_managed.plain")
    done = jobs.run_now(crm, "crm_managed.make", {"name": "Beta"})
    assert (done.state, done.name, done.attempts) == ("done", "crm_managed.make", 1)
    assert names(crm) == ["Beta"]
    assert crm.store.queue.find(ids=[later])[0].state == "waiting"


def test_one_that_fails_by_hand_is_dead_and_can_be_repeated(crm):
    with capture_logs(), pytest.raises(JobFailed, match="OSError: no net") as caught:
        jobs.run_now(crm, "crm_managed.plain", {"wrong": True})
    assert isinstance(caught.value.__cause__, OSError)
    (job,) = crm.store.queue.find()
    assert (job.state, job.attempts) == ("dead", 1)
    assert f"crm jobs retry {job.id}" in str(caught.value)
    (again,) = jobs.retry(crm, [job.id])
    assert (again.state, again.attempts, again.finished_at) == ("waiting", 0, None)


def test_a_trial_counts_what_would_be_changed_and_changes_nothing(crm):
    trial = try_out(crm, "crm_managed.make", {"name": "Beta"})
    assert trial.changes == (("account", "create", 1),)
    assert names(crm) == []
    assert crm.store.queue.find() == []
    with pytest.raises(ValidationError):
        try_out(crm, "crm_managed.make", {"wrong": True})
    with pytest.raises(UnsupportedStatement, match="must not commit"):
        try_out(crm, "crm_managed.make", {"commit": True})
    assert names(crm) == []
    with pytest.raises(UnsupportedStatement, match="cannot be tried"):
        try_out(crm, "crm_managed.plain")


def test_what_cannot_be_repeated_or_dropped_is_told(crm):
    done = jobs.run_now(crm, "crm_managed.make").id
    for id_ in (done, 10**12):
        with pytest.raises(NotFound, match=f"no dead or waiting job {id_}"):
            jobs.retry(crm, [id_])
        with pytest.raises(NotFound, match=f"no dead or waiting job {id_}"):
            jobs.drop(crm, id_, reason="x", who="li.wei")
    with pytest.raises(ValidationError, match="Give a reason"):
        jobs.drop(crm, dead(crm), reason="  ", who="li.wei")
    assert jobs.retry(crm, [])[:] == []


def test_a_dropped_job_keeps_who_and_why(crm):
    id_ = dead(crm)
    jobs.drop(crm, id_, reason=" the customer is gone ", who="li.wei")
    (job,) = crm.store.queue.find(ids=[id_])
    assert (job.state, job.note) == ("dropped", "li.wei: the customer is gone")
    assert jobs.retry(crm) == []


def test_the_overview_shows_each_state_and_what_is_planned(crm):
    id_ = dead(crm)
    waiting = jobs.enqueue(crm, "crm_managed.plain")
    for _ in range(3):
        jobs.run_now(crm, "crm_managed.make")
    found = jobs.overview(crm, limit=2)
    assert [(job.state) for job in found.jobs] == ["dead", "waiting", "done", "done"]
    assert found.counts == {
        ("crm_managed.make", "done"): 3, ("crm_managed.plain", "dead"): 1, ("crm_managed.plain", "waiting"): 1,
    }  # fmt: skip
    assert [job.id for job in jobs.overview(crm, states=["dead"]).jobs] == [id_]
    assert [job.id for job in jobs.overview(crm, states=["waiting"]).jobs] == [waiting]


def test_only_those_may_look_after_jobs_whose_role_reaches_everything(crm):
    with crm.system_session("test") as session:
        unit = session.add_one(Unit(name="East"))
        for login, role in (("admin", "administrator"), ("boss", "manager"), ("clerk", "sales")):
            session.add(User(login=login, name=login))
            session.flush()
            organisation.join(session, login, unit, role=role, since_always=True)
        may_manage(session)
    with crm.session("admin", read_only=True) as session:
        may_manage(session)
    for login in ("boss", "clerk"):
        with pytest.raises(PermissionDenied, match=r"system\.jobs"), crm.session(login, read_only=True) as session:
            may_manage(session)


def test_done_jobs_are_forgotten_after_their_time_and_dead_ones_never(crm):
    kept = [dead(crm), jobs.enqueue(crm, "crm_managed.plain"), jobs.run_now(crm, "crm_managed.make").id]
    gone = [jobs.run_now(crm, "crm_managed.make").id, dead(crm)]
    jobs.drop(crm, gone[1], reason="gone", who="test")
    old = dt.datetime.now(dt.UTC) - dt.timedelta(days=31)
    with crm.store.engine.begin() as connection:
        connection.execute(update(JOB).where(JOB.c.id.in_([*gone, kept[0]])).values(finished_at=old))
    jobs.run_now(crm, "jobs.tidy", {"keep_days": 32})
    assert {job.id for job in crm.store.queue.find()} >= {*kept, *gone}
    jobs.run_now(crm, "jobs.tidy")
    found = {job.id for job in crm.store.queue.find()}
    assert not found & set(gone)
    assert found >= set(kept)


# -- the build file ----------------------------------------------------------------------------------------------


def test_a_build_file_sets_jobs(open_crm, plugin):
    section = {"schedule": "FREQ=DAILY", "attempts": 9, "lease": 60, "arguments": {"name": "Beta"}, "enabled": False}
    crm = open_crm(plugin("crm_managed", MANAGED), sections={"jobs": {"crm_managed.make": section}})
    job = crm.build.jobs["crm_managed.make"]
    assert (job.schedule, job.attempts, job.lease, job.arguments) == ("FREQ=DAILY", 9, 60, {"name": "Beta"})
    assert not job.enabled

    jobs.enqueue(crm, "crm_managed.make")
    told = []
    jobs.Worker(crm, tell=told.append).once()
    assert [event.values for event in told if event.kind == "left"] == [
        {"job": "crm_managed.make", "count": 1, "known": True}
    ]
    assert names(crm) == []


@pytest.mark.parametrize(
    ("name", "section", "words"),
    [
        ("crm_managed.mak", {}, r"jobs\.\"crm_managed\.mak\": There is no job .* Did you mean crm_managed\.make"),
        ("crm_managed.make", {"schedul": "x"}, "schedul.* Did you mean schedule"),
        ("crm_managed.make", {"schedule": "nightly"}, r"\"crm_managed\.make\"\.schedule: 'nightly' cannot be followed"),
        ("crm_managed.make", {"attempts": 0}, r"\.attempts: 0 is too few"),
        ("crm_managed.make", {"lease": -1}, r"\.lease: -1 is too few"),
        ("crm_managed.make", {"attempts": "many"}, r"attempts: Expected a whole number"),
        ("crm_managed.make", {"arguments": {"nam": "x"}}, r"arguments\.nam: .* Did you mean name"),
        ("crm_managed.plain", {"arguments": {"nam": "x"}}, r"arguments\.nam: .* Remove it"),
        ("crm_managed.make", {"arguments": {"name": 3}}, "of another kind than 'Acme'"),
    ],
)
def test_a_section_that_fits_no_job_is_told_with_its_path(database_url, plugin, name, section, words):
    manifest = plugin("crm_managed", MANAGED)
    build = {"crm": {"plugins": ["crm_managed"]}, "jobs": {name: section}}
    with pytest.raises(BuildError, match=words):
        Crm.open(build, database=database_url, check=False, discovery=given(manifest))


# -- other queues ------------------------------------------------------------------------------------------------


def test_the_built_in_queue_may_be_named(open_crm):
    crm = open_crm(sections={"drivers": {"queue": "database"}})
    assert type(crm.store.queue).__name__ == "DatabaseQueue"


def test_another_queue_takes_its_place(open_crm, plugin, tmp_path, monkeypatch):
    (tmp_path / "driver").mkdir()
    (tmp_path / "driver" / "counting_queue.py").write_text(
        "from crm_core.store.database_queue import DatabaseQueue\n"
        "class Queue(DatabaseQueue):\n"
        "    puts = 0\n"
        "    def put(self, *args, **options):\n"
        "        self.puts += 1\n"
        "        return super().put(*args, **options)\n"
        "def open_queue(crm):\n"
        "    return Queue(crm.store)\n"
    )
    info = tmp_path / "driver" / "crm_counting-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: crm-counting\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[crm_core.drivers.queue]\ncounting = counting_queue:open_queue\n")
    monkeypatch.syspath_prepend(tmp_path / "driver")
    crm = open_crm(plugin("crm_managed", MANAGED), sections={"drivers": {"queue": "counting"}})
    jobs.run_now(crm, "crm_managed.make")
    assert crm.store.queue.puts == 1
    assert names(crm) == ["Acme"]


def test_a_queue_that_is_misspelt_is_told(database_url):
    with pytest.raises(BuildError, match="Did you mean database"):
        Crm.open({"drivers": {"queue": "databas"}}, database=database_url, check=False)


def test_who_fails_as_a_conflict_exits_like_one():
    assert JobFailed.exit_code == Conflict.exit_code
