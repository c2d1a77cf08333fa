"""A database to copy: one moment of it, however long the copying takes and whoever writes meanwhile."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, Protocol

import attrs
from sqlalchemy import URL

from crm_core.store.copies.contents import Contents, Tell, quiet
from crm_core.store.engine import parse_url, shown_url

__all__ = ["Facts", "Keyed", "Source", "Verified", "opened", "place_of"]


Verified = Literal["opened", "restored", "listed"]
"""How a copy was read back; see :meth:`Source.verify`."""


@attrs.frozen
class Facts:
    """What must be known of the database that a copy was made of.

    ``version`` is that of the product. ``system`` tells PostgreSQL servers apart, whose transaction numbers mean
    nothing to another one; it is empty on SQLite.
    """

    dialect: str
    version: str
    system: str = ""


Keyed = tuple[tuple[Any, ...], tuple[Any, ...]]
"""A row: what it is known by, and its values."""


class Source(Protocol):
    """A moment of a database, held as long as the source is open."""

    @property
    def facts(self) -> Facts:
        """Product, version and server."""

    def contents(self, tell: Tell = quiet) -> Contents:
        """What the tables hold at this moment."""

    def key(self, table: str) -> tuple[str, ...]:
        """The columns of a table's primary key; empty where it has none."""

    def rows(self, table: str, key: Sequence[str], columns: Sequence[str]) -> Iterator[Keyed]:
        """All rows of a table: the values of ``key`` and those of ``columns``, in the order of the former.

        Texts are in the order of their code points, and what is neither a number nor a text may come as its text.
        """

    def filled(self, table: str, columns: Sequence[str]) -> dict[str, int]:
        """How many values these columns of a table have."""

    def revisions(self) -> dict[str, str]:
        """The revision of every plugin that was ever migrated here."""

    def write(self, file: Path, tell: Tell = quiet) -> None:
        """Write this moment to a new file, as :class:`~crm_core.store.copies.Target` takes it."""

    def verify(self, file: Path, contents: Contents, tell: Tell = quiet) -> Verified:
        """Read a written file back, and compare it with what it should hold.

        Returns how: ``opened`` and ``restored`` compare the contents, ``listed`` reads the file whole and compares the
        names of the tables, because there is no right to restore it anywhere. Raises
        :class:`~crm_core.errors.StoreError` where it is not right.
        """


@contextmanager
def opened(address: str | URL) -> Iterator[Source]:
    """The database at an address, at the present moment; nothing is ever written to it.

    Raises :class:`~crm_core.errors.StoreError` when there is no such database.
    """
    url = parse_url(address)
    if url.get_backend_name() == "sqlite":
        from crm_core.store.copies.sqlite import SqliteSource

        with SqliteSource.of(url) as source:
            yield source
    else:
        from crm_core.store.copies.postgresql import PostgresqlSource

        with PostgresqlSource.of(url) as server:
            yield server


def place_of(address: str | URL) -> str:
    """A database address as people may see it: without the password."""
    return shown_url(parse_url(address))
