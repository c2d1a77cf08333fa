"""What hangs on a record: found through the catalogue of references, which also knows plugins that are switched off."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import attrs
from sqlalchemy import Column, Date, Dialect, MetaData, Table, insert, inspect, select, text, update
from sqlalchemy.types import NullType, TypeDecorator

from crm_core.fields import columns
from crm_core.records import RecordType
from crm_core.store.catalogue import Reference
from crm_core.store.differences import RAW
from crm_core.store.hindering import still_referred
from crm_core.store.marks import ERASED
from crm_core.store.parts import in_parts
from crm_core.store.values import encode_values, from_columns

if TYPE_CHECKING:
    from crm_core.store.session import CrmSession

__all__ = ["RAW", "Plan", "Rows", "change_raw", "find_plan", "plan_delete", "reflect", "restore_raw", "unwrap"]


@attrs.define
class Rows:
    """Rows of one table that go, with their values by id."""

    type: RecordType | None
    name: str
    table: Table
    values: dict[int, dict[str, Any]] = attrs.field(factory=dict)


@attrs.define
class Plan:
    """All that a deletion does: rows deleted (those that others refer to first), references emptied."""

    deleted: list[Rows] = attrs.field(factory=list)
    cleared: list[tuple[RecordType, dict[int, dict[str, None]]]] = attrs.field(factory=list)
    raw_cleared: list[Rows] = attrs.field(factory=list)
    hindering: dict[RecordType, set[int]] = attrs.field(factory=dict)
    """What forbids it, by type, whether the actor sees it or not."""

    @property
    def count(self) -> int:
        """How many rows go."""
        return sum(len(rows.values) for rows in self.deleted)


@attrs.define
class _Search:
    """The search for all that hangs on what goes."""

    session: CrmSession
    going: dict[str, set[int]] = attrs.field(factory=dict)
    found: list[Rows] = attrs.field(factory=list)
    edges: set[tuple[str, str]] = attrs.field(factory=set)
    cleared: list[tuple[Reference, RecordType | None, Table, set[int]]] = attrs.field(factory=list)
    forbidden: list[tuple[RecordType, set[int]]] = attrs.field(factory=list)

    def run(self, work: list[tuple[RecordType | None, str, Table, set[int]]]) -> None:
        while work:
            owner, name, table, wanted = work.pop(0)
            wanted = wanted - self.going.get(table.name, set())
            if wanted:
                self.going.setdefault(table.name, set()).update(wanted)
                # The rows are locked before the search goes on: nobody can hang something on them meanwhile.
                self.found.append(_read(self.session, owner, name, table, wanted))
                work += self._hanging_on(table, wanted)

    def _hanging_on(self, table: Table, ids: set[int]) -> Iterator[tuple[RecordType | None, str, Table, set[int]]]:
        for reference in self.session.store.references_to(table.name):
            child = self.session.types.get(reference.type)
            child_table = child.table if child is not None else reflect(self.session, reference.table)
            found = _referring(self.session, child_table, reference.column, ids) if child_table is not None else ()
            if not found:
                continue
            assert child_table is not None
            if reference.action == "clear":
                self.cleared.append((reference, child, child_table, set(found)))
            elif reference.action == "cascade" or child is None:
                self.edges.add((table.name, child_table.name))
                yield child, reference.type, child_table, set(found)
            else:
                self.forbidden.append((child, set(found)))

    def hindering(self) -> dict[RecordType, set[int]]:
        """What refers to something that goes, stays itself, and may not lose what it refers to."""
        hindering: dict[RecordType, set[int]] = {}
        for child, found in self.forbidden:
            if left := found - self.going.get(child.table.name, set()):
                hindering.setdefault(child, set()).update(left)
        return hindering

    def ordered(self) -> list[Rows]:
        """What is referred to stands before what refers to it, however it was found, so that deleting from the end
        leaves the database's own cascades nothing to do.
        """
        depth = {rows.table.name: 0 for rows in self.found}
        for _ in depth:
            for above, below in self.edges:
                if above != below:
                    depth[below] = max(depth[below], min(depth[above] + 1, len(depth)))
        return sorted(self.found, key=lambda rows: depth[rows.table.name])  # within a table as it was found


def plan_delete(session: CrmSession, roots: Mapping[RecordType, Iterable[int]]) -> Plan:
    """Collect dependants, dependants of dependants and so on.

    Raises :class:`~crm_core.errors.Conflict` where one forbids it, which names what the actor may know of.
    """
    plan = find_plan(session, roots)
    if plan.hindering:
        raise still_referred(session, plan.hindering)
    return plan


def find_plan(session: CrmSession, roots: Mapping[RecordType, Iterable[int]]) -> Plan:
    """The same, for those who themselves tell what is ``hindering``: the plan is not whole then."""
    search = _Search(session)
    search.run([(root, root.name, root.table, set(ids)) for root, ids in roots.items()])
    external = session.types["external_ref"]
    search.run([(external, external.name, external.table, _keys(session, external, search.found))])
    if hindering := search.hindering():
        return Plan(hindering=hindering)
    plan = Plan(search.ordered())
    typed: dict[RecordType, dict[int, dict[str, None]]] = {}
    for reference, child, table, ids in search.cleared:
        rest = ids - search.going.get(table.name, set())
        if child is not None:
            for id_ in rest:
                typed.setdefault(child, {}).setdefault(id_, {})[reference.column] = None
        elif rest:
            rows = _read(session, None, reference.type, table, rest)
            for values in rows.values.values():
                values[RAW] = {reference.column: values[RAW][reference.column]}
            plan.raw_cleared.append(rows)
    plan.cleared += typed.items()
    return plan


def _keys(session: CrmSession, external: RecordType, going: Iterable[Rows]) -> set[int]:
    """The keys in other systems of what goes; an extension has the id of the record it extends, but not its keys."""
    going = list(going)
    wanted = {(rows.name, id_) for rows in going for id_ in rows.values}
    extensions = session.store.extension_tables()
    own = {id_ for rows in going if rows.table.name not in extensions for id_ in rows.values}
    table = external.table
    found: set[int] = set()
    ordered = sorted({id_ for _, id_ in wanted})
    for part in in_parts(ordered):
        query = select(table.c.id, table.c.record_type, table.c.record_id)
        for row in session.core(query.where(table.c.record_id.in_(part))):
            if row.record_id in own or (row.record_type, row.record_id) in wanted:
                found.add(row.id)
    return found


def _referring(session: CrmSession, table: Table, column: str, ids: Iterable[int]) -> set[int]:
    found: set[int] = set()
    ordered = sorted(ids)
    for part in in_parts(ordered):
        query = select(table.c.id).where(table.c[column].in_(part))
        found.update(session.core(query).scalars())
    return found


def _read(session: CrmSession, owner: RecordType | None, name: str, table: Table, ids: set[int]) -> Rows:
    if owner is not None:
        return Rows(owner, name, table, session.writer.rows(owner, ids, lock=True))
    rows = Rows(None, name, table)
    ordered = sorted(ids)
    for part in in_parts(ordered):
        query = select(table).where(table.c.id.in_(part)).order_by(table.c.id).with_for_update()
        for row in session.core(query).mappings():
            rows.values[row["id"]] = {RAW: {str(key): value for key, value in row.items()}, "version": row["version"]}
    return rows


def reflect(session: CrmSession, name: str) -> Table | None:
    """The table of a plugin that is not in the build, as it stands in the database; ``None`` when it is gone.

    Its columns have no types: values stay in the driver's form, which is how they are put back.
    """
    inspector = inspect(session.core_connection())
    if not inspector.has_table(name):
        return None
    return Table(name, MetaData(), *(Column(column["name"], NullType()) for column in inspector.get_columns(name)))


def restore_raw(session: CrmSession, table: Table, values: Mapping[str, Any]) -> None:
    """Put a row of a plugin that is not in the build back, from what the journal kept of it."""
    if session.dialect == "postgresql":
        # The server reads each value by its column's own type.
        name = session.core_connection().dialect.identifier_preparer.quote(table.name)
        statement = text(f"INSERT INTO {name} SELECT * FROM json_populate_record(NULL::{name}, :row)")  # noqa: S608
        session.core(statement, {"row": encode_values(values)})
    else:
        session.core(insert(table).values({name: values[name] for name in values.keys() & table.c.keys()}))


def change_raw(session: CrmSession, table: Table, id_: int, values: Mapping[str, Any]) -> None:
    """Change references in a row of a plugin that is not in the build."""
    session.core(update(table).where(table.c.id == id_).values({**values, "version": table.c.version + 1}))


def unwrap(session: CrmSession, record_type: RecordType, values: dict[str, Any]) -> dict[str, Any]:
    """Journalled values as fields, also where they are raw because the plugin was switched off at the time."""
    raw = values.get(RAW)
    if raw is None:
        return values
    dialect = session.core_connection().dialect
    erased = {name for name, value in raw.items() if value == ERASED}
    row = {column.name: None if column.name in erased else _read_raw(column, raw[column.name], dialect)
           for column in record_type.table.c if column.name in raw}  # fmt: skip
    kept = ("custom", "created_at", "created_by", "version")
    found = from_columns(record_type, row) | {name: row[name] for name in kept if row.get(name)}
    return found | {field.name: ERASED for field in record_type.fields if erased.intersection(field.column_names)}


def _read_raw(column: Column[Any], value: Any, dialect: Dialect) -> Any:
    kind = column.type
    if dialect.name != "postgresql":
        processor = kind.dialect_impl(dialect).result_processor(dialect, None)
        return processor(value) if processor is not None else value
    if isinstance(value, str):
        # The journal's JSON has texts where the driver gave decimals, days and moments.
        if isinstance(kind, columns.Scaled):
            return Decimal(value)
        if isinstance(kind, columns.Moment):
            value = dt.datetime.fromisoformat(value)
        elif isinstance(kind, Date):
            return dt.date.fromisoformat(value)
    return kind.process_result_value(value, dialect) if isinstance(kind, TypeDecorator) else value
