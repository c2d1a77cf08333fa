"""Where the databases lie, and what is known of each: a size that is there whole is not built again."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs

from crm_core.testing.postgresql import running_cluster
from torture.databases import Place, PostgresqlPlace, SqlitePlace

__all__ = ["SETTINGS", "Kept", "kept"]

SETTINGS = (
    "shared_buffers=4GB",
    "effective_cache_size=12GB",
    "random_page_cost=1.1",
    "max_wal_size=4GB",
    "wal_level=minimal",
    "max_wal_senders=0",
)
"""Those of a server with fast disks and memory for what is asked often, which writes no more log than it needs.

That of tests, from which the others are, tells the disk nothing of a commit: what is written is quicker than elsewhere.
"""


@attrs.define
class Kept:
    """A place with databases, and a file beside it that says what was done to each."""

    place: Place
    folder: Path

    def known(self, name: str) -> dict[str, Any]:
        """What is known of a database; empty for one that is not there, or not whole."""
        path = self._path(name)
        return dict(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else {}

    def note(self, name: str, **values: Any) -> dict[str, Any]:
        """Keep more of what is known of a database."""
        known = {**self.known(name), **values}
        self._path(name).write_text(json.dumps(known, indent=1, default=_plain) + "\n", encoding="utf-8")
        return known

    def forget(self, name: str) -> None:
        """A database is being built: what was known of it is of another."""
        self._path(name).unlink(missing_ok=True)

    def _path(self, name: str) -> Path:
        return self.folder / f"{self.place.dialect}-{name}.json"


def _plain(value: Any) -> Any:
    if isinstance(value, dt.datetime):
        return value.isoformat()
    raise TypeError(f"{value!r} has no place in a file of what is known")


@contextmanager
def kept(database: str, folder: Path) -> Iterator[Kept]:
    """The databases of a kind in a folder. Raises ``PostgreSQLUnavailable`` where no server is installed."""
    folder.mkdir(parents=True, exist_ok=True)
    where = folder / database
    if database == "sqlite":
        where.mkdir(exist_ok=True)
        yield Kept(SqlitePlace(where), folder)
        return
    folder.chmod(0o755)
    with running_cluster(where, SETTINGS) as cluster:
        yield Kept(PostgresqlPlace(cluster), folder)
