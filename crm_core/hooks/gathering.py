"""Hooks that are asked while somebody looks: every plugin adds its part.

All of them get many accounts at once and answer with few queries, not one per account.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from crm_core.hooks.markers import hookspec

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Sequence

    from crm_core.hooks.values import Panel, TimelineEntry
    from crm_core.store.session import CrmSession

__all__ = ["crm_gather_overview", "crm_gather_timeline"]


@hookspec
def crm_gather_timeline(
    session: CrmSession,
    accounts: Sequence[int],
    since: dt.datetime | None,
    until: dt.datetime | None,
    limit: int,
) -> Iterable[TimelineEntry] | None:
    """Tell what happened with accounts, and what is planned.

    Since 0.1. Called when somebody looks at a timeline. ``accounts`` are ids; entries lie between ``since``
    (inclusive) and ``until`` (exclusive), either may be open. At most ``limit`` entries are shown, the
    latest, so more need not be returned.

    Returns entries of these accounts in any order. May raise anything: an implementation that fails is logged
    and shown as a failed part, the rest stands.
    """


@hookspec
def crm_gather_overview(session: CrmSession, accounts: Sequence[int]) -> Iterable[Panel] | None:
    """Give the plugin's panels in the overview of accounts.

    Since 0.1. Called when somebody looks at one account or at a list of them. ``accounts`` are ids.

    Returns panels of these accounts, none where there is nothing to say. May raise anything: an
    implementation that fails is logged and shown as a failed part, the rest stands.
    """
