"""Checks of people: where they work, and how they are reached."""

from __future__ import annotations

import functools
from collections.abc import Generator, Iterable, Iterator
from typing import Any

from sqlalchemy import ColumnElement, and_, exists, func, literal, or_, select, true

from crm_core.domain.accounts import Account
from crm_core.domain.activities import Activity, Status
from crm_core.domain.contacts import Affiliation, Contact, ContactPoint, PointKind
from crm_core.domain.quality import IssueState, QualityIssue
from crm_core.errors import Problem
from crm_core.fields import matching
from crm_core.store.actor import valid_at
from crm_core.store.erasure import ERASED
from crm_core.store.likely import shared_sources
from crm_core.store.visibility import bare
from crm_core.views.aliases import another
from crm_core.views.stewardship.looking import Look, QualityFinding

__all__ = [
    "email_domain", "erased_leftovers", "left_with_plans", "no_contact_point", "shared_point", "stale_place",
    "two_main_places",
]  # fmt: skip

_PERSONAL = (PointKind.MOBILE, PointKind.EMAIL, PointKind.WECHAT)
_MOST = 20_000
"""So many contact points are compared at most: a database takes only so many values in one statement."""
_KEYS = ("phone", "email", "wechat")


def two_main_places(look: Look) -> Generator[QualityFinding, None, None]:
    """Nobody has two main places of work."""
    one, other = another(Affiliation), another(Affiliation, 2)
    here, there = another(Account), another(Account, 2)
    query = (
        select(one.id, one.contact_id, Contact.name, one.account_id, here.name.label("here"), there.name.label("there"))
        .join(other, (other.contact_id == one.contact_id) & (other.id > one.id))
        .join(Contact, Contact.id == one.contact_id)
        .join(here, here.id == one.account_id)
        .join(there, there.id == other.account_id)
        .where(one.primary.is_(True), other.primary.is_(True))
        .order_by(one.contact_id, one.id, other.id)
    )
    for row in look.first(query, one.account_id):
        yield QualityFinding(
            check="two_main_places", account_id=row.account_id, account=row.here, contact_id=row.contact_id,
            record_type="affiliation", record_id=row.id,
            problem=Problem("", "{person} has two main places of work: {here} and {there}.",
                            "End the one that is over, or make it no main place.",
                            {"person": row.name, "here": row.here, "there": row.there}),
        )  # fmt: skip


def stale_place(look: Look) -> Generator[QualityFinding, None, None]:
    """Somebody looked, not too long ago, whether a person still works there."""
    seen = func.coalesce(Affiliation.confirmed_at, Affiliation.valid_from, Affiliation.created_at)
    query = (
        select(Affiliation.id, Affiliation.contact_id, Contact.name, Affiliation.account_id,
               Account.name.label("account"), seen.label("seen"))
        .join(Contact, Contact.id == Affiliation.contact_id)
        .join(Account, Account.id == Affiliation.account_id)
        .where(seen < look.stale_before, Account.active.is_(True), Contact.name != ERASED)
        .order_by(seen, Affiliation.id)
    )  # fmt: skip
    for row in look.first(query, Affiliation.account_id):
        days = (look.session.at - row.seen).days
        yield QualityFinding(
            check="stale_place", account_id=row.account_id, account=row.account, contact_id=row.contact_id,
            record_type="affiliation", record_id=row.id,
            problem=Problem("", "Nobody has confirmed for {days} days that {person} still works at {account}.",
                            "Ask, then confirm the affiliation, or move the person.",
                            {"days": days, "person": row.name, "account": row.account}),
        )  # fmt: skip


def left_with_plans(look: Look) -> Generator[QualityFinding, None, None]:
    """Nothing is planned at an account with somebody who has left it."""
    there = exists().where(Affiliation.contact_id == Activity.contact_id, Affiliation.account_id == Activity.account_id)
    query = (
        select(Activity.id, Activity.subject, Activity.contact_id, Contact.name, Activity.account_id,
               Account.name.label("account"))
        .join(Contact, Contact.id == Activity.contact_id)
        .join(Account, Account.id == Activity.account_id)
        .where(Activity.status == Status.PLANNED, ~there, look.reaching("affiliation"))
        .order_by(Activity.planned_start.nulls_last(), Activity.id)
    )  # fmt: skip
    for row in look.first(query, Activity.account_id):
        yield QualityFinding(
            check="left_with_plans", account_id=row.account_id, account=row.account, contact_id=row.contact_id,
            record_type="activity", record_id=row.id,
            problem=Problem("", "{subject!r} is planned with {person}, who does not work at {account}.",
                            "Plan it with whoever took over, or cancel it.",
                            {"subject": row.subject, "person": row.name, "account": row.account}),
        )  # fmt: skip


def shared_point(look: Look) -> Generator[QualityFinding, None, None]:
    """A mobile number, an e-mail address or a WeChat name is one person's."""
    place = bare(Affiliation.crm_type.table).alias()
    within = None
    if look.accounts is not None:
        within = select(place.c.contact_id).where(place.c.account_id.in_(sorted(look.accounts)))
    only = functools.partial(_personal, look)
    sources = shared_sources(look.session, Contact.crm_type, _KEYS, limit=look.limit, only=only, within=within)
    if not sources:
        return
    query = (
        select(ContactPoint.id, ContactPoint.kind, ContactPoint.value, ContactPoint.contact_id, Contact.name,
               Affiliation.account_id, Account.name.label("account"))
        .join(Contact, Contact.id == ContactPoint.contact_id)
        .join(Affiliation, Affiliation.contact_id == Contact.id)
        .join(Account, Account.id == Affiliation.account_id)
        .where(ContactPoint.kind.in_(_PERSONAL), ContactPoint.id.in_(sources[:_MOST]))
        .order_by(ContactPoint.id, Affiliation.id)
    )  # fmt: skip
    yield from _shared(look.rows(query, Affiliation.account_id), look.session.policy.duplicates.region)


def _personal(look: Look, key: Any) -> ColumnElement[bool]:
    """That a key is read from what only one person should have, of somebody who works where one looks."""
    session, type_ = look.session, Affiliation.crm_type
    place, point = bare(type_.table).alias(), bare(ContactPoint.crm_type.table).alias()
    visible = session.visibility.criterion(type_, place)
    works = exists().where(
        place.c.contact_id == key.record_id,
        valid_at(place, session.at),
        true() if visible is None else visible,
        *look.chosen(place.c.account_id),
    )
    mobile = exists().where(point.c.id == key.source_id, point.c.kind == PointKind.MOBILE)
    return and_(works, or_(key.kind != "phone", mobile))


def _shared(rows: Iterable[Any], region: str) -> Iterator[QualityFinding]:
    first: dict[tuple[PointKind, str], tuple[int, str]] = {}
    told: set[tuple[PointKind, str, int]] = set()
    for id_, kind, value, contact_id, name, account_id, account in rows:
        key = matching.phone_key(value, region, extension=True) if kind is PointKind.MOBILE else value.casefold()
        owner, owner_name = first.setdefault((kind, key or value), (contact_id, name))
        if owner == contact_id or (kind, key or value, contact_id) in told:
            continue
        told.add((kind, key or value, contact_id))
        yield QualityFinding(
            check="shared_point", account_id=account_id, account=account, contact_id=contact_id,
            record_type="contact_point", record_id=id_,
            problem=Problem("", "{value} is both {person}'s and {other}'s.",
                            "Find out whose it is; perhaps they are one person.",
                            {"value": value, "person": name, "other": owner_name}),
        )  # fmt: skip


def email_domain(look: Look) -> Generator[QualityFinding, None, None]:
    """An address at a company is an address of that company; only a hint, since groups have many domains."""
    query = (
        select(ContactPoint.id, ContactPoint.value, ContactPoint.contact_id, Contact.name, Affiliation.account_id,
               Account.name.label("account"), Account.website)
        .join(Contact, Contact.id == ContactPoint.contact_id)
        .join(Affiliation, Affiliation.contact_id == Contact.id)
        .join(Account, Account.id == Affiliation.account_id)
        .where(ContactPoint.kind == PointKind.EMAIL, Account.website.is_not(None), ContactPoint.value != ERASED,
               _elsewhere(look))
        .order_by(ContactPoint.id, Affiliation.id)
    )  # fmt: skip
    public = look.session.policy.duplicates.public
    for row in look.each(query, Affiliation.account_id):
        domain, host = matching.domain_of_mail(row.value, public), matching.domain_of_site(row.website, public)
        if domain is None or host is None or _within(domain, host) or _within(host, domain):
            continue
        yield QualityFinding(
            check="email_domain", account_id=row.account_id, account=row.account, contact_id=row.contact_id,
            record_type="contact_point", record_id=row.id, hint=True,
            problem=Problem("", "{person} writes from {domain}, but {account} is at {host}.",
                            "Perhaps the person has moved, or works for somebody else.",
                            {"person": row.name, "domain": domain, "account": row.account, "host": host}),
        )  # fmt: skip


def _elsewhere(look: Look) -> ColumnElement[bool]:
    """That the domain of an address is no part of the website: most rows need no closer look."""
    site = func.lower(Account.website).concat("/")
    if look.session.dialect == "sqlite":
        find, domain = func.instr, func.lower(func.substr(ContactPoint.value, func.instr(ContactPoint.value, "@") + 1))
    else:
        find, domain = func.strpos, func.lower(func.split_part(ContactPoint.value, "@", 2))
    ended = domain.concat("/")
    return and_(find(site, literal("/").concat(ended)) == 0, find(site, literal(".").concat(ended)) == 0)


def _within(domain: str, other: str) -> bool:
    return f".{domain}".endswith(f".{other}")


def no_contact_point(look: Look) -> Generator[QualityFinding, None, None]:
    """Whoever works at an active account can be reached."""
    reached = exists().where(ContactPoint.contact_id == Affiliation.contact_id)
    query = (
        select(Affiliation.id, Affiliation.contact_id, Contact.name, Affiliation.account_id,
               Account.name.label("account"))
        .join(Contact, Contact.id == Affiliation.contact_id)
        .join(Account, Account.id == Affiliation.account_id)
        .where(~reached, Account.active.is_(True), Contact.name != ERASED,
               look.reaching("contact", "affiliation", "contact_point"))
        .order_by(Affiliation.id)
    )  # fmt: skip
    for row in look.first(query, Affiliation.account_id):
        yield QualityFinding(
            check="no_contact_point", account_id=row.account_id, account=row.account, contact_id=row.contact_id,
            record_type="contact", record_id=row.contact_id,
            problem=Problem("", "{person} of {account} cannot be reached: there is no contact point.",
                            "Ask for a number or an address.", {"person": row.name, "account": row.account}),
        )  # fmt: skip


def erased_leftovers(look: Look) -> Generator[QualityFinding, None, None]:
    """Of an erased person nothing is left that somebody would still act upon."""
    planned = exists().where(Activity.contact_id == Contact.id, Activity.status == Status.PLANNED)
    reached = exists().where(ContactPoint.contact_id == Contact.id, ContactPoint.value != ERASED)
    waiting = exists().where(QualityIssue.contact_id == Contact.id, QualityIssue.state == IssueState.OPEN)
    query = (
        select(Contact.id, Affiliation.account_id, Account.name.label("account"), planned.label("planned"),
               reached.label("reached"), waiting.label("waiting"))
        .join(Affiliation, Affiliation.contact_id == Contact.id)
        .join(Account, Account.id == Affiliation.account_id)
        .where(Contact.name == ERASED, planned | reached | waiting)
        .order_by(Contact.id, Affiliation.id)
    )  # fmt: skip
    for row in look.first(query, Affiliation.account_id):
        values = {"id": row.id, "account": row.account}
        problems = (
            (row.planned, Problem("", "Activities are planned with the erased person {id} of {account}.",
                                  "Cancel them.", values)),
            (row.reached, Problem("", "There are contact points of the erased person {id} of {account}.",
                                  "Erase the person again: they came in later.", values)),
            (row.waiting, Problem("", "Something waits in the queue about the erased person {id} of {account}.",
                                  "Refuse or close it.", values)),
        )  # fmt: skip
        for there, problem in problems:
            if there:
                yield QualityFinding(
                    check="erased_leftovers", account_id=row.account_id, account=row.account, contact_id=row.id,
                    record_type="contact", record_id=row.id, problem=problem,
                )  # fmt: skip
