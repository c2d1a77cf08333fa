"""Figures, aims and how they are printed."""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import attrs

from torture.machine import machine
from torture.reporting import reporting_in

PERFORMANCE = Path(__file__).parents[1] / "docs" / "explanation" / "performance.md"
"""The page that keeps the tables of the longer programs, each between markers of its own."""

measured = reporting_in(PERFORMANCE, seeded=False)
"""Their options: ``json_file`` and ``markdown`` are given to the function."""


@attrs.frozen
class Figure:
    """One ratio of one run. ``value`` is compared with ``aim`` by ``relation`` (``>=`` or ``<=``)."""

    database: str
    name: str
    value: float
    relation: str
    aim: float
    detail: str = ""

    @property
    def reached(self) -> bool:
        """Whether the aim is reached."""
        return self.value >= self.aim if self.relation == ">=" else self.value <= self.aim


def rounds(count: int, *measures: Callable[[int], float]) -> list[list[float]]:
    """Run the measures in turn, A B C A B C, so that a drift of the machine meets all of them."""
    results: list[list[float]] = [[] for _ in measures]
    for number in range(count):
        for measure, collected in zip(measures, results, strict=True):
            collected.append(measure(number))
    return results


def ratio(numerators: Sequence[float], denominators: Sequence[float]) -> float:
    """The median of the ratios, pair by pair."""
    return statistics.median(one / other for one, other in zip(numerators, denominators, strict=True))


def environment() -> dict[str, str]:
    """The machine, and the versions that a reader needs to repeat the run."""
    return machine("django", "attrs", "pluggy", "msgspec")


def print_figures(figures: Sequence[Figure], as_json: bool) -> None:
    """A table for people, or JSON."""
    if as_json:
        data: dict[str, Any] = {
            "environment": environment(),
            "figures": [{**attrs.asdict(figure), "reached": figure.reached} for figure in figures],
        }
        json.dump(data, sys.stdout, ensure_ascii=False, indent=1)
        print()
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(title="Ratios of one run")
    for name in ("database", "figure", "ratio", "aim", "", "detail"):
        table.add_column(name, justify="right" if name in ("ratio", "aim") else "left", overflow="fold")
    for figure in figures:
        table.add_row(
            figure.database,
            figure.name,
            f"{figure.value:.2f}",
            f"{figure.relation} {figure.aim:g}",
            "reached" if figure.reached else "[bold]missed[/bold]",
            figure.detail,
        )
    Console(width=150 if not sys.stdout.isatty() else None).print(table)
