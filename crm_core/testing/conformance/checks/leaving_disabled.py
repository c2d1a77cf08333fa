"""While the plugin is switched off everything else works, and when it is on again all is there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs

from crm_core.errors import CrmError
from crm_core.testing.conformance.leaving import Histories, Shown, differing, histories, look, populated, shown_at_first
from crm_core.testing.conformance.oracle import rows_of
from crm_core.testing.conformance.population import PRINCIPAL, derived
from crm_core.testing.conformance.report import Check, Finding, one_line
from crm_core.testing.conformance.schema import contents, schema, tables_of
from crm_core.testing.conformance.states import State, differences, state_of

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from crm_core.assembly.crm import Crm
    from crm_core.testing.conformance.subject import Subject

__all__ = ["CHECK"]

NAME = "leaving-disabled"
_OF_EACH = 2
"""How many records are deleted of each type that rows of the plugin refer to."""

Target = tuple[str, int]


@attrs.frozen(eq=False)
class _Site:
    """One database, opened with the plugin or without it."""

    subject: Subject
    address: str
    options: Mapping[str, Any]

    def on(self) -> AbstractContextManager[Crm]:
        return self.subject.opened(self.address, **self.options)

    def off(self) -> AbstractContextManager[Crm]:
        return self.subject.opened(self.address, without=[self.subject.plugin], **self.options)


def _look(subject: Subject) -> Iterator[Finding]:
    with populated(subject) as (address, now):
        site = _Site(subject, address, {"clock": lambda: now})
        broken = list(_switched(site))
        yield from broken
        if not broken:
            yield from _deleted(site)


# -- off, and on again ---------------------------------------------------------------------------------------------


def _switched(site: _Site) -> Iterator[Finding]:
    """Whoever looks while it is off gets an answer, and nothing is changed by that."""
    with site.on() as crm:
        shown, written, known = shown_at_first(site.subject, crm), _contents(crm), histories(crm, _own(site, crm))
    broken = list(_looked_at(site, shown, known))
    yield from broken or _on_again(site, shown, written)


def _looked_at(site: _Site, shown: Shown, known: Histories) -> Iterator[Finding]:
    """It is off, and somebody looks at all the rest."""
    last = "-"
    try:
        with site.off() as crm:
            for way, _ in look(crm, shown):
                last = ", ".join(way)
            meanwhile = histories(crm, known)
    except Exception as error:  # whatever it is, somebody who looks would have got it
        yield _finding(
            "While it is switched off, looking at the rest fails: {reason} (after: {last}).",
            site.subject.plugin,
            "Let nothing that the plugin writes to records of the kernel need its code to be read.",
            reason=one_line(error),
            last=last,
        )
        return
    for record, id_ in differing(known, meanwhile)[:1]:
        yield _finding(
            "While it is switched off, the history of {record} {id} is not whole.",
            record,
            "Write through the session, never by a raw connection.",
            record=record,
            id=id_,
        )


def _on_again(site: _Site, shown: Shown, written: Mapping[str, str]) -> Iterator[Finding]:
    with site.on() as crm:
        changed, other = differing(written, _contents(crm)), shown.otherwise(crm)
    if changed:
        yield _finding(
            "Switched off and on again, the table {table} is another one than before.",
            changed[0],
            "Let the plugin write nothing because it is loaded.",
            table=changed[0],
        )
    elif other is not None:
        yield _finding(
            "Switched off and on again, what it shows differs: {way}.",
            site.subject.plugin,
            "Keep what you show in rows, or compute it from them; what a process remembers is gone.",
            way=other,
        )


def _own(site: _Site, crm: Crm) -> list[tuple[str, int]]:
    """The records of the plugin."""
    with crm.system_session(PRINCIPAL, read_only=True) as session:
        rows = rows_of(session)
    return [(each.name, id_) for each in site.subject.types for id_ in sorted(rows[each.name])]


def _contents(crm: Crm) -> dict[str, str]:
    return contents(crm.store.engine, tables_of(schema(crm.store.engine)))


# -- what is deleted meanwhile -------------------------------------------------------------------------------------


def _deleted(site: _Site) -> Iterator[Finding]:
    """A record that its rows refer to takes along the same ones, whether it is on or off, and brings them back."""
    with populated(site.subject) as (address, _), _Site(site.subject, address, site.options).on() as crm:
        before = _state(crm)
        # What it objects to, nobody objects to while it is off.
        targets = [each for each in _targets(site.subject, crm) if isinstance(_delete(crm, each), int)]
        expected = _state(crm)
    sets: list[int] = []
    with site.off() as crm:
        for target in targets:
            done = _delete(crm, target)
            if not isinstance(done, int):
                yield _finding(
                    "While it is switched off, {record} {id} cannot be deleted ({reason}).",
                    site.subject.plugin,
                    "Declare every reference by ref(), with on_delete: the kernel keeps it while the plugin is off.",
                    record=target[0],
                    id=target[1],
                    reason=one_line(done),
                )
                return
            sets.append(done)
    with site.on() as crm:
        yield from _compared(site.subject, expected, _state(crm))
    yield from _undone(site, sets, before)


def _targets(subject: Subject, crm: Crm) -> list[Target]:
    """Some records of others that rows of the plugin refer to, in whatever way it is declared."""
    with crm.system_session(PRINCIPAL, read_only=True) as session:
        rows = rows_of(session)
    own = {each.name for each in subject.types}
    found: dict[str, set[int]] = {}
    for record_type in subject.types:
        fields: list[tuple[str, str | None, str | None]] = [
            (field.name, field.target, None) for field in record_type.refs
        ]
        fields += [("id", record_type.extends, None)] if record_type.extends else []
        fields += [
            (each.id_field, each.target, each.type_field)
            for each in crm.build.policy.references
            if each.record == record_type.name
        ]
        for row in rows[record_type.name].values():
            for name, target, type_field in fields:
                record = target or (row[type_field] if type_field else None)
                if record in rows and record not in own and row[name] in rows[record]:
                    found.setdefault(record, set()).add(row[name])
    # Accounts and people first: what is deleted with them cannot be deleted by itself.
    return [(record, id_) for record, ids in sorted(found.items()) for id_ in sorted(ids)[:_OF_EACH]]


def _delete(crm: Crm, target: Target) -> int | CrmError:
    """The change set, or why it was refused."""
    record, id_ = target
    try:
        with crm.system_session(PRINCIPAL, reason="gone") as session:
            found = session.get(crm.types[record].cls, id_)
            if found is not None:
                session.delete(found)
    except CrmError as error:
        return error
    return session.last_change_set or 0


def _state(crm: Crm) -> State:
    with crm.system_session(PRINCIPAL, read_only=True) as session:
        return state_of(session)


def _compared(subject: Subject, expected: State, found: State) -> Iterator[Finding]:
    made = derived(subject)
    for record_type in subject.types:
        if record_type.name in made:
            continue
        left = sorted(id_ for name, id_ in found.keys() - expected.keys() if name == record_type.name)
        if left:
            yield _finding(
                "Of what goes with a record that is deleted, {count} rows of {record} stay if it is switched off "
                "meanwhile.",
                record_type.name,
                "Declare it by ref(..., on_delete=...), which the kernel keeps while the plugin is off, in place of "
                "deleting them in a hook.",
                count=len(left),
                record=record_type.name,
            )
        for field in record_type.refs:
            for key in found.keys() & expected.keys():
                if key[0] == record_type.name and found[key][field.name] != expected[key][field.name]:
                    yield _finding(
                        "After a deletion {field} leads to something else if it was switched off meanwhile.",
                        f"{record_type.name}.{field.name}",
                        "Declare what becomes of it by ref(..., on_delete=...), in place of changing it in a hook.",
                        field=field.name,
                    )
                    break


def _undone(site: _Site, sets: Sequence[int], before: State) -> Iterator[Finding]:
    """The deletions can be taken back while it is off, and then it finds its rows as they were."""
    try:
        with site.off() as crm:
            for change_set in reversed([each for each in sets if each]):
                with crm.system_session(PRINCIPAL, reason="back") as session:
                    session.undo(change_set)
    except CrmError as error:
        yield _finding(
            "What was deleted while it is switched off cannot be brought back ({reason}).",
            site.subject.plugin,
            "Declare every reference by ref(): the kernel then knows in which order rows come back.",
            reason=one_line(error),
        )
        return
    with site.on() as crm:
        wrong = differences(before, _state(crm))
    if wrong:
        yield _finding(
            "What was deleted and brought back while it is switched off is not as before: {wrong}.",
            site.subject.plugin,
            "Let the tables of the plugin hold what its records declare, and nothing that the database changes by "
            "itself (triggers, defaults).",
            wrong="; ".join(wrong[:3]),
        )


def _finding(what: str, where: str, mend: str, **values: Any) -> Finding:
    return Finding(NAME, what, where, mend, values)


CHECK = Check(
    NAME,
    "While it is switched off, customers can be looked at, searched and deleted, histories are whole, and deletions "
    "can be undone; on again, every row and everything that is shown is as before.",
    _look,
    database=True,
)
