"""Steps of the filter language that lead over a dated record: an account's owner, a user's unit."""

from __future__ import annotations

from crm_core.domain.ownership import OwnershipRole
from crm_core.expressions import Derived

__all__ = ["DERIVED"]

DERIVED = (
    Derived(
        record_type="account",
        name="owner",
        target="user",
        through="ownership",
        back="account_id",
        forward="user_id",
        where={"role": OwnershipRole.OWNER, "scope": ""},
    ),
    Derived(record_type="user", name="unit", target="unit", through="membership", back="user_id", forward="unit_id"),
)
