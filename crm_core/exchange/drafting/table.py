"""A table as somebody sends it: what is in each column, found by reading it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from crm_core.errors import ExchangeError
from crm_core.exchange.drafting.value_tests import TESTS, passes

if TYPE_CHECKING:
    from crm_core.exchange.sources import Source

__all__ = ["ROWS", "Column", "Table", "read_table"]

ROWS = 50_000
"""So many rows are looked at."""

NOTHING = ("NULL", "null", "N/A", "n/a", "#N/A", "\\N", "None", "NaN", "nil", "-", "--")
"""Cells that say that there is nothing, in the way of some program."""


@attrs.define
class Column:
    """What was seen in one column.

    ``possible`` are the names of the tests that every value has passed; ``values`` counts them. With a ``path`` it is
    what stands there in the XML of the column.
    """

    header: str
    position: int
    path: str = ""
    empty: int = 0
    values: Counter[str] = attrs.field(factory=Counter)
    possible: frozenset[str] = attrs.field(factory=lambda: frozenset(TESTS))

    @property
    def name(self) -> str:
        """What its values are called: by the last word of a path, else by the header."""
        return self.path.rpartition("/")[2].lstrip("@") or self.header

    @property
    def filled(self) -> int:
        """How many rows have a value."""
        return self.values.total()

    @property
    def longest(self) -> int:
        """The characters of the longest value."""
        return max(map(len, self.values), default=0)

    @property
    def unique(self) -> bool:
        """Whether every row has a value, and each another."""
        return not self.empty and len(self.values) == self.filled

    @property
    def in_templates(self) -> bool:
        """Whether a template can name it, and thereby a key: no place in XML, and no header with braces."""
        return not self.path and not set("{}") & set(self.header)

    def take(self, value: str) -> None:
        """Look at one more value."""
        if value not in self.values:
            self.possible = frozenset(name for name in self.possible if passes(name, value))
        self.values[value] += 1


@attrs.frozen
class Table:
    """A table: its columns, its rows, what stands for nothing in it, and how many rows could not be read."""

    path: Path
    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]
    nothing: tuple[str, ...]
    broken: int
    complete: bool
    sheet: str = ""
    others: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """What it is called: the name of the file without its ending, and that of its sheet."""
        return f"{self.path.stem} {self.sheet}".strip()


def read_table(path: Path, sheet: str = "") -> Table:
    """Read a CSV file or a spreadsheet (of several sheets the one with this name, else the first).

    Raises :class:`~crm_core.errors.ExchangeError` where it is none.
    """
    from crm_core.exchange.sources import open_source

    source = open_source(path, sheet=sheet)
    if source.header is None:
        raise ExchangeError(
            "{file} names no columns before its rows.",
            mend="Give a CSV file or a spreadsheet whose first line has the names of the columns.",
            file=str(path),
        )
    _check_header(path, source.header)
    return _read(path, source, source.header, sheet)


def _check_header(path: Path, header: Iterable[str]) -> None:
    for name, count in Counter(header).items():
        if count > 1 or not name.strip():
            raise ExchangeError(
                "{file} has {count} columns called {name!r}.",
                mend="Give each column a name of its own in the first line.",
                file=str(path),
                count=count,
                name=name,
            )


def _read(path: Path, source: Source, header: tuple[str, ...], sheet: str) -> Table:
    columns = tuple(Column(name, position) for position, name in enumerate(header))
    rows: list[tuple[str, ...]] = []
    nothing: dict[str, None] = {}
    broken, complete = 0, True
    with source.rows() as lines:
        for _line, cells, problem in lines:
            if problem is not None:
                broken += 1
                continue
            if len(rows) >= ROWS:
                complete = False
                break
            row = tuple("" if cell is None else str(cell) for cell in cells)
            for column, cell in zip(columns, row, strict=True):
                if not cell.strip() or cell in NOTHING:
                    column.empty += 1
                    if cell:
                        nothing[cell] = None
                else:
                    column.take(cell)
            rows.append(row)
    if not rows:
        raise ExchangeError("{file} has no rows.", mend="Give a table with some rows to look at.", file=str(path))
    return Table(path, columns, tuple(rows), tuple(nothing), broken, complete, sheet, source.others)
