"""Our people at an account: who is responsible, who was, and who covers now."""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import attrs
from sqlalchemy import Select, bindparam, select

from crm_core.domain.dated import holds
from crm_core.domain.handovers.records import OPEN, WAITING, Handover, HandoverItem
from crm_core.domain.organisation import User
from crm_core.domain.ownership import OwnershipRole
from crm_core.fields.columns import BIGINT
from crm_core.views.aliases import another
from crm_core.views.asked import ownerships

if TYPE_CHECKING:
    from crm_core.store.session import CrmSession

__all__ = ["Cover", "Responsible", "Running", "covering", "responsible", "running"]

_ORDER = (OwnershipRole.OWNER, OwnershipRole.BACKUP, OwnershipRole.COLLABORATOR, OwnershipRole.MENTOR)
"""Whom to turn to first."""


@attrs.frozen(kw_only=True)
class Responsible:
    """One of us who is, was or will be responsible for the account in a role and scope."""

    user_id: int
    name: str
    role: str
    scope: str
    since: dt.datetime | None
    until: dt.datetime | None = None
    reason: str | None = None
    email: str | None = None
    active: bool = True
    present: bool


@attrs.frozen(kw_only=True)
class Cover:
    """Who looks after the account in one scope now; nobody (``user_id`` absent) where all who could are gone."""

    scope: str
    user_id: int | None = None
    name: str = ""
    role: str = ""


@attrs.frozen(kw_only=True)
class Running:
    """A handover of the account that is under way: who gives up, and who is to take over (nobody: the pool)."""

    handover_id: int
    leaver_id: int
    leaver: str
    successor_id: int | None
    successor: str
    role: str
    scope: str
    state: str
    effective_at: dt.datetime | None
    to_pool: bool


def running(session: CrmSession, account_id: int) -> tuple[Running, ...]:
    """Handovers of the account whose end is still to come."""
    return tuple(
        Running(
            handover_id=row.id, leaver_id=row.leaver_id, leaver=row.leaver, successor_id=row.successor_id,
            successor=row.successor or "", role=row.role.value, scope=row.scope, state=row.state.value,
            effective_at=row.effective_at, to_pool=row.to_pool,
        )
        for row in session.execute(_waiting(), {"account": account_id})
    )  # fmt: skip


@functools.cache
def _waiting() -> Select[Any]:
    """The statement, made once: to put it together takes longer than to run it."""
    account = bindparam("account", type_=BIGINT)
    leaver, successor = another(User), another(User, 2)
    return (
        select(
            Handover.id, Handover.leaver_id, leaver.name.label("leaver"), HandoverItem.successor_id,
            successor.name.label("successor"), HandoverItem.role, HandoverItem.scope, HandoverItem.state,
            Handover.effective_at, HandoverItem.to_pool,
        )
        .select_from(HandoverItem)
        .join(Handover, Handover.id == HandoverItem.handover_id)
        .join(leaver, leaver.id == Handover.leaver_id)
        .outerjoin(successor, successor.id == HandoverItem.successor_id)
        .where(HandoverItem.account_id == account, HandoverItem.state.in_(WAITING), Handover.state.in_(OPEN))
        .order_by(HandoverItem.id)
    )  # fmt: skip


def responsible(session: CrmSession, account_id: int) -> tuple[Responsible, ...]:
    """Everybody who ever was responsible; those of the session's ``at`` first, then the latest."""
    rows = ownerships(session, [account_id])
    rows = sorted(rows, key=lambda row: (not holds(row, session.at), row.scope, _ORDER.index(row.role)))
    return tuple(
        Responsible(
            user_id=row.user_id, name=row.name, role=row.role.value, scope=row.scope, since=row.valid_from,
            until=row.valid_to, reason=row.reason, email=row.email, active=row.active, present=holds(row, session.at),
        )
        for row in rows
    )  # fmt: skip


def covering(team: Sequence[Responsible]) -> tuple[Cover, ...]:
    """Who to turn to, for each scope in which anybody is or was responsible: the owner, or whoever stands in."""
    order = [role.value for role in _ORDER]
    found = []
    for scope in sorted({each.scope for each in team}):
        there = [each for each in team if each.scope == scope and each.present and each.active]
        first = min(there, key=lambda each: order.index(each.role), default=None)
        found.append(
            Cover(scope=scope)
            if first is None
            else Cover(scope=scope, user_id=first.user_id, name=first.name, role=first.role)
        )
    return tuple(found)
