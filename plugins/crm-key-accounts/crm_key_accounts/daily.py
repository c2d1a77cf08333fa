"""What the plugin adds to the beginning of a day: values that moved, and alerts that nobody has taken note of."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence

from sqlalchemy import select

from crm_core import CrmSession, News, NextAction
from crm_key_accounts.alerts import Alert
from crm_key_accounts.views import dimension_label

__all__ = ["actions", "news"]

NEWS_LABELS = ("The value score moved from {before} to {after}: {label}", "Alert")
"""What the news say, and what their kind is called."""

_FELL, _ROSE = 70, 35
"""How urgent an alert is: a value that fell costs us something."""


def news(session: CrmSession, accounts: Sequence[int], since: dt.datetime) -> Iterator[News]:
    """Alerts that were raised, in one statement."""
    query = select(Alert).where(Alert.account_id.in_(accounts), Alert.created_at >= since).order_by(Alert.id)
    for alert in session.scalars(query):
        yield News(
            account_id=alert.account_id, at=alert.created_at, kind="alert",
            text=NEWS_LABELS[0],
            values={"before": alert.score_before, "after": alert.score_after,
                    "label": dimension_label(session, alert.dimension)},
            record_type="key_accounts.alert", record_id=alert.id, user_id=alert.created_by,
        )  # fmt: skip


def actions(session: CrmSession, accounts: Sequence[int]) -> Iterator[NextAction]:
    """Alerts at the user's accounts that nobody has taken note of, in one statement."""
    query = select(Alert).where(Alert.account_id.in_(accounts), Alert.settled_at.is_(None)).order_by(Alert.at, Alert.id)
    for alert in session.scalars(query):
        fell = alert.move < 0
        yield NextAction(
            account_id=alert.account_id, kind="alert", title="Take note of the value alert, and say what is done",
            reason="The value score fell by {points}: {label}." if fell
            else "The value score rose by {points}: {label}.",
            urgency=_FELL if fell else _ROSE, record_type="key_accounts.alert", record_id=alert.id,
            values={"points": abs(alert.move), "label": dimension_label(session, alert.dimension)},
        )  # fmt: skip
