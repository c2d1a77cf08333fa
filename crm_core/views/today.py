"""The beginning of a working day: what is new, and what to do."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import attrs

from crm_core.views.next_actions import NextActions, next_actions
from crm_core.views.whats_new import WhatsNew, whats_new

if TYPE_CHECKING:
    from crm_core.domain.organisation import User
    from crm_core.store.session import CrmSession

__all__ = ["Today", "today"]


@attrs.frozen(kw_only=True)
class Today:
    """News since the last look, and next actions."""

    at: dt.datetime
    news: WhatsNew
    actions: NextActions


def today(
    session: CrmSession, user: str | User | int | None = None, since: dt.datetime | dt.date | None = None
) -> Today:
    """What is new for a user (default: the actor) since they last looked, and what they should do next."""
    return Today(at=session.now, news=whats_new(session, user, since), actions=next_actions(session, user))
