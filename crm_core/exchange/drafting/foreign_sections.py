"""Sections for a table of another system: what is known of it, as far as the table and the build have it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import attrs

from crm_core.errors import ExchangeError, nearest
from crm_core.exchange.drafting.candidates import Candidate, source
from crm_core.exchange.drafting.fitting import fit
from crm_core.exchange.drafting.foreign import Recognised
from crm_core.exchange.drafting.headers import plain
from crm_core.exchange.drafting.model import FieldDraft, Said, SectionDraft
from crm_core.exchange.drafting.model import said as _
from crm_core.exchange.drafting.table import Column, Table
from crm_core.exchange.drafting.targets import POINT, Target, Targets
from crm_core.exchange.mapping_file import PARTS, given_by_parts, key_template
from crm_core.exchange.templates import Template, escaped
from crm_core.fields.kinds import MoneyKind

__all__ = ["foreign_sections"]

_TESTS = ("only_if", "skip_if", "require")
_PLAIN = ("match", "on_create", "on_update", "duplicates", "system", "null_values", "time_zone")
_FITTING = 0.5
"""A field of which fewer values could be taken is left out: the rows would all be rejected."""


class _Absent(Exception):
    """A column that the table does not have."""


def foreign_sections(
    table: Table, found: Recognised, targets: Targets, every: Sequence[Candidate]
) -> Iterator[SectionDraft]:
    """The sections of the object; those that miss their key or what their record needs are left out.

    ``every`` are the candidates of the table, of which custom fields of the build are filled.
    """
    assert found.object is not None
    making = _Making(table, found, targets)
    made = [each for section in found.object.section if section["record"] in targets.types
            and (each := making.section(section)) is not None]  # fmt: skip
    for number, each in enumerate(made):
        yield each if number else making.with_custom_fields(each, made, every)


class _Making:
    """From the names of a system to those of a table."""

    def __init__(self, table: Table, found: Recognised, targets: Targets) -> None:
        self.table = table
        self.found = found
        self.targets = targets
        self._columns: dict[str, Column] = {}
        for column in table.columns:
            if column.in_templates:
                self._columns.setdefault(plain(column.header), column)

    def section(self, given: Mapping[str, Any]) -> SectionDraft | None:
        record = str(given["record"])
        fields: list[FieldDraft] = []
        for name, value in given["fields"].items():
            fields += self._field(record, name, value)
        have = {each.name.partition(".")[0] for each in fields}
        missing = [each for each, field in self.targets.fields(record).items() if field.required and each not in have]
        try:
            key = self._text(key_template(given["key"]))
        except _Absent:
            return None
        if missing:
            return None
        options: dict[str, Any] = {name: given[name] for name in _PLAIN if name in given}
        for name in _TESTS:
            if tests := dict(self._tests(given.get(name, {}))):
                options[name] = tests
        if options.get("match") not in (None, *have):
            del options["match"]
        remark = str(given.get("remark", ""))
        return SectionDraft(
            name=str(given.get("name", "")) or f"{self.table.title}: {record}", record=record, key=key,
            fields=tuple(fields), options=options, remarks=((remark, {}),) if remark else (),
        )  # fmt: skip

    def with_custom_fields(
        self, section: SectionDraft, made: Sequence[SectionDraft], every: Sequence[Candidate]
    ) -> SectionDraft:
        """The main section with the custom fields of the build that columns are called like."""
        used = {column for each in made for field in each.fields for column in field.columns}
        custom = self.targets.policy.custom.get(section.record, {})
        further: list[FieldDraft] = []
        for each in every:
            new = each.target.field in custom and not any(field.name == each.target.field for field in further)
            if new and each.target.record == section.record and each.column.header not in used and not each.refers:
                further.append(
                    FieldDraft(
                        name=each.target.field, value=source(each.column, each.fit.transform),
                        columns=(each.column.header,), certainty=each.certainty, because=each.because,
                        remarks=each.fit.remarks,
                    )
                )  # fmt: skip
        return attrs.evolve(section, fields=(*section.fields, *further))

    def _tests(self, given: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
        for name, test in given.items():
            column = self._columns.get(plain(name))
            if column is not None:
                yield column.header, test

    # -- fields ------------------------------------------------------------------------------------------------

    def _field(self, record: str, name: str, value: Any) -> Iterator[FieldDraft]:
        field = self.targets.fields(record).get(name)
        if field is None:
            known = self.targets.fields(record)
            raise ExchangeError(
                "The foreign names of {system} speak of {field}, which {record} does not have.",
                mend="Did you mean {near}?",
                system=self.found.system.system,
                field=name,
                record=record,
                near=nearest(name, known),
            )
        parts = PARTS.get(field.kind.name, ())
        if given_by_parts(value) and value.keys() <= set(parts):
            for part, each in value.items():
                yield from self._one(Target(record, name, part), f"{name}.{part}", each)
            return
        part = "amount" if isinstance(field.kind, MoneyKind) else ""
        yield from self._one(Target(record, name, part), name, value)

    def _one(self, target: Target, name: str, value: Any) -> Iterator[FieldDraft]:
        """The first of the values whose columns are there, when what stands in them can be taken."""
        for each in value if isinstance(value, list) else [value]:
            used: list[Column] = []
            try:
                mine = self._value(each, used)
            except _Absent:
                continue
            remarks: tuple[Said, ...] = ()
            certainty = self.found.certainty
            if len(used) == 1 and not self._looked_up(each) and not _mapped(each):
                suits = fit(used[0], self._kind(target), self.targets)
                if suits.share < _FITTING:
                    continue
                remarks = suits.remarks
                certainty *= 0.5 + 0.5 * suits.share
                if isinstance(mine, str) and suits.transform is not None:
                    mine = {"column": mine, "transform": suits.transform}
            yield FieldDraft(
                name=name, value=mine, columns=tuple(column.header for column in used), certainty=certainty,
                because=_("{system} calls it so", system=self.found.system.label or self.found.system.system),
                remarks=remarks,
            )  # fmt: skip
            return

    def _kind(self, target: Target) -> Target:
        return Target(POINT, "value", "other") if target.record == POINT and target.field == "value" else target

    def _looked_up(self, value: Any) -> bool:
        return isinstance(value, Mapping) and "lookup" in value

    def _value(self, value: Any, used: list[Column]) -> Any:
        """A value with the columns of the table; those it takes are put into ``used``."""
        if isinstance(value, str):
            return self._column(value, used)
        found = dict(value)
        if "column" in found:
            found["column"] = self._column(found["column"], used)
        if "columns" in found:
            found["columns"] = [self._column(each, used) for each in found["columns"]]
        if "template" in found:
            found["template"] = self._text(found["template"], used)
        if isinstance(found.get("lookup"), Mapping) and "key" in found["lookup"]:
            found["lookup"] = {**found["lookup"], "key": self._text(key_template(found["lookup"]["key"]), used)}
        return found

    def _column(self, name: str, used: list[Column]) -> str:
        column = self._columns.get(plain(name))
        if column is None:
            raise _Absent(name)
        used.append(column)
        return column.header

    def _text(self, template: str, used: list[Column] | None = None) -> str:
        """A template with the columns of the table."""
        mine: list[Column] = [] if used is None else used
        text = ""
        for before, column in Template.parse(template).parts:
            text += escaped(before)
            text += "" if column is None else "{" + self._column(column, mine) + "}"
        return text


def _mapped(value: Any) -> bool:
    """Whether a transform of its own reads the column, such as a table of words."""
    steps = value.get("transform") if isinstance(value, Mapping) else None
    every = steps if isinstance(steps, list) else [steps]
    names = {step.get("name") if isinstance(step, Mapping) else step for step in every}
    return bool({"map", "percent"} & names)
