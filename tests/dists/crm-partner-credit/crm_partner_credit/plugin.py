"""The plugin's answers to the hooks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal

from sqlalchemy import select

from crm_core import (
    ChangeBatch,
    CrmSession,
    Finding,
    Ownership,
    Panel,
    Problem,
    Record,
    Role,
    Scope,
    Touch,
    hookimpl,
)
from crm_partner_credit import checks
from crm_partner_credit.lines import READ_AMOUNTS, RELEASE, CreditLine, exceeds
from crm_partner_credit.settings import Settings, settings_of

PANEL_LABELS = ("Days to pay", "Blocked", "Credit limit", "Outstanding", "yes", "no")
"""What stands in the panel."""

_WRITES = ("partner_credit.line.create", "partner_credit.line.update", READ_AMOUNTS)


@hookimpl
def crm_register_records() -> Iterable[type[Record]]:
    """One extension of the account."""
    return [CreditLine]


@hookimpl
def crm_register_settings() -> type[Settings]:
    """What ``[plugins.partner_credit]`` is read into."""
    return Settings


@hookimpl
def crm_register_permissions() -> Mapping[str, str]:
    """What does not follow from the record."""
    return {
        READ_AMOUNTS: "Know credit limits and what is outstanding",
        RELEASE: "Let an account change hands although it is over its limit",
    }


@hookimpl
def crm_register_roles() -> Iterable[Role]:
    """Managers keep the lines of their units; a role of its own is for credit control."""
    controller = ("account.read", *_WRITES, "partner_credit.line.read", "partner_credit.line.delete", RELEASE)
    return [
        Role("manager", tuple((permission, Scope.SUBTREE) for permission in _WRITES)),
        Role("credit_control", tuple((permission, Scope.ALL) for permission in controller), "Credit control"),
    ]


@hookimpl
def crm_check_changes(session: CrmSession, system: CrmSession, batch: ChangeBatch) -> Iterable[Problem]:
    """Refuse amounts below zero, and transfers of accounts that are over their limit."""
    if batch.type is CreditLine.crm_type:
        return checks.below_zero(batch)
    return checks.transfers(session, system, batch) if batch.type is Ownership.crm_type else ()


@hookimpl
def crm_check_contact(session: CrmSession, touch: Touch) -> Iterator[Finding]:
    """Warn before a campaign to an account that is blocked."""
    if touch.purpose == "campaign":
        query = select(CreditLine.id).where(CreditLine.id == touch.account_id, CreditLine.blocked.is_(True))
        if session.scalars(query).first() is not None:
            yield Finding("warning", "Credit control has blocked this account.")


@hookimpl
def crm_gather_overview(session: CrmSession, accounts: Sequence[int]) -> Iterator[Panel]:
    """The line of each account, by one statement; amounts to those who may know them."""
    knows = session.can(READ_AMOUNTS)
    warn_at = settings_of(session).warn_at
    for line in session.scalars(select(CreditLine).where(CreditLine.id.in_(accounts)).order_by(CreditLine.id)):
        days, blocked, most, owed, yes, no = PANEL_LABELS
        lines = [(days, str(line.days_to_pay)), (blocked, yes if line.blocked else no)]
        bad, close = line.blocked, False
        if knows:
            limit, outstanding = line.limit, line.outstanding
            lines += [(most, str(limit or "-")), (owed, str(outstanding or "-"))]
            bad = bad or exceeds(outstanding, limit)
            if limit is not None and outstanding is not None and outstanding.currency == limit.currency:
                close = outstanding.amount * 100 >= limit.amount * warn_at
        severity: Literal["good", "warning", "bad"] = "bad" if bad else "warning" if close else "good"
        yield Panel(account_id=line.id, name="credit", title="Credit", lines=tuple(lines), severity=severity)
