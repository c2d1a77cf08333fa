"""The tables at a place: one file, the sheets of a spreadsheet, or all files of a folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from crm_core.errors import ExchangeError
from crm_core.exchange.drafting.model import Said
from crm_core.exchange.drafting.table import Table, read_table
from crm_core.exchange.drafting.xml_columns import with_inner
from crm_core.exchange.sheets import READ

__all__ = ["tables_in"]

_TEXTS = (".csv", ".tsv", ".tab")


def tables_in(path: Path, told: Callable[[str, int, int], None]) -> tuple[list[Table], list[tuple[str, Said]]]:
    """The tables of a file or a folder by name, and what of a folder is no table, with the reason.

    ``told`` is told of each file with its number and how many there are. Raises
    :class:`~crm_core.errors.ExchangeError` where there is no table at all.
    """
    if path.is_dir():
        files = sorted(each for each in path.iterdir() if each.is_file() and _may_be_one(each))
    elif path.is_file():
        files = [path]
    else:
        raise ExchangeError(
            "There is no file and no folder {file}.", mend="Check the name; a mapping is drafted from tables.",
            file=str(path),
        )  # fmt: skip
    tables: list[Table] = []
    left: list[tuple[str, Said]] = []
    for number, file in enumerate(files, 1):
        told(file.name, number, len(files))
        try:
            found, without = _of(file)
        except ExchangeError as error:
            if not path.is_dir():
                raise
            left.append((file.name, (error.problem, error.values)))
            continue
        tables += map(with_inner, found)
        left += without
    if not tables:
        raise ExchangeError(
            "{folder} has no tables: no CSV files, no spreadsheets.",
            mend="Name a file, or a folder with files that end in {endings}.",
            folder=str(path),
            endings=", ".join((*_TEXTS, *READ)),
        )
    return tables, left


def _may_be_one(file: Path) -> bool:
    return file.suffix.lower() in (*_TEXTS, *READ) and not file.name.startswith((".", "~$"))


def _of(file: Path) -> tuple[list[Table], list[tuple[str, Said]]]:
    """The tables of a file, and its sheets that are none, with the reason."""
    names: list[str] = []
    if file.suffix.lower() in READ:
        from crm_core.exchange.sheets.reading import sheet_names

        names = sheet_names(file)
    if len(names) < 2:
        return [read_table(file)], []
    tables: list[Table] = []
    left: list[tuple[str, Said]] = []
    for name in names:
        try:
            tables.append(read_table(file, name))
        except ExchangeError as error:
            left.append((f"{file.name}: {name}", (error.problem, error.values)))
    return tables, left
