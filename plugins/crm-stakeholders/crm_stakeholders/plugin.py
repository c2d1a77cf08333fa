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
    SoftReference,
    TimelineEntry,
    hookimpl,
    only_for,
)
from crm_stakeholders import checks, daily, views
from crm_stakeholders.open_work import open_work
from crm_stakeholders.roles import READ_STANCE, StakeholderRole
from crm_stakeholders.settings import Settings

_WRITES = ("stakeholders.role.create", "stakeholders.role.update", "stakeholders.role.delete", READ_STANCE)


@hookimpl
def crm_register_records() -> Iterable[type[Record]]:
    """One record: a dated role."""
    return [StakeholderRole]


@hookimpl
def crm_register_settings() -> type[Settings]:
    """What ``[plugins.stakeholders]`` is read into."""
    return Settings


@hookimpl
def crm_register_permissions() -> Mapping[str, str]:
    """What does not follow from the record."""
    return {READ_STANCE: "Know what people think of us"}


@hookimpl
def crm_register_roles() -> Iterable[Role]:
    """Salespeople note who decides at their own accounts, managers at those of their units."""
    return [
        Role("sales", tuple((permission, Scope.OWN) for permission in _WRITES)),
        Role("manager", tuple((permission, Scope.SUBTREE) for permission in _WRITES)),
    ]


@hookimpl
def crm_register_vocabularies() -> Mapping[str, Mapping[str, str]]:
    """The parts people play, and the sides of a decision; a build file may add to both."""
    return {
        "stakeholders.role": {
            "initiator": "Initiator",
            "decider": "Decider",
            "influencer": "Influencer",
            "user": "User",
            "buyer": "Buyer",
            "gatekeeper": "Gatekeeper",
            "coach": "Coach",
            "blocker": "Blocker",
        },
        "stakeholders.scope": {
            "commercial": "Commercial",
            "technical": "Technical",
            "financial": "Financial",
            "final": "Final decision",
        },
    }


@hookimpl
def crm_register_references() -> Iterable[SoftReference]:
    """The subject of a role: a project, an opportunity."""
    return [SoftReference(record="stakeholders.role", type_field="subject_type", id_field="subject_id")]


@hookimpl
def crm_check_merge() -> Iterable[GiveWay]:
    """Where both had the same part in the same decision, what was said of the surviving record stays."""
    return [GiveWay("stakeholders.role")]


@hookimpl
@only_for(StakeholderRole, operations=("create", "update"))
def crm_check_changes(session: CrmSession, batch: ChangeBatch) -> Iterable[Problem]:
    """Refuse estimates out of range, unknown scopes and subjects of another account."""
    return checks.problems(session, batch)


@hookimpl
@only_for(operations=("delete",))
def crm_on_changes(session: CrmSession, batch: ChangeBatch) -> None:
    """Roles around a subject go with it; the undo of the change set brings back both."""
    if batch.type is not StakeholderRole.crm_type:
        checks.forget_subjects(session, batch.type.name, [change.id for change in batch.of("delete")])


@hookimpl
def crm_gather_overview(session: CrmSession, accounts: Sequence[int]) -> Iterable[Panel]:
    """A decision map for each account and subject."""
    return views.panels(session, accounts)


@hookimpl
def crm_gather_timeline(
    session: CrmSession, accounts: Sequence[int], since: dt.datetime | None, until: dt.datetime | None, limit: int
) -> Iterable[TimelineEntry]:
    """When somebody came into a decision, was judged otherwise, and left it."""
    return views.entries(session, accounts, since, until, limit)


@hookimpl
def crm_gather_handover(session: CrmSession, accounts: Sequence[int], user_id: int | None) -> Iterable[OpenItem]:
    """Roles that hang on people, and what nobody knows about who decides."""
    return open_work(session, accounts, user_id)


@hookimpl
def crm_gather_news(session: CrmSession, accounts: Sequence[int], since: dt.datetime) -> Iterable[News]:
    """What others learned."""
    return daily.news(session, accounts, since)


@hookimpl
def crm_gather_actions(session: CrmSession, accounts: Sequence[int]) -> Iterable[NextAction]:
    """What is due."""
    return daily.actions(session, accounts)
