"""Undo: take back a change set as a new one, or say exactly what stands in the way.

Each field is compared three ways: what the change set found, what it left, what is there now. Nothing is changed
unless everything can be.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

import attrs
from sqlalchemy import Row, func, insert, select

from crm_core.errors import Problem, UndoConflict
from crm_core.records import RecordType
from crm_core.store.changes import ChangeSet
from crm_core.store.dependants import RAW, plan_delete, reflect
from crm_core.store.erasure import ERASED
from crm_core.store.history import change_set, require_undo
from crm_core.store.journal import Entry
from crm_core.store.tables import CHANGE, CHANGE_SET, REFERENCE
from crm_core.store.values import decode_values

if TYPE_CHECKING:
    from crm_core.store.session import CrmSession

__all__ = ["UndoReport", "undo"]

_PAGE = 1000
_SHOWN = 50


@attrs.define
class UndoReport:
    """What an undo did, or (``dry_run``) would do: counts per record type, and the change set it made."""

    undone: ChangeSet
    dry_run: bool
    deleted: dict[str, int] = attrs.field(factory=dict)
    restored: dict[str, int] = attrs.field(factory=dict)
    reverted: dict[str, int] = attrs.field(factory=dict)
    conflicts: list[Problem] = attrs.field(factory=list)

    @property
    def total(self) -> int:
        """How many records are touched."""
        return sum(sum(part.values()) for part in (self.deleted, self.restored, self.reverted))


def undo(session: CrmSession, change_set_id: int, *, dry_run: bool = False) -> UndoReport:
    """Undo one change set; raises :class:`UndoConflict` with every conflict and changes nothing then.

    Declared fields return to what they were; version and timestamps go on. Later changes of the same fields, and
    later records that hang on created ones, are conflicts. An erasure cannot be undone.
    """
    head = change_set(session, change_set_id)
    require_undo(session, head)
    if head.source == "erasure":
        raise UndoConflict("The erasure of a person is final.", mend="Nothing of it was kept.")
    already = session.core(select(CHANGE_SET.c.id).where(CHANGE_SET.c.undoes == change_set_id)).scalar()
    if already is not None and not _undone_again(session, already):
        raise UndoConflict(
            "The change set {id} was already undone by {already}.",
            mend="Undo {already} to bring it back.",
            id=change_set_id,
            already=already,
        )
    report = UndoReport(head, dry_run)
    session.flush()
    savepoint = session.begin_nested()
    work = _Undo(session, report, change_set_id)
    try:
        for rows in _pages(session, change_set_id):
            work.page(rows)
        if not report.conflicts:
            session.check()
    except BaseException:
        savepoint.rollback()
        raise
    if report.conflicts:
        savepoint.rollback()
        if dry_run:
            return report
        raise UndoConflict(
            "The change set {id} cannot be undone: {count} later changes stand on it. Nothing was changed.",
            report.conflicts[:_SHOWN],
            mend="Undo those later changes first.",
            id=change_set_id,
            count=len(report.conflicts),
        )
    if dry_run:
        savepoint.rollback()
    else:
        savepoint.commit()
        session.undoes = change_set_id
        session.source = "undo"
    session.expire_all()
    return report


def _undone_again(session: CrmSession, change_set_id: int) -> bool:
    query = select(func.count()).select_from(CHANGE_SET).where(CHANGE_SET.c.undoes == change_set_id)
    return bool(session.core(query).scalar())


def _pages(session: CrmSession, change_set_id: int) -> Iterator[Sequence[Row[Any]]]:
    """The change set's rows, last first."""
    position: int | None = None
    while True:
        query = select(CHANGE).where(CHANGE.c.change_set_id == change_set_id)
        if position is not None:
            query = query.where(CHANGE.c.position < position)
        rows = session.core(query.order_by(CHANGE.c.position.desc()).limit(_PAGE)).all()
        if not rows:
            return
        position = rows[-1].position
        yield rows


class _Undo:
    """The work of one undo."""

    def __init__(self, session: CrmSession, report: UndoReport, change_set_id: int) -> None:
        self.session = session
        self.report = report
        self.created = {
            (row.type, row.record_id)
            for row in session.core(
                select(CHANGE.c.type, CHANGE.c.record_id).where(
                    CHANGE.c.change_set_id == change_set_id, CHANGE.c.operation == "create"
                )
            )
        }
        self.gone: set[tuple[str, int]] = set()

    def conflict(self, type_name: str, id_: int, problem: str, **values: Any) -> None:
        self.report.conflicts.append(Problem(f"{type_name} {id_}", problem, "", values))

    def page(self, rows: Sequence[Row[Any]]) -> None:
        """Take back one page in runs of one type and operation; a record appears once in a run."""
        for (name, operation), group in groupby(rows, key=lambda row: (row.type, row.operation)):
            run: dict[int, Row[Any]] = {}
            for row in group:
                if row.record_id in run:
                    self._run(name, operation, run)
                    run = {}
                run[row.record_id] = row
            self._run(name, operation, run)

    def _run(self, name: str, operation: str, run: Mapping[int, Row[Any]]) -> None:
        record_type = self.session.types.get(name)
        if record_type is None:
            self._foreign(name, operation, run)
        elif operation == "create":
            self._take_away(record_type, run)
        elif operation == "update":
            self._revert(record_type, run)
        else:
            self._restore(record_type, run)

    def _take_away(self, record_type: RecordType, run: Mapping[int, Row[Any]]) -> None:
        name = record_type.name
        ids = {id_ for id_ in run if (name, id_) not in self.gone}
        current = self.session.writer.rows(record_type, ids)
        for id_ in sorted(ids):
            if id_ not in current:
                continue  # somebody deleted it already: what we want
            after = decode_values(record_type, run[id_].after)
            now = current[id_]
            for field in record_type.fields:
                if now[field.name] != after.get(field.name) and not self._empty(now[field.name], after, field.name):
                    self.conflict(name, id_, "{field} was changed since.", field=field.name)
        ids &= current.keys()
        if not ids:
            return
        plan = plan_delete(self.session, {record_type: ids})
        for rows in plan.deleted:
            for id_ in rows.values:
                if (rows.name, id_) not in self.created:
                    self.conflict(rows.name, id_, "it hangs on what would go.")
                self.gone.add((rows.name, id_))
            self._count(self.report.deleted, rows.name, len(rows.values))
        for other, changes in plan.cleared:
            for id_ in changes:
                if (other.name, id_) not in self.created:
                    self.conflict(other.name, id_, "it refers to what would go.")
        if not self.report.conflicts:
            self.session.writer.may_change(record_type, ids, "delete")
            self.session.writer.carry_out(plan)

    def _empty(self, now: Any, after: Mapping[str, Any], field: str) -> bool:
        return after.get(field) is None and now in (None, frozenset())

    def _revert(self, record_type: RecordType, run: Mapping[int, Row[Any]]) -> None:
        name = record_type.name
        current = self.session.writer.rows(record_type, run)
        changes: dict[int, dict[str, Any]] = {}
        for id_, row in run.items():
            if (name, id_) in self.gone:
                continue
            if id_ not in current:
                self.conflict(name, id_, "it was deleted since.")
                continue
            before, after = decode_values(record_type, row.before), decode_values(record_type, row.after)
            wanted = self._three_way(name, id_, before, after, current[id_])
            if wanted:
                changes[id_] = wanted
        if changes and not self.report.conflicts:
            self._count(self.report.reverted, name, self.session.writer.update(record_type, changes))

    def _three_way(
        self, name: str, id_: int, before: Mapping[str, Any], after: Mapping[str, Any], now: Mapping[str, Any]
    ) -> dict[str, Any]:
        wanted: dict[str, Any] = {}
        for field in after.keys() | before.keys():
            if field == "custom":
                had, has, custom = before.get(field) or {}, after.get(field) or {}, now.get("custom", {})
                wanted_custom = self._three_way(name, id_, had, has, {key: custom.get(key) for key in had | has})
                if wanted_custom:
                    wanted["custom"] = wanted_custom
            elif before.get(field) == ERASED:
                self.conflict(name, id_, "{field} was erased.", field=field)
            elif now.get(field) == after.get(field):
                wanted[field] = before.get(field)
            elif now.get(field) != before.get(field):
                self.conflict(name, id_, "{field} was changed since.", field=field)
        return wanted

    def _restore(self, record_type: RecordType, run: Mapping[int, Row[Any]]) -> None:
        name = record_type.name
        present = self.session.writer.rows(record_type, run)
        ids, rows, versions, stamps = [], [], {}, {}
        for id_, row in run.items():
            values = decode_values(record_type, row.before)
            if id_ in present:
                self.conflict(name, id_, "a record with this id exists again.")
            elif ERASED in values.values():
                self.conflict(name, id_, "its person was erased.")
            elif RAW in values:
                self.conflict(name, id_, "it was deleted while its plugin was switched off.")
            else:
                ids.append(id_)
                versions[id_] = row.version + 1
                stamps[id_] = (values.pop("created_at", None), values.pop("created_by", None))
                values.pop("version", None)
                rows.append({**dict.fromkeys(record_type.by_name), **values})
        if ids and not self.report.conflicts:
            self.session.writer.insert(record_type, rows, ids, versions=versions, stamps=stamps)
            self._count(self.report.restored, name, len(ids))

    def _foreign(self, name: str, operation: str, run: Mapping[int, Row[Any]]) -> None:
        """Rows of a plugin that is not in the build: its deletions can be restored as they lay in the table."""
        table_name = self.session.core(select(REFERENCE.c.table).where(REFERENCE.c.type == name)).scalar()
        table = reflect(self.session, table_name) if table_name else None
        for id_, row in run.items():
            raw = decode_values(None, row.before).get(RAW)
            if operation != "delete" or raw is None or table is None:
                self.conflict(name, id_, "its plugin is not part of this build.")
                continue
            if not self.report.conflicts:
                self.session.core(insert(table).values(raw))
                self.session.writer._take([Entry(None, name, id_, "create", {}, {RAW: raw}, row.version + 1)])
                self._count(self.report.restored, name, 1)

    def _count(self, part: dict[str, int], name: str, number: int) -> None:
        part[name] = part.get(name, 0) + number
