"""The hooks."""

from collections.abc import Iterable

from sqlalchemy import select

from crm_core import Account, ChangeBatch, CrmSession, Record, SoftReference, hookimpl
from twin_leaving_disabled.records import Thing


@hookimpl
def crm_register_records() -> Iterable[type[Record]]:
    """One record."""
    return [Thing]


@hookimpl
def crm_register_references() -> Iterable[SoftReference]:
    """Where a thing was delivered to."""
    return [SoftReference(record="twin_leaving_disabled.thing", id_field="delivered_to", target="account")]


@hookimpl
def crm_on_changes(session: CrmSession, batch: ChangeBatch) -> None:
    """What was delivered to an account goes with it."""
    if batch.type is Account.crm_type:
        gone = [change.id for change in batch.of("delete")]
        for start in range(0, len(gone), 1000):
            query = select(Thing.id).where(Thing.delivered_to.in_(gone[start : start + 1000]))
            session.delete_many(Thing, session.scalars(query).all())
