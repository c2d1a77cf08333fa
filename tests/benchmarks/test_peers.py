"""The comparison with other systems runs, believes no time of a wrong result, and goes on where somebody fails."""

from __future__ import annotations

import importlib.util
import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner

from benchmarks.peers import environments, sides
from benchmarks.peers.command import command
from benchmarks.peers.data import PAGE, USERS, Known, customers
from benchmarks.peers.jobs import JOBS, Measured
from benchmarks.peers.sides import Kind
from crm_core.assembly import Crm
from crm_core.fields import sort_key

TINY = ("--accounts", "60", "--rounds", "1", "--no-plugins", "--here")
BROKEN = '''
import sys
sys.path.insert(0, {scripts!r})
import raw
from serving import serve

class Broken(raw.Raw):
    {body}

serve(Broken)
'''  # fmt: skip


@pytest.fixture
def broken(monkeypatch, tmp_path):
    """A side that does something wrong, as one of the peers."""

    def plant(body: str) -> None:
        script = tmp_path / "broken.py"
        script.write_text(BROKEN.format(scripts=str(Path(sides.__file__).parent / "scripts"), body=body))
        # Beside the driver alone: ours takes seconds to begin, and has no part in this.
        monkeypatch.setattr("benchmarks.peers.command.BASE", sides.PEERS["raw"])
        monkeypatch.setattr("benchmarks.peers.command.PEERS", {"broken": Kind("broken", "broken", str(script))})

    return plant


def run(tmp_path: Path, database: str, *options: str):
    found = tmp_path / "found.json"
    ended = CliRunner().invoke(command, [*TINY, "--database", database, "--json", str(found), *options])
    return ended, json.loads(found.read_text()) if found.exists() else None


def test_everybody_does_every_job(tmp_path, database_url):
    database = database_url.split(":")[0].split("+")[0]
    chosen = [name for name in ("raw", "core", "django") if name != "django" or importlib.util.find_spec("django")]
    options = [part for name in chosen for part in ("--side", name)]
    page = tmp_path / "page.md"
    ended, found = run(tmp_path, database, *options, "--markdown", str(page))
    assert ended.exit_code == 0, ended.output
    assert found["findings"] == []
    assert {(each["job"], each["side"]) for each in found["figures"]} == {
        (job, name) for job in JOBS for name in ("ours", *chosen)
    }
    assert all(each["value"] > 0 and each["ratio"] > 0 for each in found["figures"])
    titles = {(each["job"], each["job_title"]) for each in found["figures"]}
    assert titles == set(JOBS.items())
    assert {("ours", "crm-core, everything on"), ("raw", "driver alone")} <= {
        (each["side"], each["side_title"]) for each in found["figures"]
    }
    said = " ".join(ended.output.split())
    assert "the ratio is the median of these" in said and "no result was wrong" in said and "nothing found" not in said
    assert "<!-- benchmarks peers: begin -->" in page.read_text()


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("def page(self, *given): return super().page(*given)[::-1]", "broken, first page of 50: '"),
        ("def single(self, rows): super().single(rows[1:])", "instead of 90 each"),
        ("def update(self, ids, names): super().update(ids[1:], names[1:])", "broken, first page of 50: '"),
        ("def search(self, word, user): return []", "0 names instead of"),
    ],
)
def test_a_wrong_result_is_a_finding_and_its_time_does_not_count(body, told, broken, tmp_path):
    broken(body)
    ended, found = run(tmp_path, "sqlite")
    assert ended.exit_code == 1
    assert any(told in each for each in found["findings"]), found["findings"]
    assert not [each for each in found["findings"] if "sqlite, broken" not in each]
    wrong = {each["job"] for each in found["figures"] if each["side"] == "raw"} - {
        each["job"] for each in found["figures"] if each["side"] == "broken"
    }
    assert wrong


@pytest.mark.parametrize(
    "body",
    ["def edit(self, ids, names): 1 / 0", "def edit(self, ids, names): import os; os._exit(3)"],
    ids=["raises", "dies"],
)
def test_whoever_fails_falls_out_and_the_others_go_on(body, broken, tmp_path):
    broken(body)
    ended, found = run(tmp_path, "sqlite")
    assert ended.exit_code == 0, ended.output
    assert any("broken fell out. rename, a transaction each: " in each for each in found["remarks"])
    assert {each["job"] for each in found["figures"] if each["side"] == "raw"} == set(JOBS)
    assert {each["job"] for each in found["figures"] if each["side"] == "broken"} == {"bulk", "single"}


def test_whoever_interrupts_it_is_told_what_was_measured_until_then(broken, tmp_path, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    broken("pass")
    monkeypatch.setattr("benchmarks.peers.jobs._read", interrupted)
    ended, found = run(tmp_path, "sqlite")
    assert ended.exit_code == 130, ended.output
    measured = {"bulk", "single", "update", "edit", "memory"}
    assert {each["job"] for each in found["figures"]} == measured
    rows = {row[""]: row["broken"] for row in found["tables"][0]["rows"]}
    assert {job for job, words in JOBS.items() if rows[words] == "not measured"} == set(JOBS) - measured
    assert "python -m benchmarks.peers --accounts 60" in found["remarks"][-1]


def test_what_cannot_be_installed_is_told(monkeypatch, tmp_path):
    nowhere = environments.Environment("nowhere", ("crm-core-no-such-thing",), "crm_core_no_such_thing")
    monkeypatch.setattr(environments.Environment, "constraints", tmp_path / "none.txt")
    (tmp_path / "none.txt").write_text("")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(environments.Unavailable, match=r"could not be installed: ERROR: .*crm-core-no-such-thing"):
        environments.prepared(nowhere, folder=tmp_path / "peers")
    monkeypatch.setitem(sides.ENVIRONMENTS, "nowhere", nowhere)
    monkeypatch.setattr("benchmarks.peers.command.BASE", sides.PEERS["raw"])
    monkeypatch.setattr(
        "benchmarks.peers.command.PEERS", {"nowhere": Kind("nowhere", "Nowhere 1", "raw.py", environment="nowhere")}
    )
    ended, found = run(tmp_path, "sqlite")
    assert ended.exit_code == 0, ended.output
    assert any("Nowhere 1 fell out. beginning: nowhere is not in this environment" in each for each in found["remarks"])


def test_a_plugin_is_measured_with_what_it_requires():
    plugins = sides.repository_plugins()
    assert len(plugins) >= 5
    for plugin in plugins:
        found = sides.with_required(plugin)
        assert found[-1] == plugin and set(found) <= set(plugins)
        Crm.open({"crm": {"database": "sqlite://", "plugins": found}}, check=False).close()
    assert sides.with_required("project_sales") == ["stakeholders", "project_sales"]


def test_memory_is_that_of_the_side_alone():
    """However much the process had that started it."""
    much = b"x" * (200 * 2**20)
    script = "import serving; print(serving._memory())"
    folder = Path(sides.__file__).parent / "scripts"
    ended = subprocess.run([sys.executable, "-c", script], cwd=folder, capture_output=True, text=True, check=True)
    assert 5 < float(ended.stdout) < len(much) / 2**20 / 2


def test_a_ratio_is_the_median_of_rounds_that_stand_side_by_side():
    """The machine was slow in the second round, for both."""
    found = Measured([], {"first": {"ours": [1.0, 30.0, 2.0], "other": [2.0, 15.0, 4.0]}})
    assert found.ratio("first", "other", "ours") == 2.0
    assert (found.value("first", "other"), found.value("first", "ours")) == (4.0, 2.0)
    found = Measured([], {"first": {"ours": [0.2, 0.42], "other": [0.21, 0.14]}})
    assert round(found.ratio("first", "other", "ours"), 2) == 0.69
    assert round(found.value("first", "other") / found.value("first", "ours"), 2) == 0.56


def test_a_round_that_was_wrong_is_beside_none():
    """The others stay beside the rounds that they were in."""
    found = Measured([], {"first": {"ours": [1.0, 30.0, 2.0], "other": [None, 60.0, 4.0], "wrong": [None, None, None]}})
    assert (found.ratio("first", "other", "ours"), found.value("first", "other")) == (2.0, 32.0)
    assert found.ratio("first", "wrong", "ours") is found.value("first", "wrong") is None


def test_names_are_unique_and_sort_alike_by_pinyin_and_by_code_point():
    names = [each["name"] for each in customers(5000)]
    assert len({name.split()[0] for name in names}) == 5000
    assert sorted(names) == sorted(names, key=sort_key)
    assert any(not name.isascii() for name in names)


def test_the_known_page_follows_from_what_was_done():
    known = Known()
    known.created(200)
    known.renamed(0, 1, "x")
    assert known.names[0].endswith(" x") and known.page() == sorted(known.names)[:PAGE]
    mine = known.page(user=3)
    assert mine == sorted(each["name"] for each in customers(200) if each["user"] == 3)
    assert len(mine) == 200 // USERS
    assert len(known.page(word="轴承")) == 20


def test_the_database_is_a_file_of_its_own_for_each_side(tmp_path):
    """Raw rows are really there: the file can be read by anybody."""
    from benchmarks.peers.data import write_customers
    from benchmarks.peers.sides import PEERS, Side

    data, place = tmp_path / "data", {"kind": "sqlite", "path": str(tmp_path / "raw.sqlite")}
    write_customers(data, 10)
    with closing(Side(PEERS["raw"], PEERS["raw"].python(True), place, data, tmp_path, fresh=True)) as side:
        side.ask("bulk", start=0, count=10)
    rows = sqlite3.connect(place["path"]).execute("SELECT name FROM account ORDER BY id").fetchall()
    assert [name for (name,) in rows] == [each["name"] for each in customers(10)]
