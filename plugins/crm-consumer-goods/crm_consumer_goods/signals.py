"""Signs of life for the rules of pools: outlet visits count as held activities, and store checks for themselves."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterator, Sequence

from sqlalchemy import select

from crm_consumer_goods.store_checks import StoreCheck
from crm_consumer_goods.visits import Visit
from crm_core import CrmSession, Signal

__all__ = ["STORE_CHECK", "signals"]

STORE_CHECK = "store_check"
_HELD = "held_activity"


def signals(
    session: CrmSession, accounts: Sequence[int], kinds: Collection[str], since: dt.datetime | None, until: dt.datetime
) -> Iterator[Signal]:
    """When outlets were visited, and when their shelves were checked: at the check-in, which is noted on the spot."""
    visited = select(Visit.account_id, Visit.checked_in_at).where(
        Visit.account_id.in_(accounts), Visit.checked_in_at < until
    )
    if since is not None:
        visited = visited.where(Visit.checked_in_at >= since)
    checked = visited.where(select(StoreCheck.id).where(StoreCheck.visit_id == Visit.id).exists())
    for kind, query in ((_HELD, visited), (STORE_CHECK, checked)):
        if kind in kinds:
            for account_id, at in session.execute(query):
                if at is not None:
                    yield Signal(account_id, kind, at)
