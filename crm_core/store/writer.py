"""The one write path: permission, rules, rows, journal, plugins; for single records and for bulk."""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import attrs
from sqlalchemy import ColumnElement, Select, bindparam, select, update
from sqlalchemy import delete as sql_delete

from crm_core.errors import Conflict, NotFound, PermissionDenied
from crm_core.records import Record, RecordType, Via
from crm_core.store import rules
from crm_core.store.bulk import insert_tuples
from crm_core.store.changes import ChangeBatch
from crm_core.store.created import Created
from crm_core.store.dependants import RAW, Plan, change_raw, plan_delete
from crm_core.store.differences import difference, filled
from crm_core.store.inserting import forget_inserted
from crm_core.store.journal import Entry, Journal, coalesce
from crm_core.store.key_fields import check_key_fields, require_steward
from crm_core.store.noting import note
from crm_core.store.upkeep import follow
from crm_core.store.values import column_values, from_columns, preparer

if TYPE_CHECKING:
    from crm_core.store.actor import Reach
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


class Writer:
    """All writes of one session. Entries wait in ``log`` until they are checked and journalled."""

    def __init__(self, session: CrmSession) -> None:
        self.session = session
        self.journal = Journal()
        self.log: list[Entry] = []
        self.checked = 0
        self.created = Created()
        self.expected: Callable[[str, set[int]], set[int]] | None = None
        """Says which missing records of a type an undo will yet restore."""
        self.inserted: list[Record] = []
        self.verified: defaultdict[str, set[int]] = defaultdict(set)
        self.wrote = False
        self._kernel = False
        self.seeing: Mapping[str, Collection[int]] = {}
        """By record type, what new records may refer to although the actor does not see it."""
        self._met: defaultdict[tuple[str, int], set[tuple[Any, ...]]] = defaultdict(set)

    @contextmanager
    def as_kernel(self, seeing: Mapping[str, Collection[int]] | None = None) -> Iterator[None]:
        """What follows from the kernel's own rules needs no permission of the actor.

        ``seeing`` are ids by record type that new records may refer to although the actor does not see them: whoever
        claims an account from a pool, or takes over what somebody else left. What was assigned before still needs the
        actor's own permission, and is written first.
        """
        self.session.flush()
        before = self._kernel, self.seeing
        self._kernel, self.seeing = True, {**self.seeing, **{name: set(ids) for name, ids in (seeing or {}).items()}}
        try:
            yield
            self.session.flush()
        finally:
            self._kernel, self.seeing = before

    @property
    def is_kernel(self) -> bool:
        """Whether what is written now follows from a rule of the kernel."""
        return self._kernel

    def forget(self, *, committed: bool) -> None:
        """The transaction has ended, one way or the other."""
        if not committed:
            forget_inserted(self.session, self.inserted)
        self.inserted.clear()
        self.log.clear()
        self.checked = 0
        self.created.clear()
        self.verified.clear()
        self._met.clear()
        self.journal.forget()
        self.wrote = False

    def first_of_new(self, rule: tuple[str, int], target: RecordType, key: tuple[Any, ...]) -> bool:
        """Whether ``key`` belongs to a ``target`` created in this transaction, and a rule meets it the first time."""
        met = self._met[rule]
        if key[0] not in self.created.of(target) or key in met:
            return False
        met.add(key)
        return True

    # -- questions ---------------------------------------------------------------------------------------------

    def visible_ids(
        self, record_type: RecordType, ids: Iterable[int], verb: str = "read", *, permission: str | None = None
    ) -> set[int]:
        """Those of ``ids`` that exist and that the actor may read (update, delete), or reads with a ``permission``."""
        criterion = self.session.visibility.criterion(record_type, record_type.table, verb, permission=permission)
        return self._matching(record_type, ids, criterion)

    def require_steward(self, record_type: RecordType, ids: Iterable[int]) -> None:
        """Refuse whoever may not decide about key fields of these records."""
        require_steward(self.session, record_type, ids)

    def within(self, record_type: RecordType, ids: Iterable[int], reaches: frozenset[Reach]) -> set[int]:
        """Those of the accounts ``ids`` that lie within all of ``reaches``."""
        return self._matching(record_type, ids, self.session.visibility.accounts_within(record_type.table, reaches))

    def _matching(self, record_type: RecordType, ids: Iterable[int], criterion: ColumnElement[bool] | None) -> set[int]:
        found: set[int] = set()
        ordered = sorted(ids)
        for start in range(0, len(ordered), _CHUNK):
            query = _by_ids(record_type)
            if criterion is not None:
                query = query.where(criterion)
            found.update(self.session.core(query, {"ids": ordered[start : start + _CHUNK]}).scalars())
        return found

    def rows(
        self,
        record_type: RecordType,
        ids: Iterable[int],
        *,
        fields: Collection[str] | None = None,
        lock: bool = False,
    ) -> dict[int, dict[str, Any]]:
        """Rows by id: values of all ``fields``, and ``version``, ``created_at``, ``created_by``, ``custom``.

        ``lock`` keeps others from changing them, or hanging something on them, until the transaction ends.
        """
        found: dict[int, dict[str, Any]] = {}
        ordered = sorted(ids)
        table = record_type.table
        columns = list(table.c)
        if fields is not None:
            wanted = {name for field in record_type.fields if field.name in fields for name in field.column_names}
            columns = [table.c[name] for name in (*sorted(wanted), *_BESIDE)]
        for start in range(0, len(ordered), _CHUNK):
            query = select(*columns).where(table.c.id.in_(ordered[start : start + _CHUNK]))
            for row in self.session.core(query.with_for_update() if lock else query).mappings():
                values = from_columns(record_type, dict(row))
                values |= {name: row[name] for name in ("version", "created_at", "created_by")}
                if row["custom"]:
                    values["custom"] = row["custom"]
                found[row["id"]] = values
        return found

    def may(self, record_type: RecordType, verb: str) -> None:
        """Refuse what no role or share of the actor allows anywhere."""
        session = self.session
        if session.read_only:
            raise PermissionDenied(
                "This session is read-only.", mend="Open one without read_only=True.", record=record_type.name
            )
        if session.at_given or session.as_of is not None:
            raise PermissionDenied(
                "A session that looks at another time cannot write.",
                mend="Open a session without at and as_of; give dates to the verbs.",
                record=record_type.name,
            )
        if self._kernel:
            return
        reach = session.visibility.reach(record_type.permission(verb))
        if reach.nothing and not reach.share_roles:
            raise self._no_role(record_type, verb)

    def _no_role(self, record_type: RecordType, verb: str) -> PermissionDenied:
        return PermissionDenied(
            "{principal} may not {verb} records of type {record}.",
            mend="A role with the permission {permission} is needed.",
            principal=self.session.actor.principal,
            verb=verb,
            record=record_type.name,
            permission=record_type.permission(verb),
        )

    def may_change(self, record_type: RecordType, ids: Iterable[int], verb: str) -> None:
        """Refuse changes of records that the actor does not see, or sees but may not change."""
        self.may(record_type, verb)
        if self.session.actor.system or self._kernel:
            return
        wanted = set(ids) - self.created.of(record_type)
        missing = wanted - self.visible_ids(record_type, wanted, verb) if wanted else set()
        if not missing:
            return
        if unseen := missing - self.visible_ids(record_type, missing):
            raise NotFound(
                "There is no {record} {id}.",
                mend="Check the id, or ask whoever is responsible for it.",
                record=record_type.name,
                id=min(unseen),
            )
        raise PermissionDenied(
            "{principal} may see the {record} {id}, but not {verb} it.",
            mend="Ask its owner, or a role whose permission {permission} reaches it.",
            principal=self.session.actor.principal,
            record=record_type.name,
            id=min(missing),
            verb=verb,
            permission=record_type.permission(verb),
        )

    def may_create(self, record_type: RecordType, rows: Sequence[Mapping[str, Any]], ids: Sequence[int]) -> None:
        """Refuse new records beneath something the actor may not add to."""
        self.may(record_type, "create")
        if self.session.actor.system or self._kernel:
            return
        if self.session.visibility.reach(record_type.permission("create")).nothing:
            # Only a share could grant it, and a share reaches no further than what hangs on the account.
            names = self.session.visibility.shareable(record_type)
            if not all(any(name == "id" or row.get(name) is not None for name in names) for row in rows):
                raise self._no_role(record_type, "create")
        if not self.session.visibility.may_add(record_type):
            raise PermissionDenied(
                "{principal} may not create records of type {record}, from which everybody's rights follow.",
                mend="A role with the permission {permission} at scope all is needed.",
                principal=self.session.actor.principal,
                record=record_type.name,
                permission=record_type.permission("create"),
            )
        for name, target, wanted, criterion in self.session.visibility.parents(record_type, rows, ids):
            beneath = wanted - self.created.of(target)
            if beneath and criterion is not None and (missing := beneath - self._matching(target, beneath, criterion)):
                raise PermissionDenied(
                    "{principal} may not add a {record} to the {target} {id}.",
                    mend="Ask its owner, or a role whose permission {permission} reaches it.",
                    principal=self.session.actor.principal,
                    record=record_type.name,
                    field=name,
                    target=target.name,
                    id=min(missing),
                    permission=record_type.permission("create"),
                )

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
        self.may_create(record_type, rows, ids)
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
        insert_tuples(session.connection(), record_type.table.name, prepared.columns, driver_rows)
        self.created.add(record_type, ids)
        if self.created.shrink(record_type, ids):
            self._met.clear()
        self._take([
            Entry(record_type, record_type.name, id_, "create", {}, filled(row), (versions or {}).get(id_, 1))
            for id_, row in zip(ids, rows, strict=True)
        ])  # fmt: skip

    def update(self, record_type: RecordType, changes: Mapping[int, Mapping[str, Any]]) -> int:
        """Change checked field values by id; returns how many records really changed."""
        changed = self._update(record_type, changes)
        self._take(changed)
        return len(changed)

    def _update(self, record_type: RecordType, changes: Mapping[int, Mapping[str, Any]]) -> list[Entry]:
        if not changes:
            return []
        session = self.session
        self.may_change(record_type, changes, "update")
        touched = {name for values in changes.values() for name in values}.union(rules.beside(record_type))
        held = {name for name in getattr(record_type.access, "fields", ()) if name != "id"}
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
        rules.check_values(
            session,
            record_type,
            [{**{name: old[entry.id][name] for name in beside}, **entry.after} for entry in entries],
        )
        self.may_move(record_type, [({**old[entry.id], **entry.after}, entry.after) for entry in entries])
        self._write_updates(record_type, entries, old)
        return entries

    def may_move(self, record_type: RecordType, rows: Iterable[tuple[Mapping[str, Any], Mapping[str, Any]]]) -> None:
        """A record that is hung on another parent must be allowed there, as if it were created there.

        ``rows`` are pairs of what a record is to be and what of it changes.
        """
        if not isinstance(record_type.access, Via) or self.session.actor.system or self._kernel:
            return
        moved = [row for row, change in rows if not change.keys().isdisjoint(record_type.access.fields)]
        if moved:
            for _, target, wanted, criterion in self.session.visibility.parents(record_type, moved, (), "update"):
                beneath = wanted - self.created.of(target)
                if beneath and criterion is not None and beneath - self._matching(target, beneath, criterion):
                    raise PermissionDenied(
                        "{principal} may not move a {record} there.",
                        mend="Ask the owner of the target.",
                        principal=self.session.actor.principal,
                        record=record_type.name,
                    )

    def _write_updates(
        self, record_type: RecordType, entries: Sequence[Entry], old: Mapping[int, Mapping[str, Any]]
    ) -> None:
        session = self.session
        table = record_type.table
        now = session.clock()
        groups: defaultdict[tuple[str, ...], list[dict[str, Any]]] = defaultdict(list)
        for entry in entries:
            row: dict[str, Any] = {}
            for name, value in entry.after.items():
                if name == "custom":
                    row["custom"] = {**old[entry.id].get("custom", {}), **value}
                    row["custom"] = {key: each for key, each in row["custom"].items() if each is not None}
                else:
                    row |= column_values(record_type.by_name[name], value)
            groups[tuple(sorted(row))].append(
                {**row, "b_id": entry.id, "b_version": entry.version - 1, "b_next": entry.version}
            )
        for columns, rows in groups.items():
            statement = (
                update(table)
                .where(table.c.id == bindparam("b_id"), table.c.version == bindparam("b_version"))
                .values(
                    {name: bindparam(name) for name in columns} | {"version": bindparam("b_next"), "updated_at": now}
                )
            )
            for start in range(0, len(rows), _CHUNK):
                part = rows[start : start + _CHUNK]
                result: Any = session.core(statement, part)
                if result.rowcount not in (len(part), -1):
                    raise Conflict(
                        "Somebody else changed records of type {record} meanwhile.",
                        mend="Read them again and repeat the change.",
                        record=record_type.name,
                    )
        session.written(record_type, entries)

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
            for start in range(0, len(ids), _CHUNK):
                session.core(sql_delete(rows.table).where(rows.table.c.id.in_(ids[start : start + _CHUNK])))
            if rows.type is not None:
                session.expunge_ids(rows.type, ids)
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
        self.wrote = self.wrote or bool(entries)
        self.log += entries
        if self.session.streaming and len(self.log) - self._floor() >= _CHUNK:
            self.check()
            self.flush_journal()

    def mark(self) -> Mark:
        """Where a savepoint begins."""
        return Mark(len(self.log), self.checked, self.journal.mark(), len(self.inserted))

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
            entries = coalesce(self.log[self.checked :])
            if not entries:
                self.checked = len(self.log)
                return
            self.checked = len(self.log)
            batches = self._batches(entries)
            for record_type, group in batches:
                self._rules_after(record_type, group)
            self.session.kernel_reactions(batches)
            dispatch = self.session.store.dispatch
            if not dispatch.hears_changes():
                continue
            told = [ChangeBatch(record_type, [entry.change() for entry in group]) for record_type, group in batches]
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

    def _batches(self, entries: Iterable[Entry]) -> list[tuple[RecordType, list[Entry]]]:
        grouped: dict[RecordType, list[Entry]] = {}
        for entry in entries:
            if entry.type is not None:
                grouped.setdefault(entry.type, []).append(entry)
        return list(grouped.items())

    def _rules_after(self, record_type: RecordType, entries: Sequence[Entry]) -> None:
        if not record_type.exclusive:
            return
        rows: list[Mapping[str, Any]] = [entry.after for entry in entries if entry.operation == "create"]
        updated = [entry.id for entry in entries if entry.operation == "update"]
        if updated:
            rows = [*rows, *self.rows(record_type, updated).values()]
        completed = [{**dict.fromkeys(record_type.by_name), **row} for row in rows]
        rules.check_exclusive(self.session, record_type, completed)

    def write_down(self) -> None:
        """Check and journal what is pending, so that the tables that follow from records are up to date."""
        self.session.check()
        self.flush_journal()

    def flush_journal(self) -> None:
        """Write the checked part of the log to the journal."""
        floor = self._floor()
        entries = coalesce(self.log[floor:])
        del self.log[floor:]
        self.checked = min(self.checked, floor)
        self.session.noted.position = min(self.session.noted.position, floor)
        if entries:
            follow(self.session, entries)
            self.journal.write(self.session.connection(), self.session.change_set_id(), entries)


@functools.cache
def _by_ids(record_type: RecordType) -> Select[tuple[int]]:
    """Ids that exist; made once, because every write with references asks it."""
    table = record_type.table
    return select(table.c.id).where(table.c.id.in_(bindparam("ids", expanding=True)))
