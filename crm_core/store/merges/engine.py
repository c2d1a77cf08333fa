"""Moving all that refers to records which go into others: a few statements per record type, however many rows."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Mapping
from json import dumps
from typing import TYPE_CHECKING, Any

import attrs
from sqlalchemy import ColumnElement, literal, select, union_all

from crm_core.domain.external import ExternalRef
from crm_core.domain.quality import json_value
from crm_core.errors import Problem
from crm_core.records import RecordType, SoftReference
from crm_core.store.dependants import plan_delete
from crm_core.store.hindering import would_go_along
from crm_core.store.merges import raw
from crm_core.store.merges.report import MergeReport
from crm_core.store.merges.resolvers import LOOKED_AT, resolve, turns_on_itself
from crm_core.store.merges.survivors import choose_fields
from crm_core.store.merges.work import Rows, Work
from crm_core.store.parts import in_parts

if TYPE_CHECKING:
    from crm_core.store.session import CrmSession

__all__ = ["Engine", "referring"]


@attrs.frozen
class _Told:
    """Something to tell, where it belongs, and the record that it is about."""

    place: list[Problem]
    type: RecordType | None
    id: int
    problem: Problem


@attrs.define
class Engine:
    """One merge. ``choose`` are choices for fields of extensions by record type, ``cut`` types that give way."""

    session: CrmSession
    report: MergeReport
    choose: Mapping[str, Mapping[str, str]] = attrs.field(factory=dict)
    cut: frozenset[str] = frozenset()
    _told: list[_Told] = attrs.field(factory=list)
    _moved: defaultdict[tuple[RecordType, str], set[int]] = attrs.field(factory=lambda: defaultdict(set))

    # -- what is told ------------------------------------------------------------------------------------------

    def resolved(self, record_type: RecordType, id_: int, *, problem: str, **values: Any) -> None:
        """A row was not simply moved."""
        self._tell(self.report.resolved, record_type, record_type.name, id_, problem, "", values)

    def conflict(self, record_type: RecordType, id_: int, *, problem: str, mend: str, **values: Any) -> None:
        """A row stands in the way."""
        self._tell(self.report.conflicts, record_type, record_type.name, id_, problem, mend, values)

    def lost(self, record_type: RecordType, id_: int, *, field: str, kept: Any, lost: Any, other: int) -> None:
        """What a row said of a field is lost, told to whoever may read that field."""
        if field in self.session._reading.restricted_names(record_type):
            return
        self.resolved(
            record_type, id_, problem="of {field}, {kept!r} stays in {other}, and {lost!r} is lost.",
            field=field, kept=_shown(record_type, field, kept), lost=_shown(record_type, field, lost), other=other,
        )  # fmt: skip

    def look_up(self, record_type: RecordType, field: str, values: Iterable[int]) -> Rows:
        """Records that have one of ``values`` in a field, whether the actor sees them or not."""
        table = record_type.table
        ids: list[int] = []
        for part in in_parts(sorted(values)):
            ids += self.session.core(select(table.c.id).where(table.c[field].in_(part))).scalars()
        return self.session.writer.rows(record_type, ids)

    def now(self) -> dt.datetime:
        """The present moment."""
        return self.session.clock()

    def foreign_conflict(self, name: str, id_: int, *, problem: str, mend: str, **values: Any) -> None:
        """A row of a plugin that is not in the build stands in the way."""
        self._tell(self.report.conflicts, None, name, id_, problem, mend, values)

    def _tell(
        self,
        place: list[Problem],
        record_type: RecordType | None,
        name: str,
        id_: int,
        text: str,
        mend: str,
        values: dict[str, Any],
    ) -> None:
        self._told.append(_Told(place, record_type, id_, Problem(f"{name} {id_}", text, mend, values)))

    @property
    def stopped(self) -> bool:
        """Whether something stands in the way."""
        return bool(self.report.conflicts) or any(told.place is self.report.conflicts for told in self._told)

    def visible_before(self) -> None:
        """Count and tell what the actor sees, before anything moves; of the rest say no more than that it is there."""
        seen: dict[RecordType, set[int]] = {}
        concerned: defaultdict[RecordType, set[int]] = defaultdict(set)
        for (record_type, _), moved in self._moved.items():
            concerned[record_type] |= moved
        for told in self._told:
            if told.type is not None:
                concerned[told.type].add(told.id)
        for record_type, ids in concerned.items():
            seen[record_type] = self.session.writer.visible_ids(record_type, ids)
        for (record_type, field), ids in self._moved.items():
            if count := len(ids & seen[record_type]):
                name = record_type.name if field == "id" else f"{record_type.name}.{field}"
                self.report.moved[name] = self.report.moved.get(name, 0) + count
        hidden = False
        for told in self._told:
            if self.session.actor.system if told.type is None else told.id in seen[told.type]:
                told.place.append(told.problem)
            elif told.place is self.report.conflicts:
                hidden = True
        if hidden:
            self.report.conflicts.append(Problem("", "something stands in the way that you may not see."))
        self._moved.clear()
        self._told.clear()

    # -- references --------------------------------------------------------------------------------------------

    def absorb(
        self, record_type: RecordType, pairs: Mapping[int, int], changes: Mapping[int, Mapping[str, Any]]
    ) -> None:
        """Let each record go into another of its type: ``pairs`` are source and target, ``changes`` the targets'."""
        works = self._plan(record_type, pairs)
        for work in works:
            resolve(work, self, self.cut)
        extended = self._extensions(record_type, pairs)
        self.visible_before()
        if self.stopped:
            return
        for work in works:
            self._carry_out(work)
        for extension, joined, values in extended:
            self._extend(extension, joined, values)
        if any(changes.values()):
            self.session.writer.update(record_type, {id_: values for id_, values in changes.items() if values})
        raw.move(self, record_type, pairs)
        self.visible_before()
        if not self.stopped:
            self._delete(record_type, set(pairs))

    def _plan(self, record_type: RecordType, pairs: Mapping[int, int]) -> list[Work]:
        """The rows that refer to what goes, by their type."""
        fields: defaultdict[RecordType, list[tuple[str, SoftReference | None]]] = defaultdict(list)
        for child, field in self.session.types.referring(record_type.name):
            fields[child].append((field.name, None))
        for soft in self.session.policy.references:
            owner = self.session.types.get(soft.record)
            if owner is not None and (soft.type_field is not None or soft.target == record_type.name):
                fields[owner].append((soft.id_field, soft))
        works = []
        for child, names in sorted(fields.items(), key=lambda pair: pair[0].name):
            work = self._work(record_type, child, names, pairs)
            if work is not None:
                works.append(work)
        return works

    def _work(
        self,
        record_type: RecordType,
        child: RecordType,
        names: Iterable[tuple[str, SoftReference | None]],
        pairs: Mapping[int, int],
    ) -> Work | None:
        table = child.table
        moves: defaultdict[int, dict[str, int]] = defaultdict(dict)
        for name, soft in names:
            column, condition = table.c[name], _condition(record_type, table, soft)
            for part in in_parts(sorted(pairs)):
                query = select(table.c.id, column).where(column.in_(part), *condition)
                for row in self.session.core(query).mappings():
                    # What goes itself, or is what it goes into, is a matter of its own fields.
                    if child is not record_type or (row["id"] not in pairs and row["id"] not in pairs.values()):
                        moves[row["id"]][name] = pairs[row[name]]
                        self._moved[child, name].add(row["id"])
        if not moves:
            return None
        changes = {id_: dict(change) for id_, change in moves.items()}
        if not (child.name in LOOKED_AT or child.exclusive or turns_on_itself(child)):
            return Work(child, {id_: dict(change) for id_, change in moves.items()}, {}, changes)
        rows = self.session.writer.rows(child, moves)
        moved = {id_: {**values, **moves[id_]} for id_, values in rows.items()}
        present: dict[int, dict[str, Any]] = {}
        targets = sorted(set(pairs.values()))
        for name, soft in names:
            query = select(table.c.id).where(table.c[name].in_(targets), *_condition(record_type, table, soft))
            ids = set(self.session.core(query).scalars()) - moved.keys() - present.keys()
            present |= self.session.writer.rows(child, ids)
        return Work(child, moved, present, changes)

    def _carry_out(self, work: Work) -> None:
        writer = self.session.writer
        if work.dropped:
            # The key under which another system knows such a row goes with it.
            self._delete(work.type, work.dropped, keys=True)
        if work.created:
            with writer.as_kernel(seeing=_referred(work.type, work.created)):
                self.session.add_many(work.type.cls, work.created)
        # Those that go into others take along what refers to them, as the merged records themselves do.
        changes = {id_: values for id_, values in work.changes.items() if values}
        if changes:
            with writer.as_kernel(seeing=_referred(work.type, changes.values())):
                writer.update(work.type, changes)
        if work.joined:
            self.absorb(work.type, work.joined, {})

    # -- extensions --------------------------------------------------------------------------------------------

    def _extensions(
        self, record_type: RecordType, pairs: Mapping[int, int]
    ) -> list[tuple[RecordType, dict[int, int], dict[int, dict[str, Any]]]]:
        """What one-to-one extensions become: pairs that go into each other, and the values of the survivors."""
        found = []
        for extension in sorted(self.session.types.extensions(record_type.name), key=lambda each: each.name):
            rows = self.session.writer.rows(extension, {*pairs, *pairs.values()})
            joined: dict[int, int] = {}
            values: dict[int, dict[str, Any]] = {}
            for source, target in pairs.items():
                if source not in rows:
                    continue
                joined[source] = target
                self._moved[extension, "id"].add(source)
                if target in rows:
                    chosen = choose_fields(
                        self.session, extension, (target, source), (rows[target], rows[source]),
                        self.choose.get(extension.name, {}), f"{extension.name}.",
                    )  # fmt: skip
                    values[target] = chosen.changes
                    if self.session.writer.visible_ids(extension, {target, source}) == {target, source}:
                        self.report.fields += chosen.told
                else:
                    values[target] = {name: rows[source].get(name) for name in extension.by_name}
                    values[target] |= {"id": target, "custom": rows[source].get("custom") or {}}
            if joined:
                found.append((extension, joined, values))
        return found

    def _extend(
        self, extension: RecordType, joined: Mapping[int, int], values: Mapping[int, Mapping[str, Any]]
    ) -> None:
        new = [each for each in values.values() if "id" in each]
        if new:
            self.session.add_many(extension.cls, new)
        self.absorb(extension, joined, {id_: each for id_, each in values.items() if "id" not in each})

    # -- the end -----------------------------------------------------------------------------------------------

    def _delete(self, record_type: RecordType, ids: set[int], *, keys: bool = False) -> None:
        """Delete what nothing refers to any more; whatever still does would go unseen, so that it stops the merge."""
        plan = plan_delete(self.session, {record_type: ids})
        left: defaultdict[str, set[int]] = defaultdict(set)
        for rows in plan.deleted:
            own = ids if rows.table is record_type.table else set()
            if not (keys and rows.name == ExternalRef.crm_type.name):
                left[rows.name] |= rows.values.keys() - own
        for child, changes in plan.cleared:
            left[child.name] |= changes.keys()
        for rows in plan.raw_cleared:
            left[rows.name] |= rows.values.keys()
        if any(left.values()):
            raise would_go_along(self.session, left)
        self.session.writer.carry_out(plan)


def referring(session: CrmSession, record_type: RecordType, ids: Iterable[int]) -> dict[RecordType, set[int]]:
    """What refers to records, for those who will lock it: on PostgreSQL alone."""
    fields = session.types.referring(record_type.name) if session.dialect == "postgresql" else ()
    if not fields:
        return {}
    queries = [
        select(literal(child.name), child.table.c.id).where(child.table.c[field.column_names[0]].in_(ids))
        for child, field in fields
    ]
    found: defaultdict[RecordType, set[int]] = defaultdict(set)
    rows: Any = session.core(union_all(*queries)).all()
    for name, id_ in rows:
        found[session.types[name]].add(id_)
    return found


def _shown(record_type: RecordType, field: str, value: Any) -> str:
    """A value as a text, as the journal would keep it; custom fields are kept so anyway."""
    known = record_type.by_name.get(field)
    plain = value if value is None or known is None else json_value(known.kind.encode(value))
    return plain if isinstance(plain, str) else "" if plain is None else dumps(plain, ensure_ascii=False)


def _referred(record_type: RecordType, rows: Iterable[Mapping[str, Any]]) -> dict[str, set[int]]:
    """What rows refer to: it was referred to before, whether the actor sees it or not."""
    found: dict[str, set[int]] = {}
    for row in rows:
        for field in record_type.refs:
            if field.target is not None and row.get(field.name) is not None:
                found.setdefault(field.target, set()).add(row[field.name])
    return found


def _condition(record_type: RecordType, table: Any, soft: SoftReference | None) -> list[ColumnElement[bool]]:
    if soft is None or soft.type_field is None:
        return []
    return [table.c[soft.type_field] == record_type.name]
