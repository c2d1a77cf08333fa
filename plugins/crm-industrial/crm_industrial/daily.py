"""What the plugin adds to the beginning of a day: touches by other departments, and prospects that are forgotten."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence

from sqlalchemy import func, select

from crm_core import CrmSession, News, NextAction
from crm_industrial.settings import settings_of
from crm_industrial.touches import NurtureTouch

__all__ = ["actions", "news"]

KIND_LABELS = ("Touch",)
"""What the kind of news is called."""


def news(session: CrmSession, accounts: Sequence[int], since: dt.datetime) -> Iterator[News]:
    """What others did for the user's prospects, in one statement."""
    kinds = session.policy.vocabularies.get("industrial.touch_kind", {})
    query = select(NurtureTouch).where(NurtureTouch.account_id.in_(accounts), NurtureTouch.created_at >= since)
    for touch in session.scalars(query.order_by(NurtureTouch.id)):
        yield News(
            account_id=touch.account_id, at=touch.created_at, kind="touch",
            text="{label}: {note}" if touch.note else "{label}",
            values={"label": kinds.get(touch.kind, touch.kind), "note": touch.note or ""},
            record_type="industrial.touch", record_id=touch.id, user_id=touch.user_id,
        )  # fmt: skip


def actions(session: CrmSession, accounts: Sequence[int]) -> Iterator[NextAction]:
    """Prospects that were nurtured once and that nobody touched for long, in one statement."""
    quiet = settings_of(session).quiet_days
    query = (
        select(NurtureTouch.account_id, func.max(NurtureTouch.at))
        .where(NurtureTouch.account_id.in_(accounts), NurtureTouch.at <= session.now)
        .group_by(NurtureTouch.account_id)
        .having(func.max(NurtureTouch.at) < session.now - dt.timedelta(quiet))
        .order_by(NurtureTouch.account_id)
    )
    for account_id, last in session.execute(query):
        yield NextAction(
            account_id=account_id, kind="touch", title="Do something for the prospect",
            reason="The last touch was {days} days ago; patience is not forgetting.", urgency=35,
            record_type="account", record_id=account_id,
            values={"days": (session.now - last).days},
        )  # fmt: skip
