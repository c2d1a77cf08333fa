"""Our own organisation: units as a tree, users, and who works where in which role, since when."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from sqlalchemy import select
from sqlalchemy.orm import Mapped

from crm_core.domain import dated
from crm_core.domain.dated import as_moment
from crm_core.errors import Conflict, NotFound
from crm_core.fields import email, flag, ref, text
from crm_core.records import Dated, Record, parent, public, record

if TYPE_CHECKING:
    from crm_core.store.session import CrmSession


__all__ = ["Membership", "Unit", "User", "find_unit", "find_user", "join", "leave", "members"]


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


def find_user(session: CrmSession, who: str | User | int) -> User:
    """A user by login, id or as such; :class:`NotFound` otherwise."""
    if isinstance(who, User):
        return who
    condition = User.id == who if isinstance(who, int) else User.login == who
    found = session.scalars(select(User).where(condition).limit(2)).all()
    if len(found) > 1:
        raise Conflict(
            "Several users have the login {who!r}.", mend="Give each a login of their own.", record="user", who=who
        )
    user = found[0] if found else None
    if user is None:
        raise NotFound(
            "There is no user {who!r}.", mend="Use a login; 'crm list user' shows all.", record="user", who=who
        )
    return user


def find_unit(session: CrmSession, which: str | Unit | int) -> Unit:
    """A unit by code or name, id or as such; :class:`NotFound` otherwise."""
    if isinstance(which, Unit):
        return which
    condition = Unit.id == which if isinstance(which, int) else (Unit.code == which) | (Unit.name == which)
    unit = session.scalars(select(Unit).where(condition).order_by(Unit.id)).first()
    if unit is None:
        raise NotFound("There is no unit {which!r}.", mend="'crm list unit' shows all.", record="unit", which=which)
    return unit


def join(
    session: CrmSession,
    user: str | User | int,
    unit: str | Unit | int,
    *,
    role: str,
    from_: dt.datetime | dt.date | None = None,
    since_always: bool = False,
) -> Membership:
    """Give a user a place in a unit with a role, from a moment on (default: now)."""
    moment = None if since_always else as_moment(session, from_)
    return session.add_one(
        Membership(
            user_id=find_user(session, user).id, unit_id=find_unit(session, unit).id, role=role, valid_from=moment
        )
    )


def leave(
    session: CrmSession, user: str | User | int, unit: str | Unit | int, *, at: dt.datetime | dt.date | None = None
) -> int:
    """End a user's places in a unit from a moment on; returns how many rows ended."""
    moment = as_moment(session, at)
    rows = session.scalars(
        select(Membership).where(
            Membership.user_id == find_user(session, user).id, Membership.unit_id == find_unit(session, unit).id
        ),
        execution_options={"all_dates": True},
    ).all()
    ending = [row for row in rows if row.valid_to is None or row.valid_to > moment]
    for row in ending:
        dated.end(session, row, at=moment)
    return len(ending)


def members(session: CrmSession, unit: str | Unit | int, *, at: dt.datetime | dt.date | None = None) -> list[User]:
    """Who belongs to a unit at a moment (default: the session's ``at``), by id."""
    moment = session.at if at is None else as_moment(session, at)
    rows = session.scalars(
        select(Membership).where(Membership.unit_id == find_unit(session, unit).id),
        execution_options={"all_dates": True},
    )
    ids = {row.user_id for row in rows if dated.holds(row, moment)}
    return list(session.scalars(select(User).where(User.id.in_(sorted(ids))).order_by(User.id)))
