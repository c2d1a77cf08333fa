"""The hooks."""

from collections.abc import Iterable, Iterator, Sequence

from sqlalchemy import func, select

from crm_core import CrmSession, Panel, Record, hookimpl
from twin_merging_compared.records import Thing


@hookimpl
def crm_register_records() -> Iterable[type[Record]]:
    """One record."""
    return [Thing]


@hookimpl
def crm_gather_overview(session: CrmSession, accounts: Sequence[int]) -> Iterator[Panel]:
    """How much was delivered to each account."""
    counted = select(Thing.delivered_to, func.count()).where(Thing.delivered_to.in_(accounts))
    for account, count in session.execute(counted.group_by(Thing.delivered_to)):
        yield Panel(account_id=account, name="things", title="Things", lines=((str(count), ""),))
