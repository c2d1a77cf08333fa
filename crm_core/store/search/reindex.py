"""Building the index anew, and comparing it with the records.

It is built in batches, each in a transaction of its own that locks the records it reads, so others may go on working,
and what they change meanwhile is right already. A type counts as indexed when its last batch is committed; until then a
search in it is refused rather than answered in part. A type that was indexed stays so: every batch replaces right
documents by the same ones.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import attrs
from sqlalchemy import Column, ColumnElement, Select, delete, exists, func, select

from crm_core.store.search.indexed import Document, Indexed
from crm_core.store.search.keeping import documents_of, put, stored, take
from crm_core.store.search.texts import tokens_of
from crm_core.store.statistics import refresh
from crm_core.store.tables import SEARCH_DOCUMENT, SEARCH_STATE

if TYPE_CHECKING:
    from crm_core.store.session import CrmSession
    from crm_core.store.store import Store

__all__ = ["Checked", "Progress", "Reindexed", "check", "digest", "reindex"]

_BATCH = 1000
_SHOWN = 20
Progress = Callable[[str, int, int], None]
"""Called with the record type, how many of its records are done, and how many there are."""


@attrs.frozen
class Reindexed:
    """What a rebuilding did: records indexed by type, and documents taken away that had no record in this build."""

    records: dict[str, int]
    removed: int


@attrs.frozen
class Checked:
    """How the index compares with the records: how many documents there are, and what differs.

    ``missing``, ``stale`` and ``superfluous`` count by record type; ``examples`` are the first of them as
    ``"contact 12: missing"``. ``unready`` are types that were never indexed, or by other rules. ``tokens`` is false
    when the words of the driver are not those of the documents.
    """

    documents: int
    missing: dict[str, int]
    stale: dict[str, int]
    superfluous: dict[str, int]
    unready: tuple[str, ...]
    tokens: bool
    examples: tuple[str, ...]

    @property
    def right(self) -> bool:
        """Whether nothing differs."""
        return self.tokens and not (self.missing or self.stale or self.superfluous or self.unready)


def _silent(_type: str, _done: int, _total: int) -> None:
    return None


def reindex(
    store: Store, progress: Progress = _silent, *, whole: bool = False, only: Collection[str] | None = None
) -> Reindexed:
    """Build the index of every type (or of ``only`` these) anew; memory stays flat. May be interrupted and run again.

    ``whole`` throws the old one away first, with the words of the driver: until it is built, searches are refused.
    """
    index = store.search
    if only is None or only:
        index.require_driver()
    with store.engine.begin() as connection:
        index.driver.prepare(connection)
        # Tokens of another form could not be forgotten one by one.
        if whole or index.unready(connection) == frozenset(index.plan.indexed):
            connection.execute(delete(SEARCH_STATE))
            connection.execute(delete(SEARCH_DOCUMENT))
            index.driver.clear(connection)
    removed = _remove_strangers(store)
    wanted = index.plan.indexed if only is None else {name: index.plan.indexed[name] for name in only}
    records = {name: _index_type(store, indexed, progress) for name, indexed in wanted.items()}
    refresh(store.engine, [SEARCH_DOCUMENT.name])
    return Reindexed(records, removed)


def _remove_strangers(store: Store) -> int:
    """Take away the documents of types that the build does not search."""
    index, removed = store.search, 0
    table = SEARCH_DOCUMENT
    known = sorted(index.plan.indexed)
    query = select(table.c.type, _record().label("record")).where(table.c.type.not_in(known)).limit(_BATCH)
    while True:
        with store.session(principal="search", source="reindex") as session:
            taken = session._translated(partial(_remove_some, session, known, query))
        if taken is None:
            return removed
        removed += taken


def _remove_some(session: CrmSession, known: Sequence[str], query: Select[Any]) -> int | None:
    """How many documents went; ``None`` where there were none to look at."""
    session.core(delete(SEARCH_STATE).where(SEARCH_STATE.c.type.not_in(known)))
    by_type: dict[str, set[int]] = {}
    for row in session.core(query):
        by_type.setdefault(row.type, set()).add(row.record)
    return sum(take(session, name, ids) for name, ids in by_type.items()) if by_type else None


def _record() -> ColumnElement[int]:
    return func.coalesce(SEARCH_DOCUMENT.c.record_id, SEARCH_DOCUMENT.c.id)


def _index_type(store: Store, indexed: Indexed, progress: Progress) -> int:
    table, name = indexed.type.table, indexed.type.name
    with store.engine.connect() as connection:
        total = connection.execute(select(func.count()).select_from(table)).scalar_one()
        connection.rollback()
    done, last = 0, 0
    progress(name, 0, total)
    while True:
        with store.session(principal="search", source="reindex") as session:
            # A writer and this may wait for each other, and the database then lets one of them fail.
            ids = session._translated(partial(_index_some, session, indexed, last))
        done += len(ids)
        progress(name, done, max(total, done))
        if len(ids) < _BATCH:
            return done
        last = ids[-1]


def _index_some(session: CrmSession, indexed: Indexed, last: int) -> Sequence[int]:
    """Index the next records after one; returns which."""
    table = indexed.type.table
    # Whoever changes one of them waits, or has changed it before.
    locked = select(table.c.id).where(table.c.id > last).order_by(table.c.id).limit(_BATCH)
    ids: Sequence[int] = session.core(locked.with_for_update(read=True)).scalars().all()
    end = ids[-1] if len(ids) == _BATCH else None
    _remove_orphans(session, indexed, last, end)
    rows = session.writer.rows(indexed.type, ids, fields=indexed.touched_by)
    put(session, indexed, documents_of(session, indexed, rows), replacing=ids)
    if end is None:
        session.store.search.mark(session.core_connection(), indexed.type.name)
    return ids


def _remove_orphans(session: CrmSession, indexed: Indexed, after: int, end: int | None) -> None:
    """Documents between two records that have no record: decided by one statement, which sees both or neither."""
    table = indexed.type.table
    for column in _columns(indexed):
        query = _between(indexed, column, after, end).where(~exists(select(1).where(table.c.id == column)))
        take(session, indexed.type.name, session.core(query).scalars().all())


def _columns(indexed: Indexed) -> list[Column[int]]:
    """The columns that hold the records' ids: that of the document, or one of its own."""
    documents = SEARCH_DOCUMENT
    return [documents.c.id, documents.c.record_id] if indexed.has_others else [documents.c.id]


def _between(indexed: Indexed, column: Column[int], after: int, end: int | None) -> Select[int]:
    """The records between two others that have documents."""
    documents = SEARCH_DOCUMENT
    query = select(column).where(documents.c.type == indexed.type.name, column > after)
    if column is documents.c.id:
        query = query.where(documents.c.record_id.is_(None))
    return query if end is None else query.where(column <= end)


def check(store: Store, progress: Progress = _silent) -> Checked:
    """Compare every document with what its record says, and the driver's tokens with the documents."""
    index = store.search
    found: dict[str, dict[str, int]] = {"missing": {}, "stale": {}, "superfluous": {}}
    examples: list[str] = []
    documents = tokens = 0
    with store.session(principal="search", read_only=True) as session:
        connection = session.core_connection()
        if store.dialect == "postgresql":
            # Others go on writing: every batch must be of the same moment.
            connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        unready = tuple(sorted(index.unready(connection)))
        for name, indexed in index.plan.indexed.items():
            for had, wanted in _compared(session, indexed, progress):
                documents += len(had)
                tokens += digest((id_, tokens_of(each.body)) for id_, each in had.items())
                there = {each.key: each for each in had.values()}
                for key in sorted(there.keys() | wanted.keys(), key=repr):
                    if there.get(key) != wanted.get(key):
                        what = "missing" if key not in there else "stale" if key in wanted else "superfluous"
                        found[what][name] = found[what].get(name, 0) + 1
                        if len(examples) < _SHOWN:
                            examples.append(f"{name} {key[0]}: {what}")
        for name, had in _strangers(session):
            documents += len(had)
            tokens += digest((id_, tokens_of(each.body)) for id_, each in had.items())
            found["superfluous"][name] = found["superfluous"].get(name, 0) + len(had)
        kept = index.driver.digest(connection)
    return Checked(documents=documents, unready=unready, tokens=kept is None or kept == tokens % 2**64,
                   examples=tuple(examples), **found)  # fmt: skip


def _compared(
    session: CrmSession, indexed: Indexed, progress: Progress
) -> Iterator[tuple[dict[int, Document], dict[tuple[int, str | None], Document]]]:
    """Batch by batch, what there is and what there should be."""
    table, name = indexed.type.table, indexed.type.name
    total = session.core(select(func.count()).select_from(table)).scalar_one()
    done, last = 0, 0
    while True:
        query = select(table.c.id).where(table.c.id > last).order_by(table.c.id).limit(_BATCH)
        ids = session.core(query).scalars().all()
        end = ids[-1] if len(ids) == _BATCH else None
        having = {
            id_
            for column in _columns(indexed)
            for id_ in session.core(_between(indexed, column, last, end)).scalars()
        }  # fmt: skip
        rows = session.writer.rows(indexed.type, ids, fields=indexed.touched_by)
        wanted = {each.key: each for each in documents_of(session, indexed, rows)}
        yield stored(session, name, having, others=indexed.has_others), wanted
        done += len(ids)
        progress(name, done, max(total, done))
        if end is None:
            return
        last = end


def _strangers(session: CrmSession) -> Iterator[tuple[str, dict[int, Document]]]:
    """Documents of types that the build does not search."""
    table, last = SEARCH_DOCUMENT, 0
    known = sorted(session.store.search.plan.indexed)
    while True:
        query = select(table.c.id, table.c.type, _record().label("record")).where(
            table.c.type.not_in(known), table.c.id > last
        )
        rows = session.core(query.order_by(table.c.id).limit(_BATCH)).all()
        for name in sorted({row.type for row in rows}):
            records = {row.record for row in rows if row.type == name}
            page = {row.id for row in rows if row.type == name}
            found = stored(session, name, records, others=True)
            yield name, {id_: document for id_, document in found.items() if id_ in page}
        if len(rows) < _BATCH:
            return
        last = rows[-1].id


def digest(documents: Iterable[tuple[int, Iterable[str]]]) -> int:
    """A sum over pairs of token and document that does not depend on their order."""
    blake = hashlib.blake2b
    total = 0
    for id_, tokens in documents:
        for token in set(tokens):
            total += int.from_bytes(blake(f"{id_} {token}".encode(), digest_size=8).digest(), "big")
    return total % 2**64
