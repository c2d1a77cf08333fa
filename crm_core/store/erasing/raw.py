"""Erasing in rows of plugins that are not loaded, as they lie in their tables.

The catalogue says which columns are personal, as of the last migration with the plugin.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from sqlalchemy import select, type_coerce, update

from crm_core.fields.columns import Json
from crm_core.store.absent import Absent
from crm_core.store.dependants import reflect
from crm_core.store.differences import RAW
from crm_core.store.journal import Entry
from crm_core.store.marks import ERASED
from crm_core.store.parts import in_parts

if TYPE_CHECKING:
    from crm_core.store.session import CrmSession

__all__ = ["erase_raw"]


def erase_raw(session: CrmSession, known: Absent, ids: Iterable[int]) -> None:
    """Put tombstones into rows, and write that into the log."""
    if not (known.names or known.custom):
        return
    table = reflect(session, known.table)
    if table is None:
        return
    tombstone = {name: value for name, value in known.tombstone.items() if name in table.c}
    before, after = {RAW: dict.fromkeys(tombstone, ERASED)}, {RAW: tombstone}
    custom = type_coerce(table.c.custom, Json())
    for part in in_parts(sorted(ids)):
        query = (
            select(table.c.id, table.c.version, custom.label("own"))
            .where(table.c.id.in_(part))
            .order_by(table.c.id)
            .with_for_update()
        )
        for row in session.core(query).all():
            values: dict[str, Any] = dict(tombstone)
            own = row.own or {}
            if known.custom & own.keys():
                left = {name: value for name, value in own.items() if name not in known.custom}
                values["custom"] = type_coerce(left or None, Json())
            session.core(update(table).where(table.c.id == row.id).values(**values, version=table.c.version + 1))
            session.writer.log.append(Entry(None, known.name, row.id, "update", before, after, row.version + 1))
