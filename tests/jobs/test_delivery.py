"""The feed under a plugin that fails: pauses, what is put aside, and that the others go on."""

from __future__ import annotations

import datetime as dt

import pytest
from structlog.testing import capture_logs

from crm_core import Account, NotFound, jobs
from crm_core.assembly.delivery import AGAIN, deliver, deliver_again
from crm_core.jobs import Worker
from crm_core.store import consumers

LISTENING = """
    told = []
    calls = []
    poison = set()
    outage = []

    @hookimpl
    def crm_on_committed(crm, change_sets):
        names = [change.after["name"] for each in change_sets for change in each.changes]
        calls.append(names)
        if outage or poison & set(names):
            raise OSError("mail server")
        told.extend(names)
"""
START = dt.datetime(2026, 3, 2, tzinfo=dt.UTC)
MINUTE, HOUR = dt.timedelta(minutes=1), dt.timedelta(hours=1)


class Clock:
    now = START

    def __call__(self) -> dt.datetime:
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def crm(open_crm, plugin, clock):
    return open_crm(plugin("crm_heard", LISTENING), clock=clock, sections={"jobs": {AGAIN: {"attempts": 3}}})


@pytest.fixture
def heard(crm):
    return crm.build.plugin("crm_heard").namespace


def add(crm, *names):
    for name in names:
        with crm.system_session("test") as session:
            session.add(Account(name=name))


def consumer(crm, name="crm_heard"):
    with crm.store.reading() as connection:
        (found,) = (each for each in consumers.consumers(connection) if each.name == name)
    return found


def tell(crm, **options):
    with capture_logs():
        (found,) = deliver(crm, **options)
    return found


def test_after_a_failure_change_sets_come_one_by_one_up_to_the_one_at_fault(crm, heard):
    heard.poison.add("C")
    add(crm, "A", "B", "C", "D")

    found = tell(crm)

    assert heard.calls == [["A", "B", "C", "D"], ["A"], ["B"], ["C"]]
    assert heard.told == ["A", "B"]
    assert found.change_sets == 2
    assert "mail server" in str(found.failure)
    assert consumer(crm).failures == 1
    assert consumer(crm).holder is None


def test_a_worker_waits_longer_after_each_failure_and_a_caller_does_not(crm, heard, clock):
    heard.poison.add("A")
    add(crm, "A", "B")

    assert tell(crm, at_once=False).failure is not None
    first = consumer(crm).retry_at - clock.now
    assert tell(crm, at_once=False).held
    assert tell(crm, at_once=True).failure is not None
    second = consumer(crm).retry_at - clock.now
    assert dt.timedelta(seconds=5) <= first <= dt.timedelta(seconds=10) <= second <= dt.timedelta(seconds=20)
    clock.now += MINUTE
    heard.poison.clear()
    assert tell(crm, at_once=False).change_sets == 2
    assert heard.told == ["A", "B"]
    assert (consumer(crm).failures, consumer(crm).retry_at, consumer(crm).last_error) == (0, None, None)


def test_a_change_set_that_a_plugin_cannot_take_is_put_aside_and_can_be_repeated(crm, heard):
    heard.poison.add("B")
    add(crm, "A", "B", "C")
    outcomes = [tell(crm) for _ in range(3)]

    assert [each.change_sets for each in outcomes] == [1, 0, 1]
    assert heard.told == ["A", "C"]
    (dead,) = crm.store.queue.find()
    assert outcomes[2].put_aside == (dead.id,)
    assert outcomes[2].failure is None
    # Only the id of the change set: what is erased must not live on in the queue.
    assert dead.arguments.keys() == {"plugin", "change_set"}
    assert (dead.name, dead.state, dead.arguments["plugin"]) == (AGAIN, "dead", "crm_heard")
    assert "mail server" in dead.last_error

    heard.poison.clear()
    jobs.retry(crm, [dead.id])
    Worker(crm).once()
    assert heard.told == ["A", "C", "B"]
    assert [job.state for job in crm.store.queue.find()] == ["done"]


def test_a_change_set_that_is_still_too_much_is_dead_again(crm, heard, clock):
    heard.poison.add("A")
    add(crm, "A")
    for _ in range(3):
        tell(crm)
    jobs.retry(crm)
    with capture_logs():
        for _ in range(4):
            Worker(crm).once()
            clock.now += HOUR
    (job,) = crm.store.queue.find()
    assert (job.state, job.attempts) == ("dead", 3)


def test_in_an_outage_few_are_put_aside(crm, heard, clock):
    """Every change set fails: after the first was put aside the pauses are long, so that it is few that go astray."""
    heard.outage.append(True)
    add(crm, *(f"n{number}" for number in range(50)))
    end = clock.now + 6 * HOUR
    put_aside = 0
    while clock.now < end:
        put_aside += len(tell(crm, at_once=False).put_aside)
        clock.now += MINUTE
    # An hour at most, half of it at least: two pauses for each after the third.
    assert 1 <= put_aside <= 8

    heard.outage.clear()
    clock.now += HOUR
    tell(crm, at_once=False)
    assert heard.told == [f"n{number}" for number in range(put_aside, 50)]
    jobs.retry(crm)
    Worker(crm).until_empty()
    assert sorted(heard.told) == sorted(f"n{number}" for number in range(50))


def test_the_feed_of_another_plugin_does_not_wait(open_crm, plugin, clock):
    crm = open_crm(plugin("crm_heard", LISTENING), plugin("crm_heard_too", LISTENING), clock=clock)
    crm.build.plugin("crm_heard").namespace.outage.append(True)
    add(crm, "A")
    with capture_logs():
        first, second = crm.deliver()
    assert first.failure is not None
    assert (second.change_sets, crm.build.plugin("crm_heard_too").namespace.told) == (1, ["A"])


def test_a_lease_on_the_feed_that_the_clock_made_long_is_cut(crm, heard, clock):
    add(crm, "A")
    with crm.store.engine.begin() as connection:
        assert consumers.hold(connection, "crm_heard", "gone", 120, at_once=True)
    clock.now -= 24 * HOUR
    assert tell(crm).held
    clock.now += 3 * MINUTE
    assert tell(crm).change_sets == 1


def test_a_pause_that_the_clock_made_long_is_none(crm, heard, clock):
    heard.poison.add("A")
    add(crm, "A")
    tell(crm)
    heard.poison.clear()
    clock.now -= 24 * HOUR
    assert tell(crm, at_once=False).change_sets == 1


def test_what_was_put_aside_for_a_plugin_that_is_gone_says_so(crm):
    with pytest.raises(NotFound, match="crm_gone is not there"):
        deliver_again(crm, {"plugin": "crm_gone", "change_set": 1})
    deliver_again(crm, {"plugin": "crm_heard", "change_set": 10**9})  # there is nothing to tell


def test_a_worker_tells_of_the_feed(crm, heard):
    heard.poison.add("B")
    add(crm, "A", "B")
    told = []
    with capture_logs():
        for _ in range(3):
            Worker(crm, tell=told.append).once()
            jobs.retry(crm)
            with crm.store.engine.begin() as connection:
                connection.execute(consumers.FEED_POSITION.update().values(retry_at=None))
    kinds = [(each.kind, each.values.get("change_sets")) for each in told if each.kind not in ("started", "stopped")]
    assert kinds == [("delivered", 1), ("delivery_failed", None), ("delivery_failed", None), ("put_aside", None)]


def test_a_run_that_has_nothing_to_tell_takes_no_lease(crm, heard):
    assert tell(crm).change_sets == 0
    with crm.store.reading() as connection:
        assert consumers.consumers(connection) == []
