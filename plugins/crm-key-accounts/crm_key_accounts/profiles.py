"""Profiles: what an account is as a key account."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum

from crm_core import Account, ChangeBatch, CrmSession, Mapped, Money, Problem, Record, choice, extends, text
from crm_core.fields import money

__all__ = ["READ_PLAN", "Profile", "Tier", "classify"]

READ_PLAN = "key_accounts.profile.read_plan"
"""The permission to read what we are up to with a key account."""


class Tier(Enum):
    """How much of us an account deserves."""

    STRATEGIC = "strategic"
    KEY = "key"
    GROWTH = "growth"
    STANDARD = "standard"


@extends("account", "key_accounts.profile", label="Key account profile")
class Profile(Record):
    """What an account is as a key account."""

    tier: Mapped[Tier] = choice(Tier, index=True)
    target_revenue: Mapped[Money | None] = money(default=None, label="Target revenue of the year")
    plan: Mapped[str | None] = text(None, default=None, restricted=READ_PLAN, label="Account plan")


def classify(
    session: CrmSession,
    account: Account,
    tier: Tier | str,
    *,
    target_revenue: Money | None = None,
    plan: str | None = None,
) -> Profile:
    """Give an account a tier, or another one; target and plan change only where they are given."""
    profile: Profile | None = session.get(Profile, account.id)
    if profile is None:
        profile = Profile(tier=Tier(tier), target_revenue=target_revenue, plan=plan)
        profile.id = account.id
        return session.add_one(profile)
    profile.tier = Tier(tier)
    if target_revenue is not None:
        profile.target_revenue = target_revenue
    if plan is not None:
        profile.plan = plan
    return profile


def problems(batch: ChangeBatch) -> Iterator[Problem]:
    """Targets below nothing."""
    for change in batch.of("create", "update"):
        target = change.after.get("target_revenue")
        if target is not None and target.amount < 0:
            yield Problem(
                "target_revenue", "A target is not negative: {given}.", "Give 0 or more.", {"given": str(target)}
            )
