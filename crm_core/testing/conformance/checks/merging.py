"""Customers and people with rows of the plugin can be merged: references move, and a split restores everything."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from crm_core.domain.redirects import Redirect
from crm_core.errors import CrmError
from crm_core.fields.kinds import NumberKind
from crm_core.store import merging
from crm_core.testing.conformance.canaries import suspects
from crm_core.testing.conformance.population import (
    PRINCIPAL,
    REFUSALS,
    Population,
    company,
    derived,
    drawn,
    row_strategy,
    write,
)
from crm_core.testing.conformance.report import Check, Finding, one_line
from crm_core.testing.conformance.states import differences, state_of

if TYPE_CHECKING:
    from crm_core.assembly.crm import Crm
    from crm_core.records import RecordType
    from crm_core.testing.conformance.subject import Subject

__all__ = ["CHECK", "MERGED"]

NAME = "merging"
MERGED = ("account", "contact")
"""The records that people merge."""

_DECLARE = "Declare it by ref(), or name it in crm_register_references() as a SoftReference."


def _look(subject: Subject) -> Iterator[Finding]:
    named = {finding.where: finding for finding in _undeclared(subject)}
    yield from named.values()
    with subject.crm() as crm:
        population = company(crm)
        yield from (finding for finding in _used(subject, crm) if finding.where not in named)
        told: set[tuple[str, str]] = set()
        for target in MERGED:
            for number in range(max(1, subject.examples // 4)):
                for finding in _merged(subject, crm, population, target, subject.seeds[0] * 100 + number):
                    if (finding.what, finding.where) not in told:
                        told.add((finding.what, finding.where))
                        yield finding


def _undeclared(subject: Subject) -> Iterator[Finding]:
    """Numbers that look like references, and that a merge would leave behind."""
    declared = {(each.record, each.id_field) for each in subject.build.policy.references}
    for record_type in subject.types:
        for field in record_type.fields:
            number = isinstance(field.kind, NumberKind) and field.kind.scale == 0 and field.name.endswith("_id")
            if number and (record_type.name, field.name) not in declared:
                yield Finding(
                    NAME,
                    "{field} looks like a reference, and a merge would leave it behind.",
                    f"{record_type.name}.{field.name}",
                    _DECLARE,
                    {"field": field.name},
                )


def _used(subject: Subject, crm: Crm) -> Iterator[Finding]:
    """Numbers and texts of any name that the plugin uses as ids."""
    for suspect in suspects(subject, crm):
        yield _finding(
            "{field} is compared with ids of {target} by {hook}, and a merge would leave it behind."
            if suspect.by
            else "{field} is given ids of {target} by strategies(), and a merge would leave it behind.",
            f"{suspect.record}.{suspect.field}",
            _DECLARE,
            field=suspect.field,
            target=suspect.target,
            hook=suspect.by,
        )


def _merged(subject: Subject, crm: Crm, population: Population, target: str, seed: int) -> Iterator[Finding]:
    kept, gone = _two(subject, crm, population, target, seed)
    written = 0
    made = derived(subject)
    for record_type in (each for each in subject.types if each.name not in made):
        written += _rows(subject, crm, population, record_type, {target: [kept, gone]}, seed)
    if not written:
        return
    cls = crm.types[target].cls
    with crm.system_session(PRINCIPAL, read_only=True) as session:
        before = state_of(session)
    try:
        with crm.system_session(PRINCIPAL, reason="the same") as session:
            merging.merge(session, session.require(cls, kept), session.require(cls, gone))
    except CrmError as error:
        yield _finding(
            "Two records of type {target} with rows of the plugin cannot be merged: {reason}",
            subject.plugin,
            "Let the plugin's rules bear that rows move to another record. Where only one row may hold at a time, "
            "answer crm_check_merge with a GiveWay.",
            target=target,
            reason=one_line(error),
        )
        return
    yield from _left(subject, crm, target, gone)
    try:
        with crm.system_session(PRINCIPAL, reason="two after all") as session:
            redirect = session.scalars(select(Redirect).where(Redirect.source_id == gone)).one()
            merging.split(session, redirect)
    except CrmError as error:
        yield _finding(
            "A merge cannot be split again: {reason}",
            subject.plugin,
            "Let the plugin's rules bear that rows return to what they were, and write in crm_on_changes through the "
            "session only.",
            reason=one_line(error),
        )
        return
    with crm.system_session(PRINCIPAL, read_only=True) as session:
        wrong = differences(before, state_of(session))
    if wrong:
        yield _finding(
            "After a merge and a split not everything is as before: {wrong}.",
            subject.plugin,
            "Do nothing in crm_on_changes that an undo of the change set would do again.",
            wrong="; ".join(wrong[:3]),
        )


def _two(subject: Subject, crm: Crm, population: Population, target: str, seed: int) -> tuple[int, int]:
    """Two new records of the type that is merged."""
    made: list[int] = []
    for values in drawn(row_strategy(subject, crm, crm.types[target], population.ids), 10, seed):
        try:
            with crm.system_session(PRINCIPAL) as session:
                made.append(write(session, crm.types[target], values))
        except REFUSALS:
            continue
        if len(made) == 2:
            break
    return made[0], made[1]


def _rows(
    subject: Subject,
    crm: Crm,
    population: Population,
    record_type: RecordType,
    about: Mapping[str, Sequence[int]],
    seed: int,
) -> int:
    """Write rows that refer to either of the two; returns how many do."""
    ids = {**population.ids, **about}
    there = population.ids.setdefault(record_type.name, [])
    if any(field.required and not field.optional and not ids.get(str(field.target)) for field in record_type.refs):
        return 0
    count = 0
    for values in drawn(row_strategy(subject, crm, record_type, ids), 10, seed):
        both = set(next(iter(about.values())))
        if values.get("id") in there:
            continue
        try:
            with crm.system_session(PRINCIPAL) as session:
                new = write(session, record_type, values)
        except REFUSALS:
            continue
        there.append(new)
        count += bool(both & {values.get("id"), *(values.get(field.name) for field in record_type.refs)})
        if count == 4:
            break
    return count


def _left(subject: Subject, crm: Crm, target: str, gone: int) -> Iterator[Finding]:
    """What still refers to the record that went."""
    soft = [
        (each.record, each.id_field)
        for each in crm.build.policy.references
        if each.record in crm.types and crm.types[each.record].plugin == subject.plugin
    ]
    hard = [
        (record_type.name, field.name)
        for record_type in subject.types
        for field in record_type.refs
        if field.target == target
    ]
    with crm.system_session(PRINCIPAL, read_only=True) as session:
        for record, name in (*hard, *soft):
            table = crm.types[record].table
            if session.core(select(table.c.id).where(table.c[name] == gone)).first() is not None:
                yield _finding(
                    "A row still refers to the record that was merged into another.",
                    f"{record}.{name}",
                    "Do not set the reference back in crm_on_changes.",
                )


def _finding(what: str, where: str, mend: str, **values: Any) -> Finding:
    return Finding(NAME, what, where, mend, values)


CHECK = Check(
    NAME,
    "Customers and people with its rows can be merged: every reference moves, and a split restores everything.",
    _look,
    database=True,
)
