"""The hooks."""

from collections.abc import Iterable, Sequence

from crm_core import CrmSession, Panel, Record, hookimpl
from twin_constant_statements.records import Thing


@hookimpl
def crm_register_records() -> Iterable[type[Record]]:
    """One record."""
    return [Thing]


@hookimpl
def crm_gather_overview(session: CrmSession, accounts: Sequence[int]) -> Iterable[Panel]:
    """The things of each account."""
    for account in accounts:
        things = session.list(Thing, f"account_id == {account}")
        rows = tuple((thing.name,) for thing in things)
        yield Panel(account_id=account, name="things", title="Things", rows=rows)
