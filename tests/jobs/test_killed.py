"""Workers that are killed at any point: no job is lost, no atomic job has its effect twice, no change set is missed."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections import Counter
from pathlib import Path

import pytest
from sqlalchemy import select

from crm_core import Account, Crm, jobs
from crm_core.assembly import kernel
from crm_core.store.tables import CHANGE_SET

CRM = Path(sys.executable).with_name("crm")
MAKING, COUNTING, TELLING = 260, 80, 40
PATIENCE = 2  # seconds
KILLED_FROM_OUTSIDE, KILLED_AT_A_COMMIT, KILLED_WHILE_TOLD = 8, 10, 4

BUILD = """
[crm]
database = "{url}"
plugins = ["killing"]

[jobs."feed.deliver"]
lease = 1
"""

PLUGIN = """
    import os
    import signal
    import time
    from pathlib import Path

    from sqlalchemy import Engine, event

    from crm_core import Account, Job, hookimpl

    def die_at_a_commit(number, moment):
        "Kill this process right before or right after the database has its so many-th COMMIT."
        left = number

        @event.listens_for(Engine, "commit")
        def count(connection):
            nonlocal left
            left -= 1
            if left == 0 and moment == "before":
                os.kill(os.getpid(), signal.SIGKILL)

        @event.listens_for(Engine, "begin")
        def next_one(connection):
            if left <= 0:
                os.kill(os.getpid(), signal.SIGKILL)

    if "KILLING_AT" in os.environ:
        number, _, moment = os.environ["KILLING_AT"].partition(" ")
        die_at_a_commit(int(number), moment)

    def note(name, line):
        file = os.open(Path(__file__).parents[1] / name, os.O_CREAT | os.O_APPEND | os.O_WRONLY)
        os.write(file, f"{line}\\n".encode())
        os.close(file)

    def make(session, arguments):
        session.add(Account(name=f"job {arguments['number']}"))
        session.flush()
        time.sleep(arguments["number"] % 7 / 1000)
        session.add(Account(name=f"second {arguments['number']}"))

    def count(session, arguments):
        (counter,) = session.list(Account, 'name == "Counter"')
        time.sleep(0.002)
        counter.employees += 1

    def tell(crm, arguments):
        note("jobs.txt", arguments["number"])

    @hookimpl
    def crm_on_committed(crm, change_sets):
        for number, change_set in enumerate(change_sets):
            if str(number) == os.environ.get("KILLING_WHILE_TOLD"):
                os.kill(os.getpid(), signal.SIGKILL)
            note("feed.txt", change_set.id)

    @hookimpl
    def crm_register_jobs():
        return [
            Job(name="killing.make", run=make, attempts=99, lease=1),
            Job(name="killing.count", run=count, attempts=99, lease=1),
            Job(name="killing.tell", run=tell, attempts=99, lease=1, atomic=False),
        ]
"""


@pytest.fixture
def folder(tmp_path, database_url, monkeypatch):
    """A build with a plugin that looks installed, in this process and in those it starts."""
    site = tmp_path / "site"
    (site / "crm_killing").mkdir(parents=True)
    (site / "crm_killing" / "__init__.py").touch()
    (site / "crm_killing" / "plugin.py").write_text(textwrap.dedent(PLUGIN), encoding="utf-8")
    (site / "crm_killing" / "manifest.py").write_text(
        "from crm_core import Manifest\n"
        'manifest = Manifest(name="killing", version="1.0", crm_core=">=0.1.0.dev0,<1", module="crm_killing.plugin")\n'
    )
    info = site / "crm_killing-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: crm-killing\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[crm_core.plugins]\nkilling = crm_killing.manifest:manifest\n")
    # What the kernel does by the clock is not what this test counts.
    silent = [f'[jobs."{job.name}"]\nschedule = ""\n' for job in kernel.crm_register_jobs() if job.schedule]
    (tmp_path / "crm.toml").write_text(BUILD.format(url=database_url) + "\n".join(silent), encoding="utf-8")
    monkeypatch.syspath_prepend(site)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(site), os.environ.get("PYTHONPATH", "")]))
    yield tmp_path
    for name in [each for each in sys.modules if each.startswith("crm_killing")]:
        del sys.modules[name]


def worker(folder, *options, **environ):
    return subprocess.Popen(
        [CRM, "worker", "--json", "--poll", "0.05", *options], cwd=folder, env={**os.environ, **environ},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def lines(path):
    return [int(line) for line in path.read_text().splitlines()] if path.exists() else []


def killed_from_outside(folder, chance):
    """One worker, killed after a random number of events."""
    process = worker(folder)
    told = []
    left = chance.randrange(1, 20)
    for line in process.stdout:
        told.append(json.loads(line)["event"])
        left -= told[-1] != "started"
        if left <= 0:
            break
    time.sleep(chance.random() * 0.02)
    process.send_signal(signal.SIGKILL)
    return ended(process, told)


def killed_at_a_commit(folder, chance):
    """One worker, killed next to a random commit: where it hurts most."""
    return ended(worker(folder, KILLING_AT=f"{chance.randrange(4, 44)} {chance.choice(['before', 'after'])}"))


def killed_while_told(folder, chance):
    """One worker, killed in the middle of telling the plugin of a batch."""
    return ended(worker(folder, KILLING_WHILE_TOLD=str(chance.randrange(0, 3))))


def ended(process, told=None):
    """What a worker told until it was killed."""
    # Where the work is done before the moment comes, none of them waits for it for ever.
    watch = threading.Timer(PATIENCE, process.kill)
    watch.start()
    try:
        if told is None:
            told = [json.loads(line)["event"] for line in process.stdout if line.endswith("}\n")]
        process.wait(60)
    finally:
        watch.cancel()
    errors = process.stderr.read()
    process.stdout.close()
    process.stderr.close()
    assert process.returncode == -signal.SIGKILL, errors
    return Counter(told)


@pytest.mark.timeout(600)
def test_killed_workers_lose_nothing_and_repeat_nothing_that_is_atomic(folder):
    chance = random.Random(4711)
    with Crm.open(folder / "crm.toml", check=False) as crm:
        crm.migrate()
        with crm.system_session("test") as session:
            session.add(Account(name="Counter", employees=0))
        asked = (
            [("killing.make", number) for number in range(MAKING)]
            + [("killing.count", number) for number in range(COUNTING)]
            + [("killing.tell", number) for number in range(TELLING)]
        )
        chance.shuffle(asked)
        for start in range(0, len(asked), 20):
            with crm.system_session("test") as session:
                for name, number in asked[start : start + 20]:
                    jobs.enqueue(session, name, {"number": number})

        happened = Counter()
        ways = [killed_from_outside] * KILLED_FROM_OUTSIDE + [killed_at_a_commit] * KILLED_AT_A_COMMIT
        ways += [killed_while_told] * KILLED_WHILE_TOLD
        chance.shuffle(ways)
        for number, way in enumerate(ways):
            # So that there is always something to tell, and none of them is left without work.
            for part in "abc":
                with crm.system_session("test") as session:
                    session.add(Account(name=f"told {number} {part}"))
            happened += way(folder, chance)
        for _ in range(20):
            last = worker(folder, "--until-empty")
            output, errors = last.communicate(timeout=120)
            assert last.returncode == 0, errors
            happened += Counter(json.loads(line)["event"] for line in output.splitlines())
            if {state for (_, state) in crm.store.queue.counts()} == {"done"}:
                break
            time.sleep(0.5)  # what the last of the killed held is free after its lease

        assert happened["silent"] > 0, "no worker was killed while it ran a job"
        assert crm.store.queue.counts() == {
            ("killing.count", "done"): COUNTING, ("killing.make", "done"): MAKING, ("killing.tell", "done"): TELLING,
        }  # fmt: skip
        with crm.system_session("test", read_only=True) as session:
            made = Counter(session.scalars(select(Account.name).where(Account.name.not_like("told %"))))
            (counter,) = session.list(Account, 'name == "Counter"')
        expected = {f"{word} {number}": 1 for word in ("job", "second") for number in range(MAKING)}
        assert made == expected | {"Counter": 1}
        assert counter.employees == COUNTING
        assert set(lines(folder / "site" / "jobs.txt")) == set(range(TELLING))

        assert all(not delivery.failure and not delivery.held for delivery in crm.deliver())
        with crm.store.reading() as connection:
            committed = list(
                connection.execute(select(CHANGE_SET.c.id).order_by(CHANGE_SET.c.place, CHANGE_SET.c.id)).scalars()
            )
    told = lines(folder / "site" / "feed.txt")
    assert list(dict.fromkeys(told)) == committed
