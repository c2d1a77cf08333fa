"""What SQLAlchemy is about to flush, as journal entries; old values are read by the store where an object lost them."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from sqlalchemy import inspect
from sqlalchemy.orm.attributes import set_committed_value
from sqlalchemy.orm.base import NEVER_SET, NO_VALUE

from crm_core.errors import Conflict, NotFound
from crm_core.fields.folding import sort_key
from crm_core.records import Record, RecordType, Via
from crm_core.store import rules
from crm_core.store.above import above_work
from crm_core.store.dependants import plan_delete
from crm_core.store.differences import STORES_OWN, difference, filled
from crm_core.store.inserting import insert_pending
from crm_core.store.journal import Entry
from crm_core.store.key_fields import check_key_fields
from crm_core.store.values import from_columns, key_column

if TYPE_CHECKING:
    from crm_core.store.session import CrmSession

__all__ = ["track_deletes", "track_flush"]

_UNKNOWN = (NO_VALUE, NEVER_SET)


def track_flush(session: CrmSession) -> None:
    """Check and log new and changed objects, and fill the columns that are the store's own.

    Nothing is logged and nothing filled in before everything is checked: who mends a refused record flushes again.
    """
    new: defaultdict[RecordType, list[Record]] = defaultdict(list)
    for record in session.new:
        new[record.crm_type].append(record)
    dirty: defaultdict[RecordType, list[Record]] = defaultdict(list)
    for record in session.dirty:
        if _is_modified(record):
            dirty[record.crm_type].append(record)
    if not new and not dirty:
        return
    writer = session.writer
    # All new ids first: records of one flush may refer to each other in any order.
    fresh = {
        record_type: writer.created.add(record_type, [record.id for record in records])
        for record_type, records in new.items()
    }
    work: list[tuple[Record, Entry]] = []
    try:
        for record_type, records in new.items():
            work += _check_new(session, record_type, records)
        for record_type, records in dirty.items():
            work += _check_dirty(session, record_type, records)
    except BaseException:
        for record_type, ids in fresh.items():
            writer.created.discard(record_type, ids)
        raise
    if work:
        writer.require_open()
        above_work(session, work)
    now = session.clock()
    created: defaultdict[RecordType, list[tuple[Record, Entry]]] = defaultdict(list)
    for record, entry in work:
        writer.log.append(entry)
        if entry.operation == "create":
            created[record.crm_type].append((record, entry))
        else:
            _fill(record, entry, now)
    for record_type, pairs in created.items():
        insert_pending(session, record_type, pairs, now)
    writer.wrote = True


def _is_modified(record: Record) -> bool:
    """Whether a column was assigned another value; what is composed of columns is not asked: it may be hidden."""
    state = inspect(record)
    columns = state.mapper.column_attrs
    return any(key in columns and state.attrs[key].history.has_changes() for key in state.committed_state)


def _check_new(session: CrmSession, record_type: RecordType, records: list[Record]) -> Iterator[tuple[Record, Entry]]:
    rows = [_values(record_type, record) for record in records]
    ids = [record.id for record in records]
    rules.check_references(session, record_type, rows, ids)
    rules.check_values(session, record_type, rows)
    rules.check_filled(session, record_type, rows)
    session.writer.may_create(record_type, rows, ids)
    for record, row in zip(records, rows, strict=True):
        yield record, Entry(record_type, record_type.name, record.id, "create", {}, filled(row), 1)


def _fill(record: Any, entry: Entry, now: dt.datetime) -> None:
    """The columns of a changed record that are the store's own: its stamp, and the sort keys of folded fields."""
    record.updated_at = now
    if "custom" in entry.after:
        record.custom = {name: value for name, value in (record.custom or {}).items() if value is not None}
    assert entry.type is not None
    for field in entry.type.fields:
        if field.folded and field.name in entry.after:
            value = entry.after.get(field.name)
            setattr(record, key_column(field), None if value is None else sort_key(value, surname=field.surname))


def _values(record_type: RecordType, record: Record) -> dict[str, Any]:
    # A new object holds all its values itself: going through SQLAlchemy's attributes would only cost.
    state = record.__dict__
    return {**{name: state.get(name) for name in record_type.by_name}, "custom": state.get("custom") or {}}


def _check_dirty(session: CrmSession, record_type: RecordType, records: list[Record]) -> Iterator[tuple[Record, Entry]]:
    writer = session.writer
    changed: list[tuple[Record, dict[str, Any], dict[str, Any]]] = []
    for record in records:
        before, after = _changed(session, record_type, record)
        if after:
            changed.append((record, before, after))
        else:
            _forget_assignments(record)
    if not changed:
        return
    news = [after for _, _, after in changed]
    beside = rules.beside(record_type)
    writer.may_change(record_type, [record.id for record, _, _ in changed], "update")
    check_key_fields(session, record_type, ((record.id, after) for record, _, after in changed))
    rules.check_references(session, record_type, news)
    rules.check_values(
        session,
        record_type,
        [{**{name: getattr(record, name) for name in beside}, **after} for record, _, after in changed],
    )
    rules.check_kept(session, record_type, news)
    held = record_type.access.fields if isinstance(record_type.access, Via) else ()
    writer.may_move(
        record_type, [({name: getattr(record, name) for name in held}, after) for record, _, after in changed]
    )
    for record, before, after in changed:
        version = record.version + 1
        yield record, Entry(record_type, record_type.name, record.id, "update", before, after, version, record)


def _forget_assignments(record: Record) -> None:
    """What was assigned is what was there: nothing is to be written, and the version stays."""
    for key in list(inspect(record).committed_state):
        if key in record.__dict__:
            set_committed_value(record, key, record.__dict__[key])


def _changed(session: CrmSession, record_type: RecordType, record: Record) -> tuple[dict[str, Any], dict[str, Any]]:
    """Old and new values of the fields that really change."""
    state = inspect(record)
    committed = dict(state.committed_state)
    forged = STORES_OWN & committed.keys()
    if forged:
        raise Conflict(
            "{field} is the store's own and cannot be assigned.",
            mend="Leave it; the store writes it.",
            record=record_type.name,
            field=min(forged),
        )
    touched = {key.removeprefix("_") for key in committed}
    fields = [field for field in record_type.fields if touched & set(field.column_names)]
    if any(old in _UNKNOWN for old in committed.values() if not isinstance(old, dict | list)):
        row = session.core(record_type.table.select().where(record_type.table.c.id == record.id)).mappings().first()
        if row is None:
            raise NotFound("There is no {record} {id}.", record=record_type.name, id=record.id)
        old_values: dict[str, Any] = from_columns(record_type, dict(row)) | {"custom": row["custom"]}
    else:
        old_values = {"custom": committed.get("custom")}
        for field in fields:
            parts = []
            for name in field.column_names:
                key = name if name in state.mapper.column_attrs else f"_{name}"
                parts.append(committed[key] if key in committed else getattr(record, key))
            old_values[field.name] = field.kind.join(tuple(parts))
    new_values = {field.name: getattr(record, field.name) for field in fields}
    if "custom" in touched:
        had, has = old_values["custom"] or {}, record.custom or {}
        new_values["custom"] = {name: has.get(name) for name in had.keys() | has.keys()}
    return difference(old_values, new_values)


def track_deletes(session: CrmSession) -> None:
    """Delete what is marked for deletion with all that hangs on it; SQLAlchemy finds nothing left to do."""
    grouped: defaultdict[RecordType, dict[int, Record]] = defaultdict(dict)
    for record in session.deleted:
        grouped[record.crm_type][record.id] = record
    if not grouped:
        return
    for record_type, records in grouped.items():
        session.writer.may_change(record_type, records, "delete")
    plan = plan_delete(session, {record_type: set(records) for record_type, records in grouped.items()})
    found = {(rows.name, id_): values for rows in plan.deleted for id_, values in rows.values.items()}
    for record_type, records in grouped.items():
        for id_, held in records.items():
            if found.get((record_type.name, id_), {}).get("version") != held.version:
                raise Conflict(
                    "Somebody else changed the {record} {id} meanwhile.",
                    mend="Read it again before deleting it.",
                    record=record_type.name,
                    id=id_,
                )
    for records in grouped.values():
        for held in records.values():
            session.expunge(held)
    session.writer.carry_out(plan)
