"""Who shares in later commission, because they gave an account up."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from decimal import Decimal
from typing import TYPE_CHECKING

import attrs
from sqlalchemy import or_, select

from crm_core.domain.accounts import Account
from crm_core.domain.dated import as_moment
from crm_core.domain.handovers.records import Handover, HandoverItem, ItemState
from crm_core.domain.ownership import OwnershipRole

if TYPE_CHECKING:
    from crm_core.store.session import CrmSession

__all__ = ["Split", "splits"]


@attrs.frozen(kw_only=True)
class Split:
    """Part of what an account earns its successor goes to whoever gave it up: ``share`` (0 to 1), from ``since`` until
    ``until``.
    """

    account_id: int
    role: OwnershipRole
    scope: str
    leaver_id: int
    successor_id: int
    share: Decimal
    since: dt.datetime
    until: dt.datetime
    item_id: int


def splits(
    session: CrmSession,
    accounts: Iterable[Account | int] | None = None,
    *,
    at: dt.datetime | dt.date | None = None,
) -> list[Split]:
    """The shares that hold at a moment (default: the session's ``at``), of accounts or of all that the actor sees.

    One statement for a thousand accounts. What was taken back shares nothing, not even for the time it was held.
    """
    moment = session.at if at is None else as_moment(session, at)
    query = (
        select(
            HandoverItem.id, HandoverItem.account_id, HandoverItem.role, HandoverItem.scope, HandoverItem.successor_id,
            HandoverItem.split_share, HandoverItem.split_until, HandoverItem.done_at, Handover.leaver_id,
        )
        .join(Handover, Handover.id == HandoverItem.handover_id)
        .where(
            HandoverItem.state == ItemState.DONE,
            HandoverItem.successor_id.is_not(None),
            HandoverItem.split_share > 0,
            HandoverItem.done_at <= moment,
            or_(HandoverItem.split_until.is_(None), HandoverItem.split_until > moment),
        )
        .order_by(HandoverItem.account_id, HandoverItem.id)
    )  # fmt: skip
    if accounts is None:
        found = list(session.execute(query))
    else:
        ids = sorted({account if isinstance(account, int) else account.id for account in accounts})
        found = []
        for start in range(0, len(ids), 1000):
            found += session.execute(query.where(HandoverItem.account_id.in_(ids[start : start + 1000])))
    return [
        Split(
            account_id=row.account_id,
            role=row.role,
            scope=row.scope,
            leaver_id=row.leaver_id,
            successor_id=row.successor_id,
            share=row.split_share,
            since=row.done_at,
            until=row.split_until,
            item_id=row.id,
        )
        for row in found
    ]
