"""Figures, aims and how they are printed."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from pathlib import Path

import attrs

from torture.machine import machine
from torture.reporting import Report, Table, reporting_in

PERFORMANCE = Path(__file__).parents[1] / "docs" / "explanation" / "performance.md"
"""The page that keeps the tables of the longer programs, each between markers of its own."""

measured = reporting_in(PERFORMANCE, seeded=False)
"""Their options: ``json_file`` and ``markdown`` are given to the function."""

_SIGNS = {">=": "≥", "<=": "≤"}


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


def note(report: Report, figures: Sequence[Figure]) -> None:
    """Bring figures into a report, as a table with their aims."""
    table = Table("Ratios of one run", ("database", "what", "ratio", "aim", "", "how that comes"))
    for each in figures:
        value = f"{each.value:,.0f}" if each.value >= 100 else f"{each.value:.2f}"
        aim, missed = f"{_SIGNS[each.relation]} {each.aim:g}", "" if each.reached else "✗"
        table.rows.append((each.database, each.name, value, aim, missed, each.detail))
    report.tables.append(table)
    report.figures += [{**attrs.asdict(each), "reached": each.reached} for each in figures]
    report.measured = len(figures)
    if any(not each.reached for each in figures):
        report.remarks.append("✗ marks what misses its aim.")
