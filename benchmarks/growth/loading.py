"""What differs between the two databases when very many rows are made inside of them, by their drivers alone."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import attrs
from sqlalchemy import Engine

from crm_core.store.search.texts import tokens_of
from crm_core.store.tables import ID_BLOCK, SEARCH_DOCUMENT

__all__ = ["RANK", "Copied", "Loader", "loader_for", "quoted"]

RANK = "growth_rank"
"""The change sets since the pattern was begun, numbered along the feed."""
_HOLES = ("\u2070", "\u00b9", "\u00b2")
"""In place of the grams of the mark, which may be those of another mark, too."""


def quoted(name: str) -> str:
    """A name of the database's."""
    return f'"{name}"'


@attrs.frozen
class Copied:
    """A table, its rows of the pattern in a table of their own, and how each column of a copy follows from them."""

    table: str
    source: str
    columns: dict[str, str]

    def statement(self, values: Mapping[str, str]) -> str:
        """Insert one copy."""
        texts = [each.format_map(values) for each in self.columns.values()]
        names = ", ".join(map(quoted, self.columns))
        return f"INSERT INTO {quoted(self.table)} ({names}) SELECT {', '.join(texts)} FROM {self.source} AS s"


def _refilled(expression: str) -> str:
    """Tokens with the grams of another mark."""
    for place, hole in enumerate(_HOLES):
        expression = f"replace({expression}, '{hole}', '{{gram{place}}}')"
    return expression


class Loader(Protocol):
    """One database."""

    @property
    def row(self) -> str:
        """What a row of a table without a key is known by."""

    @property
    def parameter(self) -> str:
        """How a parameter is written."""

    def connect(self) -> Any:
        """A connection of the driver."""

    def begin(self, run: Any) -> None:
        """Nothing needs to survive a crash, and all references are whole."""

    def commit(self, run: Any) -> None:
        """Write what is done so far."""

    def places(self, run: Any, count: int) -> dict[str, str]:
        """Make room for so many change sets in the feed; the columns of one that say where it stands."""

    def tokens(self, run: Any, source: str, name: str, grams: Sequence[str]) -> str:
        """The column of tokens of a copied search document; ``grams`` are those of the mark."""

    def others(self, run: Any, grams: Sequence[str]) -> list[Copied]:
        """Tables that the kernel does not declare."""

    def next_id(self, run: Any, number: int) -> None:
        """The next id to be given out."""

    def end(self, run: Any) -> None:
        """Count the tables, and keep the promises of a database again."""


@attrs.frozen
class _Sqlite:
    engine: Engine
    row: str = "rowid"
    parameter: str = "?"

    def connect(self) -> Any:
        return sqlite3.connect(str(self.engine.url.database), isolation_level=None)

    def begin(self, run: Any) -> None:
        for setting in ("journal_mode = OFF", "synchronous = OFF", "cache_size = -500000", "foreign_keys = OFF"):
            run.execute(f"PRAGMA {setting}").fetchall()
        run.execute("BEGIN")

    def commit(self, run: Any) -> None:
        run.execute("COMMIT")
        run.execute("BEGIN")

    def places(self, run: Any, count: int) -> dict[str, str]:
        first = run.execute(f"SELECT min(place) FROM crm_change_set WHERE id IN (SELECT id FROM {RANK})").fetchone()[0]
        place = f"{first} + {{rank}} * {{copies}} + {{number}}"
        return {"place": place, "xid": place}

    def tokens(self, run: Any, source: str, name: str, grams: Sequence[str]) -> str:
        return f"s.{quoted(name)}"

    def others(self, run: Any, grams: Sequence[str]) -> list[Copied]:
        source, words = "growth_token", dict(zip(grams, _HOLES, strict=True))
        run.execute(f"CREATE TABLE {source} (id INTEGER PRIMARY KEY, tokens TEXT)")
        rows = run.execute(f"SELECT id, body FROM growth_{SEARCH_DOCUMENT.name}").fetchall()
        held = [(id_, " ".join(words.get(each, each) for each in tokens_of(body))) for id_, body in rows]
        run.executemany(f"INSERT INTO {source} VALUES (?, ?)", [each for each in held if each[1]])
        return [Copied("crm_search_token", source, {"rowid": "s.id + {shift}", "tokens": _refilled("s.tokens")})]

    def next_id(self, run: Any, number: int) -> None:
        run.execute(f"UPDATE {ID_BLOCK.name} SET next = {number}")

    def end(self, run: Any) -> None:
        run.execute("COMMIT")
        for order in ("PRAGMA journal_mode = WAL", "PRAGMA analysis_limit = 1000", "ANALYZE"):
            run.execute(order).fetchall()


@attrs.frozen
class _Postgresql:
    engine: Engine
    row: str = "ctid"
    parameter: str = "%s"

    def connect(self) -> Any:
        import psycopg

        url = self.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
        return psycopg.connect(url, autocommit=True)

    def begin(self, run: Any) -> None:
        for setting in ("session_replication_role = replica", "maintenance_work_mem = '1GB'", "work_mem = '256MB'"):
            run.execute(f"SET {setting}")

    def commit(self, run: Any) -> None:
        """Each statement is a transaction of its own."""

    def places(self, run: Any, count: int) -> dict[str, str]:
        # Two numbers of transactions for each, as the kernel writes a head: its own, and one that ends with it.
        now = run.execute("SELECT CAST(CAST(pg_current_xact_id() AS text) AS bigint)").fetchone()[0]
        run.execute(f"DO $$ BEGIN FOR i IN 1..{2 * count} LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP; END $$")
        xid = f"{now + 1} + 2 * ({{rank}} * {{copies}} + {{number}})"
        return {"xid": xid, "place": f"{xid} + 1"}

    def tokens(self, run: Any, source: str, name: str, grams: Sequence[str]) -> str:
        held = f"CAST({quoted(name)} AS text)"
        for gram, hole in zip(grams, _HOLES, strict=True):
            # Between the quotes of a whole lexeme: others may hold the same letters.
            held = f"replace({held}, $q$'{gram}'$q$, $q$'{hole}'$q$)"
        run.execute(f"ALTER TABLE {source} ADD COLUMN held text")
        run.execute(f"UPDATE {source} SET held = {held}")
        return f"CAST({_refilled('s.held')} AS tsvector)"

    def others(self, run: Any, grams: Sequence[str]) -> list[Copied]:
        return []

    def next_id(self, run: Any, number: int) -> None:
        run.execute(f"SELECT setval('crm_id_seq', {number}, false)")

    def end(self, run: Any) -> None:
        run.execute("VACUUM ANALYZE")


def loader_for(engine: Engine) -> Loader:
    """The loader of a database."""
    return _Sqlite(engine) if engine.dialect.name == "sqlite" else _Postgresql(engine)
