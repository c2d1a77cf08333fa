"""Ownership: who of us is responsible for an account, since when; and shares, which lend sight of it for a reason."""

from __future__ import annotations

from enum import Enum

from sqlalchemy.orm import Mapped

from crm_core.domain.accounts import Account
from crm_core.domain.organisation import Unit, User
from crm_core.fields import choice, number, ref, text
from crm_core.records import Dated, one_at_a_time, parent, record, via

__all__ = ["Ownership", "OwnershipRole", "Share"]


class OwnershipRole(Enum):
    """In which part somebody is responsible."""

    OWNER = "owner"
    COLLABORATOR = "collaborator"
    BACKUP = "backup"
    MENTOR = "mentor"


@record(
    "ownership",
    access=via("account_id"),
    label="Ownership",
    exclusive=[one_at_a_time("account_id", "scope", role=OwnershipRole.OWNER)],
    indexes=[("account_id", "valid_to", "user_id"), ("user_id", "valid_to", "account_id")],
)
class Ownership(Dated):
    """A user's responsibility for an account; at most one owner per account and scope at any instant.

    ``scope`` is empty, or names the product line or region for which it holds in a matrix organisation.
    """

    account_id: Mapped[int] = ref("account", collection="ownerships", index=False)
    user_id: Mapped[int] = ref("user", on_delete="restrict", collection="ownerships", index=False)
    role: Mapped[OwnershipRole] = choice(OwnershipRole, default=OwnershipRole.OWNER)
    scope: Mapped[str] = text(40, default="")
    reason: Mapped[str | None] = text(200, default=None)

    account: Mapped[Account] = parent("account_id")
    user: Mapped[User] = parent("user_id")


@record(
    "share",
    access=via("account_id"),
    label="Share",
    indexes=[("user_id", "account_id"), ("unit_id", "account_id")],
)
class Share(Dated):
    """Sight of an account lent to a user or a unit, in a role, because of something.

    ``because_type`` and ``because_id`` name the record (a case, a delivery, a request) whose end ends the share.
    """

    account_id: Mapped[int] = ref("account", collection="shares")
    user_id: Mapped[int | None] = ref("user", default=None, collection="shares", index=False)
    unit_id: Mapped[int | None] = ref("unit", default=None, collection="shares", index=False)
    role: Mapped[str] = text(80, default="reader", vocabulary="role")
    reason: Mapped[str] = text(200)
    because_type: Mapped[str | None] = text(80, default=None)
    because_id: Mapped[int | None] = number(0, default=None)

    account: Mapped[Account] = parent("account_id")
    user: Mapped[User | None] = parent("user_id")
    unit: Mapped[Unit | None] = parent("unit_id")
