"""What an undo must not tell: that records or changes stand in its way which the actor may not see."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from sqlalchemy import select

from crm_core.errors import Problem, UndoConflict
from crm_core.records import Administered
from crm_core.store.tables import CHANGE
from crm_core.store.values import decode_values

if TYPE_CHECKING:
    from crm_core.store.session import CrmSession
    from crm_core.store.undo import UndoReport

__all__ = ["is_hidden", "refuse_unseen", "seen_before", "touches_hidden", "unseen_keys"]


def touches_hidden(session: CrmSession, change_set_id: int, only: Mapping[str, Collection[int]] | None = None) -> bool:
    """Whether a record that the change set touched (of those in ``only``) exists and is no longer seen by the actor."""
    query = select(CHANGE.c.type, CHANGE.c.record_id).where(CHANGE.c.change_set_id == change_set_id).distinct()
    touched: dict[str, set[int]] = {}
    for row in session.core(query):
        if only is None or row.record_id in only.get(row.type, ()):
            touched.setdefault(row.type, set()).add(row.record_id)
    return any(is_hidden(session, name, ids) for name, ids in touched.items())


def seen_before(session: CrmSession, change_set_id: int) -> dict[str, set[int]]:
    """What records that are to be restored refer to and the actor sees now, by type.

    In the middle of an undo it may be out of sight: the one who gets an account back does not own it yet.
    """
    query = select(CHANGE.c.type, CHANGE.c.before).where(
        CHANGE.c.change_set_id == change_set_id, CHANGE.c.operation == "delete"
    )
    wanted: dict[str, set[int]] = {}
    for row in session.core(query):
        record_type = session.types.get(row.type)
        if record_type is not None:
            values = decode_values(record_type, row.before)
            for field in record_type.refs:
                if field.target is not None and isinstance(values.get(field.name), int):
                    wanted.setdefault(field.target, set()).add(values[field.name])
    return {name: session.writer.visible_ids(session.types[name], ids) for name, ids in wanted.items()}


def is_hidden(session: CrmSession, name: str, ids: set[int]) -> bool:
    """Whether some of these records exist and are not seen; what belongs to no plugin of the build is not."""
    record_type = session.types.get(name)
    if record_type is None:
        return True
    if isinstance(record_type.access, Administered):
        return False  # keys in other systems, which the kernel itself keeps beside the record
    return bool(session.writer.rows(record_type, ids, fields=()).keys() - session.writer.visible_ids(record_type, ids))


def unseen_keys(session: CrmSession) -> frozenset[str]:
    """Types of what the kernel itself keeps beside records, where the actor may not know of it.

    It does not keep anybody from taking back what they did; but what became of it since is not theirs to know.
    """
    return frozenset(
        name
        for name, record_type in session.types.items()
        if isinstance(record_type.access, Administered)
        and not session.visibility.reach(record_type.permission("read")).all
    )


def refuse_unseen(report: UndoReport) -> UndoReport:
    """Say no more than that it cannot be done: what stands in the way may not be told."""
    for part in (report.deleted, report.restored, report.reverted):
        part.clear()
    report.conflicts[:] = [Problem("", "something stands on it that you may not see.")]
    if report.dry_run:
        return report
    raise UndoConflict(
        "The change set {id} cannot be undone by you. Nothing was changed.",
        report.conflicts,
        mend="Ask somebody whose role has the permission system.undo.",
        id=report.undone.id,
    )
