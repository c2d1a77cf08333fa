"""A removal exports everything that the plugin has, takes it away and nothing else, and it can be brought back."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
from sqlalchemy import inspect, text

from crm_core.errors import CrmError
from crm_core.leaving import plan_removal, remove, restore
from crm_core.testing.conformance.leaving import Shown, differing, populated, shown_at_first
from crm_core.testing.conformance.oracle import rows_of
from crm_core.testing.conformance.population import PRINCIPAL
from crm_core.testing.conformance.report import Check, Finding, one_line
from crm_core.testing.conformance.schema import contents
from crm_core.testing.conformance.states import declared_values

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from crm_core.assembly.crm import Crm
    from crm_core.store.leaving.exported import Exported
    from crm_core.testing.conformance.subject import Subject

__all__ = ["CHECK"]

NAME = "leaving-removed"
Rows = Mapping[str, Mapping[int, Mapping[str, Any]]]


@attrs.frozen(eq=False)
class _Before:
    """What is there before the removal: what is shown, all rows, those that lie in tables of the plugin, and fields."""

    shown: Shown
    rows: Rows
    written: Mapping[str, str]
    counts: Mapping[str, tuple[int, set[str]]]
    declared: Rows


def _look(subject: Subject) -> Iterator[Finding]:
    if subject.migration_source is None:
        return  # it has nothing that could be removed
    with populated(subject) as (address, now), tempfile.TemporaryDirectory(prefix="crm-leaving-") as temporary:
        folder = Path(temporary) / "export"
        with subject.opened(address, clock=lambda: now) as crm:
            before = _before(subject, crm)
            try:
                exported = remove(crm, plan_removal(crm, subject.plugin, folder))
            except CrmError as error:
                yield _finding(
                    "It cannot be removed ({reason}).",
                    subject.plugin,
                    "Let downgrade() take back what upgrade() did, also where there are rows, and within one "
                    "transaction.",
                    reason=one_line(error),
                )
                return
        assert exported is not None
        yield from _complete(folder, exported, before)
        left = list(_gone(subject, address, before))
        yield from left
        if not left:
            with subject.opened(address, clock=lambda: now) as crm:
                yield from _restored(subject, crm, folder, before)


def _before(subject: Subject, crm: Crm) -> _Before:
    engine = crm.store.engine
    tables = _tables(engine, subject)
    return _Before(
        shown_at_first(subject, crm),
        _rows(crm),
        contents(engine, tables),
        _counts(engine, tables),
        _declared(subject, crm),
    )


def _rows(crm: Crm) -> dict[str, dict[int, Mapping[str, Any]]]:
    with crm.system_session(PRINCIPAL, read_only=True) as session:
        return rows_of(session)


def _tables(engine: Engine, subject: Subject) -> list[str]:
    """The tables of the plugin, technical ones too; but not the one with the number of its revision."""
    source = subject.migration_source
    assert source is not None
    return sorted(name for name in inspect(engine).get_table_names() if source.owns(name))


def _counts(engine: Engine, tables: list[str]) -> dict[str, tuple[int, set[str]]]:
    """How many rows each table has, and its columns."""
    found = {}
    with engine.connect() as connection:
        for name in tables:
            quoted = connection.dialect.identifier_preparer.quote(name)
            rows = connection.execute(text(f"SELECT count(*) FROM {quoted}"))  # noqa: S608 - a name from the schema
            found[name] = (
                int(rows.scalar_one()),
                {str(each["name"]) for each in inspect(connection).get_columns(name)},
            )
    return found


def _declared(subject: Subject, crm: Crm) -> dict[str, dict[int, dict[str, Any]]]:
    """Every declared field of every row, whenever it holds."""
    with crm.system_session(PRINCIPAL, read_only=True) as session:
        return {
            each.name: {
                row.id: declared_values(each, row) for row in session.list(each.cls, limit=None, all_dates=True)
            }
            for each in subject.types
        }


def _complete(folder: Path, exported: Exported, before: _Before) -> Iterator[Finding]:
    """Every table is there with every row and column, and every record with every field."""
    files = {each.table: each for each in exported.tables}
    for table, (count, columns) in before.counts.items():
        lines = _lines(folder / files[table].file) if table in files else []
        if len(lines) != count or any(line.keys() != columns for line in lines):
            yield _finding(
                "The export of the table {table} is not complete.",
                table,
                "Let the names of all tables of the plugin begin with its own, and give each a primary key.",
                table=table,
            )
        record = files[table].record if table in files else None
        if record is not None and {line["id"] for line in lines} != before.rows[record].keys():
            yield _finding(
                "The export of the table {table} has other rows than the table.", record, "Report it.", table=table
            )
    for record, expected in before.declared.items():
        found = {line["id"]: line for line in _lines(folder / exported.records[record])}
        empty = [
            name
            for id_, values in expected.items()
            for name, value in values.items()
            if id_ not in found or (found[id_].get(name) is None) != (value is None)
        ]
        if found.keys() != expected.keys() or empty:
            yield _finding(
                "The export of {record} for other systems is not complete: {field}.",
                record,
                "Let every row be what its table holds when it is read, whoever reads it.",
                record=record,
                field=empty[0] if empty else "id",
            )


def _lines(path: Path) -> list[dict[str, Any]]:
    with path.open("rb") as file:  # as text, lines would end at whatever Unicode calls the end of one
        return [json.loads(line) for line in file]


def _gone(subject: Subject, address: str, before: _Before) -> Iterator[Finding]:
    """Nothing of it is left, and nothing of anybody else's went or changed with it."""
    with subject.opened(address, without=[subject.plugin]) as crm:
        for table in _tables(crm.store.engine, subject):
            yield _finding(
                "After the removal the table {table} is still there.",
                table,
                "Let downgrade() drop what upgrade() makes.",
                table=table,
            )
        for record, id_ in _changed(before.rows, _rows(crm)):
            yield _finding(
                "The removal changes rows of others: {record} {id}.",
                record,
                "Let downgrade() touch nothing but tables of the plugin, also where those have rows.",
                record=record,
                id=id_,
            )


def _restored(subject: Subject, crm: Crm, folder: Path, before: _Before) -> Iterator[Finding]:
    """Brought back, every row is as it was, and everything is shown as it was."""
    try:
        restore(crm, folder)
        crm.check()
    except CrmError as error:
        yield _finding(
            "What was exported at its removal cannot be restored ({reason}).",
            subject.plugin,
            "Let each revision make its tables as it did when the rows were written.",
            reason=one_line(error),
        )
        return
    yield from _compared(subject, crm, before)


def _compared(subject: Subject, crm: Crm, before: _Before) -> Iterator[Finding]:
    by_itself = "Let revisions make tables, and let nothing in the database change rows by itself (triggers)."
    for record, id_ in _changed(before.rows, _rows(crm)):
        yield _finding(
            "Removed and restored, {record} {id} is not as before.", record, by_itself, record=record, id=id_
        )
        return
    engine = crm.store.engine
    for table in differing(before.written, contents(engine, _tables(engine, subject))):
        what = "Removed and restored, the table {table} is another one than before."
        yield _finding(what, table, by_itself, table=table)
        return
    other = before.shown.otherwise(crm)
    if other is not None:
        yield _finding(
            "Removed and restored, what it shows differs: {way}.",
            subject.plugin,
            "Keep what you show in rows of your own, or compute it from them.",
            way=other,
        )


def _changed(before: Rows, after: Rows) -> Iterator[tuple[str, int]]:
    """Of each type of record that is there afterwards, the first row that is not as before."""
    for record, rows in after.items():
        yield from ((record, id_) for id_ in differing(before[record], rows)[:1])


def _finding(what: str, where: str, mend: str, **values: Any) -> Finding:
    return Finding(NAME, what, where, mend, values)


CHECK = Check(
    NAME,
    "Its removal exports every row and field, dated rows too, takes its tables away and nothing else; restored, every "
    "row and everything that is shown is as before.",
    _look,
    database=True,
)
