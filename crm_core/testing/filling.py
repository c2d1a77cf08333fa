"""Databases of tests that are filled once and copied for each further test that wants the same.

To make the tables of a build and a small company in them takes longer than most tests; to copy what an earlier test
has made is a file copied, or on PostgreSQL a database made from a template.
"""

from __future__ import annotations

import copy
import itertools
import os
import shutil
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Any, Protocol, TypeVar

import attrs

from crm_core.testing.postgresql import PostgreSQLServer

__all__ = ["FillDatabase", "PostgreSQLDatabases", "SQLiteDatabases"]

T = TypeVar("T")


class FillDatabase(Protocol):
    """What the fixture ``fill_database`` gives.

    ``fill_database(fill, *args)`` leaves in the test's database what ``fill(url, *args)`` writes into an empty one, and
    returns what that returned: a value that can be copied, such as ids. In each process ``fill`` runs but once for the
    same arguments, which are hashable; what it writes follows from them alone, and it closes its connections.
    """

    def __call__(self, fill: Callable[..., T], *args: Hashable) -> T: ...


@attrs.frozen
class _Filled:
    place: Any
    value: Any


class SQLiteDatabases:
    """Databases as files; what is filled is kept in ``folder``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._filled: dict[Hashable, _Filled] = {}

    def fill(self, path: Path, fill: Callable[..., T], *args: Hashable) -> T:
        """See :class:`FillDatabase`."""
        if path.exists():
            raise RuntimeError(
                f"{path} is there already, and nothing can be put into its place. Call fill_database once, before "
                "anything else opens the database."
            )
        known = self._filled.get((fill, args))
        if known is None:
            value = fill(f"sqlite:///{path}", *args)
            log = path.with_name(f"{path.name}-wal")
            if log.exists():
                raise RuntimeError(f"{path} is still open. Let what fills a database close its connections.")
            place = self.folder / f"{len(self._filled)}.db"
            shutil.copyfile(path, place)
            self._filled[fill, args] = known = _Filled(place, copy.deepcopy(value))
        else:
            shutil.copyfile(known.place, path)
        return copy.deepcopy(known.value)  # type: ignore[no-any-return]


class PostgreSQLDatabases:
    """Databases of a server."""

    def __init__(self, server: PostgreSQLServer) -> None:
        self.server = server
        self._who = os.environ.get("PYTEST_XDIST_WORKER", "main")
        self._numbers = itertools.count(1)
        self._filled: dict[Hashable, _Filled] = {}
        self._empty: set[str] = set()

    def make(self, name: str) -> str:
        """Make an empty database; it may be filled later on."""
        self._empty.add(name)
        return self.server.create_database(name)

    def name(self, kind: str = "test") -> str:
        """A name that no other database has."""
        return f"{kind}_{self._who}_{next(self._numbers)}"

    def fill(self, name: str, fill: Callable[..., T], *args: Hashable) -> T:
        """See :class:`FillDatabase`."""
        known = self._filled.get((fill, args))
        if name in self._empty:  # a test asked for it before it asked for the filling
            self._empty.discard(name)
            self.server.drop_database(name)
        if known is None:
            value = fill(self.server.create_database(name), *args)
            template = self.name("filled")
            self.server.create_database(template, name)
            self._filled[fill, args] = known = _Filled(template, copy.deepcopy(value))
        else:
            self.server.create_database(name, known.place)
        return copy.deepcopy(known.value)  # type: ignore[no-any-return]
