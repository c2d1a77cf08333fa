"""Files that nothing may be written over by mistake: a wrong name after an option must not cost anybody's data."""

from __future__ import annotations

import codecs
from collections.abc import Iterable
from pathlib import Path

import msgspec

from crm_core.errors import ExchangeError

__all__ = ["REJECTED", "SAID", "spared", "spared_by_rejects"]

REJECTED = ("section", "file", "line", "key", "reason", "cells")
"""The columns of a file of rejects, by which one is known."""
SAID = ("rejected: file", "rejected: line", "rejected: key", "rejected: reason")
"""What stands beside the row's own cells where it is a spreadsheet."""

_DATABASE = b"SQLite format 3\0"
_ELSEWHERE = "Choose another place, or move that file away."


def spared(path: Path) -> Path:
    """The same path, if something may be written over what is there: no database, no build file and no mapping.

    Other files are replaced, as an export of each night replaces that of the night before.

    Raises :class:`ExchangeError` otherwise.
    """
    if path.is_file():
        if path.suffix.lower() == ".toml":
            raise ExchangeError("{file} holds settings, and would be replaced.", mend=_ELSEWHERE, file=str(path))
        with path.open("rb") as file:
            if file.read(len(_DATABASE)) == _DATABASE:
                raise ExchangeError("{file} is a database, and would be replaced.", mend=_ELSEWHERE, file=str(path))
    return path


def spared_by_rejects(path: Path, read: Iterable[Path]) -> Path:
    """The same path, if rejected rows may replace what is there: those of an earlier run, and none that is being read.

    Raises :class:`ExchangeError` otherwise.
    """
    if not path.exists():
        return path
    if any(each.exists() and path.samefile(each) for each in read):
        raise ExchangeError(
            "{file} is what is read, and would be replaced by the rejected rows.",
            mend="Name another file for the rejected rows.",
            file=str(path),
        )
    if path.is_dir() or (path.stat().st_size and not _holds_rejects(path)):
        raise ExchangeError(
            "{file} holds no rejected rows of an import, and would be replaced by them.",
            mend="Name another file for the rejected rows, or move that one away.",
            file=str(path),
        )
    return path


def _holds_rejects(path: Path) -> bool:
    if path.suffix.lower() == ".xlsx":
        from crm_core.exchange.sources import open_source

        try:
            header = open_source(path).header
        except ExchangeError:
            return False
        return header is not None and set(SAID) <= set(header)
    with path.open("rb") as file:
        first = file.readline(1_000_000).removeprefix(codecs.BOM_UTF8).strip()
    if path.suffix.lower() in (".jsonl", ".ndjson"):
        try:
            row = msgspec.json.decode(first)
        except msgspec.DecodeError:
            return False
        return isinstance(row, dict) and tuple(row) == REJECTED
    return first == ",".join(REJECTED).encode()
