"""Changes of the kernel that no test notices are found, told apart from the known ones, and end the program with 1."""

from __future__ import annotations

import json
import os
from importlib.util import find_spec
from pathlib import Path

import pytest
from click.testing import CliRunner

from crm_core.testing.absence import missing
from torture import __main__
from torture.mutation import areas, changes, command, ground
from torture.mutation.areas import AREAS, Area, chosen
from torture.mutation.changes import Known, Survivor, known, outcome, survivor_of
from torture.mutation.ground import Ground

ROOT = Path(__file__).parents[2]

CHANGED = '''\
class Price:
    def xǁPriceǁat_least__mutmut_orig(self, other):
        """Whether it is not less."""
        return self.amount >= other
    def xǁPriceǁat_least__mutmut_1(self, other):
        """Whether it is not less."""
        return self.amount > other


def x_longer__mutmut_orig(text, by=1):
    return text * by
def x_longer__mutmut_1(text, by=2):
    return text * by
'''


@pytest.fixture
def changed(tmp_path):
    """A module as mutmut leaves it, with three changes of two functions."""
    (tmp_path / "crm_core").mkdir()
    (tmp_path / "crm_core" / "prices.py").write_text(CHANGED, encoding="utf-8")
    return tmp_path


def test_a_change_is_told_by_its_lines(changed):
    found = survivor_of(changed, "crm_core/prices.py", "crm_core.prices.xǁPriceǁat_least__mutmut_1")
    assert (found.module, found.function) == ("crm_core.prices", "Price.at_least")
    assert (found.before, found.after) == ("return self.amount >= other", "return self.amount > other")


def test_so_is_a_change_of_a_default(changed):
    found = survivor_of(changed, "crm_core/prices.py", "crm_core.prices.x_longer__mutmut_1")
    assert (found.function, found.before, found.after) == ("longer", "text, by=1):", "text, by=2):")


def test_two_runs_do_not_share_a_folder(tmp_path):
    with ground.alone(tmp_path):
        ended = CliRunner().invoke(command.command, ["--only", "ownership", "--work", str(tmp_path)])
    assert ended.exit_code == 2
    assert "Another run is at work" in ended.output


@pytest.mark.parametrize(
    ("code", "expected"),
    [(0, "survived"), (1, "killed"), (3, "killed"), (33, "not reached"), (-24, "timed out"), (None, "not tried"),
     (-9, "failed")],
)  # fmt: skip
def test_what_an_exit_code_says(code, expected):
    assert outcome(code) == expected


@pytest.mark.parametrize(
    ("entry", "covered"),
    [
        (Known("m", "f", "why", "a", "b"), True), (Known("m", "f", "why", "a"), True), (Known("m", "f", "why"), True),
        (Known("m", "f", "why", "a", "c"), False), (Known("m", "f", "why", "b"), False),
        (Known("m", "g", "why"), False), (Known("n", "f", "why"), False),
    ],
)  # fmt: skip
def test_which_changes_are_known(entry, covered):
    assert entry.covers(Survivor("m", "f", "a", "b", "x_f__mutmut_1")) is covered


@pytest.mark.parametrize("entry", known(), ids=lambda entry: f"{entry.module}.{entry.function}")
def test_a_known_change_is_one_of_a_line_that_is_there(entry):
    assert entry.reason.strip()
    assert any(areas.module_of(file) == entry.module for area in AREAS for file in area.files()), "no area has it"
    source = (ROOT / f"{entry.module.replace('.', '/')}.py").read_text(encoding="utf-8")
    assert f"def {entry.function.rpartition('.')[2]}(" in source
    # Lines that changed together are told as one.
    assert entry.before in " ".join(line.strip() for line in source.splitlines())


def test_every_area_has_modules_and_tests_that_are_there():
    for area in AREAS:
        for pattern in area.modules:
            assert [*ROOT.glob(pattern)], pattern
        for test in area.tests:
            assert (ROOT / test).exists(), test


def test_a_part_is_chosen_by_area_path_and_pattern():
    assert [area.name for area, _ in chosen(())] == [area.name for area in AREAS]
    assert [area.name for area, _ in chosen(["journal"])] == ["journal"]
    (found,) = chosen(["crm_core/store/guard.py"])
    assert (found[0].name, found[1]) == ("access", ["crm_core/store/guard.py"])
    (found,) = chosen(["crm_core/expressions/s*.py"])
    assert "crm_core/expressions/scan.py" in found[1]
    assert "crm_core/expressions/order.py" not in found[1]


def test_a_module_that_is_not_tried_is_refused():
    if find_spec("mutmut") is None:
        missing("mutmut is not installed")
    result = CliRunner().invoke(__main__.main, ["mutation", "--only", "crm_core/nowhere.py"])
    assert result.exit_code == 1
    assert "No module that is tried is named crm_core/nowhere.py." in result.output


def test_what_tests_notice_is_told_apart_from_what_they_do_not(tmp_path, monkeypatch):
    """On one small module, with tests that look at some of it only."""
    if find_spec("mutmut") is None:
        missing("mutmut is not installed")
    area = Area("heights", ("crm_core/expressions/heights.py",), ("tests/expressions/test_nothing_else_of_python.py",))
    monkeypatch.setattr(areas, "AREAS", (area,))
    nothing = tmp_path / "nothing.toml"
    nothing.write_text("survivor = []\n")
    monkeypatch.setattr(changes, "KNOWN", nothing)
    reasons = tmp_path / "known.toml"
    reasons.write_text('[[survivor]]\nmodule = "crm_core.expressions.heights"\nfunction = "height"\nreason = "Told."\n')
    options = ["mutation", "--sample", "12", "--seed", "3", "--work", str(tmp_path / "work"), "--json"]
    result = CliRunner().invoke(__main__.main, [*options, str(tmp_path / "found.json")])
    assert result.exit_code == 1, result.output
    found = json.loads((tmp_path / "found.json").read_text())
    (row, total) = found["tables"][0]["rows"]
    assert row["tried"] == total["tried"] == 12
    assert row["noticed"] + row["left"] == 12
    assert min(row["noticed"], row["left"]) > 0
    assert len(found["findings"]) == row["left"]
    assert "crm_core.expressions.heights.height: " in found["findings"][0]

    monkeypatch.setattr(changes, "KNOWN", reasons)
    result = CliRunner().invoke(__main__.main, [*options, str(tmp_path / "again.json")])
    assert result.exit_code == 0, result.output
    again = json.loads((tmp_path / "again.json").read_text())
    assert again["tables"][0]["rows"][0]["left, with reason"] == row["left"]
    assert [each["why"] for each in again["tables"][1]["rows"]] == ["Told."]
    assert again["remarks"][1].startswith(f"{row['noticed']} of them were noticed in earlier runs")
    assert len(found["remarks"]) == 1


@pytest.mark.parametrize(("age", "stays"), [(-60, True), (60, False)])
def test_what_is_known_of_tests_is_forgotten_once_one_of_them_changed(tmp_path, monkeypatch, age, stays):
    monkeypatch.setattr(ground, "ROOT", tmp_path)
    test = tmp_path / "tests" / "prices" / "test_prices.py"
    test.parent.mkdir(parents=True)
    test.touch()
    monkeypatch.setattr(Ground, "_run", lambda *_: None)
    (tmp_path / "pyproject.toml").touch()
    tried = Ground(tmp_path / "work", Area("prices", (), ("tests/prices",)), ())
    tried.mutants.mkdir(parents=True)
    known_tests = tried.mutants / "mutmut-stats.json"
    known_tests.touch()
    os.utime(test, (known_tests.stat().st_mtime + age,) * 2)
    tried.prepare()
    assert known_tests.exists() is stays


def test_whoever_interrupts_it_is_told_what_tests_noticed_until_then(tmp_path, monkeypatch):
    area = Area("heights", ("crm_core/expressions/heights.py",), ())
    monkeypatch.setattr(areas, "AREAS", (area,))
    monkeypatch.setattr(command, "find_spec", lambda name: name)
    monkeypatch.setattr(Ground, "prepare", lambda self: None)
    codes = {
        "crm_core.expressions.heights.x_height__mutmut_1": 1,
        "crm_core.expressions.heights.x_height__mutmut_2": None,
    }
    monkeypatch.setattr(Ground, "results", lambda self, file: codes)

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(Ground, "run", interrupted)
    found = tmp_path / "found.json"
    result = CliRunner().invoke(__main__.main, ["mutation", "--seed", "3", "--json", str(found)])
    assert result.exit_code == 130, result.output
    told = json.loads(found.read_text())
    assert [(row["changes"], row["tried"], row["noticed"], row["left"]) for row in told["tables"][0]["rows"]] == [
        (2, 1, 1, 0)
    ] * 2
    assert told["findings"] == [] and "--work FOLDER would keep" in told["remarks"][-1]
