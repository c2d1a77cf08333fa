"""Drivers of the search: where the tokens of documents lie, and how candidates are found by them.

A driver is chosen by the database (``fts5`` on SQLite, ``trigram`` on PostgreSQL) or by ``[drivers] search = "..."``
in the build file, from the entry points ``crm_core.drivers.search``. The documents themselves, their ranks and who may
see them are the kernel's: a driver that finds too many candidates makes a search slow, never wrong.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from crm_core.errors import CrmError, StoreError

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection, Engine, FromClause

    from crm_core.store.search.terms import Way

__all__ = ["NoSearch", "SearchDriver", "driver_for"]


class SearchDriver(Protocol):
    """What the kernel asks of a driver. It works within the transaction of the connection that it is given."""

    name: ClassVar[str]
    """Its name; an index that another driver kept is built anew."""
    dialects: ClassVar[frozenset[str]]
    """The databases it works on: ``sqlite``, ``postgresql``."""

    def prepare(self, connection: Connection) -> None:
        """Make what it needs beside the kernel's tables; harmless when repeated."""

    def column(self, tokens: Iterable[str]) -> str | None:
        """What the column ``tokens`` of a document holds, in the driver's form; ``None`` to leave it empty."""

    def add(self, connection: Connection, documents: Iterable[tuple[int, Iterable[str]]]) -> None:
        """Take in the tokens of new documents, by their ids."""

    def remove(self, connection: Connection, documents: Iterable[tuple[int, Iterable[str]]]) -> None:
        """Forget the tokens of documents, which are exactly those they were added with."""

    def clear(self, connection: Connection) -> None:
        """Forget all tokens."""

    def query(self, ways: Sequence[Way]) -> str:
        """The query for documents that have all tokens of at least one of the ways, in the driver's language."""

    def candidates(self, rows: FromClause, query: ColumnElement[str]) -> ColumnElement[bool]:
        """Which documents (``rows``) meet a query; some more do no harm."""

    def count(self, query: str, most: int) -> ColumnElement[int]:
        """How many candidates a query has, counted up to ``most``."""

    def purge(self, engine: Engine) -> None:
        """After an erasure has committed: let nothing remain of tokens that were removed."""

    def digest(self, connection: Connection) -> int | None:
        """The sum of :func:`~crm_core.store.search.reindex.digest` over all tokens that are kept, for the check."""


class NoSearch:
    """Stands for a driver that may not be loaded: nothing is found or kept, and ``refused`` says why.

    Another driver in its place would not know the words that were kept, and this one would later miss those kept
    meanwhile.
    """

    name = "none"
    dialects = frozenset({"sqlite", "postgresql"})

    def __init__(self, refused: CrmError) -> None:
        self.refused = refused

    def prepare(self, connection: Connection) -> None:
        """Nothing: it keeps nothing."""

    def purge(self, engine: Engine) -> None:
        """Nothing: it removed nothing."""

    def _refuse(self, *_given: Any) -> Any:
        raise self.refused

    column = add = remove = clear = query = candidates = count = digest = _refuse


def driver_for(dialect: str, chosen: Any = None) -> SearchDriver:
    """The driver that was chosen, or the built-in one; raises :class:`StoreError` when it does not fit."""
    if chosen is None:
        from crm_core.store.search.fts5 import Fts5
        from crm_core.store.search.trigram import Trigram

        chosen = Fts5 if dialect == "sqlite" else Trigram
    driver: SearchDriver = chosen() if isinstance(chosen, type) else chosen
    if dialect not in driver.dialects:
        raise StoreError(
            "The search driver {name} does not work on {dialect}.",
            mend="Choose another in [drivers], or leave it out.",
            name=driver.name,
            dialect=dialect,
        )
    return driver
