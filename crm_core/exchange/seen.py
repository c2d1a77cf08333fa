"""What one section must remember of rows it has read, on disk, so that memory does not grow with the file."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from crm_core.store.parts import in_parts

__all__ = ["Seen"]

_CHUNK = 500


class Seen:
    """Keys with the line they came in, and rows to be tried again at the end.

    A private SQLite database with an empty name lies in a temporary file that goes when it is closed.
    """

    def __init__(self) -> None:
        self._database = sqlite3.connect("", isolation_level=None)
        self._database.execute("CREATE TABLE key (key TEXT PRIMARY KEY, line INTEGER) WITHOUT ROWID")
        self._database.execute("CREATE TABLE waiting (id INTEGER PRIMARY KEY, key TEXT, line INTEGER, cells BLOB)")
        self._database.execute("CREATE INDEX waiting_key ON waiting (key)")
        self._database.execute("BEGIN")

    def close(self) -> None:
        """Forget everything."""
        self._database.close()

    def lines(self, keys: Iterable[str]) -> dict[str, int]:
        """The lines of those keys that came before."""
        found: dict[str, int] = {}
        for part in in_parts(keys, _CHUNK):
            marks = ", ".join("?" * len(part))
            found.update(self._database.execute(f"SELECT key, line FROM key WHERE key IN ({marks})", part))  # noqa: S608
        return found

    def note(self, pairs: Iterable[tuple[str, int]]) -> None:
        """Remember keys with their lines; a later line replaces an earlier one."""
        self._database.executemany("INSERT OR REPLACE INTO key VALUES (?, ?)", pairs)

    def wait(self, key: str, line: int, cells: Any) -> None:
        """Keep a row for later."""
        row = (key, line, msgspec.msgpack.encode(cells))
        self._database.execute("INSERT INTO waiting (key, line, cells) VALUES (?, ?, ?)", row)

    def waits(self, key: str) -> bool:
        """Whether a row with this key waits, or did when the present round began."""
        return self._database.execute("SELECT 1 FROM waiting WHERE key = ?", (key,)).fetchone() is not None

    def rounds(self) -> Iterator[Iterator[tuple[int, Any]]]:
        """The rows that wait; those that are told to wait again come in the next round, while there are any."""
        while (last := self._database.execute("SELECT max(id) FROM waiting").fetchone()[0]) is not None:
            yield self._waiting(last)
            self._database.execute("DELETE FROM waiting WHERE id <= ?", (last,))

    def _waiting(self, last: int) -> Iterator[tuple[int, Any]]:
        at = 0
        while True:
            part = self._database.execute(
                "SELECT id, line, cells FROM waiting WHERE id > ? AND id <= ? ORDER BY id LIMIT ?", (at, last, _CHUNK)
            ).fetchall()
            if not part:
                return
            at = part[-1][0]
            for _, line, cells in part:
                yield line, msgspec.msgpack.decode(cells)
