"""The search driver of SQLite: one FTS5 table that holds nothing but tokens and the ids of their documents."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, ClassVar

from sqlalchemy import ColumnElement, Integer, column, func, literal, select, table
from sqlalchemy.exc import OperationalError

from crm_core.errors import StoreError

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine, FromClause

    from crm_core.store.search.terms import Token, Way

__all__ = ["Fts5"]

_NAME = "crm_search_token"
_SIGNS = "".join(chr(code) for code in range(33, 127) if not chr(code).isalnum())
_QUOTED = _SIGNS.replace("'", "''").replace('"', '""')
# Contentless and without positions: the bodies are in the table of documents, where each candidate is looked at again.
_CREATE = (
    f"CREATE VIRTUAL TABLE IF NOT EXISTS {_NAME} USING fts5"
    f"(tokens, content='', columnsize=0, detail=none, tokenize=\"ascii tokenchars '{_QUOTED}'\")"
)
_INSERT = f"INSERT INTO {_NAME} (rowid, tokens) VALUES (?, ?)"  # noqa: S608 - a name of ours
_DELETE = f"INSERT INTO {_NAME} ({_NAME}, rowid, tokens) VALUES ('delete', ?, ?)"  # noqa: S608
_ORDER = f"INSERT INTO {_NAME} ({_NAME}) VALUES (?)"  # noqa: S608
_table = table(_NAME, column("rowid", Integer), column(_NAME))


class Fts5:
    """Tokens in an FTS5 table."""

    name: ClassVar[str] = "fts5"
    dialects: ClassVar[frozenset[str]] = frozenset({"sqlite"})

    def prepare(self, connection: Connection) -> None:
        """Make the table."""
        try:
            connection.exec_driver_sql(_CREATE)
        except OperationalError as error:
            if "no such module" not in str(error.orig):
                raise
            raise StoreError(
                "The SQLite library of this Python has no full-text search (FTS5).",
                mend="Use a Python that was built with it, as those of python.org and of all distributions are.",
            ) from error

    def column(self, tokens: Iterable[str]) -> str | None:
        """Nothing: the tokens have their own table."""
        return None

    def add(self, connection: Connection, documents: Iterable[tuple[int, Iterable[str]]]) -> None:
        """Insert them."""
        rows = [(id_, text) for id_, tokens in documents if (text := " ".join(tokens))]
        if rows:
            connection.exec_driver_sql(_INSERT, rows)

    def remove(self, connection: Connection, documents: Iterable[tuple[int, Iterable[str]]]) -> None:
        """A table without content must be told what it forgets."""
        rows = [(id_, text) for id_, tokens in documents if (text := " ".join(tokens))]
        if rows:
            connection.exec_driver_sql(_DELETE, rows)

    def clear(self, connection: Connection) -> None:
        """Empty the table, or make it."""
        self.prepare(connection)
        connection.exec_driver_sql(_ORDER, ("delete-all",))

    def query(self, ways: Sequence[Way]) -> str:
        """In the language of FTS5."""
        return " OR ".join(f"({' AND '.join(map(_phrase, way.tokens))})" for way in ways)

    def candidates(self, rows: FromClause, query: ColumnElement[str]) -> ColumnElement[bool]:
        """By their ids."""
        return rows.c.id.in_(select(_table.c.rowid).where(_table.c[_NAME].op("MATCH")(query)))

    def count(self, query: str, most: int) -> ColumnElement[int]:
        """Of the matches, without looking at documents."""
        found = select(literal(1)).where(_table.c[_NAME].op("MATCH")(query)).limit(most).subquery()
        return select(func.count()).select_from(found).scalar_subquery()

    def purge(self, engine: Engine) -> None:
        """Merge all segments into one: the removed tokens, and what says that they are removed, go with the others."""
        with engine.begin() as connection:
            connection.exec_driver_sql(_ORDER, ("optimize",))

    def digest(self, connection: Connection) -> int | None:
        """Read from the table of its words."""
        from crm_core.store.search.reindex import digest

        words = f"temp.{_NAME}_words"
        connection.exec_driver_sql(
            f"CREATE VIRTUAL TABLE IF NOT EXISTS {words} USING fts5vocab(main, {_NAME}, instance)"
        )
        try:
            rows = connection.exec_driver_sql(f"SELECT term, doc FROM {words}")  # noqa: S608
            return digest((id_, (token,)) for token, id_ in rows)
        finally:
            connection.exec_driver_sql(f"DROP TABLE {words}")


def _phrase(token: Token) -> str:
    quoted = token.text.replace('"', '""')
    return f'"{quoted}"*' if token.prefix else f'"{quoted}"'
