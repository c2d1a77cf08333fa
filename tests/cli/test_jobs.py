"""``crm worker`` and ``crm jobs``."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from crm_core.assembly import kernel

CRM = Path(sys.executable).with_name("crm")
PLUGIN = """
    import time
    from crm_core import Account, Job, hookimpl

    def make(session, arguments):
        session.add(Account(name=arguments["name"]))

    def wrong(crm, arguments):
        raise OSError("no net")

    def slow(crm, arguments):
        time.sleep(arguments["seconds"])

    @hookimpl
    def crm_register_jobs():
        return [
            Job(name="busy.make", run=make, label="Make an account", arguments={"name": "Made"},
                schedule="FREQ=YEARLY;BYMONTH=1;BYMONTHDAY=1;BYHOUR=0;BYMINUTE=0;BYSECOND=0"),
            Job(name="busy.wrong", run=wrong, atomic=False, attempts=1),
            Job(name="busy.slow", run=slow, atomic=False),
        ]

    @hookimpl
    def crm_on_committed(crm, change_sets):
        pass
"""


@pytest.fixture
def busy(company, install_plugin, crm):
    install_plugin("busy", plugin=PLUGIN)
    file = company / "crm.toml"
    text = file.read_text(encoding="utf-8").replace("[crm]", '[crm]\nplugins = ["busy"]', 1)
    # What the kernel does by the clock is not what these tests count.
    silent = [f'[jobs."{job.name}"]\nschedule = ""\n' for job in kernel.crm_register_jobs() if job.schedule]
    file.write_text("\n".join([text, *silent]), "utf-8")
    crm("migrate")
    return company


def events(ended):
    return [json.loads(line) for line in ended.out.splitlines()]


def test_a_worker_does_what_is_due_and_tells_it(busy, crm):
    crm("shell", "-c", "from crm_core import jobs; jobs.enqueue(session, 'busy.make'); session.commit()")
    told = events(crm("worker", "--once", "--json"))
    assert [each["event"] for each in told] == ["started", "begun", "done", "stopped"]
    assert told[2]["job"] == "busy.make"
    assert (told[3]["done"], told[3]["failed"], told[3]["dead"]) == (1, 0, 0)
    assert crm("list", "account", "--where", 'name == "Made"', "--count").out.strip() == "1"
    ended = crm("worker", "--until-empty")
    assert "Told busy of 1 change sets." in ended.out
    assert "Jobs done: 0" in ended.out


def test_each_event_has_a_sentence(busy, crm):
    from typing import get_args

    from crm_core.cli.commands.worker_ import _LABELS
    from crm_core.jobs.events import Kind

    assert set(get_args(Kind)) == set(_LABELS)


def test_a_dead_job_is_told_listed_repeated_and_dropped(busy, crm):
    crm("shell", "-c", "from crm_core import jobs; jobs.enqueue(session, 'busy.wrong'); session.commit()")
    ended = crm("worker", "--once")
    assert "failed for the last time" in ended.out
    (job,) = crm("jobs", "--state", "dead", "--json").json["jobs"]
    assert (job["job"], job["state"], job["attempts"], job["error"]) == ("busy.wrong", "dead", 1, "OSError: no net")
    assert "OSError: no net" in crm("jobs").out
    assert crm("jobs", "retry", job["id"], "--json").json["jobs"][0]["state"] == "waiting"
    assert crm("jobs", "--json").json["counts"] == [{"job": "busy.wrong", "state": "waiting", "count": 1}]
    crm("worker", "--once")
    assert "1." in crm("jobs", "retry", "--all").out
    assert "will not be run" in crm("jobs", "drop", job["id"], "--reason", "no net there").out
    (job,) = crm("jobs", "--state", "dropped", "--json").json["jobs"]
    assert job["note"] == "cli: no net there"
    assert "no dead or waiting job" in crm("jobs", "retry", job["id"], code=6).err


def test_jobs_run_by_hand(busy, crm):
    tried = crm("jobs", "run", "busy.make", "--dry-run", "--json").json
    assert tried["changes"] == [{"record": "account", "operation": "create", "count": 1}]
    assert "Nothing was changed" in crm("jobs", "run", "busy.make", "--dry-run").out
    assert "is done" in crm("jobs", "run", "busy.make", "--arguments", '{"name": "By hand"}').out
    assert crm("jobs", "run", "busy.make", "--json").json["state"] == "done"
    names = [each["name"] for each in crm("list", "account", "--json").json["records"]]
    assert {"By hand", "Made"} <= set(names)
    ended = crm("jobs", "run", "busy.wrong", code=None)
    assert ended.code != 0
    assert "OSError: no net" in ended.err
    assert "crm jobs retry" in ended.err


def test_schedules_and_plugins_are_shown(busy, crm):
    crm("worker", "--once")
    shown = crm("jobs", "--json").json
    planned = {each["job"]: each for each in shown["schedules"]}
    assert planned["busy.make"]["next_at"].endswith("-12-31T16:00:00.000000+00:00")
    assert [each["plugin"] for each in shown["consumers"]] == ["busy"]
    shown = crm("--lang", "zh_CN", "jobs").out
    assert "busy.make" in shown
    assert "01-01" in shown


def test_what_is_written_wrongly(busy, crm):
    assert "Give either" in crm("worker", "--once", "--until-empty", code=2).err
    assert "Give either" in crm("jobs", "retry", code=2).err
    assert "Give either" in crm("jobs", "retry", "3", "--all", code=2).err
    for text in ("0", "often", "nan", "9999"):
        assert "is no number of seconds" in crm("worker", "--poll", text, code=2).err
    for text in ("[]", "{", "3"):
        assert "is no JSON object" in crm("jobs", "run", "busy.make", "--arguments", text, code=2).err
    assert "Did you mean busy.make" in crm("jobs", "run", "busy.mak", code=None).err
    assert "--reason" in crm("jobs", "drop", "3", code=2).err


@pytest.mark.parametrize(
    "args",
    [("worker", "--once"), ("jobs",), ("jobs", "retry", "--all"), ("jobs", "run", "busy.make"),
     ("jobs", "run", "busy.make", "--dry-run"), ("jobs", "drop", "1", "--reason", "x")],
)  # fmt: skip
def test_a_user_needs_the_permission(busy, crm, args):
    assert "may not look after jobs" in crm("--user", "wang.fang", *args, code=None).err
    ended = crm("--user", "li.wei", *args, code=None)
    assert "may not" not in ended.err


def test_jobs_of_a_plugin_that_is_gone_are_told(busy, crm):
    crm("shell", "-c", "from crm_core import jobs; jobs.enqueue(session, 'busy.make'); session.commit()")
    file = busy / "crm.toml"
    file.write_text(file.read_text(encoding="utf-8").replace('plugins = ["busy"]', "plugins = []"), "utf-8")
    assert "Nobody does these jobs" in crm("jobs").err
    assert "Nobody here does the job busy.make" in crm("worker", "--once").out


def start(company, *args):
    env = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(company.parent / "site"), os.environ.get("PYTHONPATH", "")]),
    }
    return subprocess.Popen(
        [CRM, "worker", "--json", "--poll", "0.1", *args], cwd=company, env=env, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def until(process, kind):
    for line in process.stdout:
        if json.loads(line)["event"] == kind:
            return
    raise AssertionError(process.stderr.read())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_worker_after_its_job(busy, crm, number):
    ask = "from crm_core import jobs; jobs.enqueue(session, 'busy.slow', {'seconds': 1}); session.commit()"
    crm("shell", "-c", ask)
    process = start(busy)
    until(process, "begun")
    process.send_signal(number)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert [json.loads(line)["event"] for line in output.splitlines()] == ["done", "stopped"]


def test_a_second_signal_ends_it_at_once_and_hands_the_job_back(busy, crm):
    ask = "from crm_core import jobs; jobs.enqueue(session, 'busy.slow', {'seconds': 60}); session.commit()"
    crm("shell", "-c", ask)
    process = start(busy)
    until(process, "begun")
    process.send_signal(signal.SIGTERM)
    time.sleep(0.3)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    assert process.returncode == 130
    (job,) = crm("jobs", "--state", "waiting", "--json").json["jobs"]
    assert (job["attempts"], job["error"]) == (1, "It was interrupted.")


def test_an_idle_worker_ends_at_once(busy):
    process = start(busy)
    until(process, "started")
    time.sleep(0.5)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    assert process.returncode == 0
