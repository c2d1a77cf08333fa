"""What is open at outlets: visits that are planned, and outlets that are to be visited and have no plan."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sqlalchemy import select

from crm_consumer_goods.outlets import Outlet, frequency
from crm_consumer_goods.visits import Visit
from crm_core import CrmSession, OpenItem, dated

__all__ = ["open_work"]


def open_work(session: CrmSession, accounts: Sequence[int], user_id: int | None) -> Iterator[OpenItem]:
    """Visits planned for today and later, which a handover gives to the successor; in two statements.

    What was planned for a day that has passed stays with whoever missed it: it is part of their coverage.
    """
    today = session.at.astimezone(session.policy.tz).date()
    query = (
        select(Visit.id, Visit.account_id, Visit.user_id, Visit.planned_on, Visit.place)
        .where(Visit.account_id.in_(accounts), Visit.checked_in_at.is_(None), Visit.planned_on >= today)
        .order_by(Visit.planned_on, Visit.id)
    )
    planned: set[int] = set()
    for row in session.execute(query):
        planned.add(row.account_id)
        if user_id is None or row.user_id == user_id:
            yield OpenItem(
                account_id=row.account_id,
                kind="visit",
                title="Outlet visit",
                text=row.place or "",
                due=dated.as_moment(session, row.planned_on),
                record_type="consumer_goods.visit",
                record_id=row.id,
                user_id=row.user_id,
                reassign="user_id",
            )
    if user_id is None:
        for outlet in session.scalars(select(Outlet).where(Outlet.id.in_(accounts)).order_by(Outlet.id)):
            if outlet.id not in planned and frequency(session, outlet) > 0:
                yield OpenItem(
                    account_id=outlet.id,
                    kind="question",
                    title="No visit is planned",
                    record_type="consumer_goods.outlet",
                    record_id=outlet.id,
                )
