"""One batch of rows of one section: keys, look-ups, what is there already, and the writing of what differs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from typing import Any

from crm_core.domain.external import ExternalRef
from crm_core.domain.quality import propose
from crm_core.errors import Contention, Problem, ValidationError
from crm_core.exchange.entries import AN_ENTRYS_FAULT, all_or_nothing
from crm_core.exchange.lookups import AMBIGUOUS, Resolver
from crm_core.exchange.pending import Outcome, Pending
from crm_core.exchange.plan import FieldPlan, LookupPlan, SectionPlan
from crm_core.fields.field import Field
from crm_core.fields.kinds import json_form
from crm_core.records import RecordType
from crm_core.store.at_account import stays
from crm_core.store.key_fields import guarded, not_steward_of, touched
from crm_core.store.locking import lock
from crm_core.store.rules import check_filled, check_values
from crm_core.store.session import CrmSession
from crm_core.store.values import preparer

__all__ = ["Batch"]

_KEY_LENGTH = 200


class Batch:
    """The work on batches of one section."""

    def __init__(self, session: CrmSession, plan: SectionPlan, resolver: Resolver, outcome: Outcome) -> None:
        self.session = session
        self.plan = plan
        self.type = plan.record_type
        self.resolver = resolver
        self.outcome = outcome
        self.awaited: Callable[[str], bool] = lambda key: True
        """Whether a row with this key may still come in the same file."""
        self._prepare = preparer(plan.record_type, session.dialect).values
        extended = plan.record_type.extends
        self._keyed: RecordType = session.types[extended] if extended else plan.record_type

    # -- from cells to values ----------------------------------------------------------------------------------

    def key(self, line: int, cells: Any) -> str | None:
        """The row's key; a row without one is rejected."""
        key = self.plan.key(cells)
        if key is None:
            problem = Problem("key", "The row has no key.", "Fill the columns of its key.")
        elif len(key) > _KEY_LENGTH:
            problem = Problem("key", "The key has {length} characters; at most {most} fit.", "",
                              {"length": len(key), "most": _KEY_LENGTH})  # fmt: skip
        else:
            return str(key)
        self.outcome.reject(line, None, cells, problem)
        return None

    def evaluate(self, line: int, cells: Any, key: str) -> Pending | None:
        """All values of a row but those that are looked up; with a mistake in one, the row is rejected."""
        row = Pending(line, cells, key, {}, {}, [])
        problems: list[Problem] = []
        for plan in self.plan.fields:
            try:
                value = plan.get(cells)
                if value is None:
                    self._absent(plan, row)
                elif plan.lookup is not None:
                    row.wants.append((plan, plan.lookup, value))
                else:
                    self._put(plan, row, plan.convert(value))
            except ValidationError as error:
                problems.append(Problem(plan.field.name, error.problem, error.mend, error.values))
        if problems:
            self.outcome.reject(line, key, cells, ValidationError("The row cannot be used.", problems))
            return None
        return row

    def _put(self, plan: FieldPlan, row: Pending, value: Any) -> None:
        (row.custom if plan.custom else row.values)[plan.field.name] = value

    def _absent(self, plan: FieldPlan, row: Pending) -> None:
        # A field that must have a value keeps the one it has, or takes its default.
        if plan.field.optional:
            self._put(plan, row, None)

    # -- the batch ---------------------------------------------------------------------------------------------

    def process(self, rows: Sequence[Pending]) -> None:
        """Write what differs from what is there."""
        fresh = self._place(rows)
        ready = self._look_up(fresh)
        ready = [row for row in ready if self._fits(row)]
        self._compare([row for row in ready if row.known])
        work = []
        for row in ready:
            if row.known and not row.change and not row.proposals and row.ref_id is not None:
                self.outcome.unchanged(row)
            else:
                work.append(row)
        if work:
            self._write(work)

    def _place(self, rows: Sequence[Pending]) -> list[Pending]:
        """Find the record of each row, or give it an id of its own."""
        plan = self.plan
        targets = self.resolver.targets(self._keyed, plan.system, {row.key for row in rows})
        extended = self.type.extends is not None
        present: set[int] = set()
        if extended:
            present = self.resolver.present(self.type, {target.record_id for target in targets.values()})
        adopted = self._adopted(plan.match, [row for row in rows if row.key not in targets]) if plan.match else {}
        placed = []
        for row in rows:
            target = targets.get(row.key)
            if target is not None and not target.found:
                self._lost(row, target.erased)
                continue
            if target is not None:
                row.id, row.ref_id = target.record_id, target.ref_id
                row.known = not extended or row.id in present
            elif extended:
                self._orphan(row, self._keyed, row.key)
                continue
            elif row.key in adopted:
                if adopted[row.key] is AMBIGUOUS:
                    self._unclear(row)
                    continue
                row.id, row.known = adopted[row.key], True
            wanted = plan.mapping.on_update if row.known else plan.mapping.on_create
            if wanted == "skip" and (row.ref_id is not None or not row.known):
                self.outcome.skipped()
            elif wanted == "reject":
                self._orphan(row, self.type, row.key)
            else:
                row.id = row.id or self.session.next_id()
                placed.append(row)
        return placed

    def _adopted(self, field: Field, rows: Sequence[Pending]) -> dict[str, Any]:
        """Records that are here already without a key of this system, by the key of the row that takes each."""
        wanted = {row.values[field.name] for row in rows if row.values.get(field.name) is not None}
        found = self.resolver.matching(self.type, field, wanted)
        clear = {id_ for id_ in found.values() if id_ is not AMBIGUOUS}
        taken = self.resolver.keyed(self.type, self.plan.system, clear)
        result: dict[str, Any] = {}
        for row in rows:
            id_ = found.get(row.values.get(field.name, ""))
            if id_ is not None and id_ not in taken:
                result[row.key] = id_
                if id_ is not AMBIGUOUS:
                    taken.add(id_)
        return result

    def _lost(self, row: Pending, erased: bool) -> None:
        if erased:
            problem = Problem("key", "The person behind this key was erased.", "Take the row out of the file.")
        else:
            problem = Problem("key", "The key {key!r} belongs to no {record} that may be changed here.",
                              "", {"key": row.key, "record": self._keyed.name})  # fmt: skip
        self.outcome.reject(row.line, row.key, row.cells, problem)

    def _unclear(self, row: Pending) -> None:
        problem = Problem(
            self.plan.mapping.match, "Several records have this value, so that none can be matched.", "Make it unique."
        )
        self.outcome.reject(row.line, row.key, row.cells, problem)

    def _orphan(self, row: Pending, record_type: RecordType, key: str, path: str = "key") -> None:
        self.outcome.reject(row.line, row.key, row.cells, _no_record(path, record_type, key))

    def _look_up(self, rows: Sequence[Pending]) -> list[Pending]:
        wanted: defaultdict[LookupPlan, set[str]] = defaultdict(set)
        for row in rows:
            for _, lookup, key in row.wants:
                wanted[lookup].add(key)
        if not wanted:
            return list(rows)
        found = {lookup: self.resolver.find(lookup, keys) for lookup, keys in wanted.items()}
        ready: list[Pending] = []
        here: dict[str, int] = {}
        for row in rows:
            if self._fill(row, found, here):
                ready.append(row)
                here[row.key] = row.id
        return ready

    def _fill(self, row: Pending, found: Mapping[LookupPlan, Mapping[str, Any]], here: Mapping[str, int]) -> bool:
        """Put in what was looked up; ``here`` are the rows before this one, which are not written yet."""
        for plan, lookup, key in row.wants:
            value = found[lookup].get(key)
            if value is None and lookup.own:
                value = here.get(key)
            if value is AMBIGUOUS:
                problem = Problem(plan.field.name, "Several records of type {record} have the value {key!r}.",
                                  "Look it up by something unique.",
                                  {"record": lookup.record_type.name, "key": key})  # fmt: skip
                self.outcome.reject(row.line, row.key, row.cells, problem)
                return False
            if value is not None:
                self._put(plan, row, json_form(plan.field.kind, value) if plan.custom else value)
            elif lookup.own and self.awaited(key):
                self.outcome.postpone(row)
                return False
            elif lookup.optional:
                self._absent(plan, row)
            else:
                self._orphan(row, lookup.record_type, key, plan.field.name)
                return False
        return True

    def _fits(self, row: Pending) -> bool:
        """Whether the values can be a record; checked row by row, because bulk writing names no row."""
        try:
            if row.known:
                for name, value in row.values.items():
                    row.values[name] = self.type.by_name[name].check(value)
            else:
                row.values = self._prepare(row.values)
            check_values(self.session, self.type, [row.all_values])
            if not row.known:
                check_filled(self.session, self.type, [row.all_values])
        except ValidationError as error:
            self.outcome.reject(row.line, row.key, row.cells, error)
            return False
        return True

    def _compare(self, rows: Sequence[Pending]) -> None:
        """Only mapped fields are compared, and only those that differ are written."""
        current = self.session.writer.rows(self.type, {row.id for row in rows})
        skip = self.plan.mapping.on_update == "skip"
        fields = self.session.policy.custom.get(self.type.name, {})
        for row in rows:
            old = current[row.id]
            row.former = old
            if skip:
                continue
            row.change = {name: value for name, value in row.values.items() if old[name] != value}
            if stays(self.type, old, row.change):
                del row.change["account_id"]
            had = old.get("custom", {})
            custom = {name: value for name, value in row.custom.items() if _differs(fields[name], had.get(name), value)}
            if custom:
                row.change["custom"] = custom
        self._set_aside([row for row in rows if row.change])

    def _set_aside(self, rows: Sequence[Pending]) -> None:
        """What only a steward may change is proposed; the rest of the row is written."""
        names = guarded(self.session, self.type)
        concerned = {row.id: found for row in rows if (found := touched(row.change, names))} if names else {}
        blocked = not_steward_of(self.session, self.type, concerned) if concerned else set()
        for row in rows:
            if row.id in blocked:
                custom = row.change.pop("custom", {})
                both = {**row.change, **custom}
                row.proposals = {name: both[name] for name in sorted(concerned[row.id])}
                row.change = {name: value for name, value in row.change.items() if name not in row.proposals}
                if rest := {name: value for name, value in custom.items() if name not in row.proposals}:
                    row.change["custom"] = rest

    # -- writing -----------------------------------------------------------------------------------------------

    def _write(self, rows: Sequence[Pending]) -> None:
        """Write rows together; when they are refused, find out which of them is at fault."""
        session = self.session
        try:
            all_or_nothing(session, lambda: self._write_together(rows))
        except AN_ENTRYS_FAULT as error:
            if len(rows) == 1 or isinstance(error, Contention):
                # Others who stand in the way of all stand in the way of each: to try them one by one would take long.
                for row in rows:
                    self.outcome.reject(row.line, row.key, row.cells, error)
                return
            half = len(rows) // 2
            self._write(rows[:half])
            self._write(rows[half:])
            return
        # The journal goes to the database with its batch, so that memory stays flat.
        session.writer.flush_journal()
        self.resolver.grew(sum(row.ref_id is None for row in rows))
        for row in rows:
            self.outcome.written(row)

    def _write_together(self, rows: Sequence[Pending]) -> None:
        session, cls = self.session, self.type.cls
        created = [row for row in rows if not row.known]
        changed = [row for row in rows if row.known and row.change]
        # Whoever is changing one of them is waited for now, and not met in the end.
        lock(session, self.type, [row.id for row in changed])
        if created:
            session.add_many(cls, ({**row.all_values, "id": row.id} for row in created))
        if self.plan.mapping.on_update == "date":
            self._succeed([row for row in changed if self._goes_on(row)])
            changed = [row for row in changed if not self._goes_on(row)]
        if changed:
            session.update_many(cls, [{**row.change, "id": row.id} for row in changed])
        self._propose([row for row in rows if row.proposals])
        # In the order of their keys: who brings the same new ones waits for us at the first of them.
        unknown = sorted((row for row in rows if row.ref_id is None), key=attrgetter("key"))
        if unknown:
            session.add_many(
                ExternalRef,
                [
                    {"system": self.plan.system, "record_type": self.type.name, "key": row.key, "record_id": row.id}
                    for row in unknown
                ],
            )

    def _propose(self, rows: Sequence[Pending]) -> None:
        for row in rows:
            record: Any = self.session.require(self.type.cls, row.id)
            custom = self.session.policy.custom.get(self.type.name, {})
            values = {
                name: custom[name].kind.decode(value) if name in custom and value is not None else value
                for name, value in row.proposals.items()
            }
            propose(self.session, record, values, self.session.reason)

    def _goes_on(self, row: Pending) -> bool:
        """Whether a dated row holds now, so that a change of it is one of the business and no correction."""
        start, end = row.former["valid_from"], row.former["valid_to"]
        now = self.session.now
        return (start is None or start < now) and (end is None or end > now) and row.ref_id is not None

    def _succeed(self, rows: Sequence[Pending]) -> None:
        """End dated rows now and begin new ones, which the keys stand for from now on."""
        if not rows:
            return
        session, cls, now = self.session, self.type.cls, self.session.now
        session.update_many(cls, [{"id": row.id, "valid_to": now} for row in rows])
        ids = session.add_many(
            cls,
            [
                {
                    **{name: value for name, value in row.former.items() if name in self.type.by_name},
                    **row.values,
                    "custom": {**row.former.get("custom", {}), **row.custom},
                    "valid_from": now,
                }
                for row in rows
            ],
        )
        session.update_many(
            ExternalRef,
            [{"id": row.ref_id, "record_id": id_} for row, id_ in zip(rows, ids, strict=True)],
        )


def _differs(field: Field, had: Any, value: Any) -> bool:
    """Whether two JSON forms stand for different values: 1.5 and 1.50 do not."""
    if had == value:
        return False
    return had is None or value is None or bool(field.kind.decode(had) != field.kind.decode(value))


def _no_record(path: str, record_type: RecordType, key: str) -> Problem:
    return Problem(
        path,
        "There is no {record} with the key {key!r}.",
        "Import it first, or correct the key.",
        {"record": record_type.name, "key": key},
    )
