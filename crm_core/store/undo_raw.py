"""Undoing what was done to rows of plugins that are not in the build, as they lie in their tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sqlalchemy import Row, Table, delete, select

from crm_core.store.absent import absent_type
from crm_core.store.dependants import RAW, change_raw, reflect, restore_raw
from crm_core.store.journal import Entry
from crm_core.store.marks import ERASED
from crm_core.store.values import decode_values

if TYPE_CHECKING:
    from crm_core.store.undo import _Undo

__all__ = ["take_back_raw"]


def take_back_raw(work: _Undo, name: str, operation: str, run: Mapping[int, Row[Any]]) -> None:
    """Rows of a plugin that is not in the build: what was done to them is taken back as they lie in the table."""
    known = absent_type(work.session, name)
    plugin = name.partition(".")[0]
    table = reflect(work.session, known.table) if known is not None else None
    for id_, row in run.items():
        before, after = decode_values(None, row.before).get(RAW, {}), decode_values(None, row.after).get(RAW, {})
        if table is not None and operation == "create" and after:
            _take_away(work, table, name, id_, after, row.version)
        elif table is None:
            work.absent.add(plugin)
            work.conflict(name, id_, "it belongs to the plugin {plugin}, which was removed.", plugin=plugin)
        elif not before:
            work.absent.add(plugin)
            work.conflict(name, id_, "it belongs to the plugin {plugin}, which is not loaded.", plugin=plugin)
        elif ERASED in before.values():
            work.conflict(name, id_, "its person was erased.")
        elif operation == "delete":
            _restore(work, table, name, id_, before, row.version)
        else:
            _revert(work, table, name, id_, before, after)


def _take_away(work: _Undo, table: Table, name: str, id_: int, raw: Mapping[str, Any], version: int) -> None:
    """A row that was made as it lies in the table: only a merge does so, for the extensions of others' plugins."""
    row = work.session.core(select(table).where(table.c.id == id_)).mappings().first()
    if row is None:
        return
    if row["version"] != version:
        work.conflict(name, id_, "it was changed since.")
    elif not work.report.conflicts:
        work.session.core(delete(table).where(table.c.id == id_))
        work.session.writer._take([Entry(None, name, id_, "delete", {RAW: dict(raw)}, {}, version + 1)])
        work.count(work.report.deleted, name, 1)


def _restore(work: _Undo, table: Table, name: str, id_: int, raw: Mapping[str, Any], version: int) -> None:
    if work.session.core(select(table.c.id).where(table.c.id == id_)).first() is not None:
        work.conflict(name, id_, "a record with this id exists again.")
    elif not work.report.conflicts:
        raw = {**raw, "version": version + 1}
        restore_raw(work.session, table, raw)
        work.session.writer._take([Entry(None, name, id_, "create", {}, {RAW: raw}, version + 1)])
        work.count(work.report.restored, name, 1)


def _revert(
    work: _Undo, table: Table, name: str, id_: int, before: Mapping[str, Any], after: Mapping[str, Any]
) -> None:
    row = work.session.core(select(table).where(table.c.id == id_)).mappings().first()
    if row is None:
        work.conflict(name, id_, "it was deleted since.")
        return
    for column in before:
        if row.get(column) != after.get(column):
            work.conflict(name, id_, "{field} was changed since.", field=column)
    if not work.report.conflicts:
        change_raw(work.session, table, id_, before)
        work.session.writer._take(
            [Entry(None, name, id_, "update", {RAW: dict(after)}, {RAW: dict(before)}, row["version"] + 1)]
        )
        work.count(work.report.reverted, name, 1)
