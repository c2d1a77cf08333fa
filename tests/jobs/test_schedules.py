"""Schedules: each occurrence is one job, whoever looks and however late; clocks may be wrong."""

from __future__ import annotations

import datetime as dt
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import event

from crm_core import jobs
from crm_core.jobs import Worker
from crm_core.store import schedules

SCHEDULED = """
    ran = []

    def run(session, arguments):
        ran.append(arguments)

    @hookimpl
    def crm_register_jobs():
        return [
            Job(name="crm_planned.nightly", run=run, schedule="FREQ=DAILY;BYHOUR=2;BYMINUTE=0;BYSECOND=0",
                arguments={"depth": 1}),
            Job(name="crm_planned.sometimes", run=run),
        ]
"""
NIGHTLY = "crm_planned.nightly"
DAY, HOUR, SECOND = dt.timedelta(days=1), dt.timedelta(hours=1), dt.timedelta(seconds=1)
NOON = dt.datetime(2026, 3, 2, 4, tzinfo=dt.UTC)  # in Shanghai
TWO = dt.datetime(2026, 3, 2, 18, tzinfo=dt.UTC)  # two o'clock there


class Clock:
    now = NOON

    def __call__(self) -> dt.datetime:
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def opening(open_crm, plugin, clock):
    manifest = plugin("crm_planned", SCHEDULED)

    def make(*manifests, **section):
        sections = {"jobs": {NIGHTLY: section}}
        return open_crm(*(manifests or (manifest,)), sections=sections, clock=clock, time_zone="Asia/Shanghai")

    return make


def made(crm):
    return [(each.name, each.occurrence) for each in schedules.materialise(crm.store, crm.build.jobs)]


def next_at(crm, name=NIGHTLY):
    return schedules.next_times(crm.store)[name][0]


def test_an_occurrence_becomes_one_job_when_it_is_due(opening, clock):
    crm = opening()
    assert made(crm) == []
    assert next_at(crm) == TWO
    clock.now = TWO - SECOND
    assert made(crm) == []
    clock.now = TWO
    assert made(crm) == [(NIGHTLY, TWO)]
    assert made(crm) == []
    assert next_at(crm) == TWO + DAY
    (job,) = crm.store.queue.find()
    assert (job.name, job.arguments, job.occurrence, job.key) == (NIGHTLY, {"depth": 1}, TWO, schedules.KEY)


def test_what_was_missed_is_one_job_for_the_latest(opening, clock):
    crm = opening()
    made(crm)
    clock.now = TWO + 5 * DAY + HOUR
    assert made(crm) == [(NIGHTLY, TWO + 5 * DAY)]
    assert next_at(crm) == TWO + 6 * DAY


def test_an_occurrence_whose_forerunner_still_waits_is_the_same_work(opening, clock):
    crm = opening()
    made(crm)
    for days in range(3):
        clock.now = TWO + days * DAY
        made(crm)
    assert [job.occurrence for job in crm.store.queue.find()] == [TWO]


def test_many_workers_make_each_occurrence_once(opening, clock):
    crm = opening()
    for day in range(4):
        clock.now = TWO + day * DAY
        with ThreadPoolExecutor(6) as threads:
            found = [each for part in threads.map(lambda _: made(crm), range(6)) for each in part]
        assert len(found) == (day > 0)
        taken = crm.store.queue.take("w", crm.build.jobs)
        assert (taken is not None) == (day > 0)
        if taken is not None:
            crm.store.queue.done(taken)


def test_a_worker_runs_what_is_scheduled(opening, clock):
    crm = opening(arguments={"depth": 7})
    told = []
    worker = Worker(crm, tell=told.append)
    worker.once()
    clock.now = TWO
    worker.once()
    kinds = [each.kind for each in told if each.kind not in ("started", "stopped")]
    assert kinds == ["scheduled", "begun", "done"]
    assert crm.build.plugin("crm_planned").namespace.ran == [{"depth": 7}]


def test_a_changed_rule_counts_from_now(opening, clock):
    crm = opening()
    made(crm)
    clock.now = TWO + HOUR
    other = opening(schedule="FREQ=DAILY;BYHOUR=5;BYMINUTE=0;BYSECOND=0")
    assert made(other) == []
    assert next_at(other) == TWO + 3 * HOUR


def test_a_schedule_that_is_switched_off_catches_up_with_nothing(opening, clock):
    crm = opening()
    made(crm)
    off = opening(enabled=False)
    assert made(off) == []
    assert next_at(off) is None
    clock.now = TWO + 9 * DAY + HOUR
    assert made(off) == []
    assert made(crm) == []
    assert next_at(crm) == TWO + 10 * DAY


def test_a_schedule_may_be_left_to_those_who_ask(opening):
    crm = opening(schedule="")
    assert made(crm) == []
    assert schedules.next_times(crm.store) == {}
    assert crm.build.jobs[NIGHTLY].schedule is None


def test_a_build_without_the_plugin_leaves_its_schedule_alone(opening, open_crm, clock):
    crm = opening()
    made(crm)
    clock.now = TWO + HOUR
    assert made(open_crm(clock=clock)) == []
    assert next_at(crm) == TWO
    assert made(crm) == [(NIGHTLY, TWO)]


def test_a_rule_that_ends_has_no_next_time(opening, clock):
    crm = opening(schedule="DTSTART:20260301T020000 FREQ=DAILY;COUNT=3")
    assert made(crm) == []
    clock.now = TWO + 3 * DAY
    assert made(crm) == [(NIGHTLY, TWO)]
    assert next_at(crm) is None
    clock.now = TWO + 30 * DAY
    assert made(crm) == []


def test_a_clock_that_is_put_back_a_little_repeats_nothing(opening, clock):
    crm = opening()
    made(crm)
    clock.now = TWO
    assert made(crm) == [(NIGHTLY, TWO)]
    clock.now = TWO - 40 * SECOND
    assert made(crm) == []
    clock.now = TWO
    assert made(crm) == []
    assert next_at(crm) == TWO + DAY


def test_a_clock_that_ran_ahead_for_a_year_does_not_silence_the_schedule_for_a_year(opening, clock):
    crm = opening()
    made(crm)
    clock.now = TWO + 365 * DAY
    assert len(made(crm)) == 1
    clock.now = NOON
    assert made(crm) == []
    assert next_at(crm) == TWO
    crm.store.queue.drop(crm.store.queue.find()[0].id, "made too early")
    clock.now = TWO
    assert made(crm) == [(NIGHTLY, TWO)]


def test_the_organisation_that_moves_is_planned_anew(open_crm, plugin, clock):
    manifest = plugin("crm_planned", SCHEDULED)
    made(open_crm(manifest, clock=clock, time_zone="Asia/Shanghai"))
    moved = open_crm(manifest, clock=clock, time_zone="Europe/Berlin")
    assert made(moved) == []
    assert next_at(moved) == dt.datetime(2026, 3, 3, 1, tzinfo=dt.UTC)


def test_looking_at_schedules_that_are_not_due_writes_nothing(opening):
    crm = opening()
    made(crm)
    statements = []
    event.listen(crm.store.engine, "before_cursor_execute", lambda *args: statements.append(args[2]))
    made(crm)
    assert [each for each in statements if not each.startswith("SELECT") and each != "BEGIN"] == []
    assert len(statements) <= 3


# -- clocks and the jobs that wait ---------------------------------------------------------------------------------


def waiting(crm):
    return {job.arguments.get("n"): job.run_at for job in crm.store.queue.find(states=["waiting"])}


def test_a_clock_that_is_set_back_keeps_no_job_waiting(opening, clock):
    crm = opening()
    ask = lambda n, **more: jobs.enqueue(crm, "crm_planned.sometimes", {"n": n}, **more)  # noqa: E731
    ask("failed")
    taken = crm.store.queue.take("w", crm.build.jobs)
    crm.store.queue.failed(taken, "no ink", 30 * SECOND)
    ask("at once")
    ask("tomorrow", at=NOON + DAY)
    clock.now = NOON - 10 * DAY
    assert crm.store.queue.take("w", crm.build.jobs) is None

    assert crm.store.queue.mend_clock() == 2
    assert waiting(crm) == {
        "failed": clock.now + 30 * SECOND, "at once": clock.now, "tomorrow": NOON + DAY,
    }  # fmt: skip
    assert crm.store.queue.mend_clock() == 0
    assert crm.store.queue.take("w", crm.build.jobs).arguments == {"n": "at once"}


def test_a_worker_mends_when_it_starts_and_when_it_sees_the_clock_go_back(opening, clock):
    crm = opening()
    jobs.enqueue(crm, "crm_planned.sometimes", {"n": 1})
    clock.now = NOON - DAY
    worker = Worker(crm)
    worker.once()
    assert waiting(crm) == {}
    clock.now = NOON
    worker.once()
    jobs.enqueue(crm, "crm_planned.sometimes", {"n": 2})
    clock.now = NOON - DAY
    worker.once()
    assert waiting(crm) == {}


def test_after_a_set_back_clock_a_silent_worker_has_one_lease_and_no_more(opening, clock):
    crm = opening()
    jobs.enqueue(crm, "crm_planned.sometimes")
    taken = crm.store.queue.take("silent", crm.build.jobs)
    clock.now = NOON - 10 * DAY
    assert crm.store.queue.recover(crm.build.jobs) == []
    assert crm.store.queue.find(ids=[taken.id])[0].lease_until == clock.now + 300 * SECOND
    clock.now += 301 * SECOND
    assert [job.state for job in crm.store.queue.recover(crm.build.jobs)] == ["waiting"]
