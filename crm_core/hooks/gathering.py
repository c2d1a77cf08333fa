"""Hooks that are asked while somebody looks: every plugin adds its part.

All of them get many accounts at once and answer with few queries, not one per account.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from crm_core.hooks.markers import hookspec

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Collection, Iterable, Sequence

    from crm_core.hooks.values import News, NextAction, OpenItem, Panel, Signal, TimelineEntry
    from crm_core.store.session import CrmSession

__all__ = [
    "crm_gather_actions",
    "crm_gather_handover",
    "crm_gather_news",
    "crm_gather_overview",
    "crm_gather_signals",
    "crm_gather_timeline",
]


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


@hookspec
def crm_gather_handover(session: CrmSession, accounts: Sequence[int], user_id: int | None) -> Iterable[OpenItem] | None:
    """Tell what is open at accounts.

    Since 0.1. Called when accounts are handed over, when somebody looks at one, and when a person moved. ``accounts``
    are ids; ``user_id`` asks only for what that colleague is to do, ``None`` for everybody's.

    Returns open items of these accounts. An item whose record has a field for the colleague in charge names it as
    ``reassign``: a handover then sets it to the successor. May raise anything: an implementation that fails is logged
    and shown as a failed part, the rest stands; but a handover is not carried out without it.
    """


@hookspec
def crm_gather_signals(
    session: CrmSession,
    accounts: Sequence[int],
    kinds: Collection[str],
    since: dt.datetime | None,
    until: dt.datetime,
) -> Iterable[Signal] | None:
    """Tell the signs of life of accounts: orders, contracts that end.

    Since 0.1. Called by the rules that give accounts back to a pool, by their simulation, and by the report of what
    may be concealed. ``accounts`` are ids; ``kinds`` are the kinds that somebody wants to know (``order``,
    ``contract_end``), so that an implementation which knows none of them answers at once; signals lie between
    ``since`` (inclusive) and ``until`` (exclusive). ``session`` may be an elevated one: tell no more than the moments.

    Returns signals of these accounts. May raise anything: an implementation that fails is logged, and nothing that
    depends on signals is carried out then.
    """


@hookspec
def crm_gather_news(session: CrmSession, accounts: Sequence[int], since: dt.datetime) -> Iterable[News] | None:
    """Tell what became known about accounts.

    Since 0.1. Called when somebody asks what is new since they last looked. ``accounts`` are the ids of those that
    they are responsible for; news are about records that were written at ``since`` or later, which may lie before the
    last look: what the journal says was not written since then, or by the reader alone, is left out afterwards.

    Returns news of these accounts, short. May raise anything: an implementation that fails is logged and shown as a
    failed part, the rest stands.
    """


@hookspec
def crm_gather_actions(session: CrmSession, user_id: int, accounts: Sequence[int]) -> Iterable[NextAction] | None:
    """Tell what a user should do next.

    Since 0.1. Called when somebody asks what to do today. ``accounts`` are the ids of those that the user is
    responsible for; an action may also be about none of them.

    Returns actions, each with its reason. May raise anything: an implementation that fails is logged and shown as a
    failed part, the rest stands.
    """
