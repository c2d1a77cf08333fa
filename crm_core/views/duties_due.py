"""Reporting duties that are due at accounts, as open items: told to whoever takes over, since they follow ownership."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import TYPE_CHECKING

from crm_core.hooks.values import OpenItem
from crm_core.views.duties import obligations

if TYPE_CHECKING:
    from crm_core.store.session import CrmSession

__all__ = ["duties_due"]

_CHUNK = 1000


def duties_due(session: CrmSession, accounts: Sequence[int], user_id: int | None = None) -> list[OpenItem]:
    """What is due at accounts now or within ``[views] look_ahead_days``; with ``user_id`` only that colleague's.

    There is nothing to reassign: whoever is responsible must do it. The number of statements for a thousand accounts
    depends on the number of duties alone; a build without duties asks nothing, and neither does a session that looks
    at another moment.
    """
    if not session.policy.duties or session.at_given or session.as_of is not None:
        return []
    until = session.at + dt.timedelta(days=session.policy.views.look_ahead_days)
    return [
        OpenItem(
            account_id=each.account_id, kind="duty", title=each.label or each.duty, due=each.due,
            record_type="account", record_id=each.account_id, user_id=each.user_id,
        )
        for start in range(0, len(accounts), _CHUNK)
        for each in obligations(session, user=user_id, accounts=accounts[start : start + _CHUNK])
        if each.due <= until
    ]  # fmt: skip
