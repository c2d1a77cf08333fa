"""The journal against the tables: what it says there should be, and what there is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from sqlalchemy import select

from crm_core import CrmSession
from crm_core.store.marks import ERASED
from crm_core.store.partitions.recorded import begins
from crm_core.store.store import Store
from crm_core.store.tables import CHANGE
from crm_core.store.values import decode_values

__all__ = ["Key", "State", "contradictions", "replayed", "state"]

Key: TypeAlias = tuple[str, int]
"""A record: its type's name, and its id."""
State: TypeAlias = dict[Key, dict[str, Any]]

# What the store counts by itself, and the journal has no fields for.
_OWN = ("created_at", "created_by", "updated_at")


def state(store: Store) -> State:
    """Every record as it lies in the tables: what is filled among its declared and custom fields, and its version."""
    found: State = {}
    with store.session(principal="examination", read_only=True) as session:
        for record_type in store.types.values():
            ids = list(session.core(select(record_type.table.c.id)).scalars())
            for id_, values in session.writer.rows(record_type, ids).items():
                found[record_type.name, id_] = _filled(values)
    return found


def replayed(store: Store) -> tuple[State, list[str]]:
    """What the journal alone says there is, with what in it contradicts itself.

    Where parts of it are detached, it is believed of what was before that it was as the rest of it leads to.
    """
    complaints: list[str] = []
    with store.session(principal="examination", read_only=True) as session:
        rows = _rows(session)
        found = {} if begins(session) is None else _earlier(store, rows)
        for row in rows:
            record_type = store.types.get(row.type)
            if record_type is None:
                continue  # of a plugin that is not in this build
            complaints += _step(
                found, (row.type, row.record_id), row.operation, row.version,
                decode_values(record_type, row.before), decode_values(record_type, row.after),
            )  # fmt: skip
    return found, complaints


def contradictions(there: State, said: State) -> Iterator[str]:
    """Where the tables are not as the journal says."""
    for key in sorted(there.keys() | said.keys()):
        if key not in said:
            yield f"{_named(key)} is there, but the journal knows nothing of it"
        elif key not in there:
            yield f"{_named(key)} is not there, but the journal says that it is"
        elif there[key] != said[key]:
            names = sorted(
                name for name in there[key].keys() | said[key] if there[key].get(name) != said[key].get(name)
            )
            yield f"{_named(key)} is not as the journal says: {', '.join(names)}"


def _earlier(store: Store, rows: Sequence[Any]) -> State:
    """Records as they were before the first row of the journal that is here: what is there now, with all taken back."""
    found = state(store)
    for row in reversed(rows):
        record_type, key = store.types.get(row.type), (row.type, row.record_id)
        if record_type is None:
            continue
        before = decode_values(record_type, row.before)
        if row.operation == "create":
            found.pop(key, None)
        elif row.operation == "delete":
            found[key] = {**_filled(before), "version": row.version - 1}
        elif key in found:
            custom = {**found[key].get("custom", {}), **before.get("custom", {})}
            kept = {name: value for name, value in custom.items() if value is not None}
            found[key] = _filled({**found[key], **before, "custom": kept, "version": row.version - 1})
    return found


def _rows(session: CrmSession) -> list[Any]:
    # By version: no clock that was set back, and no sequence, can upset the order of a record's history.
    return list(session.core(select(CHANGE).order_by(CHANGE.c.type, CHANGE.c.record_id, CHANGE.c.version)).all())


def _step(
    found: State, key: Key, operation: str, version: int, before: Mapping[str, Any], after: Mapping[str, Any]
) -> Iterator[str]:
    had = found.get(key)
    if operation == "create":
        if had is not None:
            yield f"{_named(key)} was created twice"
        found[key] = {**_filled(after), "version": version}
        return
    if had is None:
        yield f"{_named(key)} was {operation}d before it was created"
        return
    if had["version"] >= version:
        yield f"{_named(key)} has two changes of version {version}"
    if operation == "delete":
        del found[key]
        if not _same({**had, "version": 0}, {**_filled(before), "version": 0}):
            yield f"{_named(key)} was not as its deletion says"
        return
    for name, value in before.items():
        if name != "custom" and not _same(had.get(name), value):
            yield f"{_named(key)}.{name} was not as its change {version} says"
    new = {**had, **{name: value for name, value in after.items() if name != "custom"}, "version": version}
    if "custom" in after:
        custom = {**had.get("custom", {}), **after["custom"]}
        new["custom"] = {name: value for name, value in custom.items() if value is not None}
    found[key] = _filled(new)


def _same(had: Any, said: Any) -> bool:
    """Whether two values are one; what was erased may have been anything."""
    if isinstance(had, dict) and isinstance(said, dict):
        return all(_same(had.get(name), said.get(name)) for name in had.keys() | said)
    return had == said or ERASED in (had, said)


def _filled(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name not in _OWN and value not in (None, {})}


def _named(key: Key) -> str:
    return f"{key[0]} {key[1]}"
