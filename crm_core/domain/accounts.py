"""Accounts: the companies, outlets and institutions we do business with."""

from __future__ import annotations

from decimal import Decimal
from enum import Enum

from sqlalchemy.orm import Mapped

from crm_core import fields as f
from crm_core.fields import Address, Money, choice, email, flag, money, number, phone, ref, text, url
from crm_core.records import Dated, Record, one_at_a_time, owned, parent, record, via

__all__ = ["Account", "AccountAddress", "AccountRelation", "Lifecycle", "Stage"]


class Stage(Enum):
    """Where an account stands in one business line."""

    PROSPECT = "prospect"
    QUALIFIED = "qualified"
    CUSTOMER = "customer"
    DORMANT = "dormant"
    LOST = "lost"
    WON_BACK = "won_back"


@record("account", access=owned(), label="Account")
class Account(Record):
    """A customer, prospect, partner or competitor; the root of visibility."""

    name: Mapped[str] = text(200, search=True, folded=True)
    local_name: Mapped[str | None] = text(200, default=None, search=True)
    legal_name: Mapped[str | None] = text(200, default=None, search=True)
    kind: Mapped[str] = text(40, default="company", vocabulary="account.kind")
    registration_country: Mapped[str | None] = text(2, default=None)
    registration_number: Mapped[str | None] = text(40, default=None, index=True)
    industry: Mapped[str | None] = text(80, default=None)
    grade: Mapped[str | None] = text(10, default=None, index=True)
    employees: Mapped[int | None] = number(0, default=None)
    revenue: Mapped[Money | None] = money(default=None, label="Yearly revenue")
    website: Mapped[str | None] = url(default=None)
    email: Mapped[str | None] = email(default=None)
    phone: Mapped[str | None] = phone(default=None)
    address: Mapped[Address | None] = f.address(default=None)
    tags: Mapped[frozenset[str]] = f.tags(default=frozenset())
    active: Mapped[bool] = flag(default=True)
    note: Mapped[str | None] = text(None, default=None)


@record("account_address", access=via("account_id"), label="Further address")
class AccountAddress(Record):
    """A further address of an account: shipping, invoicing, a plant."""

    account_id: Mapped[int] = ref("account", collection="addresses")
    kind: Mapped[str] = text(40, default="shipping")
    address: Mapped[Address] = f.address()

    account: Mapped[Account] = parent("account_id")


@record("account_relation", access=via("account_id", "other_id", every=True), label="Relation between accounts")
class AccountRelation(Dated):
    """``account`` is the subsidiary, branch, competitor or partner of ``other``, or buys through it."""

    account_id: Mapped[int] = ref("account", collection="relations")
    other_id: Mapped[int] = ref("account", collection="relations_to")
    kind: Mapped[str] = text(40, vocabulary="account.relation")
    share: Mapped[Decimal | None] = number(4, default=None, label="Share held (0 to 1)")

    account: Mapped[Account] = parent("account_id")
    other: Mapped[Account] = parent("other_id")


@record(
    "lifecycle",
    access=via("account_id"),
    label="Stage of an account",
    exclusive=[one_at_a_time("account_id", "business_line")],
    indexes=[("account_id", "business_line", "valid_to")],
)
class Lifecycle(Dated):
    """The stage of an account in one business line, as dated rows: their lengths are the log of durations."""

    account_id: Mapped[int] = ref("account", collection="lifecycle")
    business_line: Mapped[str] = text(40, default="general")
    stage: Mapped[Stage] = choice(Stage)
    reason: Mapped[str | None] = text(200, default=None)

    account: Mapped[Account] = parent("account_id")
