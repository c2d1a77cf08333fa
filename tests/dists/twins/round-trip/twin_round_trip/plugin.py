"""The hooks."""

from collections.abc import Iterable

from crm_core import ChangeBatch, CrmSession, Record, hookimpl
from twin_round_trip.records import Thing


@hookimpl
def crm_register_records() -> Iterable[type[Record]]:
    """One record."""
    return [Thing]


@hookimpl
def crm_on_changes(session: CrmSession, batch: ChangeBatch) -> None:
    """Mark what is new."""
    if batch.type is Thing.crm_type:
        for change in batch.of("create"):
            thing = session.require(Thing, change.id)
            thing.name = f"* {thing.name}"[:80]
