"""What a program found: printed as tables, written as JSON, kept in the documentation.

A program makes a :class:`Report`, and measures within :func:`telling`, which tells it and ends the process. Whoever
interrupts a program of hours, or meets an error in it, is told what was measured until then. Programs of ``benchmarks``
report by the same means, into a page of their own (:func:`reporting_in`).
"""

from __future__ import annotations

import datetime as dt
import json
import os
import shlex
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, TypeAlias, TypeVar

import attrs
import click

from torture.machine import machine
from torture.pace import Pace

__all__ = [
    "FAILED", "FOUND", "INTERRUPTED", "PAGE", "Report", "Table", "as_markdown", "keep", "reporting", "reporting_in",
    "seed_option", "telling",
]  # fmt: skip

_ROOT = Path(__file__).parents[1]
PAGE = _ROOT / "docs" / "explanation" / "reliability.md"
"""The page that keeps the tables, each between markers of its program."""

FOUND, FAILED, INTERRUPTED = 1, 3, 130
"""What a program ends with: something was found, it could not go on, somebody interrupted it."""

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


def _options() -> list[str]:
    """The options of the program that runs, also those that nobody gave, but for the seed and where it is told."""
    context = click.get_current_context(silent=True)
    return [] if context is None else [
        part
        for option in context.command.params
        if isinstance(option, click.Option) and option.name not in ("seed", "json_file", "markdown")
        for part in _given(option, context)
    ]  # fmt: skip


def _given(option: click.Option, context: click.Context) -> list[str]:
    value = context.params.get(option.name or "")
    if value is None:
        return []
    if isinstance(value, bool):
        return [] if value is option.get_default(context) else [(option.opts if value else option.secondary_opts)[0]]
    several = value if option.multiple else [value]
    shown = (",".join(map(str, each)) if isinstance(each, tuple) else str(each) for each in several)
    return [part for each in shown for part in (option.opts[0], each)]


@attrs.define
class Report:
    """What one run of a program came to.

    ``findings`` are the things that must not be, each in one line that says how to see it again; where there is one,
    the program ends with 1. ``remarks`` are what a reader of the figures must know: what was left out, and why.
    ``seed`` is absent where nothing is random. ``going_on`` says how a run that was interrupted goes on where it was;
    one that does not say so begins again. ``figures`` are what the tables were made of, for other programs.
    ``measured`` is how much was tried, by the program's own measure; a run with 0 found nothing because it looked at
    nothing, and ends with :data:`FAILED`. ``nothing`` is what is said at the end of a run without findings.
    ``pace`` is how quick the machine was; it is looked at when the run begins and ends, and by whoever measures long.
    """

    program: str
    seed: int | None
    tables: list[Table] = attrs.field(factory=list)
    findings: list[str] = attrs.field(factory=list)
    remarks: list[str] = attrs.field(factory=list)
    facts: Mapping[str, str] = attrs.field(factory=machine)
    pace: Pace = attrs.field(factory=Pace)
    begun: float = attrs.field(factory=time.monotonic)
    package: str = "torture"
    going_on: str = ""
    figures: list[Mapping[str, Cell | None]] = attrs.field(factory=list)
    options: list[str] = attrs.field(factory=_options)
    measured: int | None = None
    nothing: str = "nothing found"

    @property
    def repeated_by(self) -> str:
        """The command that does the same again."""
        program = f"{self.package} {self.program}" if self.package == "torture" else f"{self.package}.{self.program}"
        seed = [] if self.seed is None else ["--seed", str(self.seed)]
        return f"python -m {program} {shlex.join([*self.options, *seed])}".rstrip()

    @property
    def seconds(self) -> int:
        """How long it took until now."""
        return round(time.monotonic() - self.begun)

    @property
    def measured_by(self) -> str:
        """On which day, by which command, for how long and on which machine, in one line."""
        facts = "; ".join(f"{name} {value}" for name, value in self.facts.items())
        pace = f"; {self.pace}" if self.pace.taken else ""
        return f"{_today()}, `{self.repeated_by}`, {self.seconds} s. {facts}{pace}."

    def _pace(self) -> dict[str, Any]:
        if not self.pace.taken:
            return {}
        return {"pace": dict(zip(("median", "least", "most"), self.pace.milliseconds, strict=True))}

    def as_json(self) -> dict[str, Any]:
        """Everything, for other programs."""
        return {
            "program": self.program,
            "seed": self.seed,
            "repeated_by": self.repeated_by,
            "day": _today(),
            "seconds": self.seconds,
            "machine": dict(self.facts),
            **self._pace(),
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
            type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
            help="Write the tables into this page, between their markers; FILE#NAME keeps another run of a program"
            f" between markers of that name.  [without FILE: {page.relative_to(_ROOT)}]",
        )(function)  # fmt: skip
        function = click.option(
            "--json", "json_file", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
            help="Write everything as JSON into this file.",
        )(function)  # fmt: skip
        return seed_option(function) if seeded else function

    return add


reporting = reporting_in(PAGE)
"""The options of the programs of ``torture``."""


@contextmanager
def telling(
    report: Report, json_file: Path | None, markdown: Path | None, finish: Callable[[], object] = lambda: None
) -> Iterator[None]:
    """Measure within this block: then the tables are printed, the files written that were asked for, the process ended.

    It ends with :data:`FOUND` where something was found. Where somebody interrupted the block (Ctrl-C, SIGTERM), or an
    error came out of it, what was measured until then is told all the same, with a remark, and the process ends with
    :data:`INTERRUPTED` or :data:`FAILED`; a page keeps whole runs alone. ``finish`` makes tables of what was measured,
    however that ended.

    Raises :class:`click.UsageError` before anything is measured where a file that was asked for cannot be written.
    """
    _check_places(report, json_file, markdown)
    report.pace.sample()
    ended, how = None, ""
    try:
        with _ending_like_ctrl_c():
            yield
    except KeyboardInterrupt:
        ended, how = INTERRUPTED, "Interrupted"
    except Exception as error:
        traceback.print_exc()
        ended, how = FAILED, f"Failed by {type(error).__name__}: {next(iter(str(error).splitlines()), '')}"
    report.pace.sample()
    finish()
    if ended is not None:
        again = report.going_on or f"It begins again by `{report.repeated_by}`."
        report.remarks.append(f"{how} (after {report.seconds} s): what is told was measured until then. {again}")
    elif report.measured == 0 and not report.findings:
        ended = FAILED
    _print(report)
    if json_file is not None:
        json_file.write_text(json.dumps(report.as_json(), ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    if markdown is not None and ended is None:
        keep(report, markdown)
    sys.exit(ended or (FOUND if report.findings else 0))


@contextmanager
def _ending_like_ctrl_c() -> Iterator[None]:
    """Let SIGTERM interrupt, too: who runs in the background hears no Ctrl-C, and has as much to tell."""
    if threading.current_thread() is not threading.main_thread():  # which alone may say what a signal does
        yield
        return

    heard = False

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        nonlocal heard
        heard = True
        raise KeyboardInterrupt

    previous = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    except Exception as error:
        if heard:  # somebody missed what was put away at once, such as a server
            raise KeyboardInterrupt from error
        raise
    finally:
        signal.signal(signal.SIGTERM, previous)


def _check_places(report: Report, json_file: Path | None, markdown: Path | None) -> None:
    """Whoever waits for hours must not learn at their end that nothing can be written."""
    wrong = ""
    page, run = (None, "") if markdown is None else _page_and_run(markdown)
    for option, file in (("--json", json_file), ("--markdown", page)):
        if file is None:
            continue
        folder = file.absolute().parent
        if not folder.is_dir():
            wrong = f"{option} {file}: there is no folder {folder}. Make it, or name another file."
        elif not os.access(file if file.exists() else folder, os.W_OK):
            wrong = f"{option} {file}: it may not be written. Change its permissions, or name another file."
    if not wrong and page is not None and page.exists():
        text, (begin, end) = page.read_text(encoding="utf-8"), _markers(report, run)
        if text.strip() and not 0 <= text.find(begin) < text.find(end):
            wrong = (
                f"--markdown {page}: it has no place for these tables. Write the lines `{begin}` and `{end}` where"
                " they belong, in this order, or name a file that is not there yet."
            )
    if wrong:
        raise click.UsageError(wrong, click.get_current_context(silent=True))


def _page_and_run(markdown: Path) -> tuple[Path, str]:
    """The page of ``--markdown``, and which of several runs of a program it is to keep: ``page.md#on SQLite``."""
    page, _, run = str(markdown).partition("#")
    return Path(page), run.strip()


def _markers(report: Report, run: str) -> tuple[str, str]:
    name = " ".join(filter(None, (report.package, report.program, run)))
    begin, end = (f"<!-- {name}: {each} -->" for each in ("begin", "end"))
    return begin, end


def keep(report: Report, markdown: Path) -> None:
    """Put the tables into a page, between ``<!-- torture NAME: begin -->`` and its end; at the end if it has none.

    The word before the name is the report's package. What people write of the figures stands outside of the markers,
    because all between them is replaced. ``FILE#RUN`` has markers ``<!-- torture NAME RUN: begin -->``, so that a page
    keeps several runs of one program.
    """
    page, run = _page_and_run(markdown)
    begin, end = _markers(report, run)
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
    lines += [report.measured_by, ""]
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
        if not table.rows:
            continue
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
    # In one line, however long, so that the command can be copied.
    console.print(report.measured_by, soft_wrap=True)
    nothing = "nothing measured" if report.measured == 0 else report.nothing
    if said := f"{len(report.findings)} found" if report.findings else nothing:
        console.print(said)


def _today() -> str:
    return dt.datetime.now(dt.UTC).date().isoformat()
