"""What SQLAlchemy is about to flush, as journal entries; old values are read by the store where the object lost them."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from sqlalchemy import inspect
from sqlalchemy.orm.base import NEVER_SET, NO_VALUE

from crm_core.errors import Conflict, NotFound
from crm_core.fields.folding import sort_key
from crm_core.records import Record, RecordType
from crm_core.store import rules
from crm_core.store.dependants import plan_delete
from crm_core.store.journal import Entry
from crm_core.store.values import from_columns, key_column

if TYPE_CHECKING:
    from crm_core.store.session import CrmSession

__all__ = ["track_deletes", "track_flush"]

_UNKNOWN = (NO_VALUE, NEVER_SET)
_STORES_OWN = frozenset({"version", "created_at", "created_by", "updated_at", "id"})


def track_flush(session: CrmSession) -> None:
    """Check and log new and changed objects, and fill the columns that are the store's own."""
    new: defaultdict[RecordType, list[Record]] = defaultdict(list)
    for record in session.new:
        new[record.crm_type].append(record)
    dirty: defaultdict[RecordType, list[Record]] = defaultdict(list)
    for record in session.dirty:
        if session.is_modified(record):
            dirty[record.crm_type].append(record)
    if not new and not dirty:
        return
    writer = session.writer
    # All new ids first: records of one flush may refer to each other in any order.
    created_before = set(writer.created)
    for records in new.values():
        writer.created.update(record.id for record in records if not record.crm_type.extends)
    try:
        for record_type, records in new.items():
            _track_new(session, record_type, records)
        for record_type, records in dirty.items():
            _track_dirty(session, record_type, records)
    except BaseException:
        writer.created = created_before
        raise
    writer.wrote = True


def _track_new(session: CrmSession, record_type: RecordType, records: list[Record]) -> None:
    writer = session.writer
    now, by = session.clock(), session.actor.user_id
    rows = [_values(record_type, record) for record in records]
    ids = [record.id for record in records]
    rules.check_references(session, record_type, rows, ids)
    rules.check_values(session, record_type, rows)
    writer.may_create(record_type, rows, ids)
    for record, row in zip(records, rows, strict=True):
        record.created_at = record.updated_at = now
        record.created_by = by
        for field in record_type.fields:
            if field.folded:
                value = row[field.name]
                setattr(record, key_column(field), None if value is None else sort_key(value, surname=field.surname))
        after = {name: value for name, value in row.items() if value is not None and value != {}}
        writer.log.append(Entry(record_type, record_type.name, record.id, "create", {}, after, 1))


def _values(record_type: RecordType, record: Record) -> dict[str, Any]:
    values = {field.name: getattr(record, field.name) for field in record_type.fields}
    values["custom"] = dict(record.__dict__.get("custom") or {})
    return values


def _track_dirty(session: CrmSession, record_type: RecordType, records: list[Record]) -> None:
    writer = session.writer
    pairs = [(record, *_changed(session, record_type, record)) for record in records]
    pairs = [(record, before, after) for record, before, after in pairs if after]
    if not pairs:
        return
    writer.may_change(record_type, [record.id for record, _, _ in pairs], "update")
    rules.check_references(session, record_type, [after for _, _, after in pairs])
    rules.check_values(session, record_type, [{**_context(record), **after} for record, _, after in pairs])
    writer.may_move(record_type, [after for _, _, after in pairs])
    now = session.clock()
    for record, before, after in pairs:
        record.updated_at = now
        for name in after:
            field = record_type.by_name.get(name)
            if field is not None and field.folded:
                value = after[name]
                setattr(record, key_column(field), None if value is None else sort_key(value, surname=field.surname))
        if "custom" in after:
            before, after = _custom_difference(before, after)
        writer.log.append(
            Entry(record_type, record_type.name, record.id, "update", before, after, record.version + 1)
        )


def _context(record: Any) -> dict[str, Any]:
    """Unchanged values that a rule needs beside the changed ones."""
    names = ("valid_from", "valid_to") if record.crm_type.dated else ()
    if record.crm_type.name == "account":
        names = ("registration_country", "registration_number")
    return {name: getattr(record, name) for name in names}


def _custom_difference(before: dict[str, Any], after: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    had, has = before.get("custom") or {}, after["custom"] or {}
    names = {name for name in had.keys() | has.keys() if had.get(name) != has.get(name)}
    return (
        {**before, "custom": {name: had.get(name) for name in names}},
        {**after, "custom": {name: has.get(name) for name in names}},
    )


def _changed(
    session: CrmSession, record_type: RecordType, record: Record
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Old and new values of the fields that really change."""
    state = inspect(record)
    committed = dict(state.committed_state)
    forged = _STORES_OWN & committed.keys()
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
        row = session.core(
            record_type.table.select().where(record_type.table.c.id == record.id)
        ).mappings().first()
        if row is None:
            raise NotFound("There is no {record} {id}.", record=record_type.name, id=record.id)
        old_values: dict[str, Any] = from_columns(record_type, row) | {"custom": row["custom"]}
    else:
        old_values = {"custom": committed.get("custom")}
        for field in fields:
            parts = []
            for name in field.column_names:
                key = name if name in state.mapper.column_attrs else f"_{name}"
                parts.append(committed[key] if key in committed else getattr(record, key))
            old_values[field.name] = field.kind.join(tuple(parts))
    before: dict[str, Any] = {}
    after: dict[str, Any] = {}
    for field in fields:
        new_value = getattr(record, field.name)
        if new_value != old_values[field.name]:
            before[field.name], after[field.name] = old_values[field.name], new_value
    if "custom" in touched and (record.custom or {}) != (old_values["custom"] or {}):
        before["custom"], after["custom"] = dict(old_values["custom"] or {}), dict(record.custom or {})
    return before, after


def track_deletes(session: CrmSession) -> None:
    """Delete what is marked for deletion with all that hangs on it; SQLAlchemy finds nothing left to do."""
    grouped: defaultdict[RecordType, dict[int, Record]] = defaultdict(dict)
    for record in session.deleted:
        grouped[record.crm_type][record.id] = record
    for record_type, records in grouped.items():
        session.writer.may_change(record_type, records, "delete")
        plan = plan_delete(session, record_type, set(records))
        for rows in plan.deleted:
            for id_, held in records.items() if rows.type is record_type else ():
                if rows.values.get(id_, {}).get("version") != held.version:
                    raise Conflict(
                        "Somebody else changed the {record} {id} meanwhile.",
                        mend="Read it again before deleting it.",
                        record=record_type.name,
                        id=id_,
                    )
        for held in records.values():
            session.expunge(held)
        session.writer.carry_out(plan)
