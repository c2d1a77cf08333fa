"""Records that a session holds: what they say of the database, and when it changed under them in bulk."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING, Any

from sqlalchemy import inspect
from sqlalchemy.orm.attributes import set_committed_value

from crm_core.records import Record, RecordType

if TYPE_CHECKING:
    from crm_core.store.journal import Entry
    from crm_core.store.session import CrmSession

__all__ = ["drop", "show", "values_of_version"]


def values_of_version(record: Record, version: int, fields: Collection[str]) -> dict[str, Any] | None:
    """Values of a record as they stand in the database, from an object that was written there with this version.

    Whatever changes a row makes another version of it. ``None`` where the object is of another one by now, has
    assignments that are not written yet, or was not loaded with all of ``fields``.
    """
    state = inspect(record)
    loaded = state.dict
    if state.modified or loaded.get("version") != version:
        return None
    values: dict[str, Any] = {}
    for field in record.crm_type.fields:
        if field.name in fields:
            names = field.column_names
            keys = names if len(names) == 1 else [f"_{name}" for name in names]
            if not loaded.keys() >= set(keys):
                return None
            values[field.name] = field.kind.join(tuple([loaded[key] for key in keys]))
    return values


def show(session: CrmSession, record_type: RecordType, entries: Iterable[Entry]) -> None:
    """Records changed in bulk show it; what is assigned to them but not yet written stays."""
    for entry in entries if len(session.identity_map) else ():
        key = inspect(record_type.cls).identity_key_from_primary_key((entry.id,))
        held = session.identity_map.get(key)
        if held is None:
            continue
        pending = inspect(held).committed_state
        stale = ["updated_at"]
        for name, value in {**entry.after, "version": entry.version}.items():
            field = record_type.by_name.get(name)
            columns = field.column_names if field is not None else (name,)
            if name in pending:
                pending[name] = value
            elif len(columns) > 1:
                stale += [f"_{column}" for column in columns if f"_{column}" not in pending]
            elif name == "custom" or (field is not None and field.restricted):
                stale.append(name)
            else:
                set_committed_value(held, name, value)
        session.expire(held, stale)
        # As after a flush: what a savepoint takes back must be read again.
        session._register_altered((inspect(held),))


def drop(session: CrmSession, record_type: RecordType, ids: Iterable[int]) -> None:
    """Records deleted in bulk leave the session."""
    for id_ in ids:
        held = session.identity_map.get(inspect(record_type.cls).identity_key_from_primary_key((id_,)))
        if held is not None:
            session.expunge(held)
