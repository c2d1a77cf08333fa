"""Erasing personal data: values are replaced by a tombstone in rows and journal; this alone is final."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, select, update

from crm_core.records import RecordType
from crm_core.store.tables import CHANGE
from crm_core.store.values import decode_values, encode_values

if TYPE_CHECKING:
    from crm_core.store.session import CrmSession

__all__ = ["ERASED", "erase_journal", "tombstone"]

ERASED = "[erased]"
"""What stands in place of an erased text; other kinds become empty."""


def tombstone(record_type: RecordType) -> dict[str, Any]:
    """The values that replace the personal fields of a record."""
    return {
        field.name: None if field.optional else ERASED for field in record_type.fields if field.personal
    }


def erase_journal(session: CrmSession, record_type: RecordType, ids: set[int]) -> int:
    """Replace the personal values of records in every journal row; returns how many rows changed."""
    personal = {field.name for field in record_type.fields if field.personal}
    rows = session.core(
        select(CHANGE.c.change_set_id, CHANGE.c.position, CHANGE.c.before, CHANGE.c.after).where(
            CHANGE.c.record_id.in_(sorted(ids)), CHANGE.c.type == record_type.name
        )
    ).all()
    changed = []
    for row in rows:
        before, after = _cleaned(row.before, personal), _cleaned(row.after, personal)
        if (before, after) != (row.before, row.after):
            changed.append(
                {"b_set": row.change_set_id, "b_position": row.position, "b_before": before, "b_after": after}
            )
    if changed:
        session.core(
            update(CHANGE)
            .where(CHANGE.c.change_set_id == bindparam("b_set"), CHANGE.c.position == bindparam("b_position"))
            .values(before=bindparam("b_before"), after=bindparam("b_after")),
            changed,
        )
    return len(changed)


def _cleaned(text: str | None, personal: set[str]) -> str | None:
    if text is None:
        return None
    values = decode_values(None, text)
    if not personal & values.keys():
        return text
    return encode_values({name: ERASED if name in personal else value for name, value in values.items()})
