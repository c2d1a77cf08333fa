"""Our own organisation: units as a tree, users, and who works where in which role, since when."""

from __future__ import annotations

from sqlalchemy.orm import Mapped

from crm_core.fields import email, flag, ref, text
from crm_core.records import Dated, Record, parent, public, record

__all__ = ["Membership", "Unit", "User"]


@record("unit", access=public(), label="Unit")
class Unit(Record):
    """A part of the company: a region, a branch, a department, a team."""

    name: Mapped[str] = text(200, folded=True)
    code: Mapped[str | None] = text(40, default=None, index=True)
    kind: Mapped[str] = text(40, default="department")
    parent_id: Mapped[int | None] = ref("unit", default=None, on_delete="restrict", collection="units")

    parent: Mapped[Unit | None] = parent("parent_id")


@record("user", access=public(), label="User")
class User(Record):
    """Somebody of ours who works with the CRM, or is responsible for customers in it."""

    login: Mapped[str] = text(80, index=True)
    name: Mapped[str] = text(120, folded=True, surname=True)
    email: Mapped[str | None] = email(default=None)
    active: Mapped[bool] = flag(default=True)
    locale: Mapped[str | None] = text(20, default=None)


@record("membership", access=public(), label="Membership", indexes=[("user_id", "valid_to")])
class Membership(Dated):
    """A user's place in a unit, with the role that gives the permissions there."""

    user_id: Mapped[int] = ref("user", collection="memberships")
    unit_id: Mapped[int] = ref("unit", collection="memberships")
    role: Mapped[str] = text(80, vocabulary="role")

    user: Mapped[User] = parent("user_id")
    unit: Mapped[Unit] = parent("unit_id")
