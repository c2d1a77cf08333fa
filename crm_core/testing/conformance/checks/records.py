"""Records of the plugin, fuzzed from their declarations: written, changed, dated, deleted, and all of it undone."""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import attrs

from crm_core.domain import dated
from crm_core.errors import CrmError
from crm_core.records import RecordType
from crm_core.store.history import history
from crm_core.testing.conformance.population import (
    PRINCIPAL,
    REFUSALS,
    Population,
    company,
    drawn,
    populate,
    row_strategy,
    write,
)
from crm_core.testing.conformance.report import Check, Finding, one_line
from crm_core.testing.conformance.states import Clock, State, declared_values, differences, state_of

if TYPE_CHECKING:
    from crm_core.assembly.crm import Crm
    from crm_core.store.session import CrmSession
    from crm_core.testing.conformance.subject import Subject

__all__ = ["CHECK"]

NAME = "records"


def _look(subject: Subject) -> Iterator[Finding]:
    clock = Clock(subject.now - dt.timedelta(days=30))
    with subject.crm(clock=clock) as crm:
        population = company(crm)
        try:
            # What nothing refers to need not be there, and would only stand in the way of rows that exclude it.
            wanted = {str(field.target) for each in crm.types.values() for field in each.refs}
            amount = max(2, subject.examples // 4)
            populate(subject, crm, population, each=amount, types=wanted, seed=subject.seeds[0])
        except CrmError as error:
            yield _failed(subject.plugin, error, {})
            return
        for record_type in subject.types:
            fuzz = _Fuzz(subject, crm, clock, record_type, population)
            yield from fuzz.findings()


def _failed(record: str, error: Exception, values: Mapping[str, Any]) -> Finding:
    return Finding(
        NAME,
        "Something fails while a row is written that the declaration allows: {error} The values: {values}",
        record,
        "Let the hook bear every value that the fields may have (empty and longest texts, the first and last days, all "
        "characters), or object by a Problem that says what is wrong.",
        {"error": one_line(error), "values": _short(values)},
    )


def _short(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value!r}"[:60] for name, value in list(values.items())[:8]) or "-"


@attrs.define
class _Step:
    """Something that was done: its change set, what there was before it, and when."""

    name: str
    change_set: int
    before: State
    at: dt.datetime


@attrs.define(eq=False)
class _Fuzz:
    """One record type under test; each fault is told once."""

    subject: Subject
    crm: Crm
    clock: Clock
    record_type: RecordType
    population: Population
    told: set[str] = attrs.field(factory=set)
    accepted: int = 0
    refusals: list[CrmError] = attrs.field(factory=list)
    never: dict[str, CrmError] = attrs.field(factory=dict)
    done: set[str] = attrs.field(factory=set)

    def findings(self) -> Iterator[Finding]:
        """Everything that is wrong with the record type."""
        seed = self.subject.seeds[0]
        for number in range(self.subject.examples):
            ids = self._ids(number)
            if not ids:
                break
            strategy = row_strategy(self.subject, self.crm, self.record_type, ids)
            for values, other in _pairs(drawn(strategy, 6, seed * 1000 + number)):
                before = self.accepted
                for finding in self._round(values, other):
                    if finding.what not in self.told:
                        self.told.add(finding.what)
                        yield finding
                if self.accepted > before or self.told:
                    break
        if not self.accepted and not self.told:
            reason = self.refusals[-1].text() if self.refusals else "there is nothing that it could refer to."
            yield Finding(
                NAME,
                "No row that follows from the declaration was accepted: {reason}",
                self.record_type.name,
                "Say in the declaration what a field takes (a vocabulary, a choice, optional), or give values in "
                "{module}.strategies(ids).",
                {"reason": " ".join(reason.split()), "module": f"{self.subject.package}.conformance"},
            )
        for step, error in self.never.items():
            if step not in self.done and self.accepted:
                yield Finding(
                    NAME,
                    "No row could ever be {step}: {reason}",
                    self.record_type.name,
                    "Let the rules of the plugin allow it; people correct mistakes, and 'crm undo' takes back.",
                    {"step": step, "reason": one_line(error)},
                )

    def _ids(self, number: int) -> Mapping[str, list[int]]:
        """What a new row may refer to; an extension needs a record that has none yet."""
        target = self.record_type.extends
        if target is None:
            return self.population.ids
        target_type = self.crm.types[target]
        for values in drawn(row_strategy(self.subject, self.crm, target_type, self.population.ids), 6, number):
            try:
                with self.crm.system_session(PRINCIPAL) as session:
                    return {**self.population.ids, target: [write(session, target_type, values)]}
            except REFUSALS as error:
                self.refusals.append(error)
        return {}

    def _round(self, values: Mapping[str, Any], other: Mapping[str, Any]) -> Iterator[Finding]:
        steps: list[_Step] = []
        made: list[int] = []

        def create(session: CrmSession, chosen: Mapping[str, Any] = values) -> None:
            made[:] = [write(session, self.record_type, chosen)]

        least = {name: value for name, value in values.items() if name == "id" or self._required(name)}
        yield from self._do("created", create, values, steps)
        if not steps:
            yield from self._do("created", lambda session: create(session, least), least, steps)
        if not steps:
            return
        self.accepted += 1
        (id_,) = made
        first = self._values(id_)
        yield from self._change(id_, {name: value for name, value in other.items() if name != "id"}, steps)
        if len(steps) > 1:
            yield from self._journalled(id_, first, steps[-1])
        if self.record_type.dated:
            yield from self._date(id_, steps)
        yield from self._do(
            "deleted", lambda session: session.delete(session.require(self.record_type.cls, id_)), {}, steps
        )
        for step in reversed(steps):
            yield from self._undo(step)

    def _required(self, name: str) -> bool:
        return self.record_type.by_name[name].required

    def _values(self, id_: int) -> dict[str, Any] | None:
        with self.crm.system_session(PRINCIPAL, read_only=True) as session:
            record = session.get(self.record_type.cls, id_)
            return None if record is None else declared_values(self.record_type, record)

    # -- what is done ------------------------------------------------------------------------------------------

    def _do(
        self, name: str, work: Callable[[CrmSession], object], values: Mapping[str, Any], steps: list[_Step]
    ) -> Iterator[Finding]:
        """One change set; what the plugin does not want is no fault, unless it never wants it."""
        at = self.clock.tick()
        with self.crm.system_session(PRINCIPAL, read_only=True) as session:
            before = state_of(session)
        session = self.crm.system_session(PRINCIPAL, reason=name)
        try:
            with session:
                work(session)
        except REFUSALS as error:
            self.refusals.append(error)
            self.never.setdefault(name, error)
            return
        except Exception as error:
            yield _failed(self.record_type.name, error, values)
            return
        for failure in session.info.get("failed_hooks", ()):
            yield _failed(self.record_type.name, failure, values)
        if session.last_change_set is not None:
            self.done.add(name)
            steps.append(_Step(name, session.last_change_set, before, at))

    def _change(self, id_: int, other: Mapping[str, Any], steps: list[_Step]) -> Iterator[Finding]:
        """All fields at once, or else the first one that may be changed by itself."""

        def assign(session: CrmSession, chosen: Mapping[str, Any]) -> None:
            record = session.require(self.record_type.cls, id_)
            for name, value in chosen.items():
                setattr(record, name, value)

        count = len(steps)
        for chosen in (other, *({name: value} for name, value in other.items())):
            yield from self._do("changed", functools.partial(assign, chosen=chosen), chosen, steps)
            if len(steps) > count:
                return

    def _date(self, id_: int, steps: list[_Step]) -> Iterator[Finding]:
        values = self._values(id_)
        assert values is not None
        start, end = values["valid_from"], values["valid_to"]
        moment = _between(start, end, self.clock.now)
        made: list[int] = []

        def change(session: CrmSession) -> None:
            row: Any = session.require(self.record_type.cls, id_)
            new = dated.change(session, row, from_=moment)
            session.flush()
            made[:] = [new.id]

        count = len(steps)
        yield from self._do("dated", change, values, steps)
        if len(steps) == count or made == [id_]:
            return
        old, new = self._values(id_), self._values(made[0])
        if old is None or new is None or old["valid_to"] != moment or new["valid_from"] != moment:
            yield self._finding(
                "A change from a moment on does not close the old row at that moment and open the new one.",
                "Leave valid_from and valid_to of both rows as dated.change() set them.",
            )

    def _undo(self, step: _Step) -> Iterator[Finding]:
        """After an undo everything is as it was before: the plugin's rows, and those of everybody else."""
        self.clock.tick()
        try:
            with self.crm.system_session(PRINCIPAL, reason="undo") as session:
                session.undo(step.change_set)
        except CrmError as error:
            yield self._finding(
                "What was {step} cannot be undone: {reason}",
                "Let the plugin's rules bear that rows return to what they were, and write in crm_on_changes through "
                "the session only.",
                step=step.name,
                reason=one_line(error),
            )
            return
        with self.crm.system_session(PRINCIPAL, read_only=True) as session:
            wrong = differences(step.before, state_of(session))
        if wrong:
            yield self._finding(
                "The undo of what was {step} does not restore everything: {wrong}.",
                "Write in crm_on_changes through the session only, so that the journal knows of it; do nothing there "
                "that an undo of the change set would do again.",
                step=step.name,
                wrong="; ".join(wrong[:3]),
            )

    def _journalled(self, id_: int, first: Mapping[str, Any] | None, change: _Step) -> Iterator[Finding]:
        """The journal tells of the change, and what was before it can be asked for."""
        with self.crm.system_session(PRINCIPAL, read_only=True) as session:
            events = history(session, self.record_type, id_)
        if change.change_set not in {event.change_set_id for event in events}:
            yield self._finding(
                "The journal does not tell of a change.", "Write through the session, never by a raw connection."
            )
        with self.crm.system_session(PRINCIPAL, as_of=change.at) as session:
            record = session.get(self.record_type.cls, id_)
            then = None if record is None else declared_values(self.record_type, record)
        if then != first:
            wrong = sorted(
                name for name in self.record_type.by_name if (then or {}).get(name) != (first or {}).get(name)
            )
            yield self._finding(
                "As of a moment before a change the record was not what it was at that moment: {fields}.",
                "Write through the session only; what goes by a raw connection, the journal does not know.",
                fields=", ".join(wrong),
            )

    def _finding(self, what: str, mend: str, **values: Any) -> Finding:
        return Finding(NAME, what, self.record_type.name, mend, values)


def _between(start: dt.datetime | None, end: dt.datetime | None, now: dt.datetime) -> dt.datetime:
    """A moment at which a row holds, after its beginning where there is room."""
    if (start is None or start < now) and (end is None or now < end):
        return now
    if start is not None:
        later = start + (min(dt.timedelta(days=1), (end - start) / 2) if end is not None else dt.timedelta(0))
        return later if end is not None else start
    assert end is not None
    return end - dt.timedelta(days=1)


def _pairs(rows: list[dict[str, Any]]) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    return zip(rows[::2], rows[1::2], strict=False)


CHECK = Check(
    NAME,
    "Rows made up from the declaration of every record can be created, changed, dated and deleted; the journal knows, "
    "the past can be asked for, and an undo restores everything.",
    _look,
    database=True,
)
