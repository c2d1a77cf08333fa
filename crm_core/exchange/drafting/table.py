"""A table as somebody sends it: what is in each column, found by reading it."""

from __future__ import annotations

import datetime as dt
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from crm_core.errors import ExchangeError, ValidationError
from crm_core.fields import KINDS

if TYPE_CHECKING:
    from crm_core.exchange.sources import Source

__all__ = ["DAYS", "MOMENTS", "ROWS", "Column", "Table", "read_table"]

ROWS = 50_000
"""So many rows are looked at."""

NOTHING = ("NULL", "null", "N/A", "n/a", "#N/A", "\\N", "None", "NaN", "nil", "-", "--")
"""Cells that say that there is nothing, in the way of some program."""

DAYS = ("%Y/%m/%d", "%Y.%m.%d", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%Y年%m月%d日", "%Y%m%d")
MOMENTS = tuple(f"{day} {time}" for day in DAYS[:-1] for time in ("%H:%M", "%H:%M:%S"))

_ISO_DAY = re.compile(r"\d{4}-\d\d-\d\d(?:[ T]00:00(?::00(?:\.0+)?)?)?")
_ISO_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d.*")
_WHOLE = re.compile(r"[-+]?(?:0|[1-9]\d{0,17}|[1-9]\d{0,2}(?:,\d{3})+)")
_NUMBER = re.compile(r"[-+]?(?:(?:0|[1-9]\d*|[1-9]\d{0,2}(?:,\d{3})+)(?:\.\d+)?|\.\d+)")
_COMMA = re.compile(r"[-+]?(?:0|[1-9]\d*|[1-9]\d{0,2}(?:\.\d{3})+)(?:,\d+)?")
_AMOUNT = re.compile(r"(?:([A-Z]{3}|[¥￥€$£]) ?)?([-+]?[\d,]+(?:\.\d+)?)(?: ?([A-Z]{3}|[¥￥€$£元]))?")
_PERCENT = re.compile(r"[-+]?\d+(?:\.\d+)? ?%")
_PHONE = re.compile(r"[+(]?\d[\d ()/.\-]{4,}\d(?: ?(?:x|ext\.?) ?\d+)?")
_FLAGS = frozenset(["true", "false", "yes", "no", "y", "n", "t", "f", "是", "否", "1", "0"])


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
            self.possible = frozenset(name for name in self.possible if _passes(name, value))
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


# -- tests ---------------------------------------------------------------------------------------------------------


def _parsed(kind: str) -> Callable[[str], bool]:
    """Whether a kind of field takes the text: what is proposed must be importable."""

    def test(text: str) -> bool:
        try:
            KINDS[kind]().parse(text)
        except ValidationError:
            return False
        return True

    return test


def _like(format_: str) -> Callable[[str], bool]:
    def test(text: str) -> bool:
        try:
            found = dt.datetime.strptime(text.strip(), format_)
        except ValueError:
            return False
        return 1900 <= found.year <= 2200

    return test


def _iso_moment(text: str) -> bool:
    try:
        return _ISO_MOMENT.fullmatch(text.strip()) is not None and bool(dt.datetime.fromisoformat(text.strip()))
    except ValueError:
        return False


def _matches(pattern: re.Pattern[str]) -> Callable[[str], bool]:
    return lambda text: pattern.fullmatch(text.strip()) is not None


_email, _url, _phone, _day = (_parsed(kind) for kind in ("email", "url", "phone", "day"))

TESTS: Mapping[str, Callable[[str], bool]] = {
    "flag": lambda text: text.strip().lower() in _FLAGS,
    "whole": _matches(_WHOLE),
    "number": _matches(_NUMBER),
    "comma": _matches(_COMMA),
    "amount": lambda text: currency_of(text) is not None,
    "percent": _matches(_PERCENT),
    "day": lambda text: _ISO_DAY.fullmatch(text.strip()) is not None and _day(text),
    "moment": _iso_moment,
    "email": lambda text: "@" in text and _email(text),
    "url": lambda text: text.lower().startswith(("http://", "https://")) and _url(text),
    "phone": lambda text: _PHONE.fullmatch(text.strip()) is not None and _phone(text),
    **{f"day {format_}": _like(format_) for format_ in DAYS},
    **{f"moment {format_}": _like(format_) for format_ in MOMENTS},
}
"""What a text may be, by the name of the test."""

SIGNS = {"¥": "CNY", "￥": "CNY", "元": "CNY", "€": "EUR", "$": "USD", "£": "GBP"}
"""Signs of currencies, with the one that they most often mean."""


def currency_of(text: str) -> tuple[str, str] | None:
    """The sign or code of the currency in an amount, and its code; ``None`` where there is none, or two."""
    match = _AMOUNT.fullmatch(text.strip())
    signs = [each for each in match.group(1, 3) if each] if match is not None else []
    return (signs[0], SIGNS.get(signs[0], signs[0])) if len(signs) == 1 else None


@lru_cache(maxsize=100_000)
def _passes(name: str, value: str) -> bool:
    return bool(TESTS[name](value))
