"""The programs of ``torture`` say what they found, in every form, and end with 1 where they found anything."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
import types

import click
import pytest
from click.testing import CliRunner

from benchmarks.report import PERFORMANCE
from torture import __main__, programs
from torture.pace import Pace
from torture.reporting import FAILED, INTERRUPTED, PAGE, Report, Table, keep, reporting, telling

FACTS = {"Python": "3.11"}
PACE = r"a million additions of Python meanwhile in \d+ ms \(\d+ to \d+\)"


def report(*findings: str) -> Report:
    table = Table("On SQLite", ("what", "attempts", "share"), [("import | undo", 1200, 0.5), ("merge", 3, 12.25)])
    return Report("faults", 7, [table], list(findings), ["PostgreSQL was left out."], FACTS)


def without_seconds(said: str) -> str:
    return re.sub(r"\(after \d+ s\)", "(after N s)", said)


@reporting
@click.option("--attempts", default=300)
@click.option("--work", "works", multiple=True)
@click.option("--deep/--flat", default=True)
@click.option("--small", is_flag=True)
def program(seed, json_file, markdown, **options):
    """Find what stands in FOUND, and be cut short by what stands in CUT."""
    made = report()
    with telling(made, json_file, markdown, lambda: made.findings.extend(FOUND)):
        for error in CUT:
            if isinstance(error, signal.Signals):
                signal.raise_signal(error)
            raise error


FOUND: list[str] = []
CUT: list[BaseException | signal.Signals] = []
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
    CUT.clear()
    return FOUND


def test_tables_are_printed_and_the_seed_is_told(planted):
    result = CliRunner().invoke(__main__.main, ["faults"])
    assert result.exit_code == 0, result.output
    for part in ("On SQLite", "import | undo", "1,200", "12.2", "PostgreSQL was left out.", "seed 7", "nothing found"):
        assert part in result.output


def test_the_last_lines_say_when_by_what_and_where_it_was_measured(planted):
    result = CliRunner().invoke(__main__.main, ["faults", "--attempts", "5", "--small"])
    *_, measured, last = result.output.splitlines()
    assert last == "nothing found"
    day_and_command = r"\d{4}-\d\d-\d\d, `python -m torture faults --attempts 5 --small --seed 7`"
    assert re.fullmatch(rf"{day_and_command}, \d+ s\. Python 3\.11; {PACE}\.", measured)


def test_a_program_that_looks_for_nothing_does_not_say_that_it_found_nothing(capsys):
    made = Report("growth", None, facts=FACTS, package="benchmarks", nothing="")
    with pytest.raises(SystemExit) as ended, telling(made, None, None):
        pass
    said = capsys.readouterr().out
    assert ended.value.code == 0
    assert re.search(rf"s\. Python 3\.11; {PACE}\.\n$", said) and "found" not in said


def test_a_program_that_measured_nothing_says_so(capsys, tmp_path):
    made = Report("faults", 7, [Table("Empty", ("what",))], facts=FACTS, measured=0)
    page = tmp_path / "page.md"
    with pytest.raises(SystemExit) as ended, telling(made, None, page):
        pass
    said = capsys.readouterr().out
    assert ended.value.code == FAILED and not page.exists()
    assert said.splitlines()[-1] == "nothing measured"
    assert "Empty" not in said and "nothing found" not in said


@pytest.mark.parametrize("option", ["--json", "--markdown"])
def test_a_file_in_a_folder_that_is_not_there_is_refused_before_the_start(planted, tmp_path, option):
    CUT.append(AssertionError("it was begun"))
    result = CliRunner().invoke(__main__.main, ["faults", option, str(tmp_path / "none" / "found")])
    assert result.exit_code == 2, result.output
    said = " ".join(result.output.split())
    assert f"{option} {tmp_path / 'none' / 'found'}: there is no folder {tmp_path / 'none'}. Make it, or" in said


def test_so_is_a_file_that_may_not_be_written(planted, tmp_path, monkeypatch):
    CUT.append(AssertionError("it was begun"))
    monkeypatch.setattr(os, "access", lambda place, _: place != tmp_path)
    result = CliRunner().invoke(__main__.main, ["faults", "--json", str(tmp_path / "found")])
    assert result.exit_code == 2 and "it may not be written" in result.output


@pytest.mark.parametrize(
    "text",
    ["# Page\n", "# Page\n<!-- torture faults: begin -->\n",
     "# Page\n<!-- torture faults: end -->\n<!-- torture faults: begin -->\n"],
    ids=["none", "one", "the wrong way round"],
)  # fmt: skip
def test_so_is_a_page_without_a_place_for_the_tables(planted, tmp_path, text):
    CUT.append(AssertionError("it was begun"))
    page = tmp_path / "page.md"
    page.write_text(text)
    result = CliRunner().invoke(__main__.main, ["faults", "--markdown", str(page)])
    assert result.exit_code == 2, result.output
    said = " ".join(result.output.split())
    assert "Write the lines `<!-- torture faults: begin -->` and `<!-- torture faults: end -->`" in said
    assert page.read_text() == text


def test_a_page_keeps_several_runs_of_a_program_and_what_people_wrote_beside_them(planted, tmp_path):
    page = tmp_path / "page.md"
    named = "<!-- torture faults one night: begin -->\n{}<!-- torture faults one night: end -->"
    page.write_text(
        f"<!-- torture faults: begin -->\nkept\n<!-- torture faults: end -->\n\n{named.format('old')}\n\nOurs.\n"
    )
    for _ in range(2):
        result = CliRunner().invoke(__main__.main, ["faults", "--markdown", f"{page}#one night"])
        assert result.exit_code == 0, result.output
    text = page.read_text()
    assert text.startswith("<!-- torture faults: begin -->\nkept\n<!-- torture faults: end -->\n")
    assert text.count("**On SQLite**") == 1 and "old" not in text
    assert text.endswith("<!-- torture faults one night: end -->\n\nOurs.\n")
    result = CliRunner().invoke(__main__.main, ["faults", "--markdown", f"{page}#another"])
    assert result.exit_code == 2 and "<!-- torture faults another: begin -->" in " ".join(result.output.split())


def test_the_pages_of_this_repository_have_a_place_for_every_program():
    for package, names, page in (("torture", programs.PROGRAMS, PAGE),
                                 ("benchmarks", ("ratios", "growth", "peers"), PERFORMANCE)):  # fmt: skip
        for name in names:
            assert f"<!-- {package} {name}: begin -->" in page.read_text(encoding="utf-8")


def test_a_program_that_found_something_ends_with_one(planted):
    planted.append("import: an account is there twice")
    result = CliRunner().invoke(__main__.main, ["faults"])
    assert result.exit_code == 1
    assert "FOUND: import: an account is there twice" in result.output
    assert CliRunner().invoke(__main__.main, ["all"]).exit_code == 1


def test_all_that_is_there_is_run(planted, tmp_path):
    folder = tmp_path / "tonight" / "found"
    result = CliRunner().invoke(__main__.main, ["all", "--seed", "9", "--json", str(folder)])
    assert result.exit_code == 0, result.output
    assert [path.name for path in folder.iterdir()] == ["faults.json"]
    assert json.loads((folder / "faults.json").read_text())["findings"] == []


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (KeyboardInterrupt(), INTERRUPTED, "Interrupted (after N s): what is told was measured until then."),
        (signal.SIGTERM, INTERRUPTED, "Interrupted (after N s): what is told was measured until then."),
        (TimeoutError("no answer\nat all"), FAILED, "Failed by TimeoutError: no answer (after N s)"),
    ],
)
def test_what_was_measured_is_told_also_where_a_run_is_cut_short(planted, tmp_path, error, code, told):
    planted.append("lost")
    CUT.append(error)
    page = tmp_path / "page.md"
    options = ["--json", str(tmp_path / "found.json"), "--markdown", str(page)]
    result = CliRunner().invoke(__main__.main, ["faults", *options, "--work", "import", "--work", "a b", "--flat"])
    assert result.exit_code == code
    said = without_seconds(" ".join(result.output.split()))
    for part in ("import | undo", "FOUND: lost", told):
        assert part in said
    again = "python -m torture faults --attempts 300 --work import --work 'a b' --flat --seed 7"
    assert f"It begins again by `{again}`." in said
    assert ("Traceback" in said) is (code == FAILED)
    found = json.loads((tmp_path / "found.json").read_text())
    assert found["findings"] == ["lost"] and told in without_seconds(found["remarks"][-1])
    assert not page.exists(), "a page keeps whole runs alone"


def test_who_was_asked_to_end_is_interrupted_also_where_something_is_missed_then(capsys):
    made = report()
    with pytest.raises(SystemExit) as ended, telling(made, None, None):
        try:
            signal.raise_signal(signal.SIGTERM)
        finally:
            raise ConnectionError("the server has gone")
    assert ended.value.code == INTERRUPTED
    said = capsys.readouterr()
    assert "Interrupted (after N s)" in without_seconds(said.out) and "Traceback" not in said.err


def test_all_goes_on_after_a_program_that_failed_and_not_after_one_that_was_interrupted(planted, monkeypatch):
    other = types.ModuleType("torture.leaks.command")
    other.command = click.command()(reporting(lambda **_: click.echo("the other ran")))
    monkeypatch.setitem(sys.modules, other.__name__, other)
    for place in (programs, __main__):
        monkeypatch.setattr(place, "PROGRAMS", {"faults": "Find what the test says.", "leaks": "Say so."})
    CUT.append(ValueError("wrong"))
    result = CliRunner().invoke(__main__.main, ["all"])
    assert result.exit_code == FAILED
    assert "the other ran" in result.output and "Could not go on: faults." in result.output
    CUT[:] = [KeyboardInterrupt()]
    result = CliRunner().invoke(__main__.main, ["all"])
    assert result.exit_code == INTERRUPTED
    assert "the other ran" not in result.output


def test_json_holds_everything(planted, tmp_path):
    planted.append("lost")
    CliRunner().invoke(__main__.main, ["faults", "--json", str(tmp_path / "found.json")])
    found = json.loads((tmp_path / "found.json").read_text())
    assert found["findings"] == ["lost"]
    assert found["machine"] == FACTS
    assert found["repeated_by"] == "python -m torture faults --attempts 300 --seed 7"
    assert found["tables"][0]["rows"][0] == {"what": "import | undo", "attempts": 1200, "share": 0.5}
    assert 0 < found["pace"]["least"] <= found["pace"]["median"] <= found["pace"]["most"]


def test_a_run_says_how_quick_the_machine_was():
    pace = Pace([0.25, 0.05, 0.0604])
    assert str(pace) == "a million additions of Python meanwhile in 60 ms (50 to 250)"
    assert "meanwhile" not in report().measured_by  # nothing was measured yet


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
    keep(Report("peers", None, [table], facts=FACTS, package="benchmarks"), page)
    text = page.read_text()
    assert text.startswith("<!-- benchmarks peers: begin -->")
    assert "`python -m benchmarks.peers`" in text and "seed" not in text


def test_help_names_the_programs_that_are_there():
    result = CliRunner().invoke(__main__.main, ["--help"])
    assert result.exit_code == 0, result.output
    assert all(name in result.output for name in ("all", *programs.PROGRAMS))
