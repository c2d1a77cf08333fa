"""The hooks."""

from collections.abc import Iterable

from crm_core import ChangeBatch, Record, hookimpl
from twin_hooks_scale_quadratic.records import Thing


@hookimpl
def crm_register_records() -> Iterable[type[Record]]:
    """One record."""
    return [Thing]


@hookimpl
def crm_on_changes(batch: ChangeBatch) -> None:
    """Find names that occur twice."""
    if batch.type is Thing.crm_type:
        seen: list[int] = []
        for change in batch.of("create"):
            if not any(other == change.id for other in seen):
                seen.append(change.id)
