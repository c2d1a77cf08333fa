"""What is open at key accounts: alerts that nobody has taken note of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sqlalchemy import select

from crm_core import CrmSession, OpenItem
from crm_key_accounts.alerts import Alert
from crm_key_accounts.views import dimension_label

__all__ = ["open_work"]


def open_work(session: CrmSession, accounts: Sequence[int], user_id: int | None) -> Iterator[OpenItem]:
    """Alerts are nobody's in particular: they go with the account. One statement."""
    if user_id is not None:
        return
    query = select(Alert).where(Alert.account_id.in_(accounts), Alert.settled_at.is_(None)).order_by(Alert.at, Alert.id)
    for alert in session.scalars(query):
        yield OpenItem(
            account_id=alert.account_id,
            kind="value_alert",
            title="Value rose" if alert.move > 0 else "Value fell",
            text=f"{dimension_label(session, alert.dimension)} · {alert.move:+.2f}",
            record_type="key_accounts.alert",
            record_id=alert.id,
        )
