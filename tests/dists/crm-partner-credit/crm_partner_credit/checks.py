"""What is refused: amounts below zero, and transfers of accounts that are over their limit."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import TypeAlias

from sqlalchemy import select

from crm_core import ChangeBatch, CrmSession, Ownership, OwnershipRole, Problem
from crm_partner_credit.lines import RELEASE, over

__all__ = ["below_zero", "transfers"]

Owners: TypeAlias = defaultdict[int, set[int]]


def below_zero(batch: ChangeBatch) -> Iterator[Problem]:
    """Limits, debts and times to pay are not negative."""
    for change in batch.of("create", "update"):
        for name in ("limit", "outstanding"):
            amount = change.after.get(name)
            if amount is not None and amount.amount < 0:
                yield Problem(name, "{amount} is below zero.", "Give an amount of zero or more.", {"amount": amount})
        days = change.after.get("days_to_pay")
        if days is not None and days < 0:
            yield Problem("days_to_pay", "{days} is below zero.", "Give zero days or more.", {"days": days})


def transfers(session: CrmSession, system: CrmSession, batch: ChangeBatch) -> Iterator[Problem]:
    """No account that is over its limit goes from one owner to another.

    The first owner of an account, collaborators, deputies and releases are no transfers. The limits are read by the
    system: whoever transfers need not know the amounts, and is not told them.
    """
    changed, former = _owners(session, batch)
    if not changed or session.can(RELEASE):
        return
    held = over(system, changed)
    query = (
        select(Ownership.account_id, Ownership.user_id)
        .where(Ownership.account_id.in_(sorted(held)), Ownership.role == OwnershipRole.OWNER)
        .order_by(Ownership.account_id)
    )
    for account_id, user_id in system.execute(query, execution_options={"all_dates": True}):
        former[account_id].add(user_id)
    for account_id in sorted(held):
        if former[account_id] - changed[account_id]:
            yield Problem(
                "user_id",
                "Credit control holds the account {account}: it does not change hands now.",
                "Ask credit control to look into it, or somebody who has the permission {permission}.",
                {"account": account_id, "permission": RELEASE},
            )


def _owners(session: CrmSession, batch: ChangeBatch) -> tuple[Owners, Owners]:
    """Who becomes an owner, and whom a correction takes it from, by account; an update tells what changed only."""
    changed: Owners = defaultdict(set)
    former: Owners = defaultdict(set)
    for change in batch.of("create"):
        if change.after.get("role") is OwnershipRole.OWNER:
            changed[change.after["account_id"]].add(change.after["user_id"])
    moved = {
        change.id: change
        for change in batch.of("update")
        if change.fields & {"account_id", "user_id", "role"}
    }  # fmt: skip
    if moved:
        query = select(Ownership.id, Ownership.account_id, Ownership.user_id).where(
            Ownership.id.in_(sorted(moved)), Ownership.role == OwnershipRole.OWNER
        )
        for id_, account_id, user_id in session.execute(query, execution_options={"all_dates": True}):
            changed[account_id].add(user_id)
            before = moved[id_].before
            if "user_id" in before and "account_id" not in before:
                former[account_id].add(before["user_id"])
    return changed, former
