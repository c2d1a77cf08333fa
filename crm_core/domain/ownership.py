"""Ownership: who of us is responsible for an account, since when; and shares, which lend sight of it for a reason."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from sqlalchemy import select
from sqlalchemy.orm import Mapped

from crm_core.domain import dated
from crm_core.domain.accounts import Account
from crm_core.domain.dated import as_moment
from crm_core.domain.organisation import Unit, User, find_user
from crm_core.errors import Conflict
from crm_core.fields import choice, number, ref, text
from crm_core.records import Dated, one_at_a_time, parent, record, via

if TYPE_CHECKING:
    import datetime as dt

    from crm_core.store.session import CrmSession


__all__ = ["TRANSFER", "Ownership", "OwnershipRole", "Share", "assign", "owner", "release", "transfer"]

TRANSFER = ("account.read", "ownership.create", "ownership.read", "ownership.update")
"""The permissions that :func:`transfer` needs at an account: one row ends, and another begins."""


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
    # What somebody has now is read from the second alone, and in the order of the accounts.
    indexes=[("account_id", "valid_to", "user_id"), ("user_id", "account_id", "valid_to", "valid_from")],
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


def owner(
    session: CrmSession, account: Account, *, scope: str = "", at: dt.datetime | dt.date | None = None
) -> User | None:
    """Who owns an account in a scope at a moment (default: the session's ``at``)."""
    row = _current(session, account, scope, session.at if at is None else as_moment(session, at))
    return None if row is None else row.user


def assign(
    session: CrmSession,
    account: Account,
    *,
    to: str | User | int,
    role: OwnershipRole = OwnershipRole.OWNER,
    scope: str = "",
    from_: dt.datetime | dt.date | None = None,
    since_always: bool = False,
    reason: str | None = None,
) -> Ownership:
    """Make a user responsible for an account from a moment on (default: now).

    For a role other than owner, several may hold at once. Raises :class:`Conflict` when somebody else owns the account
    in this scope then: use :func:`transfer`.
    """
    user = find_user(session, to)
    moment = None if since_always else as_moment(session, from_)
    if role is OwnershipRole.OWNER:
        holder = _current(session, account, scope, moment or session.now)
        if holder is not None:
            raise Conflict(
                "{account} is owned by {owner} already.",
                mend="Use ownership.transfer, or another role or scope.",
                record="ownership",
                account=account.name,
                owner=holder.user.name,
            )
    row = Ownership(account_id=account.id, user_id=user.id, role=role, scope=scope, valid_from=moment, reason=reason)
    return session.add_one(row)


def transfer(
    session: CrmSession,
    account: Account,
    *,
    to: str | User | int,
    scope: str = "",
    from_: dt.datetime | dt.date | None = None,
    reason: str | None = None,
) -> Ownership:
    """Hand an account over: the present owner's row ends where the new one begins. Nothing is overwritten.

    An account without an owner is assigned. Raises :class:`Conflict` when the receiver owns it already.
    """
    user = find_user(session, to)
    moment = as_moment(session, from_)
    holder = _current(session, account, scope, moment)
    if holder is None:
        return assign(session, account, to=user, scope=scope, from_=moment, reason=reason)
    if holder.user_id == user.id:
        raise Conflict(
            "{account} is owned by {owner} already.",
            mend="Nothing needs to be done.",
            record="ownership",
            account=account.name,
            owner=user.name,
        )
    return dated.change(session, holder, from_=moment, user_id=user.id, reason=reason)


def release(
    session: CrmSession,
    account: Account,
    *,
    user: str | User | int | None = None,
    scope: str = "",
    at: dt.datetime | dt.date | None = None,
) -> int:
    """End a responsibility from a moment on: the owner's, or every role of ``user``. Returns how many rows ended."""
    moment = as_moment(session, at)
    query = select(Ownership).where(Ownership.account_id == account.id, Ownership.scope == scope)
    if user is None:
        query = query.where(Ownership.role == OwnershipRole.OWNER)
    else:
        query = query.where(Ownership.user_id == find_user(session, user).id)
    rows = [
        row
        for row in session.scalars(query, execution_options={"all_dates": True})
        if row.valid_to is None or row.valid_to > moment
    ]
    for row in rows:
        dated.end(session, row, at=moment)
    return len(rows)


def _current(session: CrmSession, account: Account, scope: str, moment: dt.datetime) -> Ownership | None:
    rows = session.scalars(
        select(Ownership).where(
            Ownership.account_id == account.id,
            Ownership.scope == scope,
            Ownership.role == OwnershipRole.OWNER,
        ),
        execution_options={"all_dates": True},
    )
    return next((row for row in rows if dated.holds(row, moment)), None)
