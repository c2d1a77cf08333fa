"""The hooks."""

from collections.abc import Iterable

from crm_core import ChangeBatch, CrmSession, Record, hookimpl
from twin_merging_split.records import Thing


@hookimpl
def crm_register_records() -> Iterable[type[Record]]:
    """One record."""
    return [Thing]


@hookimpl
def crm_on_changes(session: CrmSession, batch: ChangeBatch) -> None:
    """Count how often each thing moved."""
    if batch.type is Thing.crm_type:
        for change in batch.of("update"):
            if "account_id" in change.after:
                session.require(Thing, change.id).moves += 1
