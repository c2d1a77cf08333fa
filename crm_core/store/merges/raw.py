"""References of plugins that are switched off: their rows are moved as they lie in the table, and journalled so."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sqlalchemy import Table, delete, select, update

from crm_core.records import RecordType
from crm_core.store.catalogue import SOFT, Reference
from crm_core.store.dependants import RAW, reflect, restore_raw
from crm_core.store.journal import Entry
from crm_core.store.parts import in_parts

if TYPE_CHECKING:
    from crm_core.store.merges.engine import Engine

__all__ = ["move"]


def move(engine: Engine, record_type: RecordType, pairs: Mapping[int, int]) -> None:
    """Move what refers to the sources from tables of plugins that are not in the build."""
    _references(engine, record_type.name, record_type.table.name, pairs)


def _references(engine: Engine, name: str, target: str, pairs: Mapping[int, int]) -> None:
    session = engine.session
    for reference in (*session.store.references_to(target), *session.store.references_to(SOFT)):
        soft = reference.action == SOFT
        if reference.type in session.types or (soft and reference.target not in ("", target)):
            continue
        table = reflect(session, reference.table)
        if table is None:
            continue
        if reference.column == "id" and not soft:
            _extension(engine, reference, table, pairs)
        else:
            _rows(engine, name, reference, table, pairs)


def _rows(engine: Engine, name: str, reference: Reference, table: Table, pairs: Mapping[int, int]) -> None:
    session, column = engine.session, table.c[reference.column]
    query = select(table.c.id, column, table.c.version).where(column.in_(sorted(pairs)))
    query = query.order_by(table.c.id).with_for_update()
    if reference.type_column is not None:
        query = query.where(table.c[reference.type_column] == name)
    by_target: defaultdict[int, list[int]] = defaultdict(list)
    entries = []
    for row in session.core(query).mappings():
        old = row[reference.column]
        by_target[pairs[old]].append(row["id"])
        before, after = {RAW: {reference.column: old}}, {RAW: {reference.column: pairs[old]}}
        entries.append(Entry(None, reference.type, row["id"], "update", before, after, row["version"] + 1))
    for target, ids in by_target.items():
        for part in in_parts(ids):
            session.core(
                update(table)
                .where(table.c.id.in_(part))
                .values({reference.column: target, "version": table.c.version + 1})
            )
    session.writer._take(entries)
    if entries and session.actor.system:
        moved = f"{reference.type}.{reference.column}"
        engine.report.moved[moved] = engine.report.moved.get(moved, 0) + len(entries)


def _extension(engine: Engine, reference: Reference, table: Table, pairs: Mapping[int, int]) -> None:
    """The extension of a source becomes the target's; where both have one, only its plugin could join them."""
    session = engine.session
    wanted = sorted({*pairs, *pairs.values()})
    query = select(table).where(table.c.id.in_(wanted)).order_by(table.c.id).with_for_update()
    rows: dict[int, dict[str, Any]] = {
        row["id"]: {str(key): value for key, value in row.items()} for row in session.core(query).mappings()
    }
    for source, target in pairs.items():
        if source not in rows:
            continue
        if target in rows:
            engine.foreign_conflict(
                reference.type, source, problem="both have one, and its plugin is switched off.",
                mend="Switch on the plugin {plugin}.", plugin=reference.plugin,
            )  # fmt: skip
            continue
        values = rows[source]
        version = values["version"] + 1
        # The new row first, then what refers to the old one: neither here nor in the undo, which goes the other way,
        # may the database's own cascades find anything.
        moved = {**values, "id": target, "version": version}
        restore_raw(session, table, moved)
        session.writer._take([Entry(None, reference.type, target, "create", {}, {RAW: moved}, version)])
        _references(engine, reference.type, table.name, {source: target})
        session.core(delete(table).where(table.c.id == source))
        session.writer._take([Entry(None, reference.type, source, "delete", {RAW: values}, {}, version)])
