"""Undo: take back a change set as a new one, or say exactly what stands in the way.

Each field is compared three ways: what the change set found, what it left, what is there now. Nothing is changed
unless everything can be.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import nullcontext
from itertools import groupby
from typing import TYPE_CHECKING, Any

import attrs
from sqlalchemy import Row, func, select

from crm_core.errors import Conflict, Problem, UndoConflict
from crm_core.records import RecordType
from crm_core.store.changes import ChangeSet
from crm_core.store.dependants import find_plan, unwrap
from crm_core.store.differences import STORES_OWN, filled, same
from crm_core.store.erasure import ERASED
from crm_core.store.hindering import sees_one
from crm_core.store.history import change_set
from crm_core.store.partitions.recorded import require_recorded
from crm_core.store.parts import in_parts
from crm_core.store.tables import CHANGE
from crm_core.store.undo_holding import hold
from crm_core.store.undo_overlap import Overlap, overlap
from crm_core.store.undo_raw import take_back_raw
from crm_core.store.undo_reading import pages, standing
from crm_core.store.unseen import is_hidden, refuse_unseen, seen_before, touches_hidden, unseen_keys
from crm_core.store.values import decode_values

if TYPE_CHECKING:
    from crm_core.store.session import CrmSession

__all__ = ["UndoReport", "undo"]

_SHOWN = 50
_KEPT = 1000
_LARGE = 5000


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


def undo(
    session: CrmSession,
    change_set_id: int,
    *,
    dry_run: bool = False,
    only: Mapping[str, Collection[int]] | None = None,
) -> UndoReport:
    """Undo one change set; raises :class:`UndoConflict` with every conflict and changes nothing then.

    Declared fields return to what they were; version and timestamps go on. Later changes of the same fields, and
    later records that hang on created ones, are conflicts. An erasure cannot be undone.

    ``only`` (ids by record type) takes back a part of it: the rest stays, and what of the rest hangs on the part is a
    conflict. The change set then does not count as undone; a later undo of all of it finds the part as it was.
    """
    # A rule of the kernel that takes back what it did itself needs no right of the actor.
    by_rule = session.writer.is_kernel
    head = change_set(session, change_set_id, known=by_rule)  # knows nobody's but one's own, but for system.undo
    if head.source == "erasure":
        raise UndoConflict("The erasure of a person is final.", mend="Nothing of it was kept.")
    # Something may have undone it already that is detached.
    require_recorded(session, head.at)
    already = standing(session, change_set_id)
    if already is not None:
        raise UndoConflict(
            "The change set {id} was already undone by {already}.",
            mend="Undo {already} to bring it back.",
            id=change_set_id,
            already=already,
        )
    if session.undoes is not None:
        problem, mend = "This session has already undone {id}.", "Commit it before undoing another change set."
        raise UndoConflict(problem, mend=mend, id=session.undoes)
    report = UndoReport(head, dry_run)
    session.check()
    # One's own change set is taken back without asking again for the permissions it was made with, but only where
    # everything it touched is still seen.
    own = not session.visibility.reach("system.undo").all
    if own and not by_rule and touches_hidden(session, change_set_id, only):
        return refuse_unseen(report)
    seen = seen_before(session, change_set_id) if own else {}
    savepoint = session.begin_nested()
    part = None if only is None else {name: frozenset(ids) for name, ids in only.items()}
    work = _Undo(session, report, change_set_id, part)
    work.unknown = unseen_keys(session) if own else frozenset()
    # A large change set is undone as it was made: in batches, with a journal that is written on the way.
    streaming, session.streaming = session.streaming, session.streaming or work.size > _LARGE
    session.writer.expected = work.will_come
    overlapping: Overlap | None = None
    checking = False
    try:
        hold(session, change_set_id, part, large=work.size > _LARGE)
        try:
            with session.writer.as_kernel(seen) if own else nullcontext():
                for page in pages(session, change_set_id):
                    wanted = page if part is None else [row for row in page if row.record_id in part.get(row.type, ())]
                    work.page(wanted)
            if checking := not report.conflicts:
                session.check()
        except Conflict as error:
            overlapping = overlap(session, error, change_set_id, part)
            if overlapping is None and not checking:
                raise
            report.conflicts.append(Problem("", error.problem, error.mend, {**error.values, "record": error.record}))
    except BaseException:
        savepoint.rollback()
        session.expire_all()
        raise
    finally:
        session.streaming, session.writer.expected = streaming, None
    if report.conflicts or work.met_unknown or dry_run:
        savepoint.rollback()
    else:
        savepoint.commit()
        session.source = "undo"
        if only is None:
            session.undoes = change_set_id
    session.expire_all()
    if overlapping is not None:
        # Told of when nothing of the undo is left: in the middle of it its own actor may see less.
        told = overlapping.told(session)
        if told is None:
            return refuse_unseen(report)
        report.conflicts[-1:] = [told]
    if own and work.hidden():
        return refuse_unseen(report)
    if work.absent and not dry_run:
        raise UndoConflict(
            "The change set {id} cannot be undone: it touched records of plugins that are not loaded ({plugins}). "
            "Nothing was changed.",
            report.conflicts[:_SHOWN],
            mend="Switch them on ('crm plugins enable NAME'), or bring back what was removed ('crm plugins restore "
            "FOLDER'), and undo it then.",
            id=change_set_id,
            plugins=", ".join(sorted(work.absent)),
        )
    if report.conflicts and not dry_run:
        raise UndoConflict(
            "The change set {id} cannot be undone: later changes stand on it ({count}). Nothing was changed.",
            report.conflicts[:_SHOWN],
            mend="Undo those later changes first.",
            id=change_set_id,
            count=max(work.conflicts, len(report.conflicts)),
        )
    return report


class _Undo:
    """The work of one undo."""

    def __init__(
        self,
        session: CrmSession,
        report: UndoReport,
        change_set_id: int,
        only: Mapping[str, frozenset[int]] | None,
    ) -> None:
        self.session = session
        self.report = report
        self.change_set_id = change_set_id
        self.only = only
        self.conflicts = 0
        self.absent: set[str] = set()
        """Plugins that are not loaded, and whose records would have to be changed."""
        self.unknown: frozenset[str] = frozenset()
        """Records that the kernel keeps beside others, and that the actor knows nothing of."""
        self.met_unknown = False
        self._met: dict[str, set[int]] = {}
        self._told: set[tuple[str, str | None]] = set()
        self._hindering: dict[RecordType, set[int]] = {}
        self._cleared: set[tuple[str, int, str]] = set()
        """References between what goes that were emptied on the way: nobody else changed them."""
        self.size: int = session.core(
            select(func.count()).select_from(CHANGE).where(CHANGE.c.change_set_id == change_set_id)
        ).scalar_one()

    def conflict(self, type_name: str, id_: int, problem: str, **values: Any) -> None:
        """Note what stands in the way; of very many the first are enough."""
        if type_name in self.unknown:
            self.met_unknown = True
            return
        self.conflicts += 1
        self._met.setdefault(type_name, set()).add(id_)
        self._told.add((type_name, values.get("field")))
        if len(self.report.conflicts) < _KEPT:
            self.report.conflicts.append(Problem(f"{type_name} {id_}", problem, "", values))

    def hidden(self) -> bool:
        """Whether a conflict is about a record or a field that the actor may not see, or all that there are.

        Asked when all of it is taken back: in the middle of an undo its own actor may see less.
        """
        if self.met_unknown and not self.report.conflicts:
            return True
        for name, field in self._told:
            record_type = self.session.types.get(name)
            if record_type is not None and field in self.session._reading.restricted_names(record_type):
                return True
        if not all(sees_one(self.session, record_type, ids) for record_type, ids in self._hindering.items()):
            return True
        return any(is_hidden(self.session, name, ids) for name, ids in self._met.items())

    def _here(self, name: str, ids: Iterable[int], operation: str) -> set[int]:
        """Those of ``ids`` that the change set itself created (deleted), and that are to be taken back."""
        found: set[int] = set()
        ordered = sorted(ids if self.only is None else self.only.get(name, frozenset()).intersection(ids))
        for part in in_parts(ordered):
            query = select(CHANGE.c.record_id).where(
                CHANGE.c.record_id.in_(part),
                CHANGE.c.change_set_id == self.change_set_id,
                CHANGE.c.type == name,
                CHANGE.c.operation == operation,
            )
            found.update(self.session.core(query).scalars())
        return found

    def will_come(self, name: str, ids: set[int]) -> set[int]:
        """Records that are missing now and that this undo restores."""
        return self._here(name, ids, "delete")

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
            take_back_raw(self, name, operation, run)
        elif operation == "create":
            self._take_away(record_type, run)
        elif operation == "update":
            self._revert(record_type, run)
        else:
            self._restore(record_type, run)

    def _take_away(self, record_type: RecordType, run: Mapping[int, Row[Any]]) -> None:
        name = record_type.name
        current = self.session.writer.rows(record_type, run)  # what somebody deleted already is as we want it
        for id_, now in current.items():
            after = self._values(record_type, run[id_].after)
            there, then = filled(now), filled(after)
            for field in sorted((there.keys() | then.keys()) - STORES_OWN):
                if (name, id_, field) in self._cleared:
                    continue
                if there.get(field) != then.get(field) and (there.get(field) or then.get(field) or field in after):
                    self.conflict(name, id_, "{field} was changed since.", field=field)
        if not current:
            return
        plan = find_plan(self.session, {record_type: set(current)})
        if plan.hindering:
            for other, ids in plan.hindering.items():
                self.conflict(name, min(current), "records of type {record} refer to it.", record=other.name)
                self._hindering.setdefault(other, set()).update(ids)
            return
        for rows in plan.deleted:
            for id_ in rows.values.keys() - self._here(rows.name, rows.values, "create"):
                self.conflict(rows.name, id_, "it hangs on what would go.")
            self.count(self.report.deleted, rows.name, len(rows.values))
        for other, changes in plan.cleared:
            for id_ in changes.keys() - self._here(other.name, changes, "create"):
                self.conflict(other.name, id_, "it refers to what would go.")
            self._cleared.update((other.name, id_, field) for id_, emptied in changes.items() for field in emptied)
        for rows in plan.raw_cleared:
            for id_ in rows.values:
                self.conflict(rows.name, id_, "it refers to what would go.")
        if not self.report.conflicts:
            self.session.writer.may_change(record_type, current, "delete")
            self.session.writer.carry_out(plan)

    def _revert(self, record_type: RecordType, run: Mapping[int, Row[Any]]) -> None:
        name = record_type.name
        current = self.session.writer.rows(record_type, run)
        created = self._here(name, run.keys() - current.keys(), "create")
        changes: dict[int, dict[str, Any]] = {}
        for id_, row in run.items():
            if id_ in current:
                before, after = self._values(record_type, row.before), self._values(record_type, row.after)
                wanted = self._three_way(name, id_, before, after, current[id_], record_type.by_name)
                if wanted:
                    changes[id_] = wanted
            elif id_ not in created:
                self.conflict(name, id_, "it was deleted since.")
        self._find_gaps(record_type, changes)
        if changes and not self.report.conflicts:
            self.count(self.report.reverted, name, self.session.writer.update(record_type, changes, restored=True))

    def _find_gaps(self, record_type: RecordType, rows: Mapping[int, Mapping[str, Any]]) -> None:
        """References to what was deleted in a later change set, or what the actor may not see."""
        references = {field.name: field.target for field in record_type.refs}
        if record_type.extends:
            references["id"] = record_type.extends
        for name, target in references.items():
            assert target is not None
            values = {id_: id_ if name == "id" else row.get(name) for id_, row in rows.items()}
            wanted = {id_: value for id_, value in values.items() if value is not None}
            present = self.session.writer.visible_ids(self.session.types[target], set(wanted.values()))
            # What this undo has brought back is there, though who sees it may follow only from what is still to come.
            gone = set(wanted.values()) - present - self.session.writer.created.of(self.session.types[target])
            gone -= self.will_come(target, gone).union(self.session.writer.seeing.get(target, ()))
            for id_, found in wanted.items():
                if found in gone:
                    self.conflict(record_type.name, id_, "{field}: the {target} {id} is gone.", field=name,
                                  target=target, id=found)  # fmt: skip

    def _three_way(
        self,
        name: str,
        id_: int,
        before: Mapping[str, Any],
        after: Mapping[str, Any],
        now: Mapping[str, Any],
        declared: Collection[str] | None = None,
    ) -> dict[str, Any]:
        wanted: dict[str, Any] = {}
        for field in sorted((after.keys() | before.keys()) - STORES_OWN):
            if field == "custom":
                had, has, custom = before.get(field) or {}, after.get(field) or {}, now.get("custom", {})
                wanted_custom = self._three_way(name, id_, had, has, {key: custom.get(key) for key in had | has})
                if wanted_custom:
                    wanted["custom"] = wanted_custom
            elif ERASED in (before.get(field), after.get(field)):
                self.conflict(name, id_, "{field} was erased.", field=field)
            elif now.get(field) == after.get(field):
                if declared is not None and field not in declared:
                    self.conflict(name, id_, "{field} is no longer a field.", field=field)
                    continue
                wanted[field] = before.get(field)
            elif now.get(field) != before.get(field):
                self.conflict(name, id_, "{field} was changed since.", field=field)
        return wanted

    def _restore(self, record_type: RecordType, run: Mapping[int, Row[Any]]) -> None:
        name = record_type.name
        present = self.session.writer.rows(record_type, run)
        rows: dict[int, dict[str, Any]] = {}
        versions: dict[int, int] = {}
        stamps: dict[int, tuple[Any, Any]] = {}
        for id_, row in run.items():
            values = self._values(record_type, row.before)
            missing = [field.name for field in record_type.fields if field.required and values.get(field.name) is None]
            if id_ in present:
                if same(present[id_], values):
                    continue  # a part of the change set was taken back before
                self.conflict(name, id_, "a record with this id exists again.")
            elif ERASED in values.values():
                self.conflict(name, id_, "its person was erased.")
            elif missing:
                self.conflict(name, id_, "{field} is needed by now, and it had none.", field=missing[0])
            else:
                versions[id_] = row.version + 1
                stamps[id_] = (values.get("created_at"), values.get("created_by"))
                later = {field.name: field.initial() for field in record_type.fields}
                rows[id_] = later | {each: value for each, value in values.items() if each not in STORES_OWN}
        self._find_gaps(record_type, rows)
        if rows and not self.report.conflicts:
            self.session.writer.insert(record_type, list(rows.values()), list(rows), versions=versions, stamps=stamps)
            self.count(self.report.restored, name, len(rows))

    def _values(self, record_type: RecordType, text: str | None) -> dict[str, Any]:
        return unwrap(self.session, record_type, decode_values(record_type, text))

    def count(self, part: dict[str, int], name: str, number: int) -> None:
        """Note how many records of a type were dealt with."""
        part[name] = part.get(name, 0) + number
