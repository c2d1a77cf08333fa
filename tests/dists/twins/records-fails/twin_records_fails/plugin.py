"""The hooks."""

from collections.abc import Iterable

from crm_core import ChangeBatch, CrmSession, Record, hookimpl
from twin_records_fails.records import Thing


@hookimpl
def crm_register_records() -> Iterable[type[Record]]:
    """One record."""
    return [Thing]


@hookimpl
def crm_on_changes(session: CrmSession, batch: ChangeBatch) -> None:
    """Names begin with a capital letter."""
    for thing in session.list(Thing, limit=None):
        if thing.name[0].islower():
            thing.name = thing.name.capitalize()
