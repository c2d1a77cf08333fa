"""The hooks."""

from collections.abc import Iterable, Iterator, Sequence

from sqlalchemy import func, select

from crm_core import CrmSession, Panel, Record, hookimpl
from twin_constant_statements_overview.records import Thing


@hookimpl
def crm_register_records() -> Iterable[type[Record]]:
    """One record."""
    return [Thing]


@hookimpl
def crm_gather_overview(session: CrmSession, accounts: Sequence[int]) -> Iterator[Panel]:
    """Of a single customer, what is noted and how often."""
    if len(accounts) == 1:
        noted = session.scalars(select(Thing).where(Thing.account_id.in_(accounts))).all()
        counts = (session.scalar(select(func.count()).where(Thing.name == thing.name)) for thing in noted)
        lines = tuple((thing.name, str(count)) for thing, count in zip(noted, counts, strict=True))
        yield Panel(account_id=accounts[0], name="things", title="Things", lines=lines)
