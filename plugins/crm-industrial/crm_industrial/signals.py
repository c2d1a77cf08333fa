"""Signs of life for the rules of pools: a nurture touch counts as a held activity, and for itself."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterator, Sequence

from sqlalchemy import select

from crm_core import CrmSession, Signal
from crm_industrial.touches import NurtureTouch

__all__ = ["TOUCH", "signals"]

TOUCH = "nurture_touch"
_KINDS = ("held_activity", TOUCH)


def signals(
    session: CrmSession, accounts: Sequence[int], kinds: Collection[str], since: dt.datetime | None, until: dt.datetime
) -> Iterator[Signal]:
    """When prospects were touched. Who notes a touch later makes it known later; what the system brought was known."""
    wanted = [kind for kind in _KINDS if kind in kinds]
    if not wanted:
        return
    query = select(NurtureTouch.account_id, NurtureTouch.at, NurtureTouch.created_at, NurtureTouch.created_by).where(
        NurtureTouch.account_id.in_(accounts), NurtureTouch.at < until
    )
    if since is not None:
        query = query.where(NurtureTouch.at >= since)
    for account_id, at, created_at, created_by in session.execute(query):
        known = created_at if created_by is not None and created_at > at else None
        for kind in wanted:
            yield Signal(account_id, kind, at, known)
