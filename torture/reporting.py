"""What a program found: printed as tables, written as JSON, kept in the documentation.

A program makes a :class:`Report`, and ends with :func:`tell`, which ends the process: with 1 where something was found.
Programs of ``benchmarks`` report by the same means, into a page of their own (:func:`reporting_in`).
"""

from __future__ import annotations

import datetime as dt
import json
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NoReturn, TypeAlias, TypeVar

import attrs
import click

from torture.machine import machine

__all__ = ["PAGE", "Report", "Table", "as_markdown", "keep", "reporting", "reporting_in", "seed_option", "tell"]

_ROOT = Path(__file__).parents[1]
PAGE = _ROOT / "docs" / "explanation" / "reliability.md"
"""The page that keeps the tables, each between markers of its program."""

F = TypeVar("F", bound=Callable[..., Any])
Cell: TypeAlias = str | int | float

seed_option = click.option("--seed", type=int, help="Repeat a run: what is random follows from this number.")


@attrs.frozen
class Table:
    """Rows under named columns: texts, whole numbers, and others, which are shown with one decimal."""

    title: str
    columns: tuple[str, ...]
    rows: list[tuple[Cell, ...]] = attrs.field(factory=list)

    def numeric(self, column: int) -> bool:
        """Whether a column holds numbers alone, which stand at the right."""
        return bool(self.rows) and not any(isinstance(row[column], str) for row in self.rows)


@attrs.define
class Report:
    """What one run of a program came to.

    ``findings`` are the things that must not be, each in one line that says how to see it again; where there is one,
    the program ends with 1. ``remarks`` are what a reader of the figures must know: what was left out, and why.
    ``seed`` is absent where nothing is random; ``command`` then says how the run is repeated. ``figures`` are what the
    tables were made of, for other programs.
    """

    program: str
    seed: int | None
    tables: list[Table] = attrs.field(factory=list)
    findings: list[str] = attrs.field(factory=list)
    remarks: list[str] = attrs.field(factory=list)
    facts: Mapping[str, str] = attrs.field(factory=machine)
    begun: float = attrs.field(factory=time.monotonic)
    package: str = "torture"
    command: str = ""
    figures: list[Mapping[str, Cell | None]] = attrs.field(factory=list)

    @property
    def repeated_by(self) -> str:
        """The command that does the same again."""
        return self.command or f"python -m {self.package} {self.program} --seed {self.seed}"

    @property
    def seconds(self) -> int:
        """How long it took until now."""
        return round(time.monotonic() - self.begun)

    def as_json(self) -> dict[str, Any]:
        """Everything, for other programs."""
        return {
            "program": self.program,
            "seed": self.seed,
            "day": _today(),
            "seconds": self.seconds,
            "machine": dict(self.facts),
            "tables": [
                {"title": each.title, "rows": [dict(zip(each.columns, row, strict=True)) for row in each.rows]}
                for each in self.tables
            ],
            **({"figures": self.figures} if self.figures else {}),
            "findings": self.findings,
            "remarks": self.remarks,
        }


def reporting_in(page: Path, *, seeded: bool = True) -> Callable[[F], F]:
    """The options that every program has, with the page where its tables are kept.

    ``json_file`` and ``markdown`` are given to the function, and ``seed``, unless nothing in the program is random.
    """

    def add(function: F) -> F:
        function = click.option(
            "--markdown", "markdown", is_flag=False, flag_value=str(page), default=None,
            type=click.Path(path_type=Path), metavar="FILE",
            help=f"Write the tables into this page, between their markers.  [without FILE: {page.relative_to(_ROOT)}]",
        )(function)  # fmt: skip
        function = click.option(
            "--json", "json_file", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
            help="Write everything as JSON into this file.",
        )(function)  # fmt: skip
        return seed_option(function) if seeded else function

    return add


reporting = reporting_in(PAGE)
"""The options of the programs of ``torture``."""


def tell(report: Report, json_file: Path | None, markdown: Path | None) -> NoReturn:
    """Print the tables, write the files that were asked for, and end the process: with 1 where something was found."""
    _print(report)
    if json_file is not None:
        json_file.write_text(json.dumps(report.as_json(), ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    if markdown is not None:
        keep(report, Path(markdown))
    sys.exit(bool(report.findings))


def keep(report: Report, page: Path) -> None:
    """Put the tables into a page, between ``<!-- torture NAME: begin -->`` and its end; at the end if it has none.

    The word before the name is the report's package.
    """
    begin, end = (f"<!-- {report.package} {report.program}: {each} -->" for each in ("begin", "end"))
    text = page.read_text(encoding="utf-8") if page.exists() else ""
    if begin not in text or end not in text:
        text = f"{text.rstrip()}\n\n{begin}\n{end}\n".lstrip()
    before, _, rest = text.partition(begin)
    _, _, after = rest.partition(end)
    page.write_text(f"{before}{begin}\n\n{as_markdown(report)}\n{end}{after}", encoding="utf-8")


def as_markdown(report: Report) -> str:
    """The tables with when, where and how long they were measured."""
    lines = []
    for table in report.tables:
        lines += [f"**{table.title}**", "", _line(table.columns)]
        lines.append(_line("---:" if table.numeric(number) else "---" for number in range(len(table.columns))))
        lines += [_line(_shown(cell) for cell in row) for row in table.rows]
        lines.append("")
    lines += [f"- {remark}" for remark in report.remarks] + ([""] if report.remarks else [])
    facts = "; ".join(f"{name} {value}" for name, value in report.facts.items())
    lines += [f"{_today()}, `{report.repeated_by}`, {report.seconds} s. {facts}.", ""]
    return "\n".join(lines)


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(each.replace('|', chr(92) + '|') for each in cells)} |"


def _shown(cell: Cell) -> str:
    if isinstance(cell, str):
        return cell
    return f"{cell:,}" if isinstance(cell, int) else f"{cell:,.1f}"


def _print(report: Report) -> None:
    from rich.console import Console
    from rich.table import Table as Printed

    console = Console(width=None if sys.stdout.isatty() else 150, markup=False, highlight=False, emoji=False)
    for table in report.tables:
        printed = Printed(title=table.title, title_justify="left")
        for number, name in enumerate(table.columns):
            printed.add_column(name, justify="right" if table.numeric(number) else "left", overflow="fold")
        for row in table.rows:
            printed.add_row(*(_shown(cell) for cell in row))
        console.print(printed)
    for remark in report.remarks:
        console.print(remark)
    for finding in report.findings:
        console.print(f"FOUND: {finding}")
    found = f"{len(report.findings)} found" if report.findings else "nothing found"
    seed = "" if report.seed is None else f"seed {report.seed}, "
    console.print(f"{seed}{report.seconds} s, {found}")


def _today() -> str:
    return dt.datetime.now(dt.UTC).date().isoformat()
