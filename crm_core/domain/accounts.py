"""Accounts: the companies, outlets and institutions we do business with."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from enum import Enum
from typing import TYPE_CHECKING

from sqlalchemy import select
from sqlalchemy.orm import Mapped

from crm_core import fields as f
from crm_core.domain import dated
from crm_core.domain.dated import as_moment
from crm_core.errors import ValidationError
from crm_core.fields import Address, Money, choice, email, flag, money, number, phone, ref, text, url
from crm_core.records import Dated, Record, one_at_a_time, owned, parent, record, via

if TYPE_CHECKING:
    from crm_core.store.session import CrmSession


__all__ = [
    "Account",
    "AccountAddress",
    "AccountRelation",
    "Lifecycle",
    "Stage",
    "lifecycle",
    "promote",
    "relate",
    "stage",
]


class Stage(Enum):
    """Where an account stands in one business line."""

    PROSPECT = "prospect"
    QUALIFIED = "qualified"
    CUSTOMER = "customer"
    DORMANT = "dormant"
    LOST = "lost"
    WON_BACK = "won_back"


# A page of one grade goes on along the names, however many accounts have that grade.
@record("account", access=owned(), label="Account", poolable=True, indexes=[("grade", "name_key", "id")])
class Account(Record):
    """A customer, prospect, partner or competitor; the root of visibility."""

    name: Mapped[str] = text(200, search=True, folded=True)
    local_name: Mapped[str | None] = text(200, default=None, search=True)
    legal_name: Mapped[str | None] = text(200, default=None, search=True)
    kind: Mapped[str] = text(40, default="company", vocabulary="account.kind")
    registration_country: Mapped[str | None] = text(2, default=None)
    registration_number: Mapped[str | None] = text(40, default=None, index=True, search=True)
    industry: Mapped[str | None] = text(80, default=None)
    grade: Mapped[str | None] = text(10, default=None)
    employees: Mapped[int | None] = number(0, default=None)
    revenue: Mapped[Money | None] = money(default=None, label="Yearly revenue")
    website: Mapped[str | None] = url(default=None)
    email: Mapped[str | None] = email(default=None, search=True)
    phone: Mapped[str | None] = phone(default=None, search=True)
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
    other_id: Mapped[int] = ref("account", collection="relations_to", label="Other account")
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


def promote(
    session: CrmSession,
    account: Account,
    stage: Stage | str,
    *,
    business_line: str = "general",
    at: dt.datetime | dt.date | None = None,
    reason: str | None = None,
) -> Lifecycle:
    """Bring an account to a stage in a business line, from a moment on (default: now).

    The former stage is closed, never overwritten; the rows are the log of durations. Promoting to the present stage
    changes nothing.
    """
    stage = Stage(stage)
    moment = as_moment(session, at)
    rows = session.scalars(
        select(Lifecycle).where(Lifecycle.account_id == account.id, Lifecycle.business_line == business_line),
        execution_options={"all_dates": True},
    ).all()
    present = next((row for row in rows if dated.holds(row, moment)), None)
    if present is None:
        upcoming = [row.valid_from for row in rows if row.valid_from is not None and row.valid_from > moment]
        return session.add_one(
            Lifecycle(
                account_id=account.id,
                business_line=business_line,
                stage=stage,
                reason=reason,
                valid_from=moment,
                valid_to=min(upcoming, default=None),
            )
        )
    if present.stage is stage:
        return present
    return dated.change(session, present, from_=moment, stage=stage, reason=reason)


def stage(
    session: CrmSession, account: Account, *, business_line: str = "general", at: dt.datetime | dt.date | None = None
) -> Stage | None:
    """The stage of an account in a business line at a moment (default: the session's ``at``)."""
    moment = session.at if at is None else as_moment(session, at)
    return next((row.stage for row in lifecycle(session, account, business_line) if dated.holds(row, moment)), None)


def lifecycle(session: CrmSession, account: Account, business_line: str | None = None) -> list[Lifecycle]:
    """The stages of an account in order of time, each with its beginning and end."""
    query = select(Lifecycle).where(Lifecycle.account_id == account.id)
    if business_line is not None:
        query = query.where(Lifecycle.business_line == business_line)
    query = query.order_by(Lifecycle.business_line, Lifecycle.valid_from.nulls_first(), Lifecycle.id)
    return list(session.scalars(query, execution_options={"all_dates": True}))


def relate(
    session: CrmSession,
    account: Account,
    kind: str,
    other: Account,
    *,
    from_: dt.datetime | dt.date | None = None,
    share: Decimal | None = None,
) -> AccountRelation:
    """Say that ``account`` is the subsidiary, branch, competitor or partner of ``other``, or buys through it."""
    if account.id == other.id:
        raise ValidationError("An account has no relation to itself.", mend="Choose another account.")
    return session.add_one(
        AccountRelation(
            account_id=account.id, other_id=other.id, kind=kind, share=share, valid_from=as_moment(session, from_)
        )
    )
