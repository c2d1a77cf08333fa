"""The plugin's answers to the hooks."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

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
from crm_project_sales import checks, daily, signals, views
from crm_project_sales.decisions import Decision
from crm_project_sales.milestones import Milestone
from crm_project_sales.open_work import open_work
from crm_project_sales.projects import Project
from crm_project_sales.scores import Score
from crm_project_sales.settings import Settings

_RECORDS = (Project, Score, Decision, Milestone)

REMARK_LABELS = (
    "Stages are those that Salesforce comes with; write yours beside them. A project for which we bid needs a decision "
    "to go (see bid_needs_go): without one its row is rejected.",
)
"""What our foreign names remark: a text for the catalogue, which reads no TOML."""


@hookimpl
def crm_register_records() -> Iterable[type[Record]]:
    """Projects, and what is judged, decided and planned about them."""
    return _RECORDS


@hookimpl
def crm_register_settings() -> type[Settings]:
    """What ``[plugins.project_sales]`` is read into."""
    return Settings


@hookimpl
def crm_register_roles() -> Iterable[Role]:
    """Salespeople run the projects of their own accounts, managers those of their units.

    Deleting a project is for managers; what hangs on it goes with the undo of one's own work.
    """
    names = [each.crm_type.name for each in _RECORDS]
    everything = [f"{name}.{verb}" for name in names for verb in ("create", "update", "delete")]
    own = [(permission, Scope.OWN) for permission in everything if permission != "project_sales.project.delete"]
    below = [(permission, Scope.SUBTREE) for permission in everything]
    return [Role("sales", tuple(own)), Role("manager", tuple(below))]


@hookimpl
def crm_register_vocabularies() -> Mapping[str, Mapping[str, str]]:
    """Kinds of milestones, and what salespeople of projects do beside visits and calls."""
    return {
        "account.signal": {signals.MILESTONE: "Milestone reached", signals.ACCEPTANCE: "Acceptance of a project"},
        "activity.kind": {"site_visit": "Site visit", "bid_meeting": "Bid meeting"},
        "project_sales.milestone_kind": {
            "specification": "Specification",
            "tender": "Tender",
            "award": "Award",
            "delivery": "Delivery",
            "acceptance": "Acceptance",
            "other": "Other",
        },
    }


@hookimpl
def crm_register_foreign_names() -> Iterable[Path]:
    """Opportunities of Salesforce are projects."""
    return [Path(__file__).parent / "foreign" / "salesforce.toml"]


@hookimpl
@only_for(Project, Score)
def crm_check_changes(session: CrmSession, batch: ChangeBatch) -> Iterable[Problem]:
    """Refuse scores out of range, unknown criteria, and bids without a decision to go."""
    if batch.type is Project.crm_type:
        return checks.project_problems(session, batch)
    return checks.score_problems(session, batch)


@hookimpl
def crm_check_contact(session: CrmSession, touch: Touch) -> Iterable[Finding]:
    """Warn where a project of the account was decided no-go."""
    return checks.findings(session, touch)


@hookimpl
def crm_gather_overview(session: CrmSession, accounts: Sequence[int]) -> Iterable[Panel]:
    """The open projects of each account."""
    return views.panels(session, accounts)


@hookimpl
def crm_gather_timeline(
    session: CrmSession, accounts: Sequence[int], since: dt.datetime | None, until: dt.datetime | None, limit: int
) -> Iterable[TimelineEntry]:
    """Decisions and milestones."""
    return views.entries(session, accounts, since, until, limit)


@hookimpl
def crm_gather_handover(session: CrmSession, accounts: Sequence[int], user_id: int | None) -> Iterable[OpenItem]:
    """Projects that run, bids without a decision, milestones to come."""
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
    """Milestones that were reached."""
    return signals.signals(session, accounts, kinds, since, until)
