"""``torture faults`` finds nothing where nothing is wrong, and finds what is planted."""

from __future__ import annotations

import re

import pytest


def test_nothing_is_found_where_nothing_is_wrong(torture):
    ended = torture("faults", "--attempts", 5, "--work", "edit")
    assert ended.code == 0, ended.out
    assert "nothing found" in ended.out
    assert re.search(r"(SQLite|PostgreSQL) +│ killed \(kill -9\) +│ +5 │", ended.out), ended.out
    assert "clock set back" in ended.out and "plugin fails" in ended.out


def test_a_fault_that_cannot_strike_there_is_told(torture, request):
    fault = "full" if request.config.getoption("postgresql") else "cut"
    ended = torture("faults", "--attempts", 5, "--work", "edit", "--fault", fault)
    assert ended.code == 3, ended.out
    said = " ".join(ended.out.split())
    assert re.search(
        rf"(SQLite|PostgreSQL): {fault} \([a-z ]+\) cannot strike edit there, and was not tried\.", said
    ), said
    assert "nothing measured" in ended.out.splitlines()


# Between the rows and their journal there is a commit, and then so much that a kill falls there.
TORN = """
from sqlalchemy import text
from crm_core.store.writer import Writer

flush_journal = Writer.flush_journal

def torn(self):
    if self.session.in_nested_transaction():
        return flush_journal(self)
    connection = self.session.core_connection()
    driver = connection.connection.driver_connection
    if connection.dialect.name == "sqlite":
        driver.execute("COMMIT")
        driver.execute("BEGIN IMMEDIATE")
    else:
        driver.commit()
    for _ in range(100):
        connection.execute(text("SELECT 1"))
    flush_journal(self)

Writer.flush_journal = torn
"""

# A job is done first and marked as done afterwards, so that whoever is killed in between does it again.
TWICE = """
import time
from crm_core.jobs import running

def twice(crm, job, queued):
    with crm.system_session(job.name, reason=f"job {queued.id}", source="job") as session:
        running.run_uncommitted(job, session, queued.arguments)
    for _ in range(20):
        crm.store.queue.counts()
    return crm.store.queue.done(queued)

running._atomic = twice
"""

# A plugin counts as told before it is told.
PASSED_OVER = """
from crm_core.hooks.dispatcher import Dispatcher
from crm_core.store import feed

committed = Dispatcher.committed

def early(self, plugin, crm, change_sets):
    if plugin == "tortured":
        with crm.store.engine.begin() as connection:
            due = crm.store.feed_next(plugin, 100)
            positions = [position for position, each in due if each.id == change_sets[-1].id]
            feed.advance(connection, plugin, *positions)
        for _ in range(500):
            crm.store.queue.counts()
    return committed(self, plugin, crm, change_sets)

Dispatcher.committed = early
"""


@pytest.mark.parametrize(
    ("work", "planted", "found"),
    [
        ("edit", TORN, "the journal knows nothing of it"),
        ("worker", TWICE, "accounts 'Job' of"),
        ("worker", PASSED_OVER, "'none passed over': False"),
    ],
    ids=["torn", "twice", "passed over"],
)
def test_what_is_planted_is_found(torture, work, planted, found):
    ended = torture("faults", "--attempts", 5, "--work", work, "--fault", "kill", planted=planted)
    assert ended.code == 1, ended.out
    assert found in " ".join(ended.out.split()), ended.out


# Somebody presses Ctrl-C while the fourth trial goes on: each has two processes, after one that nobody disturbs.
INTERRUPTED = """
import os
import signal
from torture.faults import victim

signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever runs the tests may ignore it
count = 0
wait = victim._wait

def interrupted(child, *rest):
    global count
    count += 1
    if count == 8:
        os.kill(os.getpid(), signal.SIGINT)
    return wait(child, *rest)

victim._wait = interrupted
"""


def test_whoever_interrupts_it_is_told_of_the_trials_until_then(torture):
    ended = torture("faults", "--attempts", 50, "--work", "edit", "--fault", "kill", planted=INTERRUPTED)
    assert ended.code == 130, ended.out
    assert re.search(r"(SQLite|PostgreSQL) +│ edit +│ +3 │", ended.out), ended.out
    said = " ".join(ended.out.split())
    assert "Interrupted (after" in said and "--work edit --fault kill --seed 7" in said
