"""The ratios are measured, and what misses its aim is marked, for people and for programs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from benchmarks.ratios import command
from benchmarks.report import Figure, note, ratio
from torture.reporting import INTERRUPTED, Report

pytestmark = pytest.mark.any_database


def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *more: Figure) -> tuple[Any, dict[str, Any]]:
    """Writing and pages at the smallest size; for the others, which take long at any size, stands ``more``."""
    monkeypatch.setattr(command, "view_figures", lambda url, title: list(more))
    monkeypatch.setattr(command, "startup_figures", lambda times: [])
    told = tmp_path / "told.json"
    options = ["--database", "sqlite", "--scale", "20", "--times", "1", "--no-growth", "--json", str(told)]
    ended = CliRunner().invoke(command.command, [*options, "--markdown", str(tmp_path / "page.md")])
    return ended, json.loads(told.read_text(encoding="utf-8"))


def test_everything_is_measured_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = Figure("SQLite", "overview (ms)", 700, "<=", 500, "a planted figure")
    ended, found = run(tmp_path, monkeypatch, slow)
    assert ended.exit_code == 0, ended.output
    assert found["repeated_by"] == "python -m benchmarks.ratios --database sqlite --scale 20 --times 1 --no-growth"
    names = [each["name"] for each in found["figures"]]
    assert len(names) == len(set(names)) and len(names) > 8
    assert {"bulk create beside Core", "one transaction each beside Django save", "page of rows, admin"} <= set(names)
    assert all(each["value"] > 0 for each in found["figures"])
    assert [each["reached"] for each in found["figures"] if each["name"] == slow.name] == [False]
    page = (tmp_path / "page.md").read_text(encoding="utf-8")
    assert page.startswith("<!-- benchmarks ratios: begin -->")
    assert "| SQLite | overview (ms) | 700 | ≤ 500 | ✗ | a planted figure |" in page


def test_who_is_interrupted_is_told_what_was_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(store: Any, title: str) -> list[Figure]:
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "page_figures", interrupted)
    ended, found = run(tmp_path, monkeypatch)
    assert ended.exit_code == INTERRUPTED
    assert next(each["name"] for each in found["figures"]) == "bulk create beside Core"
    assert not (tmp_path / "page.md").exists()


def test_a_figure_is_marked_by_its_aim() -> None:
    def marks(*figures: Figure) -> list[tuple[Any, ...]]:
        report = Report("ratios", None, package="benchmarks", facts={})
        note(report, figures)
        return [row[2:5] for row in report.tables[0].rows]

    assert marks(Figure("", "quicker", 0.5, ">=", 0.5), Figure("", "slower", 1.31, "<=", 1.3)) == [
        ("0.50", "≥ 0.5", ""),
        ("1.31", "≤ 1.3", "✗"),
    ]
    assert marks(Figure("", "rate", 4999, ">=", 5000)) == [("4,999", "≥ 5000", "✗")]
    assert ratio([1.0, 30.0, 2.0], [2.0, 30.0, 8.0]) == 0.5
