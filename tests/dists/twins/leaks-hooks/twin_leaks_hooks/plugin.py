"""The hooks."""

import datetime as dt
from collections.abc import Iterable, Sequence

from crm_core import CrmSession, Panel, Record, TimelineEntry, hookimpl
from twin_leaks_hooks.records import Thing


@hookimpl
def crm_register_records() -> Iterable[type[Record]]:
    """One record."""
    return [Thing]


@hookimpl
def crm_gather_overview(session: CrmSession, accounts: Sequence[int]) -> Iterable[Panel]:
    """How many things there are, at the account and everywhere."""
    everywhere = session.as_system("count things").count(Thing)
    for thing in session.list(Thing, limit=None):
        if thing.account_id in accounts:
            lines = ((thing.name, f"1 of {everywhere}"),)
            yield Panel(account_id=thing.account_id, name="things", title="Things", lines=lines)


@hookimpl
def crm_gather_timeline(
    session: CrmSession, accounts: Sequence[int], since: dt.datetime | None, until: dt.datetime | None, limit: int
) -> Iterable[TimelineEntry]:
    """When each thing was noted."""
    for thing in session.as_system("find things").list(Thing, limit=None):
        if thing.account_id in accounts:
            yield TimelineEntry(
                at=thing.created_at,
                account_id=thing.account_id,
                kind="thing",
                title=thing.name,
                record_type="twin_leaks_hooks.thing",
                record_id=thing.id,
            )
