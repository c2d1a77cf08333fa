"""The decision map: who is known for which side of a decision, and how far they support us."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

import attrs
from sqlalchemy import or_, select

from crm_core import Account, Contact, CrmSession, Record, dated
from crm_stakeholders.roles import READ_STANCE, StakeholderRole, key_of
from crm_stakeholders.settings import settings_of

__all__ = [
    "Coverage", "DecisionMap", "Stakeholder", "Subject", "Support", "coverage", "decision_map", "decision_maps",
    "support",
]  # fmt: skip

_CENT = Decimal("0.01")


@attrs.frozen(kw_only=True)
class Stakeholder:
    """A person in a role that holds; ``stance`` is absent when it is unknown, or not for the reader to know."""

    role_id: int
    contact_id: int
    name: str
    role: str
    scopes: tuple[str, ...]
    influence: int
    stance: int | None
    strength: int | None
    since: dt.datetime | None


@attrs.frozen
class Coverage:
    """In which sides of the decision somebody is known: names of people by needed scope, in the order of settings."""

    known: Mapping[str, tuple[str, ...]]

    @property
    def missing(self) -> tuple[str, ...]:
        """The needed scopes in which nobody is known."""
        return tuple(scope for scope, names in self.known.items() if not names)

    @property
    def share(self) -> Decimal:
        """The part of the needed scopes that is covered, 0 to 1."""
        return Decimal(len(self.known) - len(self.missing)) / len(self.known) if self.known else Decimal(1)


@attrs.frozen
class Support:
    """How far those who decide are for us: ``value`` from -2 to +2, absent where no stance is known at all.

    ``known`` is the part of all influence whose stance is known, 0 to 1: how much the value is worth.
    """

    value: Decimal | None
    known: Decimal


@attrs.frozen(kw_only=True)
class DecisionMap:
    """Who decides about a subject (or, without one, in the account as a whole) at a moment.

    ``support`` is ``None`` for readers who may not know what people think of us.
    """

    account_id: int
    subject_type: str | None
    subject_id: int | None
    at: dt.datetime
    stakeholders: tuple[Stakeholder, ...]
    coverage: Coverage
    support: Support | None


@attrs.frozen
class Subject:
    """What a decision is about, as rows name it; type and id are empty for the account as a whole."""

    account_id: int
    type: str | None = None
    id: int | None = None


def decision_map(
    session: CrmSession,
    account: Account,
    subject: Record | None = None,
    *,
    at: dt.datetime | dt.date | None = None,
) -> DecisionMap:
    """Who decides about ``subject`` (default: in the account as a whole) at a moment (default: the session's ``at``).

    Without anybody known the map is empty and nothing is covered. Whoever lacks the permission
    ``stakeholders.role.read_stance`` gets the coverage but not the support.
    """
    moment = session.at if at is None else dated.as_moment(session, at)
    wanted = Subject(account.id, *key_of(account, subject))
    return decision_maps(session, [account.id], at=moment).get(wanted) or _map(session, wanted, moment, [])


def decision_maps(
    session: CrmSession, accounts: Iterable[int], *, at: dt.datetime | dt.date | None = None
) -> dict[Subject, DecisionMap]:
    """The decision maps of many accounts and of all subjects under them, by one statement.

    Only subjects around which somebody has a role are in it.
    """
    moment = session.at if at is None else dated.as_moment(session, at)
    role = StakeholderRole
    rows = session.execute(
        select(role, Contact.name)
        .join(Contact, Contact.id == role.contact_id)
        .where(
            role.account_id.in_(sorted(set(accounts))),
            or_(role.valid_from.is_(None), role.valid_from <= moment),
            or_(role.valid_to.is_(None), role.valid_to > moment),
        )
        .order_by(role.account_id, role.subject_type.nulls_first(), role.subject_id, role.influence.desc(), role.id),
        execution_options={"all_dates": True},
    )
    may_know = session.can(READ_STANCE)
    found: defaultdict[Subject, list[Stakeholder]] = defaultdict(list)
    for row, name in rows:
        found[Subject(row.account_id, row.subject_type, row.subject_id)].append(
            Stakeholder(
                role_id=row.id,
                contact_id=row.contact_id,
                name=name,
                role=row.role,
                scopes=tuple(sorted(row.scopes)),
                influence=row.influence,
                stance=row.stance if may_know else None,
                strength=row.strength,
                since=row.valid_from,
            )
        )
    return {subject: _map(session, subject, moment, people) for subject, people in found.items()}


def _map(session: CrmSession, subject: Subject, at: dt.datetime, people: Sequence[Stakeholder]) -> DecisionMap:
    return DecisionMap(
        account_id=subject.account_id,
        subject_type=subject.type,
        subject_id=subject.id,
        at=at,
        stakeholders=tuple(people),
        coverage=coverage(people, settings_of(session).needed_scopes),
        support=support(people) if session.can(READ_STANCE) else None,
    )


def coverage(people: Iterable[Stakeholder], needed: Sequence[str]) -> Coverage:
    """Who is known for each needed scope; a person in two roles is named once."""
    known: dict[str, list[str]] = {scope: [] for scope in needed}
    for person in people:
        for scope in person.scopes:
            if scope in known and person.name not in known[scope]:
                known[scope].append(person.name)
    return Coverage({scope: tuple(names) for scope, names in known.items()})


def support(people: Iterable[Stakeholder]) -> Support:
    """How far people are for us: the mean of their stances, weighted by influence.

    ``value = sum(influence * stance) / sum(influence)`` over those whose stance is known, rounded to cents, so it lies
    within -2 and +2; ``known`` is the part of all influence that went into it. The formula is ours: it says no more
    than that a decider's opinion weighs more than a user's. Somebody in two roles counts in both.
    """
    everyone = list(people)
    judged = [(person.influence, person.stance) for person in everyone if person.stance is not None]
    weight = sum(influence for influence, _ in judged)
    total = sum(person.influence for person in everyone)
    if not weight:
        return Support(None, Decimal(0))
    value = Decimal(sum(influence * stance for influence, stance in judged)) / weight
    return Support(value.quantize(_CENT), (Decimal(weight) / total).quantize(_CENT))
