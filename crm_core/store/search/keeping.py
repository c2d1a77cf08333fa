"""Keeping the index: in the transaction of the change, so that it says what the records say."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import BindParameter, Column, bindparam, delete, select, update

from crm_core.records import RecordType
from crm_core.store.bulk import insert_tuples, update_tuples
from crm_core.store.parts import in_parts
from crm_core.store.quick import FEW, quickly
from crm_core.store.search.indexed import Document, Indexed
from crm_core.store.search.texts import tokens_of
from crm_core.store.tables import SEARCH_DOCUMENT, SEARCH_STATE
from crm_core.store.visibility import bare

if TYPE_CHECKING:
    from crm_core.store.current import Current
    from crm_core.store.journal import Entry
    from crm_core.store.session import CrmSession

__all__ = ["documents_of", "drop", "keep", "put", "stored", "take"]

_CHUNK = 1000
_COLUMNS = ("id", "record_id", "type", "permission", "account_id", "shown_id", "size", "body")


def keep(session: CrmSession, entries: Sequence[Entry], rows_now: Current) -> None:
    """Bring the index up to date with changes that are about to be journalled."""
    index = session.store.search
    indexed, watched = index.plan.indexed, index.watched
    created: dict[str, dict[int, Mapping[str, Any]]] = {}
    updated: dict[str, list[Entry]] = {}
    gone: dict[str, list[int]] = {}
    for entry in entries:
        name = entry.name
        if entry.type is None:
            # Of a plugin that is not in the build: nobody can say what its document would be now.
            gone.setdefault(name, []).append(entry.id)
            if entry.operation != "delete":
                session.core(delete(SEARCH_STATE).where(SEARCH_STATE.c.type == name))
        elif entry.operation == "update":
            if name in watched and not watched[name].isdisjoint(entry.after):
                updated.setdefault(name, []).append(entry)
        elif name in indexed:
            if entry.operation == "create":
                created.setdefault(name, {})[entry.id] = entry.after
            else:
                gone.setdefault(name, []).append(entry.id)
    for name, ids in gone.items():
        take(session, name, ids)
    made: list[tuple[Any, ...]] = []
    for name, rows in created.items():
        made += _laid(session, indexed[name], documents_of(session, indexed[name], rows))
    _write(session, made)
    for name, group in updated.items():
        _update(session, name, group, rows_now)


def _update(session: CrmSession, name: str, entries: Sequence[Entry], rows_now: Current) -> None:
    plan = session.store.search.plan
    if name in plan.indexed:
        _renew(session, plan.indexed[name], [entry.id for entry in entries], rows_now)
    ways = {step.field for step in plan.steps[name]}
    moved = {entry.id for entry in entries if not ways.isdisjoint(entry.after)}
    if moved:
        _move_beneath(session, session.types[name], moved, frozenset())


def _renew(session: CrmSession, indexed: Indexed, ids: Sequence[int], rows_now: Current) -> None:
    """Make the documents of changed records anew, where they differ."""
    for part in in_parts(ids):
        rows = rows_now.rows(indexed.type, part)
        put(session, indexed, documents_of(session, indexed, rows), replacing=part)


def _move_beneath(session: CrmSession, record_type: RecordType, ids: Collection[int], above: frozenset[str]) -> None:
    """Records that hang on an account by way of ``ids`` have perhaps another one now."""
    index = session.store.search
    for other, field in index.plan.beneath.get(record_type.name, ()):
        if other.name in above:
            continue
        rows = bare(other.table).alias()
        found: dict[int, int | None] = {}
        ordered = sorted(ids)
        for part in in_parts(ordered):
            query = select(rows.c.id, index.plan.account_of(other, rows).label("account")).where(
                rows.c[field].in_(part)
            )
            found.update({row.id: row.account for row in session.core(query)})
        if found and other.name in index.plan.indexed:
            for column in _keys(index.plan.indexed[other.name]):
                moving = (
                    update(SEARCH_DOCUMENT)
                    .where(column == bindparam("b_record"), SEARCH_DOCUMENT.c.type == other.name)
                    .values(account_id=bindparam("b_account"))
                )
                session.core(moving, [{"b_record": id_, "b_account": account} for id_, account in found.items()])
        if found:
            _move_beneath(session, other, found.keys(), above | {record_type.name})


def _keys(indexed: Indexed) -> list[Column[Any]]:
    """The columns by which the documents of a record are found."""
    return [SEARCH_DOCUMENT.c.id, SEARCH_DOCUMENT.c.record_id] if indexed.has_others else [SEARCH_DOCUMENT.c.id]


def documents_of(session: CrmSession, indexed: Indexed, rows: Mapping[int, Mapping[str, Any]]) -> list[Document]:
    """The documents of records with these values."""
    if indexed.is_account:
        accounts: Mapping[int, int | None] = {id_: id_ for id_ in rows}
    else:
        accounts = _accounts(session, indexed, rows)
    return [
        document
        for id_, values in rows.items()
        for document in indexed.documents(id_, values, accounts.get(id_))
    ]  # fmt: skip


def _accounts(session: CrmSession, indexed: Indexed, rows: Mapping[int, Mapping[str, Any]]) -> Mapping[int, int | None]:
    """The account of each record: mostly one of its own fields says it."""
    plan = session.store.search.plan
    known: dict[str, dict[int, int | None]] = {}
    for step in indexed.steps:
        if step.through is not None:
            targets = (id_ if step.field == "id" else values.get(step.field) for id_, values in rows.items())
            wanted = sorted({target for target in targets if target is not None})
            above = bare(step.through.table).alias()
            found = known[step.field] = {}
            for part in in_parts(wanted):
                query = select(above.c.id, plan.account_of(step.through, above).label("account")).where(
                    above.c.id.in_(part)
                )
                if not session.read_only:
                    # Whoever moves what this hangs on waits, and then finds this as well.
                    query = query.with_for_update(read=True, of=above)
                found.update({row.id: row.account for row in session.core(query)})
    accounts: dict[int, int | None] = {}
    for id_, values in rows.items():
        for step in indexed.steps:
            target = id_ if step.field == "id" else values.get(step.field)
            account = target if step.through is None else known[step.field].get(target)  # type: ignore[arg-type]
            if account is not None:
                accounts[id_] = account
                break
    return accounts


def put(
    session: CrmSession,
    indexed: Indexed,
    documents: Sequence[Document],
    *,
    replacing: Iterable[int] | None = None,
) -> None:
    """Write documents of one type. Those that the records ``replacing`` had go, unless they are the same."""
    ids: dict[tuple[int, str | None], int] = {}
    over: set[int] = set()
    if replacing is not None:
        had = stored(session, indexed.type.name, replacing, others=indexed.has_others)
        wanted = {document.key: document for document in documents}
        same = {document.key for document in had.values() if wanted.get(document.key) == document}
        ids = {document.key: id_ for id_, document in had.items()}
        old = {id_: document for id_, document in had.items() if document.key not in same}
        if len(old) <= FEW:
            # One statement less; very many are sooner removed together and put in anew.
            over = {id_ for id_, document in old.items() if document.key in wanted}
        drop(session, old, staying=over)
        documents = [document for document in documents if document.key not in same]
    _write(session, _laid(session, indexed, documents, ids), over)


def _laid(
    session: CrmSession,
    indexed: Indexed,
    documents: Sequence[Document],
    ids: Mapping[tuple[int, str | None], int] | None = None,
) -> list[tuple[Any, ...]]:
    """Rows for documents; ``ids`` are those that documents of their own had before."""
    if not indexed.has_others:
        return [(each.record_id, None, *each[1:]) for each in documents]
    known = ids or {}
    fresh = _fresh(session, [each for each in documents if not indexed.is_main(each) and each.key not in known])
    rows: list[tuple[Any, ...]] = []
    for each in documents:
        if indexed.is_main(each):
            rows.append((each.record_id, None, *each[1:]))
        else:
            rows.append((known.get(each.key) or next(fresh), *each))
    return rows


def _write(session: CrmSession, rows: Sequence[tuple[Any, ...]], over: Collection[int] = ()) -> None:
    """Insert rows of whatever types, and their words; those with the ids ``over`` are there and get other values."""
    if not rows:
        return
    connection, driver = session.core_connection(), session.store.search.driver
    columns: tuple[str, ...] = _COLUMNS
    laid = rows
    if driver.column(()) is not None:
        columns = (*_COLUMNS, "tokens")
        laid = [(*row, driver.column(tokens_of(row[-1]))) for row in rows]
    if over:
        changed = [(*row[1:], row[0]) for row in laid if row[0] in over]
        update_tuples(connection, SEARCH_DOCUMENT.name, columns[1:], columns[:1], changed)
        laid = [row for row in laid if row[0] not in over]
    insert_tuples(connection, SEARCH_DOCUMENT.name, columns, laid)
    # One after the other: to hold the words of a whole batch costs more than to make them.
    driver.add(connection, ((row[0], tokens_of(row[-1])) for row in rows))


def _fresh(session: CrmSession, documents: Sequence[Document]) -> Iterator[int]:
    """New ids for documents that cannot have that of their record."""
    for start in range(0, len(documents), _CHUNK):
        yield from session.ids.many(session.core_connection(), min(_CHUNK, len(documents) - start))


def take(session: CrmSession, type_name: str, records: Iterable[int]) -> int:
    """Remove the documents of records of one type; returns how many."""
    indexed = session.store.search.plan.indexed.get(type_name)
    gone = stored(session, type_name, records, others=indexed is None or indexed.has_others)
    drop(session, gone)
    return len(gone)


def stored(session: CrmSession, type_name: str, records: Iterable[int], *, others: bool) -> dict[int, Document]:
    """The documents of records of one type by their ids; ``others`` are those with ids of their own."""
    found: dict[int, Document] = {}
    ordered = sorted(set(records))
    for part in in_parts(ordered):
        for query in (_MAIN, _OTHERS) if others else (_MAIN,):
            values = {"ids": part, "type": type_name}
            found.update(_documents(quickly(session.core_connection(), query, values)))
    return found


# Made once, because every change of a record that is searched asks them.
_IDS: BindParameter[Any] = bindparam("ids", expanding=True)
_STORED = select(*(SEARCH_DOCUMENT.c[name] for name in _COLUMNS)).where(SEARCH_DOCUMENT.c.type == bindparam("type"))
_MAIN = _STORED.where(SEARCH_DOCUMENT.c.id.in_(_IDS), SEARCH_DOCUMENT.c.record_id.is_(None))
_OTHERS = _STORED.where(SEARCH_DOCUMENT.c.record_id.in_(_IDS))
_DROP = delete(SEARCH_DOCUMENT).where(SEARCH_DOCUMENT.c.id.in_(_IDS))


def _documents(rows: Iterable[Any]) -> dict[int, Document]:
    return {
        row.id: Document(
            row.record_id or row.id, row.type, row.permission, row.account_id, row.shown_id, row.size, row.body
        )
        for row in rows
    }


def drop(session: CrmSession, documents: Mapping[int, Document], *, staying: Collection[int] = ()) -> None:
    """Remove documents, and their words from the driver; of those with the ids ``staying`` only the words."""
    if not documents:
        return
    connection, driver = session.core_connection(), session.store.search.driver
    driver.remove(connection, ((id_, tokens_of(document.body)) for id_, document in documents.items()))
    ids = [id_ for id_ in documents if id_ not in staying]
    for part in in_parts(ids):
        quickly(connection, _DROP, {"ids": part})
