"""The points at which a fault may strike: every statement, every file that is made or renamed, every call of a plugin.

They are counted in the process that works, below everything of ours: by the trace of SQLite's library, by the one
function through which psycopg waits for the server, and by Python's audit events. So they are met evenly, also where
code speaks with the driver itself.
"""

from __future__ import annotations

import os
import sqlite3
import sqlite3.dbapi2
import sys
from collections import Counter
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, Literal, TypeAlias

import attrs

__all__ = ["KINDS", "Kind", "Steps", "install", "passed"]

Kind: TypeAlias = Literal["statement", "file", "hook"]
KINDS: tuple[Kind, ...] = ("statement", "file", "hook")

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
_MOVES = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.chmod", "os.truncate", "shutil.move", "shutil.rmtree"}


@attrs.define
class Steps:
    """Counts what this process does in ``folder``, and calls ``strike`` when it comes to step ``at``."""

    folder: Path
    kinds: Collection[Kind]
    at: int
    strike: Callable[[], object]
    counts: Counter[Kind] = attrs.field(factory=Counter)
    _busy: bool = False

    def step(self, kind: Kind) -> None:
        """Another step is about to be done."""
        if self._busy:
            return
        self.counts[kind] += 1
        if kind in self.kinds and sum(self.counts[each] for each in self.kinds) == self.at:
            # What the strike does itself is no step.
            self._busy = True
            try:
                self.strike()
            finally:
                self._busy = False


_steps: Steps | None = None


def passed(kind: Kind) -> None:
    """Somebody comes to a point of this kind."""
    if _steps is not None:
        _steps.step(kind)


def install(steps: Steps, pages: int | None = None) -> None:
    """Let every point of this process be counted from now on; for a process that does nothing else.

    ``pages`` is how large a SQLite database may become, in pages: its disk is full then.
    """
    global _steps  # noqa: PLW0603 - a process has one
    _steps = steps
    sys.addaudithook(_audit(steps))
    _watch_sqlite(pages)
    _watch_psycopg()


def _audit(steps: Steps) -> Callable[[str, tuple[Any, ...]], None]:
    folder = str(steps.folder)

    def heard(event: str, arguments: tuple[Any, ...]) -> None:
        if (
            (event == "open" and (arguments[2] or 0) & _WRITING and _within(folder, arguments[0]))
            or (event in _MOVES and _within(folder, arguments[0]))
            or event == "subprocess.Popen"
        ):
            passed("file")

    return heard


def _within(folder: str, path: object) -> bool:
    return isinstance(path, str | os.PathLike) and os.fspath(path).startswith(folder)


def _watch_sqlite(pages: int | None) -> None:
    connect = sqlite3.connect

    def watched(*arguments: Any, **options: Any) -> sqlite3.Connection:
        connection: sqlite3.Connection = connect(*arguments, **options)
        if pages is not None:
            connection.execute(f"PRAGMA max_page_count = {pages}")
        connection.set_trace_callback(lambda _statement: passed("statement"))
        return connection

    for module in (sqlite3, sqlite3.dbapi2):
        module.connect = watched  # type: ignore[attr-defined]


def _watch_psycopg() -> None:
    import psycopg

    wait = psycopg.Connection.wait

    def watched(self: Any, *arguments: Any, **options: Any) -> Any:
        passed("statement")
        return wait(self, *arguments, **options)

    psycopg.Connection.wait = watched  # type: ignore[method-assign]
