"""What one section must remember of rows it has read, on disk, so that memory does not grow with the file."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

__all__ = ["Seen"]

_CHUNK = 500


class Seen:
    """Keys with the line they came in, and rows to be tried again at the end.

    A private SQLite database with an empty name lies in a temporary file that goes when it is closed.
    """

    def __init__(self) -> None:
        self._database = sqlite3.connect("", isolation_level=None)
        self._database.execute("CREATE TABLE key (key TEXT PRIMARY KEY, line INTEGER) WITHOUT ROWID")
        self._database.execute("CREATE TABLE waiting (id INTEGER PRIMARY KEY, line INTEGER, cells BLOB)")
        self._database.execute("BEGIN")

    def close(self) -> None:
        """Forget everything."""
        self._database.close()

    def lines(self, keys: Iterable[str]) -> dict[str, int]:
        """The lines of those keys that came before."""
        found: dict[str, int] = {}
        wanted = list(keys)
        for start in range(0, len(wanted), _CHUNK):
            part = wanted[start : start + _CHUNK]
            marks = ", ".join("?" * len(part))
            found.update(self._database.execute(f"SELECT key, line FROM key WHERE key IN ({marks})", part))  # noqa: S608
        return found

    def note(self, pairs: Iterable[tuple[str, int]]) -> None:
        """Remember keys with their lines; a later line replaces an earlier one."""
        self._database.executemany("INSERT OR REPLACE INTO key VALUES (?, ?)", pairs)

    def wait(self, line: int, cells: Any) -> None:
        """Keep a row for later."""
        self._database.execute("INSERT INTO waiting (line, cells) VALUES (?, ?)", (line, msgspec.msgpack.encode(cells)))

    def waiting(self) -> Iterator[tuple[int, Any]]:
        """Take out the rows that wait; rows that are put back meanwhile come the next time."""
        last = self._database.execute("SELECT max(id) FROM waiting").fetchone()[0]
        while last is not None:
            part = self._database.execute(
                "SELECT id, line, cells FROM waiting WHERE id <= ? ORDER BY id LIMIT ?", (last, _CHUNK)
            ).fetchall()
            if not part:
                return
            self._database.execute("DELETE FROM waiting WHERE id <= ?", (part[-1][0],))
            for _, line, cells in part:
                yield line, msgspec.msgpack.decode(cells)
