"""The search driver of PostgreSQL: the tokens are the lexemes of a text-search vector with a GIN index.

They are made in Python and compared byte by byte, so neither an extension nor the server's locale matters (pg_trgm
takes no Chinese for letters where the locale is C).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, ClassVar

from sqlalchemy import ColumnElement, cast, func, literal, select
from sqlalchemy.dialects.postgresql import TSQUERY

from crm_core.store.tables import SEARCH_DOCUMENT

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine, FromClause

    from crm_core.store.search.terms import Token, Way

__all__ = ["Trigram"]

_INDEX = "ix_crm_search_document_tokens"


class Trigram:
    """Tokens in a column of the document."""

    name: ClassVar[str] = "trigram"
    dialects: ClassVar[frozenset[str]] = frozenset({"postgresql"})

    def prepare(self, connection: Connection) -> None:
        """The index exists; what waits to be sorted into it must stay short, because every search reads it."""
        connection.exec_driver_sql(f"ALTER INDEX {_INDEX} SET (gin_pending_list_limit = 512)")

    def column(self, tokens: Iterable[str]) -> str | None:
        """As the text form of a vector."""
        return " ".join(map(_quoted, tokens))

    def add(self, connection: Connection, documents: Iterable[tuple[int, Iterable[str]]]) -> None:
        """They came with their documents."""

    def remove(self, connection: Connection, documents: Iterable[tuple[int, Iterable[str]]]) -> None:
        """They go with their documents."""

    def clear(self, connection: Connection) -> None:
        """They go with their documents."""

    def query(self, ways: Sequence[Way]) -> str:
        """In the language of text search."""
        return " | ".join(f"({' & '.join(map(_lexeme, way.tokens))})" for way in ways)

    def candidates(self, rows: FromClause, query: ColumnElement[str]) -> ColumnElement[bool]:
        """By the GIN index."""
        return rows.c.tokens.op("@@", is_comparison=True)(cast(query, TSQUERY))

    def count(self, query: str, most: int) -> ColumnElement[int]:
        """Of the matches."""
        documents = SEARCH_DOCUMENT.alias()
        found = select(literal(1)).where(self.candidates(documents, literal(query))).limit(most).subquery()
        return select(func.count()).select_from(found).scalar_subquery()

    def purge(self, engine: Engine) -> None:
        """Remove the dead rows, then make the index anew: GIN never forgets a key."""
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql(f"VACUUM {SEARCH_DOCUMENT.name}")
            connection.exec_driver_sql(f"REINDEX INDEX {_INDEX}")

    def digest(self, connection: Connection) -> int | None:
        """Read from the documents."""
        from crm_core.store.search.reindex import digest

        rows = connection.exec_driver_sql(
            f"SELECT id, tsvector_to_array(tokens) FROM {SEARCH_DOCUMENT.name} WHERE tokens IS NOT NULL",  # noqa: S608
            execution_options={"stream_results": True, "max_row_buffer": 1000},
        )
        return digest((id_, tokens) for id_, tokens in rows)


def _lexeme(token: Token) -> str:
    return f"{_quoted(token.text)}:*" if token.prefix else _quoted(token.text)


def _quoted(token: str) -> str:
    escaped = token.replace("\\", "\\\\").replace("'", "''")
    return f"'{escaped}'"
