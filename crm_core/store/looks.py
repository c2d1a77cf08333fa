"""When somebody last looked at something, so that they are told once what became known since, and nothing is missed.

A moment alone would miss what was committed late: a change set can carry a time before the look and become visible
after it. So a look also keeps what was visible to it: on PostgreSQL a snapshot, on SQLite, where writers stand in
line, the number of the last transaction.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import attrs
from sqlalchemy import ColumnElement, and_, bindparam, func, insert, or_, select, text, update

from crm_core.errors import PermissionDenied
from crm_core.store.tables import CHANGE_SET, LAST_LOOK

if TYPE_CHECKING:
    from crm_core.store.session import CrmSession

__all__ = ["LATE", "Look", "committed_since", "last_look", "note_look", "present_look"]

LATE = dt.timedelta(days=1)
"""So long before its commit a change set may have got its time; what is older was visible to any look."""

_SNAPSHOT: Any = text("SELECT CAST(pg_current_snapshot() AS text)")


@attrs.frozen
class Look:
    """A moment at which somebody looked, and what had been committed by then (``seen``, known to the store alone)."""

    at: dt.datetime
    seen: str = ""


def present_look(session: CrmSession) -> Look:
    """What is visible now; take it before reading, so that nothing falls between."""
    if session.dialect == "postgresql":
        seen = session.core(_SNAPSHOT).scalar_one()
    else:
        seen = session.core(select(func.coalesce(func.max(CHANGE_SET.c.xid), 0))).scalar_one()
    return Look(session.clock(), str(seen))


def last_look(session: CrmSession, user_id: int, what: str) -> Look | None:
    """When a user last looked at ``what``."""
    query = select(LAST_LOOK.c.at, LAST_LOOK.c.seen).where(LAST_LOOK.c.user_id == user_id, LAST_LOOK.c.what == what)
    row = session.core(query).first()
    return None if row is None else Look(row.at, row.seen)


def note_look(session: CrmSession, user_id: int, what: str, look: Look) -> None:
    """Note that a user looked at ``what``; a look before the last one changes nothing.

    Raises :class:`PermissionDenied` for the looks of somebody else.
    """
    if not session.actor.system and session.actor.user_id != user_id:
        raise PermissionDenied(
            "Nobody but the user {id} can say that they have looked.",
            mend="Act as that user.",
            record="user",
            id=user_id,
        )
    own = and_(LAST_LOOK.c.user_id == user_id, LAST_LOOK.c.what == what)
    last = session.core(select(LAST_LOOK.c.at).where(own)).scalar()
    values = {"at": look.at, "seen": look.seen}
    if last is None:
        session.core(insert(LAST_LOOK).values(user_id=user_id, what=what, **values))
    elif last < look.at:
        session.core(update(LAST_LOOK).where(own).values(**values))


def committed_since(session: CrmSession, since: Look) -> ColumnElement[bool]:
    """Which change sets became visible after a look; without ``seen``, those of its moment and later."""
    later: ColumnElement[bool] = CHANGE_SET.c.at >= since.at
    if not since.seen:
        return later
    if session.dialect == "postgresql":
        seen = "pg_visible_in_snapshot(CAST(CAST(crm_change_set.xid AS text) AS xid8), CAST(:seen AS pg_snapshot))"
        hidden: Any = text(f"NOT {seen}").bindparams(bindparam("seen", since.seen))
    else:
        hidden = CHANGE_SET.c.xid > int(since.seen)
    return or_(CHANGE_SET.c.at > since.at, and_(CHANGE_SET.c.at >= since.at - LATE, hidden))
