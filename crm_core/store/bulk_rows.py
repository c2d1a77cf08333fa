"""Many rows at once from plain mappings: checked, written and journalled in batches, without an object for each."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from crm_core.errors import Problem, ValidationError
from crm_core.records import Record, RecordType
from crm_core.store.collecting import uncollected
from crm_core.store.differences import overlay
from crm_core.store.parts import in_parts
from crm_core.store.values import Preparer, preparer

if TYPE_CHECKING:
    from crm_core.store.session import CrmSession

__all__ = ["add", "change"]

_BATCH = 1000


def add(session: CrmSession, entity: type[Record], rows: Iterable[Mapping[str, Any]], batch: int) -> list[int]:
    """See :meth:`CrmSession.add_many`."""
    session.flush()
    record_type = session._own_type(entity.crm_type)
    prepared = preparer(record_type, session.dialect)
    ids: list[int] = []
    for part in in_parts(rows, min(batch, _BATCH)):
        ids += _add(session, record_type, prepared, part)
    return ids


@uncollected
def _add(
    session: CrmSession,
    record_type: RecordType,
    prepared: Preparer,
    rows: Sequence[Mapping[str, Any]],
) -> list[int]:
    values = prepared.all_values(rows)
    given = [row.get("id") for row in rows]
    if not record_type.extends:
        session._require_own((id_ for id_ in given if id_ is not None), record_type)
    if None in given:
        fresh = iter(session.ids.many(session.core_connection(), given.count(None)))
        given = [next(fresh) if id_ is None else id_ for id_ in given]
    ids: list[int] = given  # type: ignore[assignment]
    session._translated(functools.partial(session.writer.insert, record_type, values, ids))
    return ids


def change(session: CrmSession, entity: type[Record], rows: Iterable[Mapping[str, Any]], batch: int) -> int:
    """See :meth:`CrmSession.update_many`."""
    session.flush()
    record_type = session._own_type(entity.crm_type)
    check = preparer(record_type, session.dialect).check
    changed = 0
    if session.dialect == "postgresql" and isinstance(rows, Sequence):
        # Batch by batch in the order of their ids, as within each: whoever changes the same waits at the first.
        rows = sorted(rows, key=lambda row: row.get("id") or 0)
    for part in in_parts(rows, batch):
        changes: dict[int, dict[str, Any]] = {}
        for row in part:
            if row.get("id") is None:
                raise ValidationError(
                    "{record} cannot be written.",
                    [Problem("id", "It is not said which record is to change.", "Give its id.")],
                    record=record_type.name,
                )
            values = check({name: value for name, value in row.items() if name != "id"})
            changes[row["id"]] = overlay(changes.get(row["id"], {}), values)
        changed += session._translated(functools.partial(session.writer.update, record_type, changes))
    return changed
