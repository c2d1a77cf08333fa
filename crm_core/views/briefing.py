"""The briefing: all that somebody should know who takes an account over, account by account."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import attrs
from sqlalchemy import func, select

from crm_core.domain.accounts import Account, AccountRelation, Lifecycle
from crm_core.domain.activities import Activity, Participant, Status
from crm_core.domain.contacts import Affiliation, Consent, Contact, ContactPoint
from crm_core.domain.organisation import User
from crm_core.domain.ownership import Ownership
from crm_core.fields import Field
from crm_core.hooks.values import Failed, OpenItem, Panel
from crm_core.views.aliases import another
from crm_core.views.duties_due import duties_due
from crm_core.views.open_items import by_due, open_items

if TYPE_CHECKING:
    from crm_core.store.session import CrmSession

__all__ = ["Briefing", "Contacted", "Known", "Neighbour", "Responsibility", "Standing", "briefings"]

_CHUNK = 1000


@attrs.frozen(kw_only=True)
class Known:
    """One of their people: what they do there, how to reach them, and when one of us last spoke with them.

    ``points`` are kind, value and consent (empty where it is unknown) of each way to reach them, preferred ones first.
    """

    contact_id: int
    name: str
    role: str | None
    title: str | None
    department: str | None
    since: dt.datetime | None
    confirmed_at: dt.datetime | None
    points: tuple[tuple[str, str, str], ...] = ()
    last_met: dt.datetime | None = None


@attrs.frozen(kw_only=True)
class Contacted:
    """An activity that was held: when, what about, with whom, by whom, and what came of it."""

    activity_id: int
    at: dt.datetime | None
    kind: str
    subject: str
    person: str | None
    user: str | None
    outcome: str | None
    feeling: str | None


@attrs.frozen(kw_only=True)
class Responsibility:
    """One of us who is responsible."""

    user_id: int
    name: str
    role: str
    scope: str
    since: dt.datetime | None


@attrs.frozen(kw_only=True)
class Standing:
    """The stage in one business line."""

    business_line: str
    stage: str
    since: dt.datetime | None


@attrs.frozen(kw_only=True)
class Neighbour:
    """A related account; ``outward`` where the relation reads from this account to it."""

    account_id: int
    name: str
    kind: str
    outward: bool


@attrs.frozen(kw_only=True)
class Briefing:
    """Who is who, what was last said, what is open, what was promised, and what plugins know.

    What is ``open`` includes the reporting duties that are due there.

    ``facts`` are pairs of label and value. A plugin whose part could not be had is named in ``failed``.
    """

    account_id: int
    name: str
    at: dt.datetime
    facts: tuple[tuple[str, str], ...]
    responsible: tuple[Responsibility, ...]
    people: tuple[Known, ...]
    stages: tuple[Standing, ...]
    related: tuple[Neighbour, ...]
    last: tuple[Contacted, ...]
    promises: tuple[OpenItem, ...]
    open: tuple[OpenItem, ...]
    panels: tuple[Panel, ...]
    failed: tuple[Failed, ...]


def briefings(session: CrmSession, accounts: Account | Sequence[Account], *, last: int = 5) -> list[Briefing]:
    """The briefings of accounts at the session's ``at``, each with the ``last`` activities that were held.

    A constant number of SQL statements for a thousand accounts, and only what the actor sees.
    """
    given = [accounts] if isinstance(accounts, Account) else list(accounts)
    found: list[Briefing] = []
    for start in range(0, len(given), _CHUNK):
        found += _briefings(session, given[start : start + _CHUNK], last)
    return found


def _briefings(session: CrmSession, accounts: Sequence[Account], last: int) -> list[Briefing]:
    ids = [account.id for account in accounts]
    if not ids:
        return []
    panels = session.store.dispatch.gather_overview(session, ids)
    gathered = open_items(session, ids)
    failed = (*panels.failed, *gathered.failed)
    responsible, people = _responsible(session, ids), _people(session, ids)
    stages, related, held = _stages(session, ids), _related(session, ids), _held(session, ids, last)
    by_account: defaultdict[int, list[Panel]] = defaultdict(list)
    for panel in panels:
        by_account[panel.account_id].append(panel)
    waiting: defaultdict[int, list[OpenItem]] = defaultdict(list)
    for item in by_due((*gathered, *duties_due(session, ids))):
        waiting[item.account_id].append(item)
    return [
        Briefing(
            account_id=account.id,
            name=account.name,
            at=session.at,
            facts=tuple(_facts(session, account)),
            responsible=tuple(responsible[account.id]),
            people=tuple(people[account.id]),
            stages=tuple(stages[account.id]),
            related=tuple(related[account.id]),
            last=tuple(held[account.id]),
            promises=tuple(item for item in waiting[account.id] if item.kind == "promise"),
            open=tuple(item for item in waiting[account.id] if item.kind != "promise"),
            panels=tuple(by_account[account.id]),
            failed=failed,
        )
        for account in accounts
    ]


def _facts(session: CrmSession, account: Account) -> list[tuple[str, str]]:
    """Filled fields with their labels; custom fields by the labels of the build."""
    facts: list[tuple[str, str]] = []
    for field in Account.crm_type.fields:
        if field.name not in ("name", "active") and (field.restricted is None or session.can(field.restricted)):
            value: Any = getattr(account, field.name)
            if value not in (None, frozenset()):
                facts.append((field.label, _word(session, field, value)))
    custom = session.policy.custom.get("account", {})
    for name, value in (account.custom or {}).items():
        facts.append((custom[name].label if name in custom else name, str(value)))
    return facts


def _word(session: CrmSession, field: Field, value: Any) -> str:
    """A value as text; a word of a vocabulary by its label."""
    text = field.kind.format(value)
    return session.policy.vocabularies.get(field.vocabulary or "", {}).get(text, text)


def _responsible(session: CrmSession, ids: Sequence[int]) -> dict[int, list[Responsibility]]:
    query = (
        select(Ownership.account_id, Ownership.user_id, User.name, Ownership.role, Ownership.scope,
               Ownership.valid_from)
        .join(User, User.id == Ownership.user_id)
        .where(Ownership.account_id.in_(ids))
        .order_by(Ownership.role.desc(), Ownership.scope, Ownership.id)
    )  # fmt: skip
    found: defaultdict[int, list[Responsibility]] = defaultdict(list)
    for row in session.execute(query):
        found[row.account_id].append(
            Responsibility(
                user_id=row.user_id, name=row.name, role=row.role.value, scope=row.scope, since=row.valid_from
            )
        )
    return found


def _people(session: CrmSession, ids: Sequence[int]) -> dict[int, list[Known]]:
    query = (
        select(Affiliation.account_id, Affiliation.contact_id, Contact.name, Affiliation.role, Affiliation.title,
               Affiliation.department, Affiliation.valid_from, Affiliation.confirmed_at)
        .join(Contact, Contact.id == Affiliation.contact_id)
        .where(Affiliation.account_id.in_(ids))
        .order_by(Affiliation.primary.desc(), Affiliation.id)
    )  # fmt: skip
    rows = session.execute(query).all()
    points = _points(session, ids)
    met = _last_met(session, ids)
    found: defaultdict[int, list[Known]] = defaultdict(list)
    for row in rows:
        found[row.account_id].append(
            Known(
                contact_id=row.contact_id,
                name=row.name,
                role=row.role,
                title=row.title,
                department=row.department,
                since=row.valid_from,
                confirmed_at=row.confirmed_at,
                points=tuple(points.get(row.contact_id, ())),
                last_met=met.get((row.account_id, row.contact_id)),
            )
        )
    return found


def _points(session: CrmSession, ids: Sequence[int]) -> dict[int, list[tuple[str, str, str]]]:
    people = select(Affiliation.contact_id).where(Affiliation.account_id.in_(ids))
    query = (
        select(ContactPoint.contact_id, ContactPoint.kind, ContactPoint.value, ContactPoint.consent)
        .where(ContactPoint.contact_id.in_(people))
        .order_by(ContactPoint.preferred.desc(), ContactPoint.id)
    )
    found: defaultdict[int, list[tuple[str, str, str]]] = defaultdict(list)
    for row in session.execute(query):
        consent = "" if row.consent is Consent.UNKNOWN else row.consent.value
        found[row.contact_id].append((row.kind.value, row.value, consent))
    return found


def _last_met(session: CrmSession, ids: Sequence[int]) -> dict[tuple[int, int], dt.datetime]:
    """When one of us last met each person at each account: as the one it was about, or as a participant."""
    when = func.max(func.coalesce(Activity.started_at, Activity.planned_start))
    held = (Activity.account_id.in_(ids), Activity.status == Status.HELD)
    alone = select(Activity.account_id, Activity.contact_id, when).where(*held, Activity.contact_id.is_not(None))
    among = (
        select(Activity.account_id, Participant.contact_id, when)
        .join(Activity, Activity.id == Participant.activity_id)
        .where(*held, Participant.contact_id.is_not(None))
    )
    found: dict[tuple[int, int], dt.datetime] = {}
    for query, person in ((alone, Activity.contact_id), (among, Participant.contact_id)):
        for account_id, contact_id, at in session.execute(query.group_by(Activity.account_id, person)):
            if account_id is not None and contact_id is not None and at is not None:
                found[account_id, contact_id] = max(at, found.get((account_id, contact_id), at))
    return found


def _stages(session: CrmSession, ids: Sequence[int]) -> dict[int, list[Standing]]:
    query = (
        select(Lifecycle.account_id, Lifecycle.business_line, Lifecycle.stage, Lifecycle.valid_from)
        .where(Lifecycle.account_id.in_(ids))
        .order_by(Lifecycle.business_line, Lifecycle.id)
    )
    found: defaultdict[int, list[Standing]] = defaultdict(list)
    for row in session.execute(query):
        found[row.account_id].append(
            Standing(business_line=row.business_line, stage=row.stage.value, since=row.valid_from)
        )
    return found


def _related(session: CrmSession, ids: Sequence[int]) -> dict[int, list[Neighbour]]:
    one, other = another(Account), another(Account, 2)
    query = (
        select(AccountRelation.account_id, AccountRelation.other_id, AccountRelation.kind, one.name.label("one"),
               other.name.label("other"))
        .join(one, one.id == AccountRelation.account_id)
        .join(other, other.id == AccountRelation.other_id)
        .where(AccountRelation.account_id.in_(ids) | AccountRelation.other_id.in_(ids))
        .order_by(AccountRelation.kind, AccountRelation.id)
    )  # fmt: skip
    wanted = set(ids)
    found: defaultdict[int, list[Neighbour]] = defaultdict(list)
    for row in session.execute(query):
        if row.account_id in wanted:
            found[row.account_id].append(
                Neighbour(account_id=row.other_id, name=row.other, kind=row.kind, outward=True)
            )
        if row.other_id in wanted:
            found[row.other_id].append(Neighbour(account_id=row.account_id, name=row.one, kind=row.kind, outward=False))
    return found


def _held(session: CrmSession, ids: Sequence[int], last: int) -> dict[int, list[Contacted]]:
    """The latest activities of each account that were held."""
    when = func.coalesce(Activity.started_at, Activity.planned_start)
    place = func.row_number().over(partition_by=Activity.account_id, order_by=(when.desc(), Activity.id.desc()))
    ranked = (
        select(Activity.id.label("id"), place.label("place"))
        .where(Activity.account_id.in_(ids), Activity.status == Status.HELD)
        .subquery()
    )
    query = (
        select(Activity.id, Activity.account_id, when.label("at"), Activity.kind, Activity.subject, Activity.outcome,
               Activity.feeling, User.name.label("user"), Contact.name.label("person"))
        .join(ranked, ranked.c.id == Activity.id)
        .outerjoin(User, User.id == Activity.user_id)
        .outerjoin(Contact, Contact.id == Activity.contact_id)
        .where(ranked.c.place <= last)
        .order_by(ranked.c.place)
    )  # fmt: skip
    found: defaultdict[int, list[Contacted]] = defaultdict(list)
    for row in session.execute(query):
        found[row.account_id].append(
            Contacted(
                activity_id=row.id,
                at=row.at,
                kind=row.kind,
                subject=row.subject,
                person=row.person,
                user=row.user,
                outcome=row.outcome,
                feeling=None if row.feeling is None else row.feeling.value,
            )
        )
    return found
