"""The kernel's jobs that look after the store itself."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from crm_core.store.clock import database_now

if TYPE_CHECKING:
    from crm_core.store.session import CrmSession

__all__ = ["tidy"]


def tidy(session: CrmSession, arguments: Mapping[str, Any]) -> int:
    """The job ``jobs.tidy``: forget jobs that were done or dropped more than ``keep_days`` days ago; returns how many.

    Dead ones stay until somebody repeats or drops them.
    """
    before = database_now(session.core_connection()) - dt.timedelta(days=arguments["keep_days"])
    return session.store.queue.tidy(session, before)
