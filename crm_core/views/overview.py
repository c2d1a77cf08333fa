"""The overview of one account: facts, people, owners, relations, what is open, and the panels of plugins."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import attrs
from sqlalchemy import select
from sqlalchemy.orm import aliased

from crm_core.domain.accounts import Account, AccountRelation, Lifecycle
from crm_core.domain.activities import Activity, Status
from crm_core.domain.contacts import Affiliation, Consent, Contact, ContactPoint
from crm_core.domain.organisation import User
from crm_core.domain.ownership import Ownership
from crm_core.hooks.values import Failed, Panel, TimelineEntry
from crm_core.views.timeline import timeline

if TYPE_CHECKING:
    from crm_core.store.session import CrmSession

__all__ = ["Open", "Overview", "Person", "Related", "Responsible", "StageSince", "overview"]


@attrs.frozen
class Person:
    """Somebody who works at the account at the session's ``at``, with how to reach them."""

    contact_id: int
    name: str
    role: str | None
    title: str | None
    department: str | None
    since: dt.datetime | None
    confirmed_at: dt.datetime | None
    points: tuple[tuple[str, str, str], ...] = ()
    """Kind, value and consent of each contact point."""


@attrs.frozen
class Responsible:
    """One of us who is responsible for the account."""

    user_id: int
    name: str
    role: str
    scope: str
    since: dt.datetime | None


@attrs.frozen
class StageSince:
    """The stage of the account in one business line."""

    business_line: str
    stage: str
    since: dt.datetime | None


@attrs.frozen
class Related:
    """Another account it is related to; ``kind`` reads from the account to the other, or back (``outward``)."""

    account_id: int
    name: str
    kind: str
    outward: bool


@attrs.frozen
class Open:
    """A planned activity."""

    activity_id: int
    kind: str
    subject: str
    due: dt.datetime | None
    user: str | None


@attrs.frozen(kw_only=True)
class Overview:
    """All that somebody should know before they meet the customer."""

    account_id: int
    name: str
    facts: tuple[tuple[str, str], ...]
    responsible: tuple[Responsible, ...]
    people: tuple[Person, ...]
    stages: tuple[StageSince, ...]
    related: tuple[Related, ...]
    open: tuple[Open, ...]
    timeline: tuple[TimelineEntry, ...]
    panels: tuple[Panel, ...]
    failed: tuple[Failed, ...]


def overview(session: CrmSession, account: Account, *, entries: int = 10) -> Overview:
    """The overview of an account at the session's ``at``, with its latest ``entries`` of the timeline.

    A constant number of SQL statements. A plugin whose part fails is named in ``failed``; the rest stands.
    """
    story = timeline(session, account, limit=entries)
    panels = session.store.dispatch.gather_overview(session, [account.id])
    return Overview(
        account_id=account.id,
        name=account.name,
        facts=tuple(_facts(session, account)),
        responsible=_responsible(session, account.id),
        people=_people(session, account.id),
        stages=_stages(session, account.id),
        related=_related(session, account.id),
        open=_open(session, account.id),
        timeline=story.entries,
        panels=panels.parts,
        failed=(*panels.failed, *story.failed),
    )


def _facts(session: CrmSession, account: Account) -> list[tuple[str, str]]:
    """Filled fields with their labels; custom fields by the labels of the build."""
    record_type = Account.crm_type
    facts: list[tuple[str, str]] = []
    for field in record_type.fields:
        if field.restricted is None or session.can(field.restricted):
            value: Any = getattr(account, field.name)
            if value not in (None, frozenset()) and field.name != "name":
                facts.append((field.label, field.kind.format(value)))
    custom = session.policy.custom.get("account", {})
    for name, value in (account.custom or {}).items():
        facts.append((custom[name].label if name in custom else name, str(value)))
    return facts


def _responsible(session: CrmSession, account_id: int) -> tuple[Responsible, ...]:
    query = (
        select(Ownership.user_id, User.name, Ownership.role, Ownership.scope, Ownership.valid_from)
        .join(User, User.id == Ownership.user_id)
        .where(Ownership.account_id == account_id)
        .order_by(Ownership.role.desc(), Ownership.scope, Ownership.id)
    )
    return tuple(
        Responsible(row.user_id, row.name, row.role.value, row.scope, row.valid_from) for row in session.execute(query)
    )


def _people(session: CrmSession, account_id: int) -> tuple[Person, ...]:
    query = (
        select(
            Affiliation.contact_id, Contact.name, Affiliation.role, Affiliation.title, Affiliation.department,
            Affiliation.valid_from, Affiliation.confirmed_at,
        )
        .join(Contact, Contact.id == Affiliation.contact_id)
        .where(Affiliation.account_id == account_id)
        .order_by(Affiliation.primary.desc(), Affiliation.id)
    )  # fmt: skip
    rows = session.execute(query).all()
    points: dict[int, list[tuple[str, str, str]]] = {}
    if rows:
        reach = (
            select(ContactPoint.contact_id, ContactPoint.kind, ContactPoint.value, ContactPoint.consent)
            .where(ContactPoint.contact_id.in_(sorted({row.contact_id for row in rows})))
            .order_by(ContactPoint.preferred.desc(), ContactPoint.id)
        )
        for point in session.execute(reach):
            consent = "" if point.consent is Consent.UNKNOWN else point.consent.value
            points.setdefault(point.contact_id, []).append((point.kind.value, point.value, consent))
    return tuple(
        Person(
            row.contact_id, row.name, row.role, row.title, row.department, row.valid_from, row.confirmed_at,
            tuple(points.get(row.contact_id, ())),
        )
        for row in rows
    )  # fmt: skip


def _stages(session: CrmSession, account_id: int) -> tuple[StageSince, ...]:
    query = (
        select(Lifecycle.business_line, Lifecycle.stage, Lifecycle.valid_from)
        .where(Lifecycle.account_id == account_id)
        .order_by(Lifecycle.business_line, Lifecycle.id)
    )
    return tuple(StageSince(row.business_line, row.stage.value, row.valid_from) for row in session.execute(query))


def _related(session: CrmSession, account_id: int) -> tuple[Related, ...]:
    one, other = aliased(Account), aliased(Account)
    query = (
        select(AccountRelation.account_id, AccountRelation.other_id, AccountRelation.kind,
               one.name.label("name"), other.name.label("other_name"))
        .join(one, one.id == AccountRelation.account_id)
        .join(other, other.id == AccountRelation.other_id)
        .where((AccountRelation.account_id == account_id) | (AccountRelation.other_id == account_id))
        .order_by(AccountRelation.kind, AccountRelation.id)
    )  # fmt: skip
    return tuple(
        Related(row.other_id, row.other_name, row.kind, True)
        if row.account_id == account_id
        else Related(row.account_id, row.name, row.kind, False)
        for row in session.execute(query)
    )


def _open(session: CrmSession, account_id: int) -> tuple[Open, ...]:
    query = (
        select(Activity.id, Activity.kind, Activity.subject, Activity.planned_start, User.name)
        .outerjoin(User, User.id == Activity.user_id)
        .where(Activity.account_id == account_id, Activity.status == Status.PLANNED)
        .order_by(Activity.planned_start.nulls_last(), Activity.id)
        .limit(50)
    )
    return tuple(Open(row.id, row.kind, row.subject, row.planned_start, row.name) for row in session.execute(query))
