"""Whether a mapping fits the build and the files: everything that can be known before the first row is read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import attrs

from crm_core.domain.external import ExternalRef
from crm_core.errors import CrmError, ExchangeError, Problem, nearest
from crm_core.exchange.conditions import is_test
from crm_core.exchange.encodings import known_encoding
from crm_core.exchange.mapping import FieldMapping, ImportMapping, Lookup, PartMapping, SectionMapping
from crm_core.exchange.mapping_file import PARTS, mistakes
from crm_core.exchange.plan import SectionPlan, Transforms, bound, make_plan
from crm_core.exchange.sources import Source, open_source
from crm_core.exchange.templates import Template, no_template
from crm_core.exchange.transforms import BUILT_IN, Context
from crm_core.fields.field import Field
from crm_core.fields.kinds import MoneyKind, RefKind, TextKind
from crm_core.records import RecordType

if TYPE_CHECKING:
    from crm_core.assembly import Crm

__all__ = ["checked"]


def checked(crm: Crm, mapping: ImportMapping, folder: Path) -> list[SectionPlan]:
    """The sections ready to run; raises :class:`ExchangeError` with every mistake and its path."""
    check = _Check(crm, mapping, folder)
    plans = [check.section(number, section) for number, section in enumerate(mapping.sections)]
    if check.problems:
        raise mistakes(mapping.where, check.problems)
    return [plan for plan in plans if plan is not None]


def _is_file(path: Path) -> bool:
    """Whether there is such a file; there is none under a name that no file can have."""
    try:
        return path.is_file()
    except OSError:
        return False


class _Check:
    """The check of one mapping; ``problems`` grows."""

    def __init__(self, crm: Crm, mapping: ImportMapping, folder: Path) -> None:
        self.types = crm.types
        self.store = crm.store
        self.policy = crm.store.policy
        self.transforms: Transforms = {**crm.build.transforms, **BUILT_IN}
        self.mapping = mapping
        self.folder = folder
        self.problems: list[Problem] = []
        self._sources: dict[tuple[Path, str, str, str, int], Source] = {}

    def wrong(self, path: str, problem: str, mend: str = "", **values: Any) -> None:
        self.problems.append(Problem(path, problem, mend, values))

    def _is_keys(self, path: str, record_type: RecordType) -> bool:
        """Whether it is the keys themselves, which are no record of another system."""
        if record_type is not ExternalRef.crm_type:
            return False
        self.wrong(f"{path}.record", "{record} holds the keys of other systems; the import keeps them itself.",
                   "Import the records that they belong to, with these keys.", record=record_type.name)  # fmt: skip
        return True

    def _no_record(self, path: str, record: str) -> None:
        absent = self.store.not_loaded(record)
        if absent is not None:
            self.problems.append(attrs.evolve(absent, path=f"{path}.record"))
        else:
            self.wrong(f"{path}.record", "There is no record {record!r} in this build.", "Did you mean {near}?",
                       record=record, near=nearest(record, self.types))  # fmt: skip

    # -- one section -------------------------------------------------------------------------------------------

    def section(self, number: int, section: SectionMapping) -> SectionPlan | None:
        """The plan of a section, or ``None`` when something is wrong with it."""
        path = f"section[{number}]"
        before = len(self.problems)
        defaults = self.mapping.source
        context = self._context(path, section.time_zone or defaults.time_zone)
        source = self._source(path, section)
        columns = dict(self._columns(path, section))
        if source is not None and source.header is not None:
            self._in_header(source, columns)
        for name, tests in (("only_if", section.only_if), ("skip_if", section.skip_if), ("require", section.require)):
            for column, test in tests.items():
                if not is_test(test):
                    self.wrong(f"{path}.{name}.{column}", "{test!r} is no test.",
                               "Write a text, a list of texts, true (has a value) or false (has none).",
                               test=test)  # fmt: skip
        record_type = self.types.get(section.record)
        if record_type is None:
            self._no_record(path, section.record)
            return None
        if self._is_keys(path, record_type):
            return None
        custom = self.policy.custom.get(record_type.name, {})
        self._record(path, section, record_type)
        for name, mapping in section.fields.items():
            field = record_type.by_name.get(name) or custom.get(name)
            if field is None:
                known = [*record_type.by_name, *custom]
                self.wrong(f"{path}.fields.{name}", "{record} has no field {name!r}.", "Did you mean {near}?",
                           record=record_type.name, name=name, near=nearest(name, known))  # fmt: skip
            else:
                self._field(f"{path}.fields.{name}", mapping, field, context)
        if len(self.problems) > before or source is None:
            return None
        return make_plan(
            section,
            source,
            self.types,
            custom,
            self.transforms,
            context,
            system=section.system or defaults.system,
            null_values=defaults.null_values if section.null_values is None else section.null_values,
        )

    def _context(self, path: str, zone: str) -> Context:
        tz = self.policy.tz
        if zone:
            try:
                tz = ZoneInfo(zone)
            except (ValueError, OSError, KeyError):
                self.wrong(f"{path}.time_zone", "There is no time zone {zone!r}.", "Write it as Asia/Shanghai.",
                           zone=zone)  # fmt: skip
        return Context(tz, self.policy.tz, self.policy.currency)

    def _record(self, path: str, section: SectionMapping, record_type: RecordType) -> None:
        if section.on_create == "write":
            fields = (*record_type.fields, *self.policy.custom.get(record_type.name, {}).values())
            missing = [each.name for each in fields if each.required and each.name not in section.fields]
            if missing:
                self.wrong(path, "A new {record} needs {missing}.", 'Map it, or say on_create = "reject".',
                           record=record_type.name, missing=", ".join(missing))  # fmt: skip
        if section.on_update == "date" and (not record_type.dated or "valid_from" in section.fields):
            self.wrong(f"{path}.on_update", '"date" begins a new dated row now; that does not fit here.',
                       "Use it for dated records whose valid_from is not mapped.")  # fmt: skip
        if section.match:
            field = record_type.by_name.get(section.match)
            if field is None or section.match not in section.fields or not isinstance(field.kind, TextKind):
                self.wrong(f"{path}.match", "{match!r} is no text field that this section maps.",
                           "Match by a field such as login or registration_number.", match=section.match)  # fmt: skip
            elif record_type.extends:
                self.wrong(f"{path}.match", "An extension is found by the key of the record it extends.", "Remove it.")

    # -- files and columns -------------------------------------------------------------------------------------

    def _source(self, path: str, section: SectionMapping) -> Source | None:
        defaults = self.mapping.source
        encoding = section.encoding or defaults.encoding
        delimiter = section.delimiter or defaults.delimiter
        if encoding != "auto" and not known_encoding(encoding):
            self.wrong(f"{path}.encoding", "There is no encoding {encoding!r}.", "Write auto, utf-8 or gb18030.",
                       encoding=encoding)  # fmt: skip
            return None
        if delimiter != "auto" and len(delimiter) != 1:
            self.wrong(f"{path}.delimiter", "{delimiter!r} is not one character.", "Write auto, or one character.",
                       delimiter=delimiter)  # fmt: skip
            return None
        sheet = defaults.sheet if section.sheet is None else section.sheet
        header_row = defaults.header_row if section.header_row is None else section.header_row
        beside = self.mapping.path.parent if self.mapping.path else self.folder
        places = [each for each in (self.folder, beside) if _is_file(each / section.file)]
        if places and not any(_lies_in(each, section.file) for each in places):
            # A mapping may come from somebody who sends it, and must not read what else there is on this machine.
            self.wrong(f"{path}.file", "{file!r} lies outside of {folder}.",
                       "A mapping reads files of the data's folder and of its own only: copy it there.",
                       file=section.file, folder=str(self.folder))  # fmt: skip
            return None
        file = next((each / section.file for each in places if _lies_in(each, section.file)), None)
        if file is None:
            present = [each.name for each in self.folder.iterdir()] if self.folder.is_dir() else []
            mend = "Did you mean {near}?" if present else ""
            self.wrong(f"{path}.file", "There is no file {file!r} in {folder}.", mend,
                       file=section.file, folder=str(self.folder), near=nearest(section.file, present))  # fmt: skip
            return None
        known = (file, encoding, delimiter, sheet, header_row)
        if known not in self._sources:
            try:
                self._sources[known] = open_source(file, encoding, delimiter, sheet, header_row)
            except ExchangeError as error:
                self.wrong(f"{path}.file", error.problem, error.mend, **error.values)
                return None
        return self._sources[known]

    def _columns(self, path: str, section: SectionMapping) -> Iterator[tuple[str, list[str]]]:
        """Every place that names columns, with the columns."""
        yield f"{path}.key", self._template(f"{path}.key", section.key)
        for name, tests in (("only_if", section.only_if), ("skip_if", section.skip_if), ("require", section.require)):
            yield f"{path}.{name}", list(tests)
        for name, mapping in section.fields.items():
            place = f"{path}.fields.{name}"
            yield from self._part_columns(place, mapping)
            for part, each in mapping.parts.items():
                yield from self._part_columns(f"{place}.{part}", each)
            if mapping.lookup is not None and mapping.lookup.key:
                yield f"{place}.lookup.key", self._template(f"{place}.lookup.key", mapping.lookup.key)

    def _part_columns(self, path: str, part: PartMapping) -> Iterator[tuple[str, list[str]]]:
        yield path, [*([part.column] if part.column else []), *part.columns]
        if part.template:
            yield f"{path}.template", self._template(f"{path}.template", part.template)

    def _template(self, path: str, source: str) -> list[str]:
        try:
            return list(Template.parse(source).columns)
        except ValueError as error:
            self.problems.append(no_template(path, source, error))
            return []

    def _in_header(self, source: Source, places: Mapping[str, Iterable[str]]) -> None:
        header = source.header or ()
        for path, columns in places.items():
            for column in columns:
                if column not in header:
                    self.wrong(path, "{file} has no column {column!r}.", "Did you mean {near}?",
                               file=source.path.name, column=column, near=nearest(column.strip(), header))  # fmt: skip
                elif header.count(column) > 1:
                    self.wrong(path, "{file} has several columns {column!r}.", "Give them different names in the file.",
                               file=source.path.name, column=column)  # fmt: skip

    # -- fields ------------------------------------------------------------------------------------------------

    def _field(self, path: str, mapping: FieldMapping, field: Field, context: Context) -> None:
        if mapping.parts:
            known = PARTS.get(field.kind.name, ())
            unknown = [part for part in mapping.parts if part not in known]
            if unknown:
                self.wrong(path, "A {kind} has no {part!r}.", "Its parts: {known}.", kind=field.kind.name,
                           part=unknown[0], known=", ".join(known) or "none")  # fmt: skip
            elif isinstance(field.kind, MoneyKind) and "amount" not in mapping.parts:
                self.wrong(path, "An amount of money needs the part amount.", "Map it.")
            for part, each in mapping.parts.items():
                self._part(f"{path}.{part}", each, context)
        elif not (mapping.lookup is not None and mapping.lookup.key):
            self._part(path, mapping, context)
        elif mapping.sources:
            self.wrong(path, "The look-up has a key of its own.", "Remove column, columns, value or template.")
        if mapping.lookup is not None:
            self._lookup(f"{path}.lookup", mapping.lookup, field)

    def _part(self, path: str, part: PartMapping, context: Context) -> None:
        if part.sources != 1:
            self.wrong(path, "It names {count} sources.", "Give one of column, columns, value and template.",
                       count=part.sources or "no")  # fmt: skip
        for number, step in enumerate(part.transform):
            where = f"{path}.transform[{number}]"
            if step.name not in self.transforms:
                self.wrong(where, "There is no transform {name!r}.", "Did you mean {near}?",
                           name=step.name, near=nearest(step.name, self.transforms))  # fmt: skip
                continue
            try:
                bound(step, self.transforms, context)
            except TypeError as error:
                self.wrong(where, "The transform {name} does not take this: {reason}.", "See its options.",
                           name=step.name, reason=str(error))  # fmt: skip

    def _lookup(self, path: str, lookup: Lookup, field: Field) -> None:
        target = self.types.get(lookup.record)
        if target is None:
            self._no_record(path, lookup.record)
            return
        if self._is_keys(path, target):
            return
        for option, name in (("by", lookup.by), ("take", lookup.take)):
            if not name:
                continue
            try:
                found = target.field(name)
            except CrmError as error:
                values = {**error.values, "record": target.name, "field": name}
                self.wrong(f"{path}.{option}", error.problem, error.mend, **values)
                continue
            plain = not found.restricted and len(found.column_names) == 1
            if not plain or (option == "by" and not isinstance(found.kind, TextKind)):
                self.wrong(f"{path}.{option}", "{name!r} cannot be used for a look-up.",
                           "Use a text field (by), or one that is neither restricted nor an address or amount (take).",
                           name=name)  # fmt: skip
        if not lookup.take and isinstance(field.kind, RefKind) and field.kind.target != target.name:
            self.wrong(f"{path}.record", "{field} refers to a {wanted}, not to a {record}.", "Look up a {wanted}.",
                       field=field.name, wanted=field.kind.target, record=target.name)  # fmt: skip


def _lies_in(folder: Path, name: str) -> bool:
    """Whether a name leads to something below a folder, also where a link is on the way."""
    return (folder / name).resolve().is_relative_to(folder.resolve())
