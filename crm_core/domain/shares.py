"""Shares: lending sight of an account to somebody, for a reason, until the reason is gone."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from sqlalchemy import select

from crm_core.domain import dated
from crm_core.domain.accounts import Account
from crm_core.domain.dated import as_moment
from crm_core.domain.organisation import Unit, User, find_unit, find_user
from crm_core.domain.ownership import Share
from crm_core.errors import ValidationError
from crm_core.records import Record

if TYPE_CHECKING:
    from crm_core.store.session import CrmSession

__all__ = ["close_reason", "grant", "revoke"]


def grant(
    session: CrmSession,
    account: Account,
    *,
    reason: str,
    user: str | User | int | None = None,
    unit: str | Unit | int | None = None,
    role: str = "reader",
    because: Record | None = None,
    until: dt.datetime | dt.date | None = None,
) -> Share:
    """Let a user or a unit see an account (and do what ``role`` allows), for a reason.

    ``because`` is the record whose end ends the share (a case, a delivery); see :func:`close_reason`.
    """
    if (user is None) == (unit is None):
        raise ValidationError("A share goes to one user or one unit.", mend="Give either user or unit.")
    return session.add_one(
        Share(
            account_id=account.id,
            user_id=None if user is None else find_user(session, user).id,
            unit_id=None if unit is None else find_unit(session, unit).id,
            role=role,
            reason=reason,
            because_type=None if because is None else type(because).crm_type.name,
            because_id=None if because is None else because.id,
            valid_from=session.clock(),
            valid_to=None if until is None else as_moment(session, until),
        )
    )


def revoke(session: CrmSession, share: Share, *, at: dt.datetime | dt.date | None = None) -> None:
    """End a share from a moment on (default: now)."""
    dated.end(session, share, at=at)


def close_reason(session: CrmSession, because: Record) -> int:
    """The reason is gone: end every share that rests on ``because``; returns how many ended.

    Shares that were to begin later are taken back.
    """
    moment = session.clock()
    query = select(Share).where(Share.because_type == type(because).crm_type.name, Share.because_id == because.id)
    found = session.scalars(query, execution_options={"all_dates": True})
    standing = [share for share in found if share.valid_to is None or share.valid_to > moment]
    for share in standing:
        dated.end(session, share, at=moment)
    return len(standing)
