"""Every owner is somebody who is here: nobody leaves with customers, and none are given to whoever left."""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import Select, and_, bindparam, exists, or_, select

from crm_core.domain.handovers.records import OPEN, Handover, HandoverItem, ItemState
from crm_core.domain.organisation import User
from crm_core.domain.ownership import Ownership
from crm_core.errors import Conflict
from crm_core.records import RecordType
from crm_core.store.parts import in_parts
from crm_core.store.quick import quickly

if TYPE_CHECKING:
    from crm_core.store.journal import Entry
    from crm_core.store.session import CrmSession

__all__ = ["leaver_hands_over", "owners_are_active"]

_COVERING = (ItemState.DRAFTED, ItemState.OFFERED, ItemState.ACCEPTED)


def leaver_hands_over(session: CrmSession, _type: RecordType, entries: Sequence[Entry]) -> None:
    """Nobody is deactivated while they are responsible for something that no open handover gives to somebody else."""
    leaving = [
        entry.id
        for entry in entries
        if entry.operation == "update" and entry.before.get("active") is True and entry.after.get("active") is False
    ]
    for part in in_parts(leaving):
        rows = session.core(_uncovered(session, part)).all()
        if rows:
            _refuse_to_leave(session, rows)


def _uncovered(session: CrmSession, users: Sequence[int]) -> Select[Any]:
    owned, item, handover = Ownership.crm_type.table, HandoverItem.crm_type.table, Handover.crm_type.table
    covered = exists().where(
        item.c.handover_id == handover.c.id,
        handover.c.leaver_id == owned.c.user_id,
        handover.c.state.in_(OPEN),
        and_(*(item.c[name] == owned.c[name] for name in ("account_id", "role", "scope"))),
        item.c.state.in_(_COVERING),
        or_(item.c.successor_id.is_not(None), item.c.to_pool),
    )
    return (
        select(owned.c.id, owned.c.user_id, owned.c.account_id)
        .where(
            owned.c.user_id.in_(users),
            or_(owned.c.valid_to.is_(None), owned.c.valid_to > session.clock()),
            ~covered,
        )
        .order_by(owned.c.user_id, owned.c.id)
    )


def _refuse_to_leave(session: CrmSession, rows: Sequence[Any]) -> None:
    user = User.crm_type.table
    first = [row for row in rows if row.user_id == rows[0].user_id]
    login = session.core(select(user.c.login).where(user.c.id == rows[0].user_id)).scalar_one()
    ids = {row.id for row in first}
    count = len({row.account_id for row in first})
    problem = "{login} is still responsible for {count} accounts."
    if count == 1:
        problem = "{login} is still responsible for one account."
    if session.writer.visible_ids(Ownership.crm_type, ids) != ids:
        problem = "{login} is still responsible for accounts."  # how many is not for everybody to know
    raise Conflict(
        problem,
        mend="Hand them over first: crm handover draft {login} --to LOGIN.",
        record="user",
        login=login,
        count=count,
    )


def owners_are_active(session: CrmSession, _type: RecordType, entries: Sequence[Entry]) -> None:
    """Nobody who is not active becomes responsible for anything, from now on or later: it would be nobody's.

    An import brings what another system knew, owners who have left included; the stewards' queue lists them.
    """
    if session.actor.system and session.source == "import":
        return
    now = session.clock()
    begun = [entry.id for entry in entries if _begins(session, entry, now)]
    for part in in_parts(begun):
        values = {"ids": part, "now": now}
        for row in quickly(session.core_connection(), _receiving(), values):
            if not row.active:
                raise Conflict(
                    "{login} is not active and cannot be responsible for an account.",
                    mend="Name somebody who is, or activate the user first: crm user activate {login}.",
                    record="ownership",
                    login=row.login,
                )


@functools.cache
def _receiving() -> Select[str, bool]:
    """Who is responsible by these rows, now or later; made once, because every creation of an account asks it."""
    owned, user = Ownership.crm_type.table, User.crm_type.table
    held = or_(owned.c.valid_to.is_(None), owned.c.valid_to > bindparam("now"))
    receiving = select(owned.c.user_id).where(owned.c.id.in_(bindparam("ids", expanding=True)), held)
    query = select(user.c.login, user.c.active).where(user.c.id.in_(receiving)).order_by(user.c.id)
    # Whoever deactivates one of them meanwhile waits, and then finds what they are responsible for.
    return query.with_for_update(read=True)


def _begins(session: CrmSession, entry: Entry, now: dt.datetime) -> bool:
    """Whether somebody else may be responsible by this change now, or for longer."""
    if entry.operation == "create":
        # Whoever acts is active.
        end, other = entry.after.get("valid_to"), entry.after.get("user_id") != session.actor.user_id
        return other and (end is None or end > now)
    return entry.operation == "update" and ("user_id" in entry.after or _is_longer(entry))


def _is_longer(entry: Entry) -> bool:
    if "valid_to" not in entry.after:
        return False
    before, after = entry.before["valid_to"], entry.after["valid_to"]
    return after is None or (before is not None and after > before)
