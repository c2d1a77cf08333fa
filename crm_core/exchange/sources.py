"""Data files as rows: CSV, JSON lines and spreadsheets, read as a stream, rows that cannot be used among the others.

A row is ``(line, cells, problem)``: the line it begins in, its cells (a list in the order of the header, or a dict from
JSON lines), and a :class:`~crm_core.errors.Problem` in place of cells that can be used.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from io import TextIOWrapper
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import attrs
import msgspec

from crm_core.assembly.toml_text import DEEPEST, exact, nested_deeper
from crm_core.errors import ExchangeError, Problem
from crm_core.exchange.encodings import detect
from crm_core.exchange.sheets import READ

__all__ = ["Row", "Rows", "Source", "open_source", "without_sheets"]

Row: TypeAlias = tuple[int, Any, Problem | None]
_DELIMITERS = ",;\t|"


@attrs.frozen
class Source:
    """A data file that can be read. ``header`` is ``None`` for JSON lines, where every row names its own."""

    path: Path
    encoding: str
    delimiter: str
    header: tuple[str, ...] | None

    @property
    def typed(self) -> bool:
        """Whether its numbers are numbers, and no texts that look like some."""
        return False

    @property
    def place(self) -> tuple[Path, str]:
        """What is read: a file, or a sheet of one."""
        return self.path, ""

    @property
    def others(self) -> tuple[str, ...]:
        """The sheets of the same file that people see beside this one."""
        return ()

    def rows(self) -> Rows:
        """Read it from the beginning."""
        return SourceRows(self)


class Rows(Protocol):
    """One pass over a source; ``share`` says how much of it was read, up to 1."""

    @property
    def share(self) -> float: ...

    def __enter__(self) -> Rows: ...

    def __exit__(self, *_: object) -> None: ...

    def __iter__(self) -> Iterator[Row]: ...


def open_source(
    path: Path, encoding: str = "auto", delimiter: str = "auto", sheet: str = "", header_row: int = 0
) -> Source:
    """Look at a file: its encoding, delimiter and header; of a spreadsheet, the ``sheet`` with this name or number.

    Raises :class:`ExchangeError` when it is no such file.
    """
    if path.suffix.lower() in READ:
        from crm_core.exchange.sheets.reading import open_sheet

        return open_sheet(path, sheet, header_row)
    try:
        if encoding == "auto":
            encoding = detect(path)
        if path.suffix.lower() in (".jsonl", ".ndjson"):
            return Source(path, encoding, "", None)
        # A byte order mark is no part of the first column's name, whatever encoding the mapping names.
        if encoding.lower().replace("_", "-") in ("utf-8", "utf8"):
            encoding = "utf-8-sig"
        with path.open(encoding=encoding, newline="") as file:
            if delimiter == "auto":
                delimiter = _delimiter(file.readline())
                file.seek(0)
            header = next(csv.reader(file, delimiter=delimiter, strict=True), None)
    except (OSError, csv.Error) as error:
        raise ExchangeError("{file} cannot be read: {reason}.", file=str(path), reason=_reason(error)) from None
    except UnicodeError as error:
        raise _undecodable(path, encoding, error) from None
    if not header:
        raise ExchangeError("{file} is empty.", mend="Its first line names the columns.", file=str(path))
    return Source(path, encoding, delimiter, tuple(header))


def without_sheets(files: Iterable[Path]) -> ExchangeError:
    """What is said where a sheet is named, and none of the files that are read has any."""
    return ExchangeError(
        "{file} has no sheets: it is no spreadsheet.",
        mend="Leave the sheet out, or name a file that ends in {known}.",
        file=", ".join(dict.fromkeys(map(str, files))),
        known=", ".join(READ),
    )


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error)


def _undecodable(path: Path, encoding: str, error: UnicodeError) -> ExchangeError:
    return ExchangeError(
        "{file} is not written in {encoding}: {reason}.",
        mend='Name its encoding in the mapping, such as encoding = "gb18030".',
        file=str(path),
        encoding=encoding,
        reason=getattr(error, "reason", str(error)),
    )


def _delimiter(line: str) -> str:
    """The delimiter that stands most often in the header, outside of quotes."""
    bare = "".join(line.split('"')[::2])
    return max(_DELIMITERS, key=bare.count)


class SourceRows:
    """One pass over a file."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self._size = max(source.path.stat().st_size, 1)
        self._file = source.path.open("rb")
        newline = "" if source.header is not None else "\n"
        # Kept here, because it closes the file when it goes.
        self._text = TextIOWrapper(self._file, encoding=source.encoding, newline=newline)

    @property
    def share(self) -> float:
        """The share of its bytes that was read."""
        return min(self._file.tell() / self._size, 1.0)

    def __enter__(self) -> SourceRows:
        return self

    def __exit__(self, *_: object) -> None:
        self._text.close()

    def __iter__(self) -> Iterator[Row]:
        source = self.source
        try:
            if source.header is None:
                yield from self._json_lines()
            else:
                yield from self._csv(source.header)
        except UnicodeError as error:
            raise _undecodable(source.path, source.encoding, error) from None

    def _csv(self, header: tuple[str, ...]) -> Iterator[Row]:
        reader = csv.reader(self._text, delimiter=self.source.delimiter, strict=True)
        next(reader)
        width = len(header)
        while True:
            line = reader.line_num + 1
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                problem = Problem("", "This is no CSV: {reason}.", "Check its quotes.", {"reason": str(error)})
                yield line, [], problem
                continue
            if len(cells) == width:
                yield line, cells, None
            elif cells:
                yield (
                    line,
                    cells,
                    Problem(
                        "",
                        "The line has {cells} cells, the header {columns}.",
                        "A cell with a comma in it stands in quotes.",
                        {"cells": len(cells), "columns": width},
                    ),
                )

    def _json_lines(self) -> Iterator[Row]:
        decode = msgspec.json.Decoder(float_hook=exact).decode
        for line, row in enumerate(self._text, 1):
            if not row.strip():
                continue
            try:
                cells = decode(row)
                if row.count("[") + row.count("{") > DEEPEST and nested_deeper(cells, DEEPEST):
                    raise RecursionError
                if isinstance(cells, dict):
                    yield line, cells, None
                    continue
                reason = "it is no object"
            except (msgspec.DecodeError, ValueError) as error:
                reason = str(error)
            except RecursionError:
                reason = "it is nested too deeply"
            problem = Problem("", "This is no line of JSON: {reason}.", "", {"reason": reason})
            yield line, {"": row.rstrip("\n")}, problem
