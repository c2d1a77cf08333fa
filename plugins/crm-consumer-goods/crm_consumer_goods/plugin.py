"""What the plugin contributes to the kernel's hooks."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Mapping, Sequence

from crm_consumer_goods import daily, outlets, signals, store_checks, views, visits
from crm_consumer_goods.open_work import open_work
from crm_consumer_goods.settings import Settings
from crm_core import (
    ChangeBatch,
    CrmSession,
    News,
    NextAction,
    OpenItem,
    Panel,
    Problem,
    Record,
    Role,
    Scope,
    Signal,
    TimelineEntry,
    hookimpl,
    only_for,
)

_WRITING = ("create", "update")


@hookimpl
def crm_register_records() -> Iterable[type[Record]]:
    """Outlets, visits and store checks."""
    return [outlets.Outlet, visits.Visit, store_checks.StoreCheck]


@hookimpl
def crm_register_settings() -> type[Settings]:
    """Frequencies by class, working days, and what counts as good coverage."""
    return Settings


@hookimpl
def crm_register_roles() -> Iterable[Role]:
    """Salespeople write what they own; visits are deleted by managers only, lest a missed one vanish."""
    writing = tuple(f"consumer_goods.*.{verb}" for verb in _WRITING)
    return [
        Role("manager", tuple((pattern, Scope.SUBTREE) for pattern in (*writing, "consumer_goods.*.delete"))),
        Role("sales", tuple((pattern, Scope.OWN) for pattern in (*writing, "consumer_goods.store_check.delete"))),
        Role("editor", tuple((pattern, Scope.OWN) for pattern in writing)),
    ]


@hookimpl
def crm_register_vocabularies() -> Mapping[str, Mapping[str, str]]:
    """A store check is an activity of its own kind."""
    return {"activity.kind": {"store_check": "Store check"}, "account.signal": {signals.STORE_CHECK: "Store check"}}


@hookimpl
@only_for(outlets.Outlet, visits.Visit, store_checks.StoreCheck)
def crm_check_changes(system: CrmSession, batch: ChangeBatch) -> Iterable[Problem]:
    """Refuse impossible frequencies, figures, times and places, and a second open check-in."""
    if batch.type is outlets.Outlet.crm_type:
        return outlets.problems(batch)
    if batch.type is visits.Visit.crm_type:
        return visits.problems(system, batch)
    return store_checks.problems(system, batch)


@hookimpl
@only_for(visits.Visit, operations=("create", "update"))
def crm_on_changes(session: CrmSession, batch: ChangeBatch) -> None:
    """Count the minutes of visits."""
    visits.count_minutes(session, batch)


@hookimpl
def crm_gather_overview(session: CrmSession, accounts: Sequence[int]) -> Iterable[Panel]:
    """Coverage."""
    return views.panels(session, accounts)


@hookimpl
def crm_gather_timeline(
    session: CrmSession, accounts: Sequence[int], since: dt.datetime | None, until: dt.datetime | None, limit: int
) -> Iterable[TimelineEntry]:
    """Visits."""
    return views.timeline(session, accounts, since, until, limit)


@hookimpl
def crm_gather_handover(session: CrmSession, accounts: Sequence[int], user_id: int | None) -> Iterable[OpenItem]:
    """Planned visits, and outlets without any."""
    return open_work(session, accounts, user_id)


@hookimpl
def crm_gather_news(session: CrmSession, accounts: Sequence[int], since: dt.datetime) -> Iterable[News]:
    """What others learned."""
    return daily.news(session, accounts, since)


@hookimpl
def crm_gather_actions(session: CrmSession, user_id: int, accounts: Sequence[int]) -> Iterable[NextAction]:
    """What is due."""
    return daily.actions(session, user_id, accounts)


@hookimpl
def crm_gather_signals(
    session: CrmSession, accounts: Sequence[int], kinds: Collection[str], since: dt.datetime | None, until: dt.datetime
) -> Iterable[Signal]:
    """Visits and store checks."""
    return signals.signals(session, accounts, kinds, since, until)
