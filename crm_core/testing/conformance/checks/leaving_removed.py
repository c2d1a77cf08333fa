"""A removal exports everything that the plugin has, takes it away and nothing else, and it can be brought back."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import inspect, text

from crm_core.errors import CrmError
from crm_core.leaving import plan_removal, remove, restore
from crm_core.testing.conformance.kept import accounts_with_rows, look, populated, told_at_first, unequal, words_of
from crm_core.testing.conformance.oracle import rows_of
from crm_core.testing.conformance.population import PRINCIPAL
from crm_core.testing.conformance.report import Check, Finding
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


def _look(subject: Subject) -> Iterator[Finding]:
    if subject.migration_source is None:
        return  # it has nothing that could be removed
    with populated(subject) as (address, now), tempfile.TemporaryDirectory(prefix="crm-leaving-") as temporary:
        folder = Path(temporary) / "export"
        with subject.opened(address, clock=lambda: now) as crm:
            accounts, words = accounts_with_rows(crm, subject), words_of(crm, subject)
            told, before, tables = told_at_first(subject, crm), _rows(crm), _tables(crm.store.engine, subject)
            written = contents(crm.store.engine, tables)
            declared = _declared(subject, crm)
            counts = _counts(crm.store.engine, tables)
            try:
                exported = remove(crm, plan_removal(crm, subject.plugin, folder))
            except CrmError as error:
                yield _finding(
                    "It cannot be removed ({reason}).",
                    subject.plugin,
                    "Let downgrade() take back what upgrade() did, also where there are rows, and within one "
                    "transaction.",
                    reason=_said(error),
                )
                return
        assert exported is not None
        yield from _complete(folder, exported, counts, before, declared)
        left = list(_gone(subject, address, before))
        yield from left or _restored(subject, address, folder, now, told, before, written, accounts, words)


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


def _complete(
    folder: Path, exported: Exported, counts: Mapping[str, tuple[int, set[str]]], rows: Rows, declared: Rows
) -> Iterator[Finding]:
    """Every table is there with every row and column, and every record with every field."""
    files = {each.table: each for each in exported.tables}
    for table, (count, columns) in counts.items():
        lines = _lines(folder / files[table].file) if table in files else []
        if len(lines) != count or any(line.keys() != columns for line in lines):
            yield _finding(
                "The export of the table {table} is not complete.",
                table,
                "Let the names of all tables of the plugin begin with its own, and give each a primary key.",
                table=table,
            )
        record = files[table].record if table in files else None
        if record is not None and {line["id"] for line in lines} != rows[record].keys():
            yield _finding(
                "The export of the table {table} has other rows than the table.", record, "Report it.", table=table
            )
    for record, expected in declared.items():
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
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def _gone(subject: Subject, address: str, before: Rows) -> Iterator[Finding]:
    """Nothing of it is left, and nothing of anybody else's went or changed with it."""
    with subject.opened(address, without=[subject.plugin]) as crm:
        for table in _tables(crm.store.engine, subject):
            yield _finding(
                "After the removal the table {table} is still there.",
                table,
                "Let downgrade() drop what upgrade() makes.",
                table=table,
            )
        for record, rows in _rows(crm).items():
            changed = sorted(
                id_ for id_ in rows.keys() | before[record].keys() if rows.get(id_) != before[record].get(id_)
            )
            if changed:
                yield _finding(
                    "The removal changes rows of others: {record} {id}.",
                    record,
                    "Let downgrade() touch nothing but tables of the plugin, also where those have rows.",
                    record=record,
                    id=changed[0],
                )


def _restored(
    subject: Subject,
    address: str,
    folder: Path,
    now: Any,
    told: Mapping[tuple[str, str, str], Any],
    before: Rows,
    written: Mapping[str, str],
    accounts: list[int],
    words: list[str],
) -> Iterator[Finding]:
    """Brought back, every row is as it was, and everything is shown as it was."""
    with subject.opened(address, clock=lambda: now) as crm:
        try:
            restore(crm, folder)
            crm.check()
        except CrmError as error:
            yield _finding(
                "What was exported at its removal cannot be restored ({reason}).",
                subject.plugin,
                "Let each revision make its tables as it did when the rows were written.",
                reason=_said(error),
            )
            return
        after = _rows(crm)
        for record, rows in before.items():
            changed = sorted(
                id_ for id_ in rows.keys() | after[record].keys() if rows.get(id_) != after[record].get(id_)
            )
            if changed:
                yield _finding(
                    "Removed and restored, {record} {id} is not as before.",
                    record,
                    "Let revisions make tables, and let nothing in the database change rows by itself (triggers).",
                    record=record,
                    id=changed[0],
                )
                return
        again = contents(crm.store.engine, _tables(crm.store.engine, subject))
        changed_tables = _differing(written, again)
        other = unequal(told, dict(look(crm, accounts, words)))
        if changed_tables:
            yield _finding(
                "Removed and restored, the table {table} is another one than before.",
                changed_tables[0],
                "Let revisions make tables, and let nothing in the database change rows by itself (triggers).",
                table=changed_tables[0],
            )
        elif other is not None:
            yield _finding(
                "Removed and restored, what it shows differs: {way}.",
                subject.plugin,
                "Keep what you show in rows of your own, or compute it from them.",
                way=other,
            )


def _differing(before: Mapping[Any, Any], after: Mapping[Any, Any]) -> list[Any]:
    return sorted(key for key in before.keys() | after.keys() if before.get(key) != after.get(key))


def _said(error: CrmError) -> str:
    return " ".join(error.text().split())[:300]


def _finding(what: str, where: str, mend: str, **values: Any) -> Finding:
    return Finding(NAME, what, where, mend, values)


CHECK = Check(
    NAME,
    "Its removal exports every row and field, dated rows too, takes its tables away and nothing else; restored, every "
    "row and everything that is shown is as before.",
    _look,
    database=True,
)
