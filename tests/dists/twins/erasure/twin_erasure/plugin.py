"""The hooks."""

from collections.abc import Iterable

from crm_core import ChangeBatch, Contact, CrmSession, Record, hookimpl
from twin_erasure.records import Thing


@hookimpl
def crm_register_records() -> Iterable[type[Record]]:
    """One record."""
    return [Thing]


@hookimpl
def crm_on_changes(session: CrmSession, batch: ChangeBatch) -> None:
    """Keep the name of the person at hand."""
    if batch.type is Thing.crm_type:
        for change in batch.of("create"):
            thing = session.require(Thing, change.id)
            thing.person = session.require(Contact, thing.contact_id).name
