"""The files that an export writes row by row: CSV, JSON lines, a spreadsheet."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, TypeAlias

import msgspec

from crm_core.errors import ExchangeError
from crm_core.exchange.appearing import appearing

__all__ = ["Format", "Write", "file_being_written", "format_of"]

Format = Literal["csv", "jsonl", "xlsx"]
Write: TypeAlias = Callable[[Sequence[Any]], Any]


def format_of(path: Path) -> Format:
    """The format that the name of a file asks for; raises :class:`ExchangeError` for one that asks for none."""
    match path.suffix.lower():
        case ".csv":
            return "csv"
        case ".jsonl" | ".ndjson":
            return "jsonl"
        case ".xlsx":
            return "xlsx"
    raise ExchangeError(
        "{file} does not say in which format to write.", mend="End its name in .csv, .jsonl or .xlsx.", file=str(path)
    )


@contextmanager
def file_being_written(
    path: Path, kind: Format, title: str, header: Sequence[str], widths: Sequence[int] = ()
) -> Iterator[Write]:
    """Write rows to ``path``, under a header; the file appears when all of it is written.

    One that is there is replaced then, and stays when something fails. Raises :class:`ExchangeError` when it cannot be
    written.
    """
    kinds = {"csv": _csv, "jsonl": _json_lines, "xlsx": _sheet}
    with appearing(path) as part, kinds[kind](part, title, header, widths) as write:
        yield write


@contextmanager
def _csv(part: Path, _title: str, header: Sequence[str], _widths: Sequence[int]) -> Iterator[Write]:
    with part.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        yield writer.writerow


@contextmanager
def _json_lines(part: Path, _title: str, header: Sequence[str], _widths: Sequence[int]) -> Iterator[Write]:
    encode = msgspec.json.Encoder().encode
    with part.open("w", encoding="utf-8", newline="") as file:

        def write(values: Sequence[Any]) -> None:
            file.write(encode(dict(zip(header, values, strict=True))).decode() + "\n")

        yield write


@contextmanager
def _sheet(part: Path, title: str, header: Sequence[str], widths: Sequence[int]) -> Iterator[Write]:
    from crm_core.exchange.sheets.writing import Workbook

    workbook = Workbook(part.name.removesuffix(".part"))
    try:
        # Opened first, so that a place where nothing can be written is told before the work is done.
        with part.open("wb") as file:
            yield workbook.sheet(title, header, widths)
            workbook.save(file)
    except BaseException:
        workbook.abandon()
        raise
