"""Bringing the rows of a plugin back into its tables, and letting them fit what has happened meanwhile.

The rows come back as they were, with ids and versions, so that their histories go on. What they refer to may have
changed: a customer that was merged is followed to the one that stays, one that is gone takes them along or empties the
reference, as it would have done; and what belongs to a person who was erased meanwhile comes back without personal
values. Each such change is journalled.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
from sqlalchemy import Table, and_, delete, exists, func, insert, select, text, update

from crm_core.domain.redirects import Redirect
from crm_core.store.absent import Absent, absent_of
from crm_core.store.catalogue import SOFT, Reference
from crm_core.store.dependants import restore_raw
from crm_core.store.differences import RAW
from crm_core.store.erasing.raw import erase_raw
from crm_core.store.journal import Entry
from crm_core.store.leaving.dump import TableFile, lines_of, sum_of, sums, with_bytes
from crm_core.store.leaving.exported import Exported
from crm_core.store.leaving.tables import bare, bytes_of
from crm_core.store.tables import CHANGE, CHANGE_SET, FEED_POSITION, JOB, SEARCH_STATE
from crm_core.store.values import encode_values

if TYPE_CHECKING:
    from crm_core.store.session import CrmSession

__all__ = ["Brought", "bring_back", "is_back"]

_PAGE = 500
_ERASED_AT = "erased_at"


@attrs.define
class Brought:
    """What came back: rows by table; ``followed``, ``emptied``, ``erased`` and ``rejected`` count by record type.

    ``rejected`` rows were not brought back, because what they hang on is gone; they are in ``rejects``.
    """

    rows: Counter[str] = attrs.field(factory=Counter)
    followed: Counter[str] = attrs.field(factory=Counter)
    emptied: Counter[str] = attrs.field(factory=Counter)
    erased: Counter[str] = attrs.field(factory=Counter)
    rejected: Counter[str] = attrs.field(factory=Counter)
    rejects: Path | None = None


def bring_back(session: CrmSession, folder: Path, exported: Exported, *, anew: bool = False) -> Brought:
    """Insert the rows of all files into tables of the same revision, within the transaction of ``session``.

    Rows that are there already stay as they are, so that it can be repeated. But in tables that were made ``anew`` just
    now they go first: a revision filled them as it did when the plugin came, and what became of those rows is in the
    export.
    """
    brought = Brought()
    work = _Work(session, folder, exported, brought)
    if session.dialect == "postgresql":
        session.core(text("SET CONSTRAINTS ALL DEFERRED"))
    else:
        session.core(text("PRAGMA defer_foreign_keys = ON"))
    for table in work.tables.values() if anew else ():
        session.core(delete(table))
    for file in exported.tables:
        work.insert(file)
    work.fit()
    work.erase()
    work.jobs()
    session.core(delete(SEARCH_STATE).where(SEARCH_STATE.c.type.in_([row["name"] for row in exported.types])))
    return brought


def is_back(session: CrmSession, folder: Path, exported: Exported) -> bool:
    """Whether every row was brought back before, or went since; looked up by id, whatever the tables look like now."""
    work = _Work(session, folder, exported, Brought())
    return not any(next(work.wanted(file), None) for file in exported.tables if "id" in file.columns)


class _Work:
    def __init__(self, session: CrmSession, folder: Path, exported: Exported, brought: Brought) -> None:
        self.session = session
        self.folder = folder
        self.exported = exported
        self.brought = brought
        self.tables = {each.table: bare(session.core_connection(), each.table) for each in exported.tables}
        self.records = {each.table: each.record for each in exported.tables}

    # -- inserting ---------------------------------------------------------------------------------------------

    def insert(self, file: TableFile) -> None:
        table, rows = self.tables[file.table], self.wanted(file)
        binary = bytes_of(self.session.core_connection(), file.table)
        while part := [with_bytes(row, binary) for row in islice(rows, _PAGE)]:
            self.brought.rows[file.table] += len(part)
            if self.session.dialect == "postgresql":
                quoted = self.session.core_connection().dialect.identifier_preparer.quote(file.table)
                self.session.core(
                    text(
                        f"INSERT INTO {quoted} SELECT * "  # noqa: S608
                        f"FROM json_populate_recordset(NULL::{quoted}, CAST(:rows AS json))"
                    ),
                    {"rows": json.dumps(part, ensure_ascii=False, default=_bytea)},
                )
            else:
                self.session.core(insert(table), part)

    def wanted(self, file: TableFile) -> Iterator[dict[str, Any]]:
        """The rows of a file that are not there, and did not go in an earlier attempt."""
        table = self.tables[file.table]
        rows = lines_of(self.folder / file.file, file)
        if "id" in table.c:
            while part := list(islice(rows, _PAGE)):
                yield from self._missing(table, part)
            return
        # Without an id only the whole row says which it is; the revisions may have written some of them again.
        there = sums(self.session.core_connection(), file.table)
        for row in rows:
            known = sum_of(row)
            if there[known]:
                there[known] -= 1
            else:
                yield row

    def _missing(self, table: Table, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Those that are not there, and did not go in an earlier attempt."""
        ids = [row["id"] for row in rows]
        there = set(self.session.core(select(table.c.id).where(table.c.id.in_(ids))).scalars())
        record = self.records[table.name]
        query = select(CHANGE.c.record_id, func.max(CHANGE.c.version)).where(
            CHANGE.c.record_id.in_(ids), CHANGE.c.type == record, CHANGE.c.operation == "delete"
        )
        rows_gone: Any = self.session.core(query.group_by(CHANGE.c.record_id))
        gone: dict[int, int] = {row[0]: row[1] for row in rows_gone}
        return [row for row in rows if row["id"] not in there and gone.get(row["id"], 0) <= row.get("version", 0)]

    # -- fitting -----------------------------------------------------------------------------------------------

    def fit(self) -> None:
        """Let references lead to what is there, until nothing changes: what goes takes along what hangs on it."""
        references = [each for each in self.exported.references if each.action != SOFT and each.table in self.tables]
        changed = True
        while changed:
            changed = False
            for reference in references:
                for rows in self._lost(reference):
                    changed = True
                    self._settle(reference, rows)

    def _lost(self, reference: Reference) -> Iterator[list[dict[str, Any]]]:
        table = self.tables[reference.table]
        target = bare(self.session.core_connection(), reference.target).alias("target")  # it may be the same table
        column = table.c[reference.column]
        query = select(table).where(column.is_not(None), ~exists().where(target.c.id == column))
        while rows := self.session.core(query.limit(_PAGE)).mappings().all():
            yield [{str(name): value for name, value in row.items()} for row in rows]

    def _settle(self, reference: Reference, rows: list[dict[str, Any]]) -> None:
        column, followed = reference.column, self._redirects(reference, rows)
        taken: set[int] = set()
        if column == "id":  # the target may have an extension of its own
            table = self.tables[reference.table]
            query = select(table.c.id).where(table.c.id.in_(sorted(set(followed.values()))))
            taken = set(self.session.core(query).scalars())
        for row in rows:
            to = followed.get(row[column])
            if to is not None and column == "id" and to not in taken:
                taken.add(to)
                self._move_extension(reference, row, to)
            elif to is not None and column != "id":
                self._change(reference, row, to)
                self.brought.followed[reference.type] += 1
            elif reference.action == "clear":
                self._change(reference, row, None)
                self.brought.emptied[reference.type] += 1
            else:
                self._reject(reference, row)

    def _redirects(self, reference: Reference, rows: list[dict[str, Any]]) -> dict[int, int]:
        """What lost targets were merged into, by id, where that is there."""
        redirect, target = Redirect.crm_type.table, bare(self.session.core_connection(), reference.target)
        record = next((each.name for each in self.session.types.values() if each.table.name == reference.target), None)
        steps = {row[reference.column]: row[reference.column] for row in rows}
        found: dict[int, int] = {}
        while steps:
            query = select(redirect.c.source_id, redirect.c.target_id).where(
                redirect.c.record_type == record, redirect.c.source_id.in_(sorted(set(steps.values())))
            )
            next_ = {row.source_id: row.target_id for row in self.session.core(query)}
            steps = {id_: next_[at] for id_, at in steps.items() if at in next_}
            found |= steps
        there = select(target.c.id).where(target.c.id.in_(sorted(set(found.values()))))
        present = set(self.session.core(there).scalars())
        return {id_: to for id_, to in found.items() if to in present}

    def _change(self, reference: Reference, row: Mapping[str, Any], value: int | None) -> None:
        table, column = self.tables[reference.table], reference.column
        new = {column: value, "version": table.c.version + 1}
        self.session.core(update(table).where(table.c.id == row["id"]).values(new))
        before, after = {RAW: {column: row[column]}}, {RAW: {column: value}}
        self._note(Entry(None, reference.type, row["id"], "update", before, after, row["version"] + 1))

    def _move_extension(self, reference: Reference, row: dict[str, Any], to: int) -> None:
        table, version = self.tables[reference.table], row["version"] + 1
        moved = {**row, "id": to, "version": version}
        restore_raw(self.session, table, moved)
        self.session.core(delete(table).where(table.c.id == row["id"]))
        self._note(Entry(None, reference.type, to, "create", {}, {RAW: moved}, version))
        self._note(Entry(None, reference.type, row["id"], "delete", {RAW: row}, {}, version))
        self.brought.followed[reference.type] += 1

    def _reject(self, reference: Reference, row: Mapping[str, Any]) -> None:
        table = self.tables[reference.table]
        self.session.core(delete(table).where(table.c.id == row["id"]))
        self._note(Entry(None, reference.type, row["id"], "delete", {RAW: dict(row)}, {}, row["version"] + 1))
        self.brought.rejected[reference.type] += 1
        self.brought.rejects = self.folder / "rejected.jsonl"
        with self.brought.rejects.open("a", encoding="utf-8") as file:
            reason = f"{reference.column}: {row[reference.column]} is gone"
            file.write(encode_values({"record": reference.type, "reason": reason, "row": dict(row)}) + "\n")

    def _note(self, entry: Entry) -> None:
        self.session.writer.log.append(entry)

    # -- erasing -----------------------------------------------------------------------------------------------

    def erase(self) -> None:
        """Leave out what is personal of people who were erased since the export."""
        for record_type in self.session.types.values():
            if _ERASED_AT not in record_type.by_name:
                continue
            for known in (absent_of(row) for row in self.exported.types):
                columns = [column for column, target in known.targets.items() if target == record_type.name]
                for column in columns if known.table in self.tables else ():
                    self._erase(known, column, record_type.table)

    def _erase(self, known: Absent, column: str, persons: Table) -> None:
        table = self.tables[known.table]
        erased = (
            select(persons.c.id)
            .join(CHANGE, and_(CHANGE.c.record_id == persons.c.id, CHANGE.c.operation == "update"))
            .join(CHANGE_SET, CHANGE_SET.c.id == CHANGE.c.change_set_id)
            .where(CHANGE_SET.c.source == "erasure", CHANGE_SET.c.at >= self.exported.at)
            # The journal of then may be detached; the person's record says it, too.
            .union(select(persons.c.id).where(persons.c[_ERASED_AT] >= self.exported.at))
        )
        ids = self.session.core(select(table.c.id).where(table.c[column].in_(erased))).scalars().all()
        if ids:
            erase_raw(self.session, known, ids)
            self.brought.erased[known.name] += len(ids)

    # -- the rest ----------------------------------------------------------------------------------------------

    def jobs(self) -> None:
        """Put back what waited in the queue, and where the plugin stood in the feed."""
        present = set(self.session.core(select(JOB.c.id)).scalars())
        for job in self.exported.jobs:
            if job["id"] not in present:
                self.session.core(insert(JOB).values(_typed(job)))
        if self.exported.consumer is not None:
            place, change_set = self.exported.consumer
            position = {"place": place, "change_set_id": change_set, "failures": 0, "put_aside": 0}
            known = FEED_POSITION.c.consumer == self.exported.plugin
            if self.session.core(select(FEED_POSITION.c.consumer).where(known)).first() is None:
                self.session.core(insert(FEED_POSITION).values(consumer=self.exported.plugin, **position))
            else:
                self.session.core(update(FEED_POSITION).where(known).values(**position))


def _typed(job: Mapping[str, Any]) -> dict[str, Any]:
    """A row of the queue from JSON."""
    import datetime as dt

    from crm_core.fields.columns import Moment

    return {
        name: dt.datetime.fromisoformat(value) if value is not None and isinstance(JOB.c[name].type, Moment) else value
        for name, value in job.items()
    }


def _bytea(value: bytes) -> str:
    """Bytes as the text that PostgreSQL reads as such."""
    return rf"\x{value.hex()}"
