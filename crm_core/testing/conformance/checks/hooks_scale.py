"""Hooks take a batch of ten thousand changes as well as one, with a cost per row that does not grow."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import attrs

from crm_core.errors import CrmError
from crm_core.store.changes import Change, ChangeBatch
from crm_core.testing.conformance.asking import implementations, place_of
from crm_core.testing.conformance.growing import customers, multiply, samples
from crm_core.testing.conformance.population import PRINCIPAL, company, populate
from crm_core.testing.conformance.report import Check, Finding
from crm_core.testing.conformance.states import declared_values
from crm_core.testing.statements import counted

if TYPE_CHECKING:
    from crm_core.assembly.crm import Crm
    from crm_core.hooks.implementations import Implementation
    from crm_core.records import RecordType
    from crm_core.testing.conformance.subject import Subject

__all__ = ["CHECK"]

NAME = "hooks-scale"
HOOKS = ("crm_check_changes", "crm_on_changes")
ONE, SOME, MANY = 1, 1000, 10_000
_ROWS_PER_STATEMENT = 100
_GROWTH = 4
"""How much dearer a row may be among ten thousand than among a thousand; whatever is quadratic is ten times as dear."""

_MATTERS = 0.25
"""Seconds of the processor below which nobody need care."""


def _look(subject: Subject) -> Iterator[Finding]:
    with subject.crm() as crm:
        calls = list(implementations(crm, subject.plugin, HOOKS))
        if not calls or not subject.types:
            return
        population = populate(subject, crm, company(crm), each=max(2, subject.examples // 2), seed=subject.seeds[0])
        some = samples(subject, crm, population)
        ids: dict[str, Sequence[int]] = dict(customers(crm, MANY))
        for record_type in subject.types:
            if not some[record_type.name]:
                continue
            made = multiply(crm, record_type, some[record_type.name], ids, MANY)
            if isinstance(made, CrmError):
                subject.note(NAME, "Rows of {record} could not be multiplied: {reason}", record=record_type.name,
                             reason=" ".join(made.text().split())[:200])  # fmt: skip
                continue
            ids[record_type.name] = made
            changes = _changes(crm, record_type, made)
            for call in calls:
                yield from _measured(subject, crm, call, record_type, changes)


def _changes(crm: Crm, record_type: RecordType, ids: Sequence[int]) -> dict[str, list[Change]]:
    """What a creation, a change and a deletion of each row would be told as."""
    found: dict[str, list[Change]] = {"create": [], "update": [], "delete": []}
    wanted = set(ids)
    with crm.system_session(PRINCIPAL, read_only=True) as session:
        for row in session.list(record_type.cls, limit=None, all_dates=True):
            if row.id in wanted:
                values = {name: each for name, each in declared_values(record_type, row).items() if each is not None}
                found["create"].append(Change(record_type.name, row.id, "create", {}, values))
                found["update"].append(Change(record_type.name, row.id, "update", dict.fromkeys(values), values))
                found["delete"].append(Change(record_type.name, row.id, "delete", values, {}))
    return found


@attrs.frozen
class _Cost:
    statements: int
    seconds: float


def _measured(
    subject: Subject, crm: Crm, call: Implementation, record_type: RecordType, changes: dict[str, list[Change]]
) -> Iterator[Finding]:
    for operation, every in changes.items():
        costs = {size: _cost(crm, call, ChangeBatch(record_type, every[:size])) for size in (ONE, SOME, MANY)}
        values: dict[str, Any] = {
            "hook": call.hook, "operation": operation, "record": record_type.name, "many": MANY,
            "few": costs[ONE].statements, "most": costs[MANY].statements, "seconds": f"{costs[MANY].seconds:.1f}",
            "some": SOME, "before": f"{costs[SOME].seconds:.1f}",
        }  # fmt: skip
        if costs[MANY].statements > costs[ONE].statements + MANY // _ROWS_PER_STATEMENT:
            yield Finding(
                NAME,
                "{hook} runs {few} statements for one {operation} of {record} and {most} for {many}.",
                place_of(subject, call),
                "A hook is told a batch: ask about all its ids at once, in parts of a thousand, and write by "
                "add_many() and update_many().",
                values,
            )
            return
        if costs[MANY].seconds > max(_MATTERS, costs[SOME].seconds * MANY / SOME * _GROWTH):
            yield Finding(
                NAME,
                "{hook} takes {before} seconds for {some} times {operation} of {record} and {seconds} for {many}: a "
                "row gets dearer the more there are.",
                place_of(subject, call),
                "Look up by dictionaries and sets; do not go through all rows for each of them.",
                values,
            )
            return


def _cost(crm: Crm, call: Implementation, batch: ChangeBatch) -> _Cost:
    """What one call costs, in statements and in seconds of the processor; what it writes is taken back."""
    with crm.system_session(PRINCIPAL) as session, session.as_system(NAME) as system:
        with counted(crm) as seen:
            began = time.process_time()
            try:
                list(call({"session": session, "system": system, "batch": batch}) or ())
                session.flush()
            except CrmError:
                pass  # an objection to what was made up costs, too
            seconds = time.process_time() - began
        session.rollback()
    return _Cost(len(seen), seconds)


CHECK = Check(
    NAME,
    "Its hooks take batches of one change and of 10,000, in few statements, and a row costs as much in either.",
    _look,
    database=True,
)
