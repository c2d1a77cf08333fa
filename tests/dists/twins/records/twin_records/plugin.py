"""The hooks."""

from collections.abc import Iterable

from crm_core import ChangeBatch, CrmSession, Record, hookimpl
from twin_records.records import Thing


@hookimpl
def crm_register_records() -> Iterable[type[Record]]:
    """One record."""
    return [Thing]


@hookimpl
def crm_on_changes(session: CrmSession, batch: ChangeBatch) -> None:
    """Number the versions of names, quickly."""
    if batch.type is Thing.crm_type:
        table = Thing.crm_type.table
        for change in batch.of("update"):
            name = f"version {session.last_change_set}"
            session.core(table.update().where(table.c.id == change.id).values(name=name))
