"""The hooks."""

from collections.abc import Iterable, Sequence

from sqlalchemy import func, select

from crm_core import ChangeSet, Crm, Record, hookimpl
from twin_hooks_scale_committed.records import Thing


@hookimpl
def crm_register_records() -> Iterable[type[Record]]:
    """One record."""
    return [Thing]


@hookimpl
def crm_on_committed(crm: Crm, change_sets: Sequence[ChangeSet]) -> None:
    """Count what there is after each change."""
    for change_set in change_sets:
        for _ in change_set.changes:
            with crm.system_session("twin", read_only=True) as session:
                session.scalar(select(func.count()).select_from(Thing))
