"""Ids that no record has, to see where they turn up: fields that hold ids of other records, though nobody says so.

A number does not tell whether it is an id. But what a plugin does with it does: it is compared with the ids that a hook
was asked about, or with the ids in a table; or the author gives ids as values for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import attrs
from sqlalchemy import BindParameter, Cast, ColumnClause, ScalarSelect, SelectBase, event
from sqlalchemy.sql import operators, visitors
from sqlalchemy.sql.elements import BinaryExpression, Grouping

from crm_core.errors import CrmError
from crm_core.fields.kinds import NumberKind, TextKind
from crm_core.hooks.values import Merging, Touch
from crm_core.store.changes import Change, ChangeBatch
from crm_core.testing.conformance.asking import ASKED, arguments, implementations
from crm_core.testing.conformance.population import PRINCIPAL, SEES_ALL, drawn, told

if TYPE_CHECKING:
    from crm_core.assembly.crm import Crm
    from crm_core.records import RecordType
    from crm_core.testing.conformance.subject import Subject

__all__ = ["Suspect", "suspects"]

_FIRST = 2_000_000_011
"""Larger than what is counted, and than what is drawn for a test; it fits every column of whole numbers."""

_ASKED_ABOUT = ("account", "contact")
_COMPARING = (operators.eq, operators.ne, operators.in_op, operators.not_in_op)


@attrs.frozen
class Suspect:
    """A field that is used as the id of a record of type ``target``: by which hook, or (empty) by given values."""

    record: str
    field: str
    target: str
    by: str = ""


def suspects(subject: Subject, crm: Crm) -> Iterator[Suspect]:
    """Fields of the plugin's records that are no declared references, and used as such; each once."""
    looking = _Looking(subject, crm)
    seen: set[tuple[str, str]] = set()
    for each in (*looking.given(), *looking.used()):
        if (each.record, each.field) not in seen:
            seen.add((each.record, each.field))
            yield each


class _Looking:
    def __init__(self, subject: Subject, crm: Crm) -> None:
        self.subject = subject
        self.crm = crm
        self.ids = {name: _FIRST + number for number, name in enumerate(sorted(crm.types))}
        self.names = {value: name for name, id_ in self.ids.items() for value in (id_, str(id_))}
        soft = {(each.record, each.id_field) for each in crm.build.policy.references}
        self.fields = {
            record_type.table.c[field.column_names[0]]: (record_type.name, field.name)
            for record_type in subject.types
            for field in record_type.fields
            if isinstance(field.kind, NumberKind | TextKind) and field.target is None
            and (record_type.name, field.name) not in soft
        }  # fmt: skip
        self.keys = {each.table.c.id: each.name for each in crm.types.values()}
        self.keys |= {
            each.table.c[field.column_names[0]]: str(field.target) for each in crm.types.values() for field in each.refs
        }

    # -- by values ---------------------------------------------------------------------------------------------

    def given(self) -> Iterator[Suspect]:
        """Fields for which the author gives ids as values."""
        every = {name: [id_] for name, id_ in self.ids.items()}
        for record_type in self.subject.types:
            for values in _given(self.subject, record_type, every):
                for name, value in values.items():
                    target = self.names.get(value) if isinstance(value, int | str) else None
                    if target is not None and (record_type.name, name) in self.fields.values():
                        yield Suspect(record_type.name, name, target)

    # -- by use ------------------------------------------------------------------------------------------------

    def used(self) -> Iterator[Suspect]:
        """Fields that a hook compares with ids: with those that it was asked about, or with those in a table."""
        for call, asked in self._calls():
            # There are no such records; it is asked only to see what it compares them with.
            with self._compared() as found, suppress(CrmError):
                list(call(asked) or ())
            yield from (attrs.evolve(each, by=call.hook) for each in found)

    def _calls(self) -> Iterator[tuple[Any, Mapping[str, Any]]]:
        crm, plugin = self.crm, self.subject.plugin
        with crm.session(SEES_ALL, read_only=True) as session:
            account, contact = (self.ids[name] for name in _ASKED_ABOUT)
            by_hook = arguments(crm, session, [account])
            yield from ((call, by_hook[call.hook]) for call in implementations(crm, plugin, ASKED))
            touch = Touch(account_id=account, contact_id=contact, purpose="visit", at=session.now)
            for call in implementations(crm, plugin, ("crm_check_contact",)):
                yield call, {"session": session, "touch": touch}
        with crm.system_session(PRINCIPAL) as session, session.as_system(PRINCIPAL) as system:
            for name in _ASKED_ABOUT:
                merging = Merging(record_type=name, target_id=self.ids[name], source_id=self.ids[name])
                for call in implementations(crm, plugin, ("crm_check_merge",)):
                    yield call, {"session": session, "system": system, "merging": merging}
                batch = ChangeBatch(crm.types[name], [Change(name, self.ids[name], "delete", {"name": "x"}, {})])
                for call in implementations(crm, plugin, ("crm_check_changes", "crm_on_changes")):
                    if call.concerns(batch):
                        yield call, {"session": session, "system": system, "batch": batch}
            session.rollback()

    @contextmanager
    def _compared(self) -> Iterator[list[Suspect]]:
        """What is compared with ids in the statements that run meanwhile."""
        found: list[Suspect] = []

        def note(_connection: Any, statement: Any, many: Sequence[Any], one: Mapping[str, Any], _options: Any) -> None:
            for element in visitors.iterate(statement) if hasattr(statement, "get_children") else ():
                if isinstance(element, BinaryExpression) and element.operator in _COMPARING:
                    given = {**(many[0] if many else {}), **one}
                    found.extend(self._judged(element.left, element.right, given))
                    found.extend(self._judged(element.right, element.left, given))

        event.listen(self.crm.store.engine, "before_execute", note)
        try:
            yield found
        finally:
            event.remove(self.crm.store.engine, "before_execute", note)

    def _judged(self, one: Any, other: Any, given: Mapping[str, Any]) -> Iterator[Suspect]:
        for field in (self.fields[column] for column in _columns(one) if column in self.fields):
            targets = [self.keys[column] for column in _columns(other) if column in self.keys]
            targets += [self.names[value] for value in _values(other, given) if value in self.names]
            yield from (Suspect(*field, target) for target in targets)


def _given(subject: Subject, record_type: RecordType, ids: Mapping[str, Sequence[int]]) -> Iterator[dict[str, Any]]:
    said = told(subject, record_type, ids)
    if isinstance(said, Mapping):
        yield from ({name: value} for name, strategy in said.items() for value in drawn(strategy, 5))
    else:
        yield from drawn(said, 5)


def _columns(element: Any) -> Iterator[Any]:
    """The columns of tables that an operand is, or that its subquery gives; not those that it computes from."""
    while isinstance(element, Grouping | Cast):
        element = element.element if isinstance(element, Grouping) else element.clause
    if isinstance(element, ScalarSelect):
        element = element.element
    if isinstance(element, SelectBase):
        yield from (column for each in element.selected_columns for column in _columns(each))
    elif isinstance(element, ColumnClause):
        yield from element.base_columns


def _values(element: Any, given: Mapping[str, Any]) -> Iterator[Any]:
    """The numbers and texts in an operand."""
    for each in visitors.iterate(element):
        if isinstance(each, BindParameter):
            value = given.get(each.key, each.effective_value)
            yield from (one for one in (value if isinstance(value, list | tuple | set | frozenset) else [value])
                        if isinstance(one, int | str))  # fmt: skip
