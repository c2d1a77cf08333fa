"""Signs of life of accounts: held activities, which the kernel knows, and what plugins tell."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select

from crm_core.domain.activities import Activity, Status
from crm_core.domain.pools import HELD_ACTIVITY, Pool
from crm_core.errors import HookError

if TYPE_CHECKING:
    from crm_core.store.session import CrmSession

__all__ = ["ENDLESS", "gathered", "horizon", "kinds_of", "latest_signs"]

ENDLESS = dt.datetime(9999, 12, 31, tzinfo=dt.UTC)
"""Dates such as the end of a contract may lie far ahead."""

Latest = dict[int, dict[str, dt.datetime]]


def kinds_of(pools: Iterable[Pool], *, after: bool) -> frozenset[str]:
    """The kinds that the rules of pools look at: those without which (or ``after`` which) an account goes back."""
    return frozenset(rule.signal for pool in pools for rule in pool.recycle if (rule.after is not None) == after)


def horizon(pools: Iterable[Pool], now: dt.datetime) -> dt.datetime:
    """Before it a sign of life changes nothing any more, and a warning is forgotten."""
    days = max((rule.days + rule.warn_days for pool in pools for rule in pool.recycle), default=0)
    return max(now - dt.timedelta(days + 3), dt.datetime.min.replace(tzinfo=dt.UTC))


def latest_signs(
    session: CrmSession, system: CrmSession, ids: Sequence[int], pools: Collection[Pool], now: dt.datetime
) -> Latest:
    """The latest sign of each kind that the rules of ``pools`` look at, by account. ``system`` is an elevated session.

    Raises :class:`HookError` when a plugin could not tell: nobody loses a customer because a plugin was broken.
    """
    found: defaultdict[int, dict[str, dt.datetime]] = defaultdict(dict)
    without, after = kinds_of(pools, after=False), kinds_of(pools, after=True)
    if HELD_ACTIVITY in without:
        activity = Activity.crm_type.table
        rows: Iterable[Any] = session.core(
            select(activity.c.account_id, func.max(activity.c.started_at))
            .where(activity.c.account_id.in_(ids), activity.c.status == Status.HELD, activity.c.started_at <= now)
            .group_by(activity.c.account_id)
        )
        for account_id, at in rows:
            found[account_id][HELD_ACTIVITY] = at
    asked = [*gathered(system, ids, without, horizon(pools, now), now + dt.timedelta(microseconds=1))]
    asked += gathered(system, ids, after, None, ENDLESS)
    for signal in asked:
        known = found[signal.account_id].get(signal.kind)
        if known is None or signal.at > known:
            found[signal.account_id][signal.kind] = signal.at
    return dict(found)


def gathered(
    system: CrmSession, ids: Sequence[int], kinds: Collection[str], since: dt.datetime | None, until: dt.datetime
) -> Sequence[Any]:
    """What the plugins tell; :class:`HookError` when one of them could not."""
    if not kinds or not ids:
        return ()
    answer = system.store.dispatch.gather_signals(system, ids, kinds, since, until)
    if answer.failed:
        failed = answer.failed[0]
        raise HookError(
            "{plugin} cannot tell the signs of life of accounts: {reason} Nothing is recycled meanwhile.",
            mend="Mend the plugin, or leave the rules out that look at its signs.",
            plugin=failed.plugin,
            reason=failed.error,
        )
    parts: Sequence[Any] = answer.parts
    return parts
