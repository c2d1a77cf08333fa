"""The plugin's answers to the hooks."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence

from crm_core import (
    ChangeBatch,
    CrmSession,
    GiveWay,
    News,
    NextAction,
    OpenItem,
    Panel,
    Problem,
    Record,
    Role,
    Scope,
    TimelineEntry,
    hookimpl,
    only_for,
)
from crm_key_accounts import alerts, daily, profiles, snapshots, views
from crm_key_accounts.open_work import open_work
from crm_key_accounts.profiles import READ_PLAN
from crm_key_accounts.settings import Settings


@hookimpl
def crm_register_records() -> Iterable[type[Record]]:
    """Profiles, snapshots and alerts."""
    return [profiles.Profile, snapshots.Snapshot, alerts.Alert]


@hookimpl
def crm_register_settings() -> type[Settings]:
    """What ``[plugins.key_accounts]`` is read into."""
    return Settings


@hookimpl
def crm_register_permissions() -> Mapping[str, str]:
    """What does not follow from the records."""
    return {READ_PLAN: "Read the plans for key accounts"}


@hookimpl
def crm_register_roles() -> Iterable[Role]:
    """Salespeople assess what they own (and so make alerts); what was measured is deleted by managers only."""
    writing = ("key_accounts.*.create", "key_accounts.*.update", READ_PLAN)
    return [
        Role("manager", tuple((pattern, Scope.SUBTREE) for pattern in (*writing, "key_accounts.*.delete"))),
        Role("sales", tuple((pattern, Scope.OWN) for pattern in writing)),
    ]


@hookimpl
def crm_register_vocabularies() -> Mapping[str, Mapping[str, str]]:
    """The labels of the usual dimensions; a build file adds those of its own."""
    return {
        "key_accounts.dimension": {
            "revenue": "Revenue",
            "growth": "Growth",
            "margin": "Margin",
            "strategic_fit": "Strategic fit",
            "share_of_wallet": "Share of wallet",
        },
    }


@hookimpl
def crm_check_merge() -> Iterable[GiveWay]:
    """What the surviving account was assessed at stays; the other's assessments fill the time before."""
    return [GiveWay("key_accounts.snapshot")]


@hookimpl
@only_for(profiles.Profile, snapshots.Snapshot)
def crm_check_changes(session: CrmSession, batch: ChangeBatch) -> Iterable[Problem]:
    """Refuse scores that nobody could have computed, and negative targets."""
    if batch.type is profiles.Profile.crm_type:
        return profiles.problems(batch)
    return snapshots.problems(session, batch)


@hookimpl
@only_for(snapshots.Snapshot, alerts.Alert)
def crm_on_changes(session: CrmSession, batch: ChangeBatch) -> None:
    """Alert in the same transaction when the value score moves."""
    if batch.type is snapshots.Snapshot.crm_type:
        alerts.follow(session, batch)
    else:
        alerts.drop_doubles(session, batch)


@hookimpl
def crm_gather_overview(session: CrmSession, accounts: Sequence[int]) -> Iterable[Panel]:
    """Value over time."""
    return views.panels(session, accounts)


@hookimpl
def crm_gather_timeline(
    session: CrmSession, accounts: Sequence[int], since: dt.datetime | None, until: dt.datetime | None, limit: int
) -> Iterable[TimelineEntry]:
    """Assessments and alerts."""
    return views.timeline(session, accounts, since, until, limit)


@hookimpl
def crm_gather_handover(session: CrmSession, accounts: Sequence[int], user_id: int | None) -> Iterable[OpenItem]:
    """Alerts that nobody has taken note of."""
    return open_work(session, accounts, user_id)


@hookimpl
def crm_gather_news(session: CrmSession, accounts: Sequence[int], since: dt.datetime) -> Iterable[News]:
    """What others learned."""
    return daily.news(session, accounts, since)


@hookimpl
def crm_gather_actions(session: CrmSession, accounts: Sequence[int]) -> Iterable[NextAction]:
    """What is due."""
    return daily.actions(session, accounts)
