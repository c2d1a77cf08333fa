"""From a reading of a table to the sections of a mapping."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import attrs

from crm_core.exchange.drafting.candidates import Candidate, alternatives, source
from crm_core.exchange.drafting.composed import login, person_name, second_line
from crm_core.exchange.drafting.keys import Key
from crm_core.exchange.drafting.lookups import lookup_by_key, lookup_of
from crm_core.exchange.drafting.model import FieldDraft, Said, SectionDraft
from crm_core.exchange.drafting.model import said as _
from crm_core.exchange.drafting.rows import SATELLITES, Reading, name_parts
from crm_core.exchange.drafting.table import Column, Table
from crm_core.exchange.drafting.targets import POINT, Target, Targets
from crm_core.exchange.templates import escaped
from crm_core.fields.kinds import AddressKind, MoneyKind, RefKind

__all__ = ["Place", "records_made", "sections_of"]


@attrs.frozen(kw_only=True)
class Place:
    """What a section needs to know of the whole draft.

    ``prefixes`` stand before keys, by table and record; ``keys`` are those of the tables, ``records`` what their rows
    are, all by the identity of the table.
    """

    targets: Targets
    prefixes: Mapping[tuple[int, str], str]
    keys: Mapping[int, Key]
    records: Mapping[int, str]
    every: Sequence[Candidate] = ()

    def key(self, table: Table, record: str) -> str:
        """The template of the key by which a table's rows are known as records of a type."""
        return self.prefixes.get((id(table), record), "") + self.keys[id(table)].template


def records_made(reading: Reading) -> list[str]:
    """The types of the records that a table with this reading makes, in the order of its sections."""
    chosen = reading.chosen
    company = reading.record == "contact" and Target("account", "name") in chosen
    person = reading.record == "contact" or (reading.record == "account" and bool(name_parts(chosen)))
    made = ["account"] if company else []
    made.append(reading.record)
    if person and reading.record == "account":
        made.append("contact")
    if person and (reading.record == "account" or company or Target("affiliation", "account_id") in chosen):
        made.append("affiliation")
    if reading.record in ("account", "contact") and reading.of(POINT):
        made.append(POINT)
    if reading.record == "account" and Target("ownership", "user_id") in chosen:
        made.append("ownership")
    if reading.record == "user" and Target("membership", "unit_id") in chosen:
        role = Target("membership", "role") in chosen
        made += ["membership"] if role else []
    return list(dict.fromkeys(made))


def sections_of(table: Table, reading: Reading, place: Place) -> Iterator[SectionDraft]:
    """The sections for a table, in the order in which they must run."""
    return _Making(table, reading, place).sections()


class _Making:
    """The sections of one table."""

    def __init__(self, table: Table, reading: Reading, place: Place) -> None:
        self.table = table
        self.reading = reading
        self.place = place
        self.key = place.keys[id(table)]
        self.title = table.title

    def sections(self) -> Iterator[SectionDraft]:
        for record in records_made(self.reading):
            if record == POINT:
                yield from self._points() if self.reading.record != POINT else self._own_points()
            elif record == "account" and self.reading.record == "contact":
                yield self._companies()
            else:
                yield self._section(record)

    # -- one record --------------------------------------------------------------------------------------------

    def _section(self, record: str) -> SectionDraft:
        main = record == self.reading.record
        fields = list(self._fields(record))
        options: dict[str, Any] = {}
        remarks: list[Said] = []
        if main and self.key.repeated:
            options["duplicates"] = "first"
            remarks.append(_("no columns tell all rows apart: rows with the same key count once"))
        if record == "user" and any(each.name == "login" for each in fields):
            options["match"] = "login"
        if record == "ownership" and not any(each.name == "valid_from" for each in fields):
            options["on_update"] = "date"
        conditions = self._conditions(record)
        if conditions:
            options["only_if"] = conditions
        return SectionDraft(
            name=self.title if main else f"{self.title}: {record}",
            record=record,
            key=self._own_key(record),
            fields=tuple(fields),
            options=options,
            remarks=tuple(remarks),
        )

    def _own_key(self, record: str) -> str:
        return self.place.key(self.table, record)

    def _conditions(self, record: str) -> dict[str, Any]:
        """Rows without a person make no contact, those without an owner no ownership."""
        if record == self.reading.record and record != "contact":
            # A relation that leads nowhere is none; a name that is missing is a mistake to be told.
            fields = self.place.targets.types[record].by_name
            return {
                each.column.header: True for target, each in self.reading.of(record).items()
                if each.refers and each.column.empty and target.field in fields and fields[target.field].required
            }  # fmt: skip
        if record == "ownership":
            column = self.reading.chosen[Target("ownership", "user_id")].column
            return {column.header: True} if column.empty else {}
        tests: dict[str, Any] = {}
        if record in ("contact", "affiliation"):
            parts = name_parts(self.reading.chosen)
            if len(parts) == 1 and (parts[0].column.empty or self.reading.record == "account"):
                tests[parts[0].column.header] = True
        if record == "affiliation" and self.reading.record == "contact":
            company = self._company_column()
            if company is not None and company.empty:
                tests[company.header] = True
        return tests

    def _company_column(self) -> Column | None:
        chosen = self.reading.chosen
        found = chosen.get(Target("affiliation", "account_id")) or chosen.get(Target("account", "name"))
        return None if found is None else found.column

    # -- fields ------------------------------------------------------------------------------------------------

    def _fields(self, record: str) -> Iterator[FieldDraft]:
        main = record == self.reading.record
        chosen = self.reading.of(record)
        if record == "user":
            yield login(self.table, self.reading, self.key)
        if record in ("contact", "user") and Target(record, "name") not in chosen:
            yield person_name(self.table, name_parts(self.reading.chosen))
        if main and record == "activity":
            yield from self._kind_and_subject(chosen)
        elif main:
            yield from self._words_from_title(record, chosen)
        if not main:
            yield from self._links(record, chosen)
        for target, each in chosen.items():
            if record == "user" and target.field == "login":
                continue
            yield self._field(target, each)

    def _field(self, target: Target, each: Candidate) -> FieldDraft:
        field = self.place.targets.field(target)
        name = target.field
        columns: tuple[str, ...] = (each.column.header,)
        if isinstance(field.kind, AddressKind):
            name = f"{target.field}.{target.part}"
        value: Any = source(each.column, each.fit.transform)
        if isinstance(field.kind, RefKind):
            value = lookup_of(each, field, self.place.prefixes)
        elif isinstance(field.kind, MoneyKind):
            currency = self.reading.chosen.get(Target(target.record, target.field, "currency"))
            if target.part == "currency" or currency is not None:
                name = f"{target.field}.{target.part}"
                value = source(each.column, each.fit.transform if target.part == "currency" else "decimal")
        elif target.part == "street" and (further := second_line(self.table)):
            columns = (each.column.header, *further)
            value = {"columns": list(columns), "transform": {"name": "join", "separator": ", "}}
        near = {self.reading.record, *SATELLITES.get(self.reading.record, ())}
        return FieldDraft(
            name=name, value=value, columns=columns, certainty=each.certainty, because=each.because,
            remarks=each.fit.remarks, alternatives=alternatives(each.column, self.place.every, target, near),
        )  # fmt: skip

    # -- what no column says -----------------------------------------------------------------------------------

    def _words_from_title(self, record: str, chosen: Mapping[Target, Candidate]) -> Iterator[FieldDraft]:
        """A kind that the name of the file says: suppliers are partners."""
        targets = self.place.targets
        for name, field in targets.fields(record).items():
            if Target(record, name) in chosen or not targets.choices(record, name):
                continue
            if name != "kind" and not field.required:
                continue
            word = targets.words_in(record, name, self.title)
            if word is None and field.required:
                word = next(iter(targets.choices(record, name)))
                yield _constant(name, word, 0.2, _("nothing says it: look which word is meant"))
            elif word is not None and word != field.default:
                yield _constant(name, word, 0.6 if name == "kind" else 0.4, _("the name of the file says so"))

    def _kind_and_subject(self, chosen: Mapping[Target, Candidate]) -> Iterator[FieldDraft]:
        targets = self.place.targets
        label = self.title
        if Target("activity", "kind") not in chosen:
            word = targets.words_in("activity", "kind", self.title)
            known = targets.choices("activity", "kind")
            if word is None:
                word = "task" if "task" in known else next(iter(known))
                yield _constant("kind", word, 0.2, _("nothing says it: look which word is meant"))
            else:
                yield _constant("kind", word, 0.6, _("the name of the file says so"))
            label = known.get(word, word)
        if Target("activity", "subject") not in chosen:
            columns = tuple(each.header for each in self.key.columns)
            yield FieldDraft(
                name="subject", value={"template": f"{escaped(label)} {self.key.template}"}, columns=columns,
                certainty=0.4, because=_("no column has it: it is made of the kind and the key"),
            )  # fmt: skip

    def _links(self, record: str, chosen: Mapping[Target, Candidate]) -> Iterator[FieldDraft]:
        """How a record that comes of the same row hangs on the others."""
        known = self.place.targets.types[record].by_name
        for name, of in (("account_id", "account"), ("contact_id", "contact"), ("user_id", "user")):
            if name not in known or Target(record, name) in chosen or not known[name].required:
                continue
            if of in records_made(self.reading):
                yield self._link(name, of)
        if record == "affiliation":
            yield _constant("primary", True, 0.6, _("no other place of work is told"))

    def _link(self, name: str, record: str) -> FieldDraft:
        key = self._company_key() if record == "account" and self.reading.record == "contact" else self._own_key(record)
        return FieldDraft(
            name=name, value=lookup_by_key(key, record), certainty=0.95, because=_("it is made of the same row"),
        )  # fmt: skip

    # -- people and companies in one row -----------------------------------------------------------------------

    def _companies(self) -> SectionDraft:
        """The companies of a table of people: once each, by their names."""
        column = self.reading.chosen[Target("account", "name")].column
        fields = tuple(self._field(target, each) for target, each in self.reading.of("account").items())
        options: dict[str, Any] = {"on_update": "skip", "duplicates": "first", "match": "name"}
        if column.empty:
            options["only_if"] = {column.header: True}
        return SectionDraft(
            name=f"{self.title}: account", record="account", key=self._company_key(), fields=fields, options=options,
            remarks=(_("The companies of these people, each once by its name. Those that are here stay as they are."),),
        )  # fmt: skip

    def _company_key(self) -> str:
        column = self.reading.chosen[Target("account", "name")].column
        return self.place.prefixes.get((id(self.table), "account"), "") + "{" + column.header + "}"

    def _points(self) -> Iterator[SectionDraft]:
        """A section for each way to reach somebody."""
        of = "contact" if "contact" in records_made(self.reading) else "account"
        prefix = self.place.prefixes.get((id(self.table), POINT), "")
        for target, each in self.reading.of(POINT).items():
            tests: dict[str, Any] = {each.column.header: True} if each.column.empty else {}
            if of == "contact":
                tests |= self._conditions("contact")
            value = self._field(target, each)
            yield SectionDraft(
                name=f"{self.title}: {target.part}",
                record=POINT,
                key=f"{prefix}{target.part} {self.key.template}",
                fields=(
                    attrs.evolve(self._link(f"{of}_id", of), columns=()),
                    FieldDraft(name="kind", value={"value": target.part}, certainty=each.certainty,
                               because=each.because),
                    value,
                ),
                options={"only_if": tests} if tests else {},
            )  # fmt: skip

    def _own_points(self) -> Iterator[SectionDraft]:
        """The same where rows are nothing else: whose they are stands in columns."""
        chosen = self.reading.of(POINT)
        others = [self._field(target, each) for target, each in chosen.items() if target.field != "value"]
        ways = {target.part: self._field(target, each) for target, each in chosen.items() if target.field == "value"}
        for part, value in ways.items():
            kind = [] if any(each.name == "kind" for each in others) else [_constant("kind", part, value.certainty,
                                                                                     value.because)]  # fmt: skip
            several = len(ways) > 1
            yield SectionDraft(
                name=f"{self.title}: {part}" if several else self.title,
                record=POINT,
                key=f"{part} {self._own_key(POINT)}" if several else self._own_key(POINT),
                fields=(*others, *kind, value),
                options={"only_if": {value.columns[0]: True}} if several else {},
            )


def _constant(name: str, value: Any, certainty: float, because: Said) -> FieldDraft:
    return FieldDraft(name=name, value={"value": value}, certainty=certainty, because=because)
