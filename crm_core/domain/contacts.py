"""Contacts: people, how to reach them, and where they work or worked."""

from __future__ import annotations

import datetime as dt
from enum import Enum

from sqlalchemy.orm import Mapped

from crm_core.domain.accounts import Account
from crm_core.fields import choice, day, flag, moment, ref, text
from crm_core.records import Dated, Record, parent, record, through, via

__all__ = ["Affiliation", "Consent", "Contact", "ContactPoint", "PointKind"]


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


@record("contact", access=through("affiliation", "contact_id"), label="Contact")
class Contact(Record):
    """A person. Employment, role and department are dated affiliations, not fields of the person."""

    name: Mapped[str] = text(200, search=True, folded=True, surname=True, personal=True)
    family_name: Mapped[str | None] = text(80, default=None, personal=True)
    given_name: Mapped[str | None] = text(80, default=None, personal=True)
    local_name: Mapped[str | None] = text(200, default=None, search=True, personal=True)
    salutation: Mapped[str | None] = text(40, default=None, personal=True)
    language: Mapped[str | None] = text(20, default=None)
    birthday: Mapped[dt.date | None] = day(default=None, personal=True)
    note: Mapped[str | None] = text(None, default=None, personal=True, restricted="contact.read_notes")
    erased_at: Mapped[dt.datetime | None] = moment(default=None)


@record("affiliation", access=via("account_id"), label="Affiliation", indexes=[("contact_id", "valid_to")])
class Affiliation(Dated):
    """A person's place at an account: role, title, department, from when to when."""

    account_id: Mapped[int] = ref("account", collection="contacts")
    contact_id: Mapped[int] = ref("contact", collection="affiliations")
    role: Mapped[str | None] = text(80, default=None)
    title: Mapped[str | None] = text(120, default=None)
    department: Mapped[str | None] = text(120, default=None)
    primary: Mapped[bool] = flag(default=False, label="Main place of work")
    confirmed_at: Mapped[dt.datetime | None] = moment(default=None)

    account: Mapped[Account] = parent("account_id")
    contact: Mapped[Contact] = parent("contact_id")


@record("contact_point", access=via("contact_id", "account_id"), label="Contact point")
class ContactPoint(Record):
    """One way to reach a person or an account, and whether they agreed to be reached there."""

    contact_id: Mapped[int | None] = ref("contact", default=None, collection="points")
    account_id: Mapped[int | None] = ref("account", default=None, collection="points")
    kind: Mapped[PointKind] = choice(PointKind)
    value: Mapped[str] = text(254, search=True, index=True, personal=True)
    label: Mapped[str | None] = text(40, default=None)
    preferred: Mapped[bool] = flag(default=False)
    consent: Mapped[Consent] = choice(Consent, default=Consent.UNKNOWN)
    consent_at: Mapped[dt.datetime | None] = moment(default=None)

    contact: Mapped[Contact | None] = parent("contact_id")
    account: Mapped[Account | None] = parent("account_id")
