"""A draft for a table, or for a folder of tables that refer to each other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from crm_core.errors import ExchangeError, Problem
from crm_core.exchange.drafting.candidates import Candidate, alternatives, candidates
from crm_core.exchange.drafting.files import tables_in
from crm_core.exchange.drafting.foreign import Recognised, foreign_names, recognised
from crm_core.exchange.drafting.foreign_sections import foreign_sections
from crm_core.exchange.drafting.keys import Key, key_of, prefixes
from crm_core.exchange.drafting.looks import shape
from crm_core.exchange.drafting.model import Draft, FileDraft, Said, SectionDraft, Unmapped
from crm_core.exchange.drafting.model import said as _
from crm_core.exchange.drafting.references import in_order, references, values_of
from crm_core.exchange.drafting.rows import Reading, missing, readings
from crm_core.exchange.drafting.sections import Place, records_made, sections_of
from crm_core.exchange.drafting.table import Column, Table
from crm_core.exchange.drafting.targets import Labels, Target, Targets

if TYPE_CHECKING:
    from crm_core.assembly import Build

__all__ = ["draft"]

_ROUNDS = 3
"""So often it is asked what rows are, since it depends on what the rows are that they refer to."""


def draft(
    build: Build,
    path: str | Path,
    *,
    record: str | None = None,
    labels: Sequence[Labels] = (),
    told: Callable[[str, int, int], None] = lambda *_: None,
) -> Draft:
    """Propose a mapping for a file, or for a folder of files that refer to each other.

    ``record`` is what the rows of a single file are; else it is chosen by how much of the file it explains. ``labels``
    are functions that put a label of a plugin (``None``: the kernel) into another language, such as
    :class:`~crm_core.translation.Translator`; fields are recognised by these, too. ``told`` is told of each file that
    is read. The database is not touched.

    Raises :class:`~crm_core.errors.ExchangeError` where there is no table, where ``record`` is given for several, or
    where nothing of it could be imported; :class:`~crm_core.errors.NotFound` for a record that the build does not have.
    """
    path = Path(path)
    if record is not None:
        build.types.find(record)
    targets = Targets(build, labels, record)
    tables, left = tables_in(path, told)
    if record is not None and len(tables) > 1:
        raise ExchangeError(
            "{path} has {count} tables; they are not all of {record}.", mend="Name one file, or leave --record out.",
            path=str(path), count=len(tables), record=record,
        )  # fmt: skip
    systems = foreign_names(build.foreign_names)
    foreign = {} if record else {id(each): found for each in tables if (found := recognised(each, systems))}
    work = _Work(targets, tables, foreign, record)
    files, further = work.files()
    if not files:
        raise _nothing(path, [*further, *left], record)
    system = next((each.system for each in files if each.system), "")
    return Draft(
        system=system or _system(path),
        time_zone=next((each.time_zone for each in systems if each.system == system), ""),
        nothing=tuple(dict.fromkeys(word for each in files for word in each.table.nothing)),
        files=tuple(files),
        left_out=(*further, *left),
    )


def _system(path: Path) -> str:
    """The name of the folder or file, as one would call the system that it comes from."""
    return "-".join(path.resolve().stem.lower().split()) or "old"


def _nothing(path: Path, left: Sequence[tuple[str, Said]], record: str | None) -> ExchangeError:
    return ExchangeError(
        "No mapping can be drafted from {path}.",
        [Problem(name, template, "", dict(values)) for name, (template, values) in left],
        mend="Say what its rows are by --record, or write the mapping by hand." if record is None else
        "Name another record, or write the mapping by hand.",
        path=str(path),
    )  # fmt: skip


class _Work:
    """One draft: what the tables are, and then what becomes of them."""

    def __init__(
        self, targets: Targets, tables: Sequence[Table], foreign: Mapping[int, Recognised], record: str | None
    ) -> None:
        self.targets = targets
        self.tables = tables
        self.foreign = foreign
        self.record = record
        self.keys: dict[int, Key] = {id(each): key_of(each) for each in tables}
        self.records: dict[int, str] = {}
        self.found: dict[int, list[Candidate]] = {}
        self.read: dict[int, Reading] = {}
        self._read_all()

    def _read_all(self) -> None:
        for key, each in self.foreign.items():
            if each.object is not None and each.object.section and not each.past:
                self.records[key] = str(each.object.section[0]["record"])
        known = {id(column): values_of(column) for table in self.tables for column in table.columns}
        own = [each for each in self.tables if id(each) not in self.foreign]
        for _round in range(_ROUNDS):
            before = dict(self.records)
            others = [(each, self.keys[id(each)].columns[0], self._names(each)) for each in self.tables
                      if id(each) in before and len(self.keys[id(each)].columns) == 1]  # fmt: skip
            for table in own:
                own_key = self.keys[id(table)].columns
                found = candidates(table, self.targets, references(table, others, known, self._speaks), before, own_key)
                read = readings(table, found, self.targets, before, self.record)
                self.found[id(table)] = found
                self.records.pop(id(table), None)
                if read:
                    self.records[id(table)], self.read[id(table)] = read[0].record, read[0]
                    self.keys[id(table)] = key_of(table, read[0])
                else:
                    self.read.pop(id(table), None)
            if self.records == before:
                break

    def _speaks(self, column: Column, other: Table) -> bool:
        """Whether a header is a name for a reference to what another table holds."""
        fields = (self.targets.field(hit.target) for hit in self.targets.named(column.name))
        return any(field.target == self.records.get(id(other)) for field in fields if field.target is not None)

    def _names(self, table: Table) -> Any:
        """The column with the names of a table's records, for those who refer to them so."""
        read = self.read.get(id(table))
        if read is None:
            return None
        has = read.chosen.get(Target(read.record, "name"))
        return has.column if has is not None and has.column.unique else None

    # -- what becomes of them ----------------------------------------------------------------------------------

    def files(self) -> tuple[list[FileDraft], list[tuple[str, Said]]]:
        """The files in the order of their import, and those of which nothing becomes."""
        made: list[tuple[Table, Key, Sequence[str]]] = []
        for each in self.tables:
            read = self.read.get(id(each))
            if read is not None:
                made.append((each, self.keys[id(each)], records_made(read)))
            elif id(each) in self.records:
                made.append((each, self.keys[id(each)], [self.records[id(each)]]))
        before = {pair: "" if pair[0] in self.foreign else word for pair, word in prefixes(made).items()}
        place = Place(targets=self.targets, prefixes=before, keys=self.keys, records=self.records)
        drafts: dict[int, FileDraft] = {}
        left: list[tuple[str, Said]] = []
        for table in self.tables:
            made_of = self._one(table, place)
            if isinstance(made_of, FileDraft):
                drafts[id(table)] = made_of
            else:
                left.append((table.path.name if not table.sheet else f"{table.path.name}: {table.sheet}", made_of))
        makers = _makers(drafts)
        needed = {key: [*self._referred(key), *_others(each, makers)] for key, each in drafts.items()}
        ordered = in_order([each.table for each in drafts.values()], needed)
        return [drafts[id(table)] for table in ordered if id(table) in drafts], left

    def _referred(self, key: int) -> list[Table]:
        read = self.read.get(key)
        chosen = read.chosen.values() if read is not None else ()
        return [each.reference.table for each in chosen if each.reference is not None]

    def _one(self, table: Table, place: Place) -> FileDraft | Said:
        foreign = self.foreign.get(id(table))
        if foreign is not None:
            return self._foreign(table, foreign)
        read = self.read.get(id(table))
        if read is None and self.record is not None:
            wanted = ", ".join(missing(self.record, table, self.found[id(table)], self.targets))
            return _("a new {record} needs {missing}, which no column says", record=self.record, missing=wanted)
        if read is None:
            return _("no record of this build has what its columns say")
        every = self.found[id(table)]
        sections = tuple(sections_of(table, read, attrs.evolve(place, every=every)))
        return self._file(table, sections, read.record, read.certainty, read.because)

    def _foreign(self, table: Table, found: Recognised) -> FileDraft | Said:
        label = found.system.label or found.system.system
        if found.past:
            return _("it holds former states of records of {system}", system=label)
        if found.object is None:
            return _("it is of {system}, and nothing here knows what becomes of it", system=label)
        name = found.object.name
        every = self.found[id(table)] = candidates(table, self.targets)
        sections = tuple(foreign_sections(table, found, self.targets, every))
        if not sections:
            return _("its rows are {object} of {system}, of which nothing becomes in this build", object=name,
                     system=label)  # fmt: skip
        because = _("its rows are {object} of {system}", object=name, system=label)
        return self._file(table, sections, sections[0].record, found.certainty, because, found.system.system)

    def _file(
        self, table: Table, sections: tuple[SectionDraft, ...], record: str, certainty: float, because: Said,
        system: str = "",
    ) -> FileDraft:  # fmt: skip
        used = {column for section in sections for field in section.fields for column in field.columns}
        used |= {column.header for column in self.keys[id(table)].columns}
        tests = [section.options.get(name, {}) for section in sections for name in ("only_if", "skip_if")]
        used |= {column for each in tests for column in each}
        leaves = set(_leaves(sections))
        unmapped = [
            Unmapped(column.header if not column.path else f"{column.header}: {column.path}", shape(column),
                     alternatives(column, self.found[id(table)]))
            for column in table.columns
            if (column.header not in used if not column.path else (column.header, column.path) not in leaves)
        ]  # fmt: skip
        remarks: list[Said] = []
        if table.broken:
            remarks.append(_("{count} rows cannot be read and were passed over.", count=table.broken))
        if not table.complete:
            remarks.append(_("Only the first {count} rows were looked at.", count=len(table.rows)))
        return FileDraft(
            table=table, record=record, certainty=certainty, because=because, sections=sections,
            unmapped=tuple(unmapped), remarks=tuple(remarks), system=system,
        )  # fmt: skip


def _leaves(sections: Sequence[SectionDraft]) -> Iterator[tuple[str, str]]:
    """The columns with XML, and the paths into it, that fields are read from."""
    for field in (field for section in sections for field in section.fields):
        steps = field.value.get("transform") if isinstance(field.value, dict) else None
        for step in steps if isinstance(steps, list) else [steps]:
            if isinstance(step, dict) and step.get("name") == "xml":
                yield field.value["column"], step["path"]


def _makers(drafts: Mapping[int, FileDraft]) -> dict[str, list[FileDraft]]:
    found: dict[str, list[FileDraft]] = {}
    for each in drafts.values():
        for section in each.sections:
            found.setdefault(section.record, []).append(each)
    return found


def _others(each: FileDraft, makers: Mapping[str, Sequence[FileDraft]]) -> list[Table]:
    """The other tables that make what a file looks up and does not make itself."""
    own = {section.record for section in each.sections}
    return [other.table for record in _needed(each) if record not in own for other in makers.get(record, ())]


def _needed(each: FileDraft) -> Iterator[str]:
    """The records that a file's sections look up."""
    for section in each.sections:
        for field in section.fields:
            lookup = field.value.get("lookup") if isinstance(field.value, dict) else None
            if lookup is not None:
                yield lookup if isinstance(lookup, str) else str(lookup["record"])
