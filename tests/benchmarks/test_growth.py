"""A multiplied company is what the CRM would have written, the program measures it, and it says what misses its aim."""

from __future__ import annotations

import datetime as dt
import json
import re
import time
from collections.abc import Iterator
from contextlib import nullcontext
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import func, select

from benchmarks.growth import asking, building, command, multiplying, telling
from benchmarks.growth.asking import QUESTIONS, asked
from benchmarks.growth.building import opened
from benchmarks.growth.company import MARK, RARE, READERS, Pattern, write_pattern
from benchmarks.growth.multiplying import mark_of, multiply
from crm_core import Account, Activity, Crm
from crm_core.store.tables import CHANGE_SET, MATCH_KEY
from torture.examining.examination import examine
from torture.pace import Pace
from torture.reporting import FAILED, INTERRUPTED

CLERKS, COPIES = 8, 3
NOW = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)


@pytest.fixture
def pattern(database_url: str, fill_database: Any) -> Pattern:
    found: Pattern = fill_database(_written)
    return found


def _written(url: str) -> Pattern:
    with opened(url) as crm:
        crm.migrate()
        return write_pattern(crm, CLERKS, NOW, time.perf_counter)


@pytest.fixture
def grown(pattern: Pattern, database_url: str) -> Iterator[Crm]:
    with opened(database_url) as crm:
        multiply(crm, pattern, COPIES)
    with opened(database_url) as crm:
        yield crm


def test_what_was_multiplied_is_what_the_crm_would_have_written(grown: Crm) -> None:
    assert examine(grown, {}) == []
    with grown.system_session("test") as session:
        assert session.count(Account) == session.count(Activity) == CLERKS * (1 + 9 * COPIES)
        names = [account.name for account in session.list(Account, f'contains(name, "{MARK}")', limit=None)]
        assert len(names) == 9 * CLERKS
        assert len(session.list(Account, f'contains(name, "{mark_of(2)}")', limit=None)) == 9 * CLERKS
    with grown.store.engine.connect() as connection:
        rows = connection.execute(select(CHANGE_SET.c.at).order_by(CHANGE_SET.c.place, CHANGE_SET.c.id)).scalars().all()
        assert rows == sorted(rows)


def test_one_can_go_on_working_in_it(grown: Crm) -> None:
    with grown.session("seller007") as session:
        session.list(Account)[0].employees = 12345
        session.add(Account(name="Somebody new"))
    with grown.session("seller007") as session:
        assert [hit.title for hit in session.search("somebody")] == ["Somebody new"]
    assert examine(grown, {}) == []


def test_what_the_copy_forgets_is_found(pattern: Pattern, database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    prepared = multiplying._prepared

    def forgetful(loader: Any, run: Any, table: Any, *rest: Any) -> Any:
        return None if table is MATCH_KEY else prepared(loader, run, table, *rest)

    monkeypatch.setattr(multiplying, "_prepared", forgetful)
    with opened(database_url) as crm:
        multiply(crm, pattern, COPIES)
    with opened(database_url) as crm:
        assert any("match keys" in str(complaint) for complaint in examine(crm, {}))


def test_readers_see_what_they_are_named_for(grown: Crm) -> None:
    whole = CLERKS * (1 + 9 * COPIES)
    with grown.session(READERS["clerk"]) as session:
        assert session.count(Account) == CLERKS
        assert len(session.search(RARE)) == 1
    with grown.session(READERS["director of 20 %"]) as session:
        # Nine times eight accounts among a hundred sellers: the first of them have one each.
        assert session.count(Account) == COPIES * 20
    with grown.session(READERS["administrator"]) as session:
        assert session.count(Account) == whole
    with grown.store.engine.connect() as connection:
        moments = connection.execute(select(func.min(CHANGE_SET.c.at), func.max(CHANGE_SET.c.at))).one()
    assert moments[0] < NOW - dt.timedelta(days=700) and NOW - dt.timedelta(days=1) < moments[1] < NOW


def test_every_mark_is_another_one() -> None:
    marks = [mark_of(number) for number in range(20_000)]
    assert marks[0] == MARK and len(set(marks)) == len(marks)
    assert all(mark.isalpha() and mark.islower() and len(mark) == len(MARK) for mark in marks)


def test_the_program_measures_keeps_and_tells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telling, "PAGE", 0.0)
    options = ["--database", "sqlite", "--accounts", "80,152", "--clerk", "8", "--rounds", "1", "--records", "20",
               "--keep", str(tmp_path / "kept"), "--json", str(tmp_path / "found.json"),
               "--markdown", str(tmp_path / "page.md")]  # fmt: skip
    result = CliRunner().invoke(command.command, options)
    assert result.exit_code == 0, result.output
    said = " ".join(result.output.split())
    assert "✗ marks what misses its aim: with up to 1,000,000 accounts a page" in said
    assert "`python -m benchmarks.growth --accounts 80,152 --database sqlite" in said and "found" not in said
    found = json.loads((tmp_path / "found.json").read_text())
    waits, means = found["tables"]
    assert len(waits["rows"]) == len(QUESTIONS) * len(READERS)
    pages = {question.name for question in QUESTIONS if question.aim}
    for row in waits["rows"]:
        assert row["152"].endswith("✗") is (row[""] in pages)
    assert all(float(row["152"].replace(",", "")) >= 0 for row in means["rows"])
    assert {figure["accounts"] for figure in found["figures"]} == {80, 152}
    assert "<!-- benchmarks growth: begin -->" in (tmp_path / "page.md").read_text()
    # What stands there is only measured.
    monkeypatch.setattr(command, "build", None)
    again = CliRunner().invoke(command.command, options)
    assert again.exit_code == 0, again.output
    # What was built for other tables is not.
    monkeypatch.setattr(building, "layout", lambda: "another")
    again = CliRunner().invoke(command.command, options)
    assert again.exit_code == FAILED and "TypeError: 'NoneType' object is not callable" in again.output


def test_whoever_interrupts_it_is_told_what_was_answered_until_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*arguments: Any) -> Any:
        yield from list(islice(asked(*arguments), 5))
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "asked", interrupted)
    options = ["--database", "sqlite", "--accounts", "80,152", "--clerk", "8", "--rounds", "1", "--records", "20"]
    result = CliRunner().invoke(command.command, [*options, "--json", str(tmp_path / "found.json")])
    assert result.exit_code == INTERRUPTED, result.output
    found = json.loads((tmp_path / "found.json").read_text())
    waits, means = found["tables"]
    assert len(waits["rows"]) == 5 and not any("taken back" in row[""] for row in means["rows"])
    assert f"python -m benchmarks.growth --accounts 80,152 {' '.join(options[:2])}" in found["remarks"][-1]


def test_sizes_are_asked_in_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that becomes slower with each request makes a larger company hardly slower than a small one."""
    companies: list[Any] = [SimpleNamespace(crm=1), SimpleNamespace(crm=2)]
    slower = iter(range(100, 100_000))
    turns: list[int] = []

    def turn(company: Any, *_: Any) -> Any:
        factor = 1 + 2 * companies.index(company)

        def once() -> float:
            turns.append(factor)
            return next(slower) * factor / 100

        return once

    monkeypatch.setattr(asking, "counted", lambda _crm: nullcontext([]))
    monkeypatch.setattr(asking, "_turn", turn)
    few, many = next(asked(companies, 15, Pace(), lambda _: None))
    assert turns[4:] == [1, 3] * 15
    assert few.times == 1.0 and 3.0 < many.times < 3.1


def test_a_database_whose_import_was_not_taken_back_is_built_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: Any) -> Any:
        raise KeyboardInterrupt

    options = ["--database", "sqlite", "--accounts", "80", "--clerk", "8", "--rounds", "1", "--records", "20"]
    options += ["--keep", str(tmp_path / "kept")]
    with monkeypatch.context() as patch:
        patch.setattr(command, "written", interrupted)
        result = CliRunner().invoke(command.command, options)
    assert result.exit_code == INTERRUPTED, result.output
    assert "What is whole is kept" in result.output
    again = CliRunner().invoke(command.command, options)
    assert again.exit_code == 0 and "built in" in again.output, again.output
    assert "the pattern is written" not in again.output


@pytest.mark.parametrize(
    ("accounts", "clerk", "told"),
    [
        ("81", "8", "81 accounts cannot be made where the clerk has 8: the next smaller size is 80, the next larger"
                    " 152; the least is 80. Name one of these as --accounts."),
        ("1000", "1000", "1000 accounts cannot be made where the clerk has 1000: the least are 10000, then come 19000"
                         " and each 9000 more. With --clerk 100 it can be made."),
        ("-3", "8", "the least are 80"), ("0", "8", "the least are 80"),
    ],
)  # fmt: skip
def test_a_size_that_cannot_be_made_is_refused_with_those_that_can(
    tmp_path: Path, accounts: str, clerk: str, told: str
) -> None:
    options = ["--database", "sqlite", "--accounts", accounts, "--clerk", clerk, "--keep", str(tmp_path)]
    result = CliRunner().invoke(command.command, options)
    assert result.exit_code == 2 and told in " ".join(result.output.split()), result.output


def test_the_sizes_that_are_named_can_be_made() -> None:
    for accounts, clerk in ((1000, 1000), (123, 8), (5000, 100), (19_001, 1000)):
        with pytest.raises(ValueError, match="cannot be made") as refused:
            building.copies_for(accounts, clerk)
        sizes, _, other = str(refused.value).partition(": ")[2].partition(" With --clerk ")
        for number in re.findall(r"(?:are|come|is|larger) (\d+)", sizes):
            assert building.copies_for(int(number), clerk) >= 1
        if other:
            assert building.copies_for(accounts, int(other.split()[0])) >= 1


@pytest.mark.parametrize("option", ["--accounts", "--clerk", "--rounds", "--records"])
def test_numbers_that_are_none_are_refused(option: str) -> None:
    assert CliRunner().invoke(command.command, [option, "many"]).exit_code == 2
    if option != "--accounts":
        assert CliRunner().invoke(command.command, [option, "0"]).exit_code == 2
