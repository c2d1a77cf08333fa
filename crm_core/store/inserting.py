"""New objects of a session, written without SQLAlchemy's unit of work, which costs ten times the insert itself.

The objects become persistent exactly as if it had written them; a rollback makes them transient again.
"""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING

from sqlalchemy import inspect
from sqlalchemy.orm import make_transient

from crm_core.fields.field import Field
from crm_core.records import Record, RecordType
from crm_core.store.bulk import insert_tuples
from crm_core.store.values import key_column, preparer

if TYPE_CHECKING:
    from crm_core.store.journal import Entry
    from crm_core.store.session import CrmSession

__all__ = ["forget_inserted", "insert_pending"]


def insert_pending(
    session: CrmSession, record_type: RecordType, pairs: Sequence[tuple[Record, Entry]], now: dt.datetime
) -> None:
    """Insert pending records, whose checked values are in their entries, and let the session hold them."""
    prepared = preparer(record_type, session.dialect)
    at, by = session.driver_moment(now), session.actor.user_id
    absent = dict.fromkeys(record_type.by_name)
    driver_rows = [prepared.driver_row(record.id, {**absent, **entry.after}, 1, at, by) for record, entry in pairs]
    insert_tuples(session.core_connection(), record_type.table.name, prepared.columns, driver_rows)
    folded, wide = _beside(record_type, prepared.columns)
    for (record, entry), driver_row in zip(pairs, driver_rows, strict=True):
        state = record.__dict__
        state.update(version=1, created_at=now, created_by=by, updated_at=now)
        for name, position in folded:
            state[name] = driver_row[position]
        for field, names in wide:
            value = entry.after.get(field.name)
            parts = (None,) * len(names) if value is None else field.kind.split(value)
            state.update((f"_{name}", part) for name, part in zip(names, parts, strict=True))
        session.writer.inserted.append(record)
    # What SQLAlchemy itself does at the end of a flush. By public ways each record would be taken out, made detached
    # and added again, which costs twenty times as much; tests/store/test_inserting.py says what must come of it.
    session._register_persistent({inspect(record) for record, _ in pairs})


@functools.cache
def _beside(
    record_type: RecordType, columns: tuple[str, ...]
) -> tuple[list[tuple[str, int]], list[tuple[Field, tuple[str, ...]]]]:
    """Sort keys with their places in a row, and fields of several columns with those."""
    folded = [(key_column(field), columns.index(key_column(field))) for field in record_type.fields if field.folded]
    return folded, [(field, field.column_names) for field in record_type.fields if len(field.column_names) > 1]


def forget_inserted(session: CrmSession, records: Sequence[Record]) -> None:
    """The transaction that wrote these records is gone: they are new again, without an id."""
    for record in records:
        if record in session:
            session.expunge(record)
        make_transient(record)
        if not record.crm_type.extends:
            record.__dict__.pop("id", None)
