"""The hooks."""

from collections.abc import Iterable, Iterator, Sequence

from sqlalchemy import func, select

from crm_core import CrmSession, Panel, Record, hookimpl
from twin_hooks_scale_gather.records import Thing


@hookimpl
def crm_register_records() -> Iterable[type[Record]]:
    """One record."""
    return [Thing]


@hookimpl
def crm_gather_overview(session: CrmSession, accounts: Sequence[int]) -> Iterator[Panel]:
    """What is noted at the accounts, each of which counts once."""
    once: list[int] = []
    for account in accounts:
        if not any(other == account for other in once):
            once.append(account)
    noted = select(func.count()).where(Thing.account_id.in_(once))
    yield Panel(account_id=once[0], name="things", title="Things", lines=((str(session.scalar(noted)), ""),))
