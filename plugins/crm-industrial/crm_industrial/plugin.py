"""The plugin's answers to the hooks."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Mapping, Sequence

from crm_core import (
    ChangeBatch,
    CrmSession,
    Finding,
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
    Touch,
    hookimpl,
    only_for,
)
from crm_industrial import daily, departments, programmes, signals, touches, views
from crm_industrial.open_work import open_work
from crm_industrial.settings import Settings

_VERBS = ("create", "update", "delete")


@hookimpl
def crm_register_records() -> Iterable[type[Record]]:
    """Programmes and touches."""
    return [programmes.Programme, touches.NurtureTouch]


@hookimpl
def crm_register_settings() -> type[Settings]:
    """What ``[plugins.industrial]`` is read into."""
    return Settings


@hookimpl
def crm_register_roles() -> Iterable[Role]:
    """Salespeople write touches of what they own; money is planned, and booked touches deleted, by managers."""
    writing = ("industrial.touch.create", "industrial.touch.update")
    managing = (*writing, "industrial.touch.delete", *(f"industrial.programme.{verb}" for verb in _VERBS))
    return [
        Role("manager", tuple((pattern, Scope.SUBTREE) for pattern in managing)),
        Role("sales", tuple((pattern, Scope.OWN) for pattern in writing)),
        Role("editor", tuple((pattern, Scope.OWN) for pattern in writing)),
    ]


@hookimpl
def crm_register_vocabularies() -> Mapping[str, Mapping[str, str]]:
    """What may be done for a prospect; a build file may add to it."""
    return {
        "account.signal": {signals.TOUCH: "Nurture touch"},
        "industrial.touch_kind": {
            "visit": "Visit",
            "call": "Call",
            "technical_talk": "Technical talk",
            "factory_tour": "Factory tour",
            "sample": "Sample",
            "trial_run": "Trial run",
            "exhibition": "Exhibition",
            "seminar": "Seminar",
            "hospitality": "Hospitality",
        },
    }


@hookimpl
@only_for(programmes.Programme, touches.NurtureTouch)
def crm_check_changes(system: CrmSession, batch: ChangeBatch) -> Iterable[Problem]:
    """Refuse what would overrun a budget, and impossible figures and times."""
    if batch.type is programmes.Programme.crm_type:
        return programmes.problems(system, batch)
    return touches.problems(system, batch)


@hookimpl
def crm_check_contact(session: CrmSession, touch: Touch) -> Iterable[Finding]:
    """Warn the second department that spends on a prospect."""
    return departments.findings(session, touch)


@hookimpl
def crm_gather_overview(session: CrmSession, accounts: Sequence[int]) -> Iterable[Panel]:
    """How patiently an account is nurtured, and at what cost."""
    return views.panels(session, accounts)


@hookimpl
def crm_gather_timeline(
    session: CrmSession, accounts: Sequence[int], since: dt.datetime | None, until: dt.datetime | None, limit: int
) -> Iterable[TimelineEntry]:
    """Touches."""
    return views.timeline(session, accounts, since, until, limit)


@hookimpl
def crm_gather_handover(session: CrmSession, accounts: Sequence[int], user_id: int | None) -> Iterable[OpenItem]:
    """Touches to come, and the programmes that run."""
    return open_work(session, accounts, user_id)


@hookimpl
def crm_gather_news(session: CrmSession, accounts: Sequence[int], since: dt.datetime) -> Iterable[News]:
    """What others learned."""
    return daily.news(session, accounts, since)


@hookimpl
def crm_gather_actions(session: CrmSession, accounts: Sequence[int]) -> Iterable[NextAction]:
    """What is due."""
    return daily.actions(session, accounts)


@hookimpl
def crm_gather_signals(
    session: CrmSession, accounts: Sequence[int], kinds: Collection[str], since: dt.datetime | None, until: dt.datetime
) -> Iterable[Signal]:
    """Touches."""
    return signals.signals(session, accounts, kinds, since, until)
