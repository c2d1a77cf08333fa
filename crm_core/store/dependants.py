"""What hangs on a record: found through the catalogue of references, which also knows plugins that are switched off."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import attrs
from sqlalchemy import MetaData, Table, select

from crm_core.errors import Conflict
from crm_core.records import RecordType

if TYPE_CHECKING:
    from crm_core.store.session import CrmSession

__all__ = ["RAW", "Plan", "Rows", "plan_delete"]

RAW = "*row"
"""Key under which the journal keeps the column values of a plugin that is not in the build."""

_CHUNK = 1000


@attrs.define
class Rows:
    """Rows of one table that go, with their values by id."""

    type: RecordType | None
    name: str
    table: Table
    values: dict[int, dict[str, Any]] = attrs.field(factory=dict)


@attrs.define
class Plan:
    """All that a deletion does: rows deleted (parents first), references emptied."""

    deleted: list[Rows] = attrs.field(factory=list)
    cleared: list[tuple[RecordType, dict[int, dict[str, None]]]] = attrs.field(factory=list)

    @property
    def count(self) -> int:
        """How many rows go."""
        return sum(len(rows.values) for rows in self.deleted)


def plan_delete(session: CrmSession, record_type: RecordType, ids: Iterable[int]) -> Plan:
    """Collect dependants, dependants of dependants and so on; raises :class:`Conflict` where one forbids it."""
    plan = Plan()
    going: dict[str, set[int]] = {}
    cleared: dict[RecordType, dict[int, dict[str, None]]] = {}
    forbidden: list[tuple[RecordType, set[int], str]] = []
    work: list[tuple[RecordType | None, str, Table, set[int]]] = [
        (record_type, record_type.name, record_type.table, set(ids))
    ]
    while work:
        owner, name, table, wanted = work.pop(0)
        wanted -= going.get(table.name, set())
        if not wanted:
            continue
        going.setdefault(table.name, set()).update(wanted)
        plan.deleted.append(_read(session, owner, name, table, wanted))
        for reference in session.store.references_to(table.name):
            child = session.types.get(reference.type)
            child_table = child.table if child is not None else _reflect(session, reference.table)
            if child_table is None:
                continue
            found = _referring(session, child_table, reference.column, wanted)
            if not found:
                continue
            if reference.action == "cascade" or (child is None and reference.action == "restrict"):
                work.append((child, reference.type, child_table, found))
            elif reference.action == "clear" and child is not None:
                for id_ in found:
                    cleared.setdefault(child, {}).setdefault(id_, {})[reference.column] = None
            elif child is not None:
                forbidden.append((child, found, table.name))
    external = session.types["external_ref"]
    everything = {id_ for each in going.values() for id_ in each}
    keys = _referring(session, external.table, "record_id", everything)
    if keys:
        plan.deleted.append(_read(session, external, external.name, external.table, keys))
    for child, found, target in forbidden:
        if found - going.get(child.table.name, set()):
            raise Conflict(
                "It is still referred to by records of type {record}.",
                mend="Hand those over or delete them first.",
                record=child.name,
                target=target,
            )
    for child, changes in cleared.items():
        rest = {id_: names for id_, names in changes.items() if id_ not in going.get(child.table.name, set())}
        if rest:
            plan.cleared.append((child, rest))
    return plan


def _referring(session: CrmSession, table: Table, column: str, ids: Iterable[int]) -> set[int]:
    found: set[int] = set()
    ordered = sorted(ids)
    for start in range(0, len(ordered), _CHUNK):
        query = select(table.c.id).where(table.c[column].in_(ordered[start : start + _CHUNK]))
        found.update(session.core(query).scalars())
    return found


def _read(session: CrmSession, owner: RecordType | None, name: str, table: Table, ids: set[int]) -> Rows:
    if owner is not None:
        return Rows(owner, name, table, session.writer.rows(owner, ids))
    rows = Rows(None, name, table)
    ordered = sorted(ids)
    for start in range(0, len(ordered), _CHUNK):
        query = select(table).where(table.c.id.in_(ordered[start : start + _CHUNK]))
        for row in session.core(query).mappings():
            rows.values[row["id"]] = {RAW: _plain(row), "version": row.get("version", 0)}
    return rows


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    return {str(key): value for key, value in row.items()}


def _reflect(session: CrmSession, name: str) -> Table | None:
    """The table of a plugin that is not in the build, as it stands in the database; ``None`` when it is gone."""
    connection = session.connection()
    if not connection.dialect.has_table(connection, name):
        return None
    return Table(name, MetaData(), autoload_with=connection, resolve_fks=False)
