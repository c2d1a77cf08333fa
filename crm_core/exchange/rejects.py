"""The rejects file: every row that was not taken, with its line, the reason and its own cells."""

from __future__ import annotations

import csv
import functools
import os
from collections.abc import Iterable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import IO, Any

import msgspec

from crm_core.exchange.guard import guarded
from crm_core.exchange.report import Rejected
from crm_core.exchange.sparing import REJECTED, SAID, spared_by_rejects

__all__ = ["Rejects", "by_column"]

_FIRST = 20
_MOST_CELLS = 16_000
"""A spreadsheet has 16,384 columns."""


def by_column(header: Sequence[str] | None, cells: Any) -> Any:
    """Original cells by the names of their columns: so they can be mended and taken again.

    As they are where there are more or fewer, or where two columns have one name and a cell would be lost.
    """
    if header is None or len(cells) != len(header) or len(set(header)) != len(header):
        return cells
    return dict(zip(header, cells, strict=True))


class Rejects:
    """Collects rejected rows; the file appears when the import is over, and only if there are any.

    It holds personal data, so that only its owner may read it. It replaces a file of rejects and none else, nor one
    of those that are ``read``: then :class:`~crm_core.errors.ExchangeError` is raised.
    """

    def __init__(self, path: Path | None, read: Iterable[Path]) -> None:
        self.path = path and spared_by_rejects(path, read)
        self.first: list[Rejected] = []
        self._part = path.with_name(path.name + ".part") if path else None
        self._file: IO[str] | None = None
        self._write: Any = None
        self._sheets: _Sheets | None = None

    def add(self, rejected: Rejected, cells: Any) -> None:
        """Note a row."""
        if len(self.first) < _FIRST:
            self.first.append(rejected)
        if self._part is None:
            return
        if self._file is None:
            self._open(self._part)
        self._write(rejected, cells)

    def _open(self, part: Path) -> None:
        part.unlink(missing_ok=True)
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        sheets, lines = part.name.endswith(".xlsx.part"), part.name.endswith((".jsonl.part", ".ndjson.part"))
        # People open CSV in a spreadsheet, which takes it for UTF-8 by its mark alone; exports have it, too.
        encoding = "utf-8" if sheets or lines else "utf-8-sig"
        self._file = os.fdopen(descriptor, "w", encoding=encoding, newline="")
        if sheets:
            self._sheets = _Sheets(part.name.removesuffix(".part"))
            self._write = self._sheets.add
        elif lines:
            self._write = functools.partial(_json_line, self._file)
        else:
            writer = csv.writer(self._file)
            writer.writerow(REJECTED)
            self._write = lambda rejected, cells: writer.writerow(
                [
                    guarded(rejected.section), guarded(rejected.file), rejected.line, guarded(rejected.key or ""),
                    guarded(rejected.reason), guarded(msgspec.json.encode(cells).decode()),
                ]
            )  # fmt: skip

    def finish(self) -> Path | None:
        """Put the file in its place; one of an earlier run goes."""
        if self.path is None or self._part is None:
            return None
        if self._file is None:
            self.path.unlink(missing_ok=True)
            return None
        if self._sheets is not None:
            with open(self._file.fileno(), "wb", closefd=False) as file:
                self._sheets.workbook.save(file)
        self._file.close()
        self._part.replace(self.path)
        return self.path

    def abandon(self) -> None:
        """The import failed: leave nothing half written."""
        if self._file is not None and self._part is not None:
            self._file.close()
            self._part.unlink(missing_ok=True)
            if self._sheets is not None:
                self._sheets.workbook.abandon()


class _Sheets:
    """Rejected rows as a spreadsheet: a sheet for each section, with the columns of its file, to be mended there.

    Cells of which nobody knows to which columns they belong stand one beside the other in a sheet of their own, behind
    what is said of the row.
    """

    def __init__(self, name: str) -> None:
        from crm_core.exchange.sheets.writing import Workbook

        self.workbook = Workbook(name)
        self._writers: dict[tuple[Any, ...], Any] = {}

    def add(self, rejected: Rejected, cells: Any) -> None:
        names = tuple(cells) if isinstance(cells, dict) else ()
        place = (rejected.section, rejected.file, names)
        if place not in self._writers:
            header = (*names, *SAID) if names else (*SAID, "cells")
            self._writers[place] = self.workbook.sheet(rejected.section, header)
        said = [rejected.file, rejected.line, rejected.key, rejected.reason]
        if names:
            self._writers[place]([*(_readable(cells[name]) for name in names), *said])
            return
        first, rest = cells[:_MOST_CELLS], cells[_MOST_CELLS:]
        self._writers[place]([*said, *map(_readable, first), *([_readable(rest)] if rest else [])])


def _readable(cell: Any) -> Any:
    """A cell as it was; what only JSON can hold is written as JSON. A number stays the number it was."""
    if cell is None or isinstance(cell, str | bool | int):
        return cell
    return Decimal(str(cell)) if isinstance(cell, float | Decimal) else msgspec.json.encode(cell).decode()


def _json_line(file: IO[str], rejected: Rejected, cells: Any) -> None:
    row = {name: getattr(rejected, name) for name in REJECTED[:-1]} | {"cells": cells}
    file.write(msgspec.json.encode(row).decode() + "\n")
