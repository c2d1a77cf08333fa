"""The benchmark of the match keys computes its figures: from data whose answer is known, and from FEBRL."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from torture.reporting import Report

ROOT = Path(__file__).parents[2]
COLUMNS = "rec_id given_name surname street_number address_1 address_2 suburb postcode state date_of_birth soc_sec_id"
HEADER = ", ".join(COLUMNS.split()) + "\n"


@pytest.fixture
def benchmark(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(ROOT))
    import benchmarks.duplicates

    return benchmarks.duplicates


def rows(*persons: tuple[str, str, str, str, str]) -> str:
    return HEADER + "".join(
        f"rec-{who}, {given}, {family}, 1, x, , y, 1, z, {born}, {number}\n"
        for who, given, family, born, number in persons
    )


def test_the_figures_follow_from_the_data(benchmark: Any, tmp_path: Path, database_url: str) -> None:
    (tmp_path / "small.csv").write_text(
        rows(
            ("0-org", "ann", "lee", "19800102", "1000001"),
            ("0-dup-0", "lee", "ann", "19800102", "1000001"),  # the names are swapped
            ("1-org", "bob", "lee", "19800103", "1000002"),
            ("1-dup-0", "bob", "lee", "19990103", "2000002"),
            ("2-org", "bob", "lee", "19700101", "3000003"),  # a namesake
            ("3-org", "cy", "lee", "19700000", "4000004"),  # not a day
            ("3-dup-0", "cyrus", "lee", "19700000", "5000004"),  # nothing in common
        ),
        encoding="utf-8",
    )
    found = list(benchmark.measure(tmp_path, "small", ["small.csv"], database_url))
    figures = {(each.taken_as, each.keys): (each.pairs, each.right, each.true) for each in found}
    assert figures == {
        ("account", "name"): (3, 1, 3),
        ("account", "registration"): (1, 1, 3),
        ("account", "name or registration"): (4, 2, 3),
        ("account", "name and registration"): (0, 0, 3),
        ("contact", "birthday"): (1, 1, 3),
    }
    either = next(each for each in found if each.keys == "name or registration")
    assert (either.precision, either.recall) == (pytest.approx(0.5), pytest.approx(2 / 3))
    assert either.f1 == pytest.approx(4 / 7)
    nothing = benchmark.Result("x", "account", "name", 0, 0, 0)
    assert (nothing.precision, nothing.recall, nothing.f1) == (0.0, 0.0, 0.0)


def test_febrl(benchmark: Any, shared_data: Path, tmp_path: Path) -> None:
    """Exact keys miss what was misspelt on purpose, and are wrong about namesakes; neither may get worse unseen."""
    page, told = tmp_path / "page.md", tmp_path / "found.json"
    options = ["--data", str(shared_data), "--database", "sqlite", "--json", str(told), "--markdown", str(page)]
    ended = CliRunner().invoke(benchmark.command, options)
    assert ended.exit_code == 0, ended.output
    assert "Exact match keys beside the truth" in ended.output
    figures = {
        (each["data"][:7], each["taken_as"], each["keys"]): each
        for each in json.loads(told.read_text(encoding="utf-8"))["figures"]
    }
    assert {each["true"] for (data, *_), each in figures.items() if data == "FEBRL 1"} == {500}
    assert {each["true"] for (data, *_), each in figures.items() if data == "FEBRL 4"} == {5000}
    for data in ("FEBRL 1", "FEBRL 4"):
        number = figures[data, "account", "registration"]
        assert number["precision"] == 1.0 and 0.85 < number["recall"] < 0.95
        either = figures[data, "account", "name or registration"]
        assert number["recall"] < either["recall"] < 1.0 and either["precision"] > 0.8
        assert figures[data, "contact", "birthday"]["precision"] > 0.99
        for each in figures.values():
            assert each["precision"] == round(each["right"] / each["pairs"], 4)
            assert each["recall"] == round(each["right"] / each["true"], 4)
    assert {each["databases"] for each in figures.values()} == {"SQLite"}
    kept = page.read_text(encoding="utf-8")
    assert "<!-- benchmarks duplicates: begin -->" in kept
    number = figures["FEBRL 1", "account", "registration"]
    row = f"| account | registration | {number['pairs']} | {number['right']} | 500 | 1.000 | {number['recall']:.3f} |"
    assert row in kept


def test_without_the_data_it_says_what_is_missing(benchmark: Any, tmp_path: Path) -> None:
    (tmp_path / "febrl").mkdir()
    (tmp_path / "febrl" / "dataset1.csv").write_text(rows(), encoding="utf-8")
    page = tmp_path / "page.md"
    ended = CliRunner().invoke(benchmark.command, ["--data", str(tmp_path), "--markdown", str(page)])
    assert (ended.exit_code, page.exists()) == (0, False)
    assert "Skipped, nothing is measured: there is no dataset4a.csv in " in ended.output


def test_what_is_the_same_on_both_databases_is_told_once(benchmark: Any) -> None:
    same, other = (benchmark.Result("x", "account", "name", 4, right, 8) for right in (2, 1))
    company = benchmark.Company("SQLite", "acme", "account", 9, 1, "name 1", 0.25, 1, 2.0)
    report = Report("duplicates", None, package="benchmarks", options=[])
    benchmark.note(report, {same: ["SQLite", "PostgreSQL"], other: ["SQLite"]}, [company])
    assert [row[1] for row in report.tables[0].rows] == ["SQLite, PostgreSQL", "SQLite"]
    assert report.tables[0].rows[0][-3:] == ("0.500", "0.250", "0.333")
    assert report.tables[1].rows == [("acme", "SQLite", "account", 9, 1, "name 1", "0.250")]
    assert report.measured == 2
