"""The programs of ``torture`` say what they found, in every form, and end with 1 where they found anything."""

from __future__ import annotations

import json
import sys
import types

import click
import pytest
from click.testing import CliRunner

from torture import __main__, programs
from torture.reporting import Report, Table, keep, reporting, tell

FACTS = {"Python": "3.11"}


def report(*findings: str) -> Report:
    table = Table("On SQLite", ("what", "attempts", "share"), [("import | undo", 1200, 0.5), ("merge", 3, 12.25)])
    return Report("faults", 7, [table], list(findings), ["PostgreSQL was left out."], FACTS)


@reporting
def program(seed, json_file, markdown):
    """Find what stands in FOUND."""
    tell(report(*FOUND), json_file, markdown)


FOUND: list[str] = []
command = click.command()(program)


@pytest.fixture
def planted(monkeypatch):
    """A package with one program, which finds what the test says."""
    module = types.ModuleType("torture.faults.command")
    module.command = command
    monkeypatch.setitem(sys.modules, module.__name__, module)
    for place in (programs, __main__):
        monkeypatch.setattr(place, "PROGRAMS", {"faults": "Find what the test says."})
    FOUND.clear()
    return FOUND


def test_tables_are_printed_and_the_seed_is_told(planted):
    result = CliRunner().invoke(__main__.main, ["faults"])
    assert result.exit_code == 0, result.output
    for part in ("On SQLite", "import | undo", "1,200", "12.2", "PostgreSQL was left out.", "seed 7", "nothing found"):
        assert part in result.output


def test_a_program_that_found_something_ends_with_one(planted):
    planted.append("import: an account is there twice")
    result = CliRunner().invoke(__main__.main, ["faults"])
    assert result.exit_code == 1
    assert "FOUND: import: an account is there twice" in result.output
    assert CliRunner().invoke(__main__.main, ["all"]).exit_code == 1


def test_all_that_is_there_is_run(planted):
    result = CliRunner().invoke(__main__.main, ["all", "--seed", "9"])
    assert result.exit_code == 0, result.output


def test_json_holds_everything(planted, tmp_path):
    planted.append("lost")
    CliRunner().invoke(__main__.main, ["faults", "--json", str(tmp_path / "found.json")])
    found = json.loads((tmp_path / "found.json").read_text())
    assert found["findings"] == ["lost"]
    assert found["machine"] == FACTS
    assert found["tables"][0]["rows"][0] == {"what": "import | undo", "attempts": 1200, "share": 0.5}


def test_a_page_keeps_each_programs_tables_between_its_own_markers(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("# Reliability\n\n<!-- torture faults: begin -->\nold\n<!-- torture faults: end -->\n\nAfter.\n")
    keep(report(), page)
    other = Report("leaks", 1, [Table("Probes", ("who", "asked"), [("clerk", 3)])], facts=FACTS)
    keep(other, page)
    keep(report(), page)
    text = page.read_text()
    assert "old" not in text
    assert "| what | attempts | share |\n| --- | ---: | ---: |\n| import \\| undo | 1,200 | 0.5 |" in text
    assert text.index("After.") < text.index("<!-- torture leaks: begin -->")
    assert text.count("torture faults: begin") == text.count("torture leaks: end") == 1
    assert "`python -m torture leaks --seed 1`" in text


def test_another_package_keeps_its_tables_in_a_page_of_its_own(tmp_path):
    page = tmp_path / "page.md"
    table = Table("Rate", ("side", "ratio"), [("ours", 1.5)])
    keep(Report("peers", None, [table], facts=FACTS, package="benchmarks", command="python -m benchmarks.peers"), page)
    text = page.read_text()
    assert text.startswith("<!-- benchmarks peers: begin -->")
    assert "`python -m benchmarks.peers`" in text and "seed" not in text


def test_help_names_the_programs_that_are_there():
    result = CliRunner().invoke(__main__.main, ["--help"])
    assert result.exit_code == 0, result.output
    assert all(name in result.output for name in ("all", *programs.PROGRAMS))
