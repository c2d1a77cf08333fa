"""What the plugin adds to the beginning of a day: visits of others, empty shelves, and outlets to go to."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence

from sqlalchemy import func, select

from crm_consumer_goods.outlets import Outlet, frequency
from crm_consumer_goods.store_checks import StoreCheck
from crm_consumer_goods.visits import Visit
from crm_core import CrmSession, News, NextAction, dated

__all__ = ["actions", "news"]

NEWS_LABELS = {"visit": "Outlet visit: {note}", "shelf": "Not on the shelf: {product}", "kind": "Coverage"}
"""What the news say."""

_FOUR_WEEKS = 28


def news(session: CrmSession, accounts: Sequence[int], since: dt.datetime) -> Iterator[News]:
    """Visits that were held, and products that were missing on a shelf; in two statements."""
    held = (
        select(Visit)
        .where(Visit.account_id.in_(accounts), Visit.checked_in_at.is_not(None), Visit.updated_at >= since)
        .order_by(Visit.checked_in_at, Visit.id)
    )
    for visit in session.scalars(held):
        yield News(
            account_id=visit.account_id, at=visit.updated_at, kind="visit",
            text=NEWS_LABELS["visit"] if visit.note else "Outlet visit", values={"note": visit.note or ""},
            record_type="consumer_goods.visit", record_id=visit.id, user_id=visit.user_id,
        )  # fmt: skip
    missing = (
        select(StoreCheck.id, StoreCheck.product, StoreCheck.updated_at, Visit.account_id, Visit.user_id)
        .join(Visit, Visit.id == StoreCheck.visit_id)
        .where(Visit.account_id.in_(accounts), StoreCheck.on_shelf.is_(False), StoreCheck.updated_at >= since)
        .order_by(StoreCheck.id)
    )
    for row in session.execute(missing):
        yield News(
            account_id=row.account_id, at=row.updated_at, kind="store_check", text=NEWS_LABELS["shelf"],
            values={"product": row.product}, record_type="consumer_goods.store_check", record_id=row.id,
            user_id=row.user_id,
        )  # fmt: skip


def actions(session: CrmSession, user_id: int, accounts: Sequence[int]) -> Iterator[NextAction]:
    """Visits to make, and outlets that are not visited often enough and have no plan; in three statements."""
    today = session.now.astimezone(session.policy.tz).date()
    last = today + dt.timedelta(session.policy.views.look_ahead_days)
    mine = (
        select(Visit.id, Visit.account_id, Visit.planned_on)
        .where(Visit.user_id == user_id, Visit.checked_in_at.is_(None), Visit.planned_on.between(
            today - dt.timedelta(_FOUR_WEEKS), last
        ))
        .order_by(Visit.planned_on, Visit.id)
    )  # fmt: skip
    for row in session.execute(mine):
        due = dated.as_moment(session, row.planned_on)
        missed = row.planned_on < today
        yield NextAction(
            account_id=row.account_id, kind="visit", title="Visit the outlet",
            reason="The visit of {day} was not made." if missed else "It is planned for {day}.", due=due,
            urgency=60 if missed else 65 if row.planned_on == today else 40, record_type="consumer_goods.visit",
            record_id=row.id, values={"day": due},
        )  # fmt: skip
    yield from _neglected(session, accounts, today)


def _neglected(session: CrmSession, accounts: Sequence[int], today: dt.date) -> Iterator[NextAction]:
    visits = select(
        Visit.account_id, func.max(Visit.checked_in_at), func.max(Visit.planned_on)
    ).where(Visit.account_id.in_(accounts)).group_by(Visit.account_id)  # fmt: skip
    known = {account_id: (last, planned) for account_id, last, planned in session.execute(visits)}
    for outlet in session.scalars(select(Outlet).where(Outlet.id.in_(accounts)).order_by(Outlet.id)):
        times = frequency(session, outlet)
        last, planned = known.get(outlet.id, (None, None))
        if not times or (planned is not None and planned >= today):
            continue
        every = _FOUR_WEEKS // times
        gone = None if last is None else (today - last.astimezone(session.policy.tz).date()).days
        if gone is None or gone > every:
            yield NextAction(
                account_id=outlet.id, kind="coverage", title="Plan a visit to the outlet",
                reason="It was never visited; it is due every {every} days." if gone is None
                else "It was not visited for {days} days; it is due every {every} days.",
                urgency=50, record_type="consumer_goods.outlet", record_id=outlet.id,
                values={"days": gone, "every": max(every, 1)},
            )  # fmt: skip
