"""What is exported of the plugin's records can be imported into another database, and is the same there."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from crm_core.domain.external import ExternalRef
from crm_core.errors import CrmError
from crm_core.exchange import ImportReport, mapping_of_exports, run_export, run_import
from crm_core.records import KERNEL
from crm_core.testing.conformance.marks import Lively
from crm_core.testing.conformance.population import PRINCIPAL, derived, populate
from crm_core.testing.conformance.report import Check, Finding, one_line
from crm_core.testing.conformance.states import declared_values

if TYPE_CHECKING:
    from crm_core.assembly.crm import Crm
    from crm_core.records import RecordType
    from crm_core.testing.conformance.subject import Subject

__all__ = ["CHECK"]

NAME = "round-trip"
_SYSTEM = "conformance"


def _look(subject: Subject) -> Iterator[Finding]:
    if not subject.types:
        return
    # JSON lines lose nothing, whatever the values; a table of cells cannot tell an empty text from none.
    lively = Lively(random.Random(subject.seeds[0]), subject.now)  # noqa: S311 - made up, no secrets
    for suffix, liven in (("jsonl", None), ("csv", lively)):
        with subject.crm() as crm, tempfile.TemporaryDirectory(prefix="crm-round-trip-") as folder:
            made = derived(subject)
            types = [name for name, each in crm.types.items() if each.plugin != KERNEL and name not in made]
            populate(subject, crm, each=subject.examples, types=types, seed=subject.seeds[0], liven=liven)
            if suffix == "csv":
                _drop_empty(crm, subject.types)
            files = {name: f"{name}.{suffix}" for name in _with_targets(crm, subject.types)}
            with crm.system_session(PRINCIPAL, read_only=True) as session:
                for name, file in files.items():
                    run_export(session, name, None, Path(folder) / file, all_dates=True)
            yield from _imported(subject, crm, Path(folder), files)


def _drop_empty(crm: Crm, types: tuple[RecordType, ...]) -> None:
    """Delete rows with an empty text where there must be one."""
    for record_type in types:
        texts = [each.name for each in record_type.fields if not each.optional]
        with crm.system_session(PRINCIPAL) as session:
            rows = session.list(record_type.cls, limit=None, all_dates=True)
            session.delete_many(
                record_type.cls, [row.id for row in rows if "" in (getattr(row, each) for each in texts)]
            )


def _with_targets(crm: Crm, types: tuple[RecordType, ...]) -> list[str]:
    """The plugin's records and everything that they refer to, directly or not."""
    wanted: dict[str, None] = {}
    left = [record_type.name for record_type in types]
    while left:
        name = left.pop()
        if name not in wanted:
            wanted[name] = None
            record_type = crm.types[name]
            left += [str(field.target) for field in record_type.refs]
            left += [record_type.extends] if record_type.extends else []
    return list(wanted)


def _imported(subject: Subject, crm: Crm, folder: Path, files: Mapping[str, str]) -> Iterator[Finding]:
    with subject.crm() as other:
        try:
            mapping = mapping_of_exports(other.types, files, system=_SYSTEM, custom=other.build.policy.custom)
            report = run_import(other, mapping, folder)
        except CrmError as error:
            yield _finding(
                "The export cannot be imported into another database: {reason}",
                subject.plugin,
                reason=one_line(error),
            )
            return
        rejected = set(_rejected(report))
        for record, reason in sorted(rejected):
            yield _finding("A row of the export is rejected by an import: {reason}", record, reason=reason)
        for record_type in subject.types:
            if record_type.name not in {record for record, _ in rejected}:
                yield from _compared(crm, other, record_type, lossless=files[record_type.name].endswith("jsonl"))


def _rejected(report: ImportReport) -> Iterator[tuple[str, str]]:
    for section in report.sections:
        for each in report.first_rejects:
            if each.section == section.name:
                yield section.name, " ".join(each.reason.split())


def _compared(crm: Crm, other: Crm, record_type: RecordType, *, lossless: bool) -> Iterator[Finding]:
    here, there = _rows(crm, record_type), _rows(other, record_type)
    now = _keys(other)
    for id_, values in here.items():
        came = there.get(now.get((record_type.extends or record_type.name, id_), -1))
        if came is None:
            yield _finding("An exported row is missing after the import.", record_type.name)
            return
        expected = {name: _moved(record_type, name, value, now) for name, value in values.items()}
        # A table of cells has one way to say nothing, and no place for what ends a line or stands around a word.
        wrong = [
            name
            for name, value in expected.items()
            if came[name] != value and (lossless or not _is_text(value, came[name]))
        ]
        if wrong:
            yield _finding(
                "After an export and an import {field} is {came!r} and no longer {value!r}.",
                record_type.name,
                field=wrong[0],
                came=came[wrong[0]],
                value=expected[wrong[0]],
            )
            return
    if len(there) > len(here):
        yield _finding("The import makes more rows than were exported.", record_type.name)


def _is_text(*values: Any) -> bool:
    return all(value is None or isinstance(value, str | frozenset | list | dict) for value in values)


def _rows(crm: Crm, record_type: RecordType) -> dict[int, dict[str, Any]]:
    with crm.system_session(PRINCIPAL, read_only=True) as session:
        rows = session.list(record_type.cls, limit=None, all_dates=True)
        return {row.id: declared_values(record_type, row) for row in rows}


def _keys(crm: Crm) -> dict[tuple[str, int], int]:
    """The new id of each exported record, by type and old id."""
    with crm.system_session(PRINCIPAL, read_only=True) as session:
        query = select(ExternalRef.record_type, ExternalRef.key, ExternalRef.record_id)
        rows = session.execute(query.where(ExternalRef.system == _SYSTEM))
        found = {(record, int(key)): id_ for record, key, id_ in rows}
    # An extension has the id and the key of the record that it extends.
    extensions = {name: each.extends for name, each in crm.types.items() if each.extends}
    return found | {
        (name, key): id_ for name, extended in extensions.items() for (record, key), id_ in found.items()
        if record == extended
    }  # fmt: skip


def _moved(record_type: RecordType, name: str, value: Any, now: Mapping[tuple[str, int], int]) -> Any:
    target = record_type.by_name[name].target
    return value if target is None or value is None else now.get((target, value))


def _finding(what: str, where: str, **values: Any) -> Finding:
    return Finding(
        NAME,
        what,
        where,
        "Let the plugin's rules bear a batch that an import writes (many rows at once, by a system principal, in any "
        "order), and keep what is written as it is.",
        values,
    )


CHECK = Check(
    NAME,
    "What is exported of its records, as JSON lines and as CSV, is the same in another database after an import.",
    _look,
    database=True,
)
