"""What is open at prospects: touches to come, and the programmes that run for them, with what is left to spend."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sqlalchemy import or_, select

from crm_core import CrmSession, OpenItem, dated
from crm_industrial.programmes import Programme
from crm_industrial.touches import NurtureTouch
from crm_industrial.views import shown

__all__ = ["open_work"]


def open_work(session: CrmSession, accounts: Sequence[int], user_id: int | None) -> Iterator[OpenItem]:
    """Touches noted for a time to come go to the successor; programmes go with the account. Two statements."""
    kinds = session.policy.vocabularies.get("industrial.touch_kind", {})
    query = (
        select(NurtureTouch.id, NurtureTouch.account_id, NurtureTouch.user_id, NurtureTouch.kind, NurtureTouch.at,
               NurtureTouch.note)
        .where(NurtureTouch.account_id.in_(accounts), NurtureTouch.at > session.at)
        .order_by(NurtureTouch.at, NurtureTouch.id)
    )  # fmt: skip
    if user_id is not None:
        query = query.where(NurtureTouch.user_id == user_id)
    for row in session.execute(query):
        yield OpenItem(
            account_id=row.account_id,
            kind="nurture_touch",
            title=kinds.get(row.kind, row.kind),
            text=row.note or "",
            due=row.at,
            record_type="industrial.touch",
            record_id=row.id,
            user_id=row.user_id,
            reassign="user_id",
        )
    if user_id is None:
        yield from _programmes(session, accounts)


def _programmes(session: CrmSession, accounts: Sequence[int]) -> Iterator[OpenItem]:
    """The programmes under which a prospect was touched and that have not ended."""
    today = session.at.astimezone(session.policy.tz).date()
    ids = (
        select(NurtureTouch.account_id, NurtureTouch.programme_id)
        .where(NurtureTouch.account_id.in_(accounts), NurtureTouch.programme_id.is_not(None))
        .distinct()
    )
    pairs: dict[int, list[int]] = {}
    for row in session.execute(ids):
        pairs.setdefault(row.programme_id, []).append(row.account_id)
    if not pairs:
        return
    running = select(Programme).where(
        Programme.id.in_(sorted(pairs)), or_(Programme.last_day.is_(None), Programme.last_day >= today)
    )
    for programme in session.scalars(running.order_by(Programme.id)):
        for account_id in sorted(pairs[programme.id]):
            yield OpenItem(
                account_id=account_id,
                kind="nurture_programme",
                title=programme.name,
                text="" if programme.budget is None else shown([programme.budget]),
                due=None if programme.last_day is None else dated.as_moment(session, programme.last_day),
                record_type="industrial.programme",
                record_id=programme.id,
            )
