"""Contacts: people, how to reach them, and where they work or worked."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from enum import Enum
from typing import TYPE_CHECKING

from sqlalchemy import select
from sqlalchemy.orm import Mapped

from crm_core.domain import dated
from crm_core.domain.accounts import Account
from crm_core.domain.dated import as_moment
from crm_core.fields import choice, day, flag, moment, ref, text
from crm_core.fields.kinds import EmailKind, Kind, PhoneKind
from crm_core.records import Dated, Record, parent, record, through, via

if TYPE_CHECKING:
    from crm_core.store.session import CrmSession


__all__ = [
    "CALLED",
    "POINT_FORMS",
    "Affiliation",
    "Consent",
    "Contact",
    "ContactPoint",
    "PointKind",
    "affiliate",
    "confirm",
    "erase",
    "erase_texts",
    "move",
]


class Consent(Enum):
    """Whether somebody agreed to be addressed at a contact point."""

    UNKNOWN = "unknown"
    GIVEN = "given"
    WITHDRAWN = "withdrawn"


class PointKind(Enum):
    """The kind of a contact point."""

    EMAIL = "email"
    PHONE = "phone"
    MOBILE = "mobile"
    FAX = "fax"
    WECHAT = "wechat"
    OTHER = "other"


CALLED = (PointKind.PHONE, PointKind.MOBILE, PointKind.FAX)
"""The kinds of contact points whose value is a telephone number."""

POINT_FORMS: Mapping[PointKind, Kind] = {PointKind.EMAIL: EmailKind(), **dict.fromkeys(CALLED, PhoneKind(None))}
"""What the value of a contact point must look like: as in a field of that kind, but it is kept as it was written."""


@record("contact", access=through("affiliation", "contact_id"), label="Contact")
class Contact(Record):
    """A person. Employment, role and department are dated affiliations, not fields of the person."""

    name: Mapped[str] = text(200, search=True, folded=True, surname=True, personal=True)
    family_name: Mapped[str | None] = text(80, default=None, personal=True)
    given_name: Mapped[str | None] = text(80, default=None, personal=True)
    local_name: Mapped[str | None] = text(200, default=None, search=True, surname=True, folded=False, personal=True)
    salutation: Mapped[str | None] = text(40, default=None, personal=True)
    language: Mapped[str | None] = text(20, default=None)
    birthday: Mapped[dt.date | None] = day(default=None, personal=True)
    note: Mapped[str | None] = text(None, default=None, personal=True, restricted="contact.read_notes")
    erased_at: Mapped[dt.datetime | None] = moment(default=None, help="When the person was erased.")


@record(
    "affiliation",
    access=via("account_id"),
    label="Affiliation",
    indexes=[("contact_id", "valid_to")],
    found_as=("contact_id",),
)
class Affiliation(Dated):
    """A person's place at an account: role, title, department, from when to when."""

    account_id: Mapped[int] = ref("account", collection="contacts")
    contact_id: Mapped[int] = ref("contact", collection="affiliations")
    role: Mapped[str | None] = text(80, default=None, search=True)
    title: Mapped[str | None] = text(120, default=None, search=True)
    department: Mapped[str | None] = text(120, default=None, search=True)
    primary: Mapped[bool] = flag(default=False, label="Main place of work")
    confirmed_at: Mapped[dt.datetime | None] = moment(default=None)

    account: Mapped[Account] = parent("account_id")
    contact: Mapped[Contact] = parent("contact_id")


@record(
    "contact_point",
    access=via("contact_id", "account_id"),
    label="Contact point",
    found_as=("contact_id", "account_id"),
)
class ContactPoint(Record):
    """One way to reach a person or an account, and whether they agreed to be reached there."""

    contact_id: Mapped[int | None] = ref("contact", default=None, collection="points")
    account_id: Mapped[int | None] = ref("account", default=None, collection="points")
    kind: Mapped[PointKind] = choice(PointKind)
    value: Mapped[str] = text(254, search=True, index=True, personal=True)
    label: Mapped[str | None] = text(40, default=None, personal=True)
    preferred: Mapped[bool] = flag(default=False)
    consent: Mapped[Consent] = choice(Consent, default=Consent.UNKNOWN)
    consent_at: Mapped[dt.datetime | None] = moment(default=None)

    contact: Mapped[Contact | None] = parent("contact_id")
    account: Mapped[Account | None] = parent("account_id")


def affiliate(
    session: CrmSession,
    contact: Contact,
    account: Account,
    *,
    role: str | None = None,
    title: str | None = None,
    department: str | None = None,
    from_: dt.datetime | dt.date | None = None,
    since_always: bool = False,
    primary: bool = False,
) -> Affiliation:
    """Say that a person works at an account, from a moment on (default: now)."""
    return session.add_one(
        Affiliation(
            account_id=account.id,
            contact_id=contact.id,
            role=role,
            title=title,
            department=department,
            primary=primary,
            valid_from=None if since_always else as_moment(session, from_),
        )
    )


def move(
    session: CrmSession,
    contact: Contact,
    *,
    to: Account,
    from_account: Account | None = None,
    at: dt.datetime | dt.date | None = None,
    role: str | None = None,
    title: str | None = None,
    department: str | None = None,
) -> Affiliation:
    """A person changes employer or role: the old affiliation ends, a new one begins at the same moment.

    Without ``from_account`` every affiliation that holds then (and that the actor sees) ends. Nothing is overwritten,
    so "who was purchasing manager there in March" stays answerable.
    """
    moment = as_moment(session, at)
    query = select(Affiliation).where(Affiliation.contact_id == contact.id)
    if from_account is not None:
        query = query.where(Affiliation.account_id == from_account.id)
    for row in session.scalars(query, execution_options={"all_dates": True}).all():
        if dated.holds(row, moment):
            dated.end(session, row, at=moment)
    return affiliate(session, contact, to, role=role, title=title, department=department, from_=moment, primary=True)


def confirm(session: CrmSession, affiliation: Affiliation, *, at: dt.datetime | dt.date | None = None) -> None:
    """Note that somebody checked that the person still works there in this role."""
    affiliation.confirmed_at = as_moment(session, at)


def erase(session: CrmSession, contact: Contact, *, reason: str) -> int:
    """Erase a person, as laws on personal data demand: final, and itself journalled.

    Every field declared ``personal`` of the person, of their contact points and of other records that hang on them is
    replaced by a tombstone, in the rows and in the whole journal; the affiliations and activities remain without the
    person's data. So are copies that merges left in the journals of others, what records held while they were the
    person's, and the reasons of change sets that were about the person alone or name them. ``erased_at`` of the person
    says when. Needs the permission ``contact.erase`` at scope all. The session must have no other changes; it is
    committed. Returns how many journal rows were rewritten.
    """
    return session.erase(contact, reason=reason)


def erase_texts(session: CrmSession, record: Record, *names: str, reason: str) -> int:
    """Erase free texts of any record that name a person, by hand: in the row and in the whole journal, for good.

    ``names`` are its fields; they are empty afterwards (``[erased]`` where a value is needed), and may be written anew
    without the name. Needs the permission ``<record>.erase`` at scope all. The session must have no other changes; it
    is committed. Returns how many journal rows were rewritten.
    """
    return session.erase_texts(record, *names, reason=reason)
