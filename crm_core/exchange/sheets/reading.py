"""A sheet of a spreadsheet as one more source of rows.

The first row that is not blank (or the one that the mapping names) names the columns. Blank rows are left out. A cell
that is merged downwards counts for each of its rows, as whoever looks at it would say; one that is merged to the side
belongs to its first column. Formulas count by the values that the program that saved the file has worked out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from crm_core.errors import ExchangeError, Problem, nearest
from crm_core.exchange.sheets.archive import Oddities, check_archive, inspected
from crm_core.exchange.sheets.cells import Value, readable
from crm_core.exchange.sources import Row, Source

if TYPE_CHECKING:
    from python_calamine import CalamineSheet, CalamineWorkbook

__all__ = ["SheetRows", "SheetSource", "open_sheet", "sheet_names"]


@attrs.frozen
class SheetSource(Source):
    """A sheet: its number in the file (from 0), its name, and the row (from 1) with the names of the columns.

    ``shown`` are the names of all sheets of the file that are shown.
    """

    index: int
    sheet: str
    header_row: int
    odd: Oddities
    shown: tuple[str, ...] = ()

    @property
    def typed(self) -> bool:
        """Its numbers are numbers."""
        return True

    @property
    def place(self) -> tuple[Path, str]:
        """The file, and which of its sheets."""
        return self.path, self.sheet

    @property
    def others(self) -> tuple[str, ...]:
        """The sheets that are shown beside this one."""
        return tuple(name for name in self.shown if name != self.sheet)

    def rows(self) -> SheetRows:
        """Read it from the beginning."""
        return SheetRows(self)


def open_sheet(path: Path, sheet: str = "", header_row: int = 0) -> SheetSource:
    """Look at a spreadsheet: at the sheet with this name or number (from 1), else at the first that is shown.

    Raises :class:`ExchangeError` when it cannot be read, or has no such sheet.
    """
    if _packed(path):
        # Before the reader opens it: it unpacks the shared texts then.
        check_archive(path)
    workbook = _workbook(path)
    try:
        index = _chosen(path, workbook, sheet)
        odd = inspected(path, index) if path.suffix.lower() in (".xlsx", ".xlsm") else Oddities()
        name = workbook.sheet_names[index]
        shown = tuple(workbook.sheet_names[each] for each in _shown(workbook))
        header, number = _header(path, _sheet(path, workbook, index), header_row, shown)
    finally:
        workbook.close()
    return SheetSource(path, "", "", header, index, name, number, odd, shown)


def sheet_names(path: Path) -> list[str]:
    """The sheets of a spreadsheet that are shown, in their order."""
    if _packed(path):
        check_archive(path)
    workbook = _workbook(path)
    try:
        return [workbook.sheet_names[index] for index in _shown(workbook)]
    finally:
        workbook.close()


def _packed(path: Path) -> bool:
    """Whether it is an archive; old files of Excel are none, and hold at most seventeen million cells."""
    return path.suffix.lower() != ".xls"


def _workbook(path: Path) -> CalamineWorkbook:
    from python_calamine import CalamineWorkbook, PasswordError

    with _told(path):
        try:
            return CalamineWorkbook.from_path(path)
        except PasswordError:
            raise ExchangeError(
                "{file} is protected by a password.", mend="Save it without one.", file=str(path)
            ) from None


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Say of a file that the reader gives up on that it cannot be read, whichever way it gives up."""
    from python_calamine import CalamineError

    try:
        yield
    except (CalamineError, OSError, ValueError) as error:
        raise _unreadable(path, error) from None
    except BaseException as error:
        # What the reader did not expect ends as a panic, which is no Exception, and which it does not export.
        if type(error).__name__ != "PanicException":
            raise
        raise _unreadable(path, error) from None


def _unreadable(path: Path, error: BaseException) -> ExchangeError:
    return ExchangeError(
        "{file} cannot be read: {reason}.",
        mend="Open it in a spreadsheet program and save it as .xlsx.",
        file=str(path),
        reason=str(error).rstrip("."),
    )


def _shown(workbook: CalamineWorkbook) -> list[int]:
    from python_calamine import SheetTypeEnum, SheetVisibleEnum

    return [
        index
        for index, each in enumerate(workbook.sheets_metadata)
        if each.visible == SheetVisibleEnum.Visible and each.typ == SheetTypeEnum.WorkSheet
    ]


def _chosen(path: Path, workbook: CalamineWorkbook, sheet: str) -> int:
    names = workbook.sheet_names
    if not sheet:
        if shown := _shown(workbook):
            return shown[0]
        raise ExchangeError("{file} has no sheet.", file=str(path))
    if sheet in names:
        return names.index(sheet)
    if sheet.isascii() and sheet.isdecimal() and 0 < int(sheet) <= len(names):
        return int(sheet) - 1
    raise ExchangeError(
        "{file} has no sheet {sheet!r}. Its sheets: {names}.",
        mend="Did you mean {near}?",
        file=str(path),
        sheet=sheet,
        names=", ".join(names),
        near=nearest(sheet, names),
    )


def _sheet(path: Path, workbook: CalamineWorkbook, index: int) -> CalamineSheet:
    with _told(path):
        return workbook.get_sheet_by_index(index)


def _header(path: Path, sheet: CalamineSheet, header_row: int, shown: Sequence[str]) -> tuple[tuple[str, ...], int]:
    for number, row in _numbered(sheet):
        if number >= header_row and any(cell != "" for cell in row):
            if header_row and number > header_row:
                break
            return tuple(" ".join(str(cell).split()) for cell in row), number
    if header_row:
        raise ExchangeError(
            "{file} has no names of columns in row {row}.", mend="Correct header_row.", file=str(path), row=header_row
        )
    raise ExchangeError(
        "{file} is empty in its sheet {sheet!r}. Its sheets: {names}." if len(shown) > 1 else "{file} is empty.",
        mend="Its first line names the columns.", file=str(path), sheet=sheet.name, names=", ".join(shown),
    )  # fmt: skip


def _numbered(sheet: CalamineSheet) -> Iterator[tuple[int, list[Value]]]:
    """All rows with their numbers; columns before the first that is used are left out."""
    for number, row in enumerate(sheet.iter_rows(), 1):
        yield number, [readable(cell) for cell in row]


class SheetRows:
    """One pass over a sheet; ``share`` says how much of it was read."""

    def __init__(self, source: SheetSource) -> None:
        self.source = source
        self._workbook = _workbook(source.path)
        self._sheet = _sheet(source.path, self._workbook, source.index)
        self._read = 0

    @property
    def share(self) -> float:
        """The share that was read."""
        height = self._sheet.end[0] + 1 if self._sheet.end else 1
        return min(self._read / height, 1.0)

    def __enter__(self) -> SheetRows:
        return self

    def __exit__(self, *_: object) -> None:
        self._workbook.close()

    def __iter__(self) -> Iterator[Row]:
        source = self.source
        odd = source.odd
        merged = self._merged()
        above: dict[int, tuple[int, Value]] = {}
        for number, row in _numbered(self._sheet):
            self._read = number
            blank = not any(cell != "" for cell in row)
            for column, (last, value) in list(above.items()):
                row[column] = value if row[column] == "" else row[column]
                if last <= number:
                    del above[column]
            for column, last in merged.get(number, ()):
                if column < len(row):
                    above[column] = (last, row[column])
            if blank or number <= source.header_row:
                continue
            yield number, row, _oddity(number, odd)

    def _merged(self) -> dict[int, list[tuple[int, int]]]:
        """Cells that are merged downwards, by the row they begin in: column and last row."""
        found: dict[int, list[tuple[int, int]]] = {}
        first = self._sheet.start[1] if self._sheet.start else 0
        for (top, left), (bottom, _) in self._sheet.merged_cell_ranges or ():
            if bottom > top and top + 1 > self.source.header_row and left >= first:
                found.setdefault(top + 1, []).append((left - first, bottom + 1))
        return found


def _oddity(row: int, odd: Oddities) -> Problem | None:
    if row in odd.errors:
        return Problem(
            "", "The cell {cell} holds an error of the spreadsheet.", "Mend its formula, or empty it.",
            {"cell": odd.errors[row]},
        )  # fmt: skip
    if row in odd.formulas:
        return Problem(
            "", "The cell {cell} holds a formula that was never worked out.",
            "Open the file in a spreadsheet program and save it.", {"cell": odd.formulas[row]},
        )  # fmt: skip
    return None
