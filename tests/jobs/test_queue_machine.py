"""The database queue against a model of it: whatever is asked in whatever order, both know the same jobs."""

from __future__ import annotations

import datetime as dt

import attrs
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import delete

from crm_core.records import Types
from crm_core.store.database_queue import DatabaseQueue
from crm_core.store.queue import LeaseLost
from crm_core.store.store import Store
from crm_core.store.tables import JOB

START = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
SECOND = dt.timedelta(seconds=1)
LEASE, ATTEMPTS = 20, 2


@attrs.frozen
class Terms:
    attempts: int = ATTEMPTS
    lease: int = LEASE


TERMS = {"a": Terms(), "b": Terms()}


@attrs.define
class Clock:
    """Stands still until somebody moves it."""

    now: dt.datetime = START

    def __call__(self) -> dt.datetime:
        return self.now


@attrs.define
class Modelled:
    """What one job should be."""

    id: int
    name: str
    key: str | None
    run_at: dt.datetime
    state: str = "waiting"
    attempts: int = 0
    worker: str | None = None
    lease_until: dt.datetime | None = None


class Machine(RuleBasedStateMachine):
    """Put, take, end, die, take over, repeat, drop, while the clock goes on."""

    store: Store
    queue: DatabaseQueue
    clock: Clock

    held = Bundle("held")

    @initialize()
    def start(self) -> None:
        self.clock.now = START
        self.jobs: dict[int, Modelled] = {}
        self.workers = 0
        with self.store.engine.begin() as connection:
            connection.execute(delete(JOB))

    @property
    def now(self) -> dt.datetime:
        return self.clock.now

    # -- what the model knows ------------------------------------------------------------------------------------

    def waiting(self, name: str, key: str | None) -> Modelled | None:
        found = [job for job in self.jobs.values() if (job.state, job.name, job.key) == ("waiting", name, key)]
        assert len(found) < 2 or key is None
        return found[0] if found and key is not None else None

    def wait_again(self, job: Modelled, at: dt.datetime, attempts: int) -> None:
        twin = self.waiting(job.name, job.key)
        job.worker = job.lease_until = None
        if twin is None:
            job.state, job.run_at, job.attempts = "waiting", at, attempts
        else:
            twin.attempts, twin.run_at = max(twin.attempts, attempts), max(twin.run_at, at)
            job.state = "dropped"

    # -- what is done --------------------------------------------------------------------------------------------

    @rule(
        name=st.sampled_from("ab"),
        key=st.sampled_from([None, "x", "x", "y"]),
        later=st.sampled_from([0, 0, 0, -5, 30]),
        rolled_back=st.sampled_from([False, False, False, True]),
    )
    def put(self, name: str, key: str | None, later: int, rolled_back: bool) -> None:
        at = self.now + later * SECOND
        with self.store.session(principal="test") as session:
            id_ = self.queue.put(session, name, {"later": later}, at=at, key=key)
            if rolled_back:
                session.rollback()
        if rolled_back:
            return
        twin = self.waiting(name, key)
        if twin is None:
            self.jobs[id_] = Modelled(id_, name, key, at)
        else:
            assert twin.id == id_
            if twin.attempts == 0:
                twin.run_at = min(twin.run_at, at)

    def some(self, *states: str) -> bool:
        return any(job.state in states for job in self.jobs.values())

    @precondition(lambda self: self.some("waiting"))
    @rule(target=held, names=st.sampled_from(["ab", "a", "b"]))
    def take(self, names: str) -> object:
        self.workers += 1
        worker = f"w{self.workers}"
        taken = self.queue.take(worker, {name: TERMS[name] for name in names})
        running = {(job.name, job.key) for job in self.jobs.values() if job.state == "running" and job.key}
        due = [
            job
            for job in self.jobs.values()
            if job.state == "waiting" and job.name in names and job.run_at <= self.now
            and (job.name, job.key) not in running
        ]  # fmt: skip
        if taken is None:
            assert due == []
            return multiple()
        job = min(due, key=lambda each: (each.run_at, each.id))
        assert taken.id == job.id
        job.state, job.worker, job.attempts = "running", worker, job.attempts + 1
        job.lease_until = self.now + LEASE * SECOND
        return taken

    def mine(self, taken) -> Modelled | None:
        job = self.jobs[taken.id]
        return job if (job.state, job.worker, job.attempts) == ("running", taken.worker, taken.attempts) else None

    @rule(taken=consumes(held))
    def done(self, taken) -> None:
        job = self.mine(taken)
        assert self.queue.done(taken) == (job is not None)
        if job is not None:
            job.state, job.lease_until = "done", None

    @rule(taken=held)
    def done_with_a_session(self, taken) -> None:
        job = self.mine(taken)
        try:
            with self.store.session(principal="test") as session:
                self.queue.begin(taken, session)
        except LeaseLost:
            assert job is None
        else:
            assert job is not None
            job.state, job.lease_until = "done", None

    @rule(taken=held, pause=st.sampled_from([None, 0, 30]))
    def failed(self, taken, pause: int | None) -> None:
        job = self.mine(taken)
        again = None if pause is None else pause * SECOND
        assert self.queue.failed(taken, "no ink", again) == (job is not None)
        if job is not None and again is None:
            job.state, job.lease_until = "dead", None
        elif job is not None:
            self.wait_again(job, self.now + again, job.attempts)

    @rule(taken=held)
    def renew(self, taken) -> None:
        job = self.mine(taken)
        assert self.queue.renew(taken, TERMS[taken.name]) == (job is not None)
        if job is not None:
            job.lease_until = self.now + LEASE * SECOND

    @precondition(lambda self: self.some("waiting", "running"))
    @rule(seconds=st.integers(1, 90))
    def time_goes_on(self, seconds: int) -> None:
        self.clock.now += seconds * SECOND

    @precondition(lambda self: self.some("running"))
    @rule()
    def recover(self) -> None:
        silent = [job for job in self.jobs.values() if job.state == "running" and job.lease_until <= self.now]
        found = self.queue.recover(TERMS)
        assert {job.id for job in found} == {job.id for job in silent}
        # Which of two with one key comes first is the queue's to choose, but the one that waits stands for both.
        for taken_back in sorted(silent, key=lambda job: [each.id for each in found].index(job.id)):
            if taken_back.attempts >= ATTEMPTS:
                taken_back.state, taken_back.lease_until = "dead", None
            else:
                self.wait_again(taken_back, self.now, taken_back.attempts)

    @precondition(lambda self: self.some("dead"))
    @rule(data=st.data())
    def retry(self, data) -> None:
        ids = None
        if self.jobs and data.draw(st.booleans()):
            ids = data.draw(st.sets(st.sampled_from(sorted(self.jobs)), max_size=3))
        expected = [
            job
            for id_, job in sorted(self.jobs.items())
            if (ids is None and job.state == "dead")
            or (ids is not None and id_ in ids and job.state in ("dead", "waiting"))
        ]
        found = self.queue.retry(ids)
        assert {job.id for job in found} == {job.id for job in expected}
        for job in expected:
            if job.state == "dead":
                self.wait_again(job, self.now, 0)
            elif job.state == "waiting":
                job.run_at = self.now

    @precondition(lambda self: self.some("dead", "running"))
    @rule(data=st.data())
    def drop(self, data) -> None:
        id_ = data.draw(st.sampled_from(sorted(self.jobs)) if self.jobs else st.just(1))
        job = self.jobs.get(id_)
        may = job is not None and job.state in ("dead", "waiting")
        assert self.queue.drop(id_, "test: why not") == may
        if may:
            job.state = "dropped"

    @precondition(lambda self: self.some("done"))
    @rule(days=st.sampled_from([-1, 1]))
    def tidy(self, days: int) -> None:
        gone = [job for job in self.jobs.values() if job.state in ("done", "dropped")] if days > 0 else []
        with self.store.session(principal="test") as session:
            assert self.queue.tidy(session, self.now + dt.timedelta(days=days)) == len(gone)
        for job in gone:
            # What somebody still believes to hold is not theirs any more.
            job.state = "gone"

    # -- what always holds ---------------------------------------------------------------------------------------

    @invariant()
    def both_know_the_same(self) -> None:
        rows = self.queue.find(limit=10**6)
        found = {row.id: (row.name, row.key, row.state, row.attempts, row.lease_until) for row in rows}
        assert found == {
            id_: (job.name, job.key, job.state, job.attempts, job.lease_until)
            for id_, job in self.jobs.items()
            if job.state != "gone"
        }
        due = {row.id: row.run_at for row in rows if row.state == "waiting"}
        assert due == {id_: job.run_at for id_, job in self.jobs.items() if job.state == "waiting"}
        for names in ("a", "ab"):
            assert self.queue.next_at(names) == min(
                (job.run_at for job in self.jobs.values() if job.state == "waiting" and job.name in names), default=None
            )
        for state in ("waiting", "running"):
            keys = [(row.name, row.key) for row in rows if row.state == state and row.key]
            assert len(keys) == len(set(keys)), f"two with one key are {state}"


@pytest.mark.timeout(600)
def test_the_queue_does_what_its_model_does(database_url):
    clock = Clock()
    store = Store(database_url, Types(), clock=clock)
    store.create_all()
    machine = type("TestedMachine", (Machine,), {"store": store, "queue": store.queue, "clock": clock})
    try:
        run_state_machine_as_test(machine, settings=settings(stateful_step_count=60))
    finally:
        store.close()
