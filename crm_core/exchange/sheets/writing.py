"""Writing a spreadsheet: rows go to the disk as they come, and a text is never a formula.

Ids, telephone numbers and other digits that stand for something are text cells, because a spreadsheet keeps fifteen
digits of a number. Numbers with more become text for the same reason.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import attrs

from crm_core.errors import ExchangeError
from crm_core.exchange.sheets.cells import SURE_DIGITS

if TYPE_CHECKING:
    from openpyxl.cell import WriteOnlyCell
    from openpyxl.worksheet._write_only import WriteOnlyWorksheet

__all__ = ["Workbook", "moment_cell"]

_MOST_ROWS = 1_048_576
_MOST_CHARACTERS = 32_767
_FIRST_DAY = dt.date(1900, 3, 1)
"""Before it, spreadsheets disagree about the calendar."""

_UNSAFE = re.compile("_x[0-9A-Fa-f]{4}_|[\x00-\x08\x0b-\x1f\ufffe\uffff]")
_DIGITS = re.compile(r"[+\-]?[\d\s().\-/]*\d[\d\s().\-/]*|[=+\-@].*", re.DOTALL)
_TITLE = re.compile(r"[\[\]:*?/\\\x00-\x1f']")


@attrs.define
class Workbook:
    """A spreadsheet that is being written. ``name`` is what errors call it."""

    name: str
    _book: Any = attrs.field(init=False)
    _titles: dict[str, str] = attrs.field(factory=dict)

    def __attrs_post_init__(self) -> None:
        from openpyxl import Workbook as Book

        self._book = Book(write_only=True)

    def sheet(self, title: str, header: Sequence[str], widths: Sequence[int] = ()) -> Callable[[Sequence[Any]], None]:
        """Begin a sheet, its header frozen; returns what writes a row: texts, numbers, days, local moments, flags."""
        from openpyxl.cell import WriteOnlyCell
        from openpyxl.styles import Font
        from openpyxl.utils import get_column_letter

        sheet = self._book.create_sheet(self._title(title))
        sheet.freeze_panes = "A2"
        for number, name in enumerate(header, 1):
            width = widths[number - 1] if number <= len(widths) else 0
            sheet.column_dimensions[get_column_letter(number)].width = max(width, min(len(name) + 2, 40), 10)
        bold = Font(bold=True)
        first = []
        for name in header:
            cell = _text(sheet, name, self.name)
            cell = WriteOnlyCell(sheet, cell) if isinstance(cell, str) else cell
            cell.font = bold
            first.append(cell)
        sheet.append(first)
        written = 1

        def write(row: Sequence[Any]) -> None:
            nonlocal written
            written += 1
            if written > _MOST_ROWS:
                raise ExchangeError(
                    "{file} cannot hold more than {most} rows.",
                    mend="Write fewer records, or CSV.",
                    file=self.name,
                    most=_MOST_ROWS,
                )
            sheet.append([_cell(sheet, value, self.name) for value in row])

        return write

    def _title(self, wanted: str) -> str:
        """A name that a sheet may have and no other has."""
        base = _TITLE.sub(" ", wanted).strip()[:31] or "-"
        title, number = base, 1
        while title.casefold() in self._titles:
            number += 1
            ending = f" {number}"
            title = base[: 31 - len(ending)] + ending
        self._titles[title.casefold()] = title
        return title

    def save(self, file: str | Path | IO[bytes]) -> None:
        """Put it together; nothing can be written to it any more."""
        self._book.save(file)

    def abandon(self) -> None:
        """Leave nothing on the disk."""
        for sheet in self._book.worksheets:
            sheet.close()
            sheet._writer.cleanup()


def _cell(sheet: WriteOnlyWorksheet, value: Any, name: str) -> Any:
    if isinstance(value, str):
        return _text(sheet, value, name)
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int | Decimal):
        return _number(sheet, value, name)
    return _time(sheet, value, name)


def _text(sheet: WriteOnlyWorksheet, text: str, name: str) -> Any:
    if len(text) > _MOST_CHARACTERS:
        raise ExchangeError(
            "{file} cannot hold a text of {length} characters: a cell takes {most}.",
            mend="Leave the field out, or write JSON lines.",
            file=name,
            length=len(text),
            most=_MOST_CHARACTERS,
        )
    safe = _UNSAFE.sub(_escaped, text)
    if _DIGITS.fullmatch(text):
        # It stays a text also when somebody edits it.
        cell = _styled(sheet, "@", safe)
        cell.data_type = "s"
        return cell
    if text[:1] == "#":
        cell = _plain(sheet, safe)
        cell.data_type = "s"
        return cell
    return safe


def _escaped(match: re.Match[str]) -> str:
    found = match[0]
    if found in "\ufffe\uffff":
        # Unicode's two signs that stand for no character, which no spreadsheet can hold in any form.
        return "\ufffd"
    return "_x005F" + found if len(found) > 1 else f"_x{ord(found):04X}_"


def _number(sheet: WriteOnlyWorksheet, value: int | Decimal, name: str) -> Any:
    digits = Decimal(value).normalize().as_tuple().digits
    return (
        value
        if len(digits) <= SURE_DIGITS
        else _text(sheet, f"{value:f}" if isinstance(value, Decimal) else str(value), name)
    )


def _time(sheet: WriteOnlyWorksheet, value: Any, name: str) -> Any:
    day = value.date() if isinstance(value, dt.datetime) else value
    if day < _FIRST_DAY:
        return _text(sheet, value.isoformat(), name)
    return _styled(sheet, "yyyy-mm-dd hh:mm:ss" if isinstance(value, dt.datetime) else "yyyy-mm-dd", value)


def _styled(sheet: WriteOnlyWorksheet, format_: str, value: Any) -> WriteOnlyCell:
    cell = _plain(sheet, value)
    cell.number_format = format_
    return cell


def _plain(sheet: WriteOnlyWorksheet, value: Any) -> WriteOnlyCell:
    from openpyxl.cell import WriteOnlyCell

    return WriteOnlyCell(sheet, value)


def moment_cell(value: dt.datetime, tz: dt.tzinfo, *, about: bool = False) -> dt.datetime | str:
    """A moment as a cell: local and without a zone, as spreadsheets have them.

    Where that would lose something (parts of a second, which of two equal hours of a clock that was set back) it is a
    text with its distance from UTC. ``about`` drops the parts of a second.
    """
    if about:
        value = value.replace(microsecond=0)
    try:
        local = value.astimezone(tz)
        plain = local.replace(tzinfo=None, fold=0)
        same = plain.replace(tzinfo=tz).astimezone(dt.UTC) == value
    except OverflowError:
        return value.isoformat()
    return plain if same and not value.microsecond and plain.date() >= _FIRST_DAY else local.isoformat()
