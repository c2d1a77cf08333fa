"""The one write path: permission, rules, rows, journal, plugins; for single records and for bulk."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import attrs
from sqlalchemy import delete as sql_delete

from crm_core.errors import Conflict, Contention, NotFound
from crm_core.records import Record, RecordType
from crm_core.store import held, rules
from crm_core.store.above import above_changes, above_new
from crm_core.store.bulk import insert_tuples, update_tuples
from crm_core.store.changes import ChangeBatch
from crm_core.store.collecting import uncollected
from crm_core.store.dependants import RAW, Plan, change_raw, plan_delete
from crm_core.store.differences import difference, filled, with_custom
from crm_core.store.inserting import forget_inserted
from crm_core.store.journal import Entry, Journal, coalesce
from crm_core.store.key_fields import check_key_fields
from crm_core.store.locking import lock
from crm_core.store.noting import note
from crm_core.store.parts import in_parts
from crm_core.store.permits import Permits
from crm_core.store.upkeep import follow
from crm_core.store.values import preparer

if TYPE_CHECKING:
    from crm_core.store.session import CrmSession

__all__ = ["Mark", "Writer"]

_CHUNK = 1000
_ROUNDS = 5
_BESIDE = ("id", "version", "created_at", "created_by", "custom")


@attrs.frozen
class Mark:
    """How far the log and the journal had come when a savepoint began."""

    length: int
    checked: int
    journal: int | None
    inserted: int
    closed: bool


class Writer(Permits):
    """All writes of one session. Entries wait in ``log`` until they are checked and journalled."""

    def __init__(self, session: CrmSession) -> None:
        super().__init__(session)
        self.journal = Journal()
        self.log: list[Entry] = []
        self.checked = 0
        self.expected: Callable[[str, set[int]], set[int]] | None = None
        """Says which missing records of a type an undo will yet restore."""
        self.inserted: list[Record] = []
        self.verified: defaultdict[str, set[int]] = defaultdict(set)
        self.wrote = False
        self.closed = False
        """A merge is all that this change set holds: its undo must not take back anything else."""
        self._met: defaultdict[tuple[str, int], set[tuple[Any, ...]]] = defaultdict(set)

    def forget(self, *, committed: bool) -> None:
        """The transaction has ended, one way or the other."""
        if not committed:
            forget_inserted(self.session, self.inserted)
        self.inserted.clear()
        self.log.clear()
        self.checked = 0
        self.created.clear()
        self.verified.clear()
        self.locked.clear()
        self._met.clear()
        self.journal.forget()
        self.wrote = self.closed = False

    def first_of_new(self, rule: tuple[str, int], target: RecordType, key: tuple[Any, ...]) -> bool:
        """Whether ``key`` belongs to a ``target`` created in this transaction, and a rule meets it the first time."""
        met = self._met[rule]
        if key[0] not in self.created.of(target) or key in met:
            return False
        met.add(key)
        return True

    # -- bulk --------------------------------------------------------------------------------------------------

    def insert(
        self,
        record_type: RecordType,
        rows: Sequence[dict[str, Any]],
        ids: Sequence[int],
        *,
        versions: Mapping[int, int] | None = None,
        stamps: Mapping[int, tuple[Any, Any]] | None = None,
    ) -> None:
        """Insert checked values under given ids. ``versions`` and ``stamps`` continue those of restored records."""
        if not rows:
            return
        session = self.session
        rules.check_references(session, record_type, rows, ids)
        rules.check_values(session, record_type, rows)
        if versions is None:
            rules.check_filled(session, record_type, rows)
        self.may_create(record_type, rows, ids)
        above_new(session, record_type, rows)
        prepared = preparer(record_type, session.dialect)
        now, actor_id = session.clock(), session.actor.user_id
        at = session.driver_moment(now)
        lay = prepared.driver_row
        if versions is None:
            driver_rows = [lay(id_, row, 1, at, actor_id) for id_, row in zip(ids, rows, strict=True)]
        else:
            assert stamps is not None
            driver_rows = [
                lay(id_, row, versions[id_], session.driver_moment(stamps[id_][0] or now), stamps[id_][1], at)
                for id_, row in zip(ids, rows, strict=True)
            ]
        insert_tuples(session.core_connection(), record_type.table.name, prepared.columns, driver_rows)
        self.created.add(record_type, ids)
        if self.created.shrink(record_type, ids):
            self._met.clear()
        self._take([
            Entry(record_type, record_type.name, id_, "create", {}, filled(row), (versions or {}).get(id_, 1))
            for id_, row in zip(ids, rows, strict=True)
        ])  # fmt: skip

    def update(
        self, record_type: RecordType, changes: Mapping[int, Mapping[str, Any]], *, restored: bool = False
    ) -> int:
        """Change checked field values by id; returns how many records really changed.

        Values that are ``restored`` may be absent where the build requires one by now.
        """
        changed = self._update(record_type, changes, restored)
        self._take(changed)
        return len(changed)

    def _update(self, record_type: RecordType, changes: Mapping[int, Mapping[str, Any]], restored: bool) -> list[Entry]:
        if not changes:
            return []
        session = self.session
        self.may_change(record_type, changes, "update")
        touched = {name for values in changes.values() for name in values}.union(rules.beside(record_type))
        held = {name for name in getattr(record_type.access, "fields", ()) if name != "id"}
        above_changes(session, record_type, changes)
        old = self.rows(record_type, changes, fields=touched | held if touched & held else touched)
        missing = changes.keys() - old.keys()
        if missing:
            raise NotFound("There is no {record} {id}.", mend="Check the id.", record=record_type.name, id=min(missing))
        entries = []
        for id_, values in changes.items():
            before, after = difference(old[id_], values)
            if after:
                entries.append(
                    Entry(record_type, record_type.name, id_, "update", before, after, old[id_]["version"] + 1)
                )
        news = [entry.after for entry in entries]
        check_key_fields(session, record_type, ((entry.id, entry.after) for entry in entries))
        rules.check_references(session, record_type, news)
        beside = rules.beside(record_type)
        whole = [{**{name: old[entry.id][name] for name in beside}, **entry.after} for entry in entries]
        rules.check_values(session, record_type, whole)
        if not restored:
            rules.check_kept(session, record_type, news)
        self.may_move(record_type, [({**old[entry.id], **entry.after}, entry.after) for entry in entries])
        self._write_updates(record_type, entries, old)
        return entries

    def _write_updates(
        self, record_type: RecordType, entries: Sequence[Entry], old: Mapping[int, Mapping[str, Any]]
    ) -> None:
        session = self.session
        if len(entries) > 1:
            # Of two who change the same records the other way round, PostgreSQL would end one, after a second.
            lock(session, record_type, [entry.id for entry in entries])
        prepared, at = preparer(record_type, session.dialect), session.driver_moment(session.clock())
        groups: defaultdict[frozenset[str], list[Entry]] = defaultdict(list)
        for entry in entries:
            groups[frozenset(entry.after)].append(entry)
        for names, group in groups.items():
            columns, lay = prepared.setting(names)
            for part in in_parts(group):
                rows = [
                    (*lay(with_custom(entry.after, old[entry.id])), entry.version, at, entry.id, entry.version - 1)
                    for entry in part
                ]
                count = update_tuples(
                    session.core_connection(),
                    record_type.table.name,
                    (*columns, "version", "updated_at"),
                    ("id", "version"),
                    rows,
                )
                if count not in (len(part), -1):
                    raise Contention(
                        "Somebody else changed records of type {record} meanwhile.",
                        mend="Read them again and repeat the change.",
                        record=record_type.name,
                    )
        held.show(session, record_type, entries)

    def delete(self, record_type: RecordType, ids: Iterable[int]) -> int:
        """Delete records with all that hangs on them; returns how many rows went."""
        wanted = set(ids)
        if not wanted:
            return 0
        self.may_change(record_type, wanted, "delete")
        plan = plan_delete(self.session, {record_type: wanted})
        count = self._known_to_actor(plan)
        self.carry_out(plan)
        return count

    def _known_to_actor(self, plan: Plan) -> int:
        """How many rows of a deletion the actor may know of."""
        if self.session.actor.system:
            return plan.count
        known = 0
        for rows in plan.deleted:
            if rows.type is not None:
                own = rows.values.keys() & self.created.of(rows.type)
                known += len(own) + len(self.visible_ids(rows.type, rows.values.keys() - own))
        return known

    def carry_out(self, plan: Plan) -> None:
        """Do what a deletion needs, children first: the database's own cascades must find nothing left."""
        session = self.session
        for record_type, changes in plan.cleared:
            self._take_cleared(record_type, changes)
        entries: list[Entry] = []
        for rows in plan.raw_cleared:
            for id_, values in rows.values.items():
                emptied = dict.fromkeys(values[RAW])
                change_raw(session, rows.table, id_, emptied)
                entries.append(
                    Entry(None, rows.name, id_, "update", {RAW: values[RAW]}, {RAW: emptied}, values["version"] + 1)
                )
        for rows in reversed(plan.deleted):
            ids = list(rows.values)
            for part in in_parts(ids):
                session.core(sql_delete(rows.table).where(rows.table.c.id.in_(part)))
            if rows.type is not None:
                held.drop(session, rows.type, ids)
            entries += [
                Entry(rows.type, rows.name, id_, "delete", filled(values), {}, values.get("version", 0) + 1)
                for id_, values in rows.values.items()
            ]
        self._take(entries)

    def _take_cleared(self, record_type: RecordType, changes: Mapping[int, Mapping[str, Any]]) -> None:
        old = self.rows(record_type, changes)
        entries = [
            Entry(record_type, record_type.name, id_, "update", {name: old[id_][name] for name in values},
                  dict(values), old[id_]["version"] + 1)
            for id_, values in changes.items()
        ]  # fmt: skip
        self._write_updates(record_type, entries, old)
        self._take(entries)

    # -- checking and journalling ------------------------------------------------------------------------------

    def _take(self, entries: list[Entry]) -> None:
        """Note bulk changes; a large log is checked and journalled at once, so that memory stays flat."""
        if entries:
            self.require_open()
            self.wrote = True
        self.log += entries
        if self.session.streaming and len(self.log) - self._floor() >= _CHUNK:
            self.check()
            self.flush_journal()

    def require_open(self) -> None:
        """Refuse to write beside a merge."""
        if self.closed:
            raise Conflict(
                "A merge stands alone, so that it can be taken apart again.",
                mend="Commit the merge before you change anything else in this session.",
            )

    def mark(self) -> Mark:
        """Where a savepoint begins."""
        return Mark(len(self.log), self.checked, self.journal.mark(), len(self.inserted), self.closed)

    def back(self, mark: Mark) -> None:
        """A savepoint was rolled back: what was written since did not happen."""
        self.created.undo(self.log[mark.length :])
        gone = {entry.id for entry in self.log[mark.length :] if entry.operation == "create"}
        self.session.noted.back(gone, mark.length)
        forget_inserted(self.session, self.inserted[mark.inserted :])
        del self.inserted[mark.inserted :]
        del self.log[mark.length :]
        self.checked = min(mark.checked, self.checked)
        self.verified.clear()
        self.locked.clear()
        self.closed = mark.closed
        self.journal.back(mark.journal)

    def _floor(self) -> int:
        """Entries below it were logged before the innermost savepoint, whose journal rows may be rolled back."""
        mark = self.session.savepoint_mark()
        return mark.length if mark is not None else 0

    def check(self) -> None:
        """Flush, then let the kernel's rules and the plugins see what changed, until nothing more changes.

        Whoever catches an objection and goes on is checked again: nothing counts as checked until all is.
        """
        start = self.checked
        try:
            self._check()
        except BaseException:
            self.checked = min(start, len(self.log))
            raise
        note(self.session)

    def _check(self) -> None:
        for _ in range(_ROUNDS):
            self.session.flush()
            told = self._judged()
            if told is None:
                return
            dispatch = self.session.store.dispatch
            for batch in told:
                dispatch.check_changes(self.session, batch)
            for batch in told:
                dispatch.on_changes(self.session, batch)
        self.session.flush()
        if len(self.log) > self.checked:
            raise Conflict(
                "The plugins' crm_on_changes hooks still change records after {rounds} rounds.",
                mend="Two of them undo each other's work: see 'crm plugins' for who implements the hook.",
                rounds=_ROUNDS,
            )

    @uncollected
    def _judged(self) -> list[ChangeBatch] | None:
        """Let the kernel's rules see what was not checked yet, and say what plugins hear; ``None``: all is checked."""
        entries = coalesce(self.log[self.checked :])
        self.checked = len(self.log)
        if not entries:
            return None
        batches = self._batches(entries)
        for record_type, group in batches:
            self._rules_after(record_type, group)
        self.session.kernel_reactions(batches)
        hears = self.session.store.dispatch.hears_changes
        return [
            ChangeBatch(record_type, [entry.change() for entry in group])
            for record_type, group in batches
            if hears(record_type.name)
        ]

    def _batches(self, entries: Iterable[Entry]) -> list[tuple[RecordType, list[Entry]]]:
        grouped: dict[RecordType, list[Entry]] = {}
        # Those of one type mostly stand together.
        for record_type, group in groupby(entries, key=attrgetter("type")):
            if record_type is not None:
                grouped.setdefault(record_type, []).extend(group)
        return list(grouped.items())

    def _rules_after(self, record_type: RecordType, entries: Sequence[Entry]) -> None:
        if not record_type.exclusive:
            return
        rows: list[Mapping[str, Any]] = [entry.after for entry in entries if entry.operation == "create"]
        updated = [entry.id for entry in entries if entry.operation == "update"]
        if updated:
            rows = [*rows, *self.rows(record_type, updated).values()]
        rules.check_exclusive(self.session, record_type, rows)

    def write_down(self) -> None:
        """Check and journal what is pending, so that the tables that follow from records are up to date."""
        self.session.check()
        self.flush_journal()

    @uncollected
    def flush_journal(self) -> None:
        """Write the checked part of the log to the journal."""
        floor = self._floor()
        entries = coalesce(self.log[floor:])
        del self.log[floor:]
        self.checked = min(self.checked, floor)
        self.session.noted.position = min(self.session.noted.position, floor)
        if entries:
            follow(self.session, entries)
            self.session.grown.add(each.type.table.name for each in entries if each.operation == "create" and each.type)
            self.journal.write(self.session.core_connection(), self.session.change_set_id(), entries)
