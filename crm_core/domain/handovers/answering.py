"""Offering a handover, and what those say who are to take it over."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from sqlalchemy import select

from crm_core.domain.handovers.finding import (
    accounts_of,
    as_items,
    items,
    require_open,
    require_pool,
    require_state,
    seen_as_kernel,
)
from crm_core.domain.handovers.records import (
    ANSWERABLE,
    OPEN,
    WAITING,
    Handover,
    HandoverItem,
    HandoverState,
    ItemState,
)
from crm_core.domain.organisation import User
from crm_core.domain.ownership import Share
from crm_core.errors import Conflict

if TYPE_CHECKING:
    import datetime as dt

    from crm_core.store.session import CrmSession

__all__ = ["accept", "cancel", "give_up", "offer", "refuse", "require_active", "require_active_leaver", "withdraw"]

_ALL_DATES = {"all_dates": True}


def offer(session: CrmSession, handover: Handover) -> list[HandoverItem]:
    """Offer what is drafted to those who are to take it over; returns what was offered.

    Until they answer, each successor sees the accounts through a share that rests on the item. What goes back to the
    pool needs no answer. Raises :class:`Conflict` where an item has no successor yet, or one who is not active, and
    where no pool takes an account that is to go back; :class:`~crm_core.errors.PermissionDenied` unless the actor may
    transfer every account.
    """
    drafted = items(session, handover, ItemState.DRAFTED)
    if handover.state not in OPEN or not drafted:
        raise Conflict(
            "There is nothing to offer in the handover {id}.",
            mend="'crm handover show' lists the states; 'crm handover assign' names another successor.",
            record="handover",
            id=handover.id,
        )
    missing = sum(item.successor_id is None and not item.to_pool for item in drafted)
    if missing:
        raise Conflict(
            "Accounts of the handover {id} that have no successor yet: {count}.",
            mend="Name one: crm handover assign {id} --to LOGIN, or --to-pool.",
            record="handover",
            id=handover.id,
            count=missing,
        )
    session.writer.require_transfer(accounts_of(drafted))
    require_active(session, drafted)
    require_pool(session, drafted)
    for item in drafted:
        item.state = ItemState.ACCEPTED if item.to_pool else ItemState.OFFERED
    handover.state = HandoverState.OFFERED
    session.flush()
    _lend(session, handover, drafted)
    return drafted


def accept(
    session: CrmSession, item: HandoverItem | Iterable[HandoverItem], *, note: str | None = None
) -> list[HandoverItem]:
    """Take over what was offered: by the successor, or on their behalf by whoever may change the item."""
    return _answer(session, as_items(item), ItemState.ACCEPTED, note, ItemState.OFFERED)


def refuse(
    session: CrmSession, item: HandoverItem | Iterable[HandoverItem], *, note: str | None = None
) -> list[HandoverItem]:
    """Refuse what was offered (or accepted before): sight of the account ends, and it may go to somebody else."""
    found = _answer(session, as_items(item), ItemState.REFUSED, note, *ANSWERABLE)
    withdraw(session, (each.id for each in found))
    return found


def cancel(session: CrmSession, handover: Handover) -> list[HandoverItem]:
    """Give a handover up: what waits stays with the leaver, and the successors see no more of it.

    Items that are done stay so; :func:`undo` takes them back. Raises :class:`Conflict` when the leaver is not active:
    nobody would be in charge.
    """
    waiting = items(session, handover, *WAITING)
    if handover.state not in OPEN or not waiting:
        raise Conflict(
            "The handover {id} is {state}.",
            mend="Only what still waits can be cancelled; 'crm handover undo' takes back what is done.",
            record="handover",
            id=handover.id,
            state=handover.state.value,
        )
    require_active_leaver(session, handover.leaver_id, handover.id)
    handover.state = HandoverState.CANCELLED
    give_up(session, handover.id)
    return waiting


def give_up(session: CrmSession, handover_id: int) -> int:
    """Let what of a handover still waits come to nothing, also what the actor does not see; returns how many items."""
    query = select(HandoverItem.id, HandoverItem.account_id).where(
        HandoverItem.handover_id == handover_id, HandoverItem.state.in_(WAITING)
    )
    system = session.as_system("handover")
    try:
        waiting = {row.id: row.account_id for row in system.execute(query)}
    finally:
        system.close()
    withdraw(session, waiting)
    with seen_as_kernel(session, waiting.values()):
        session.update_many(HandoverItem, [{"id": id_, "state": ItemState.CANCELLED} for id_ in waiting])
    return len(waiting)


def require_active_leaver(session: CrmSession, leaver_id: int, handover_id: int) -> None:
    """Refuse to leave accounts with somebody who has gone."""
    leaver = session.require(User, leaver_id)
    if not leaver.active:
        raise Conflict(
            "{login} is not active: the accounts would be nobody's.",
            mend="Assign them to somebody else, or activate the user first: crm user activate {login}.",
            record="handover",
            id=handover_id,
            login=leaver.login,
        )


def withdraw(session: CrmSession, item_ids: Iterable[int], *, at: dt.datetime | None = None) -> int:
    """End what the successors of these items were lent, from a moment on (default: now)."""
    ids = sorted(set(item_ids))
    moment = session.clock() if at is None else at
    ended: list[dict[str, object]] = []
    gone: list[int] = []
    accounts: set[int] = set()
    system = session.as_system("handover")
    try:
        for start in range(0, len(ids), 1000):
            query = select(Share.id, Share.account_id, Share.valid_from, Share.valid_to).where(
                Share.because_type == HandoverItem.crm_type.name, Share.because_id.in_(ids[start : start + 1000])
            )
            for row in system.execute(query, execution_options=_ALL_DATES):
                accounts.add(row.account_id)
                if row.valid_to is None or row.valid_to > moment:
                    if row.valid_from is not None and row.valid_from >= moment:
                        gone.append(row.id)
                    else:
                        ended.append({"id": row.id, "valid_to": moment})
    finally:
        system.close()
    with seen_as_kernel(session, accounts):
        session.update_many(Share, ended)
        session.delete_many(Share, gone)
    return len(ended) + len(gone)


def _answer(
    session: CrmSession, found: list[HandoverItem], answer: ItemState, note: str | None, *from_: ItemState
) -> list[HandoverItem]:
    require_open(session, found)
    require_state(found, *from_)
    # Whoever is asked may answer; anybody else needs the right to change the item.
    others = [item.id for item in found if session.actor.user_id is None or item.successor_id != session.actor.user_id]
    session.writer.may_change(HandoverItem.crm_type, others, "update")
    now = session.clock()
    with session.writer.as_kernel():
        for item in found:
            item.state, item.note, item.answered_at = answer, note, now
    return found


def require_active(session: CrmSession, drafted: Sequence[HandoverItem]) -> None:
    """Refuse successors who have gone themselves."""
    ids = sorted({item.successor_id for item in drafted if item.successor_id is not None})
    for start in range(0, len(ids), 1000):
        gone = session.scalars(
            select(User).where(User.id.in_(ids[start : start + 1000]), User.active.is_(False)).order_by(User.id)
        ).first()
        if gone is not None:
            raise Conflict(
                "{login} is not active and cannot take anything over.",
                mend="Assign their accounts to somebody else.",
                record="handover",
                login=gone.login,
            )


def _lend(session: CrmSession, handover: Handover, offered: Sequence[HandoverItem]) -> None:
    """Whoever is to answer must see what it is about."""
    leaver = session.require(User, handover.leaver_id)
    reason = f"handover of {leaver.name}" + (f": {handover.message}" if handover.message else "")
    now = session.clock()
    with seen_as_kernel(session, accounts_of(offered)):
        session.add_many(
            Share,
            [
                {
                    "account_id": item.account_id,
                    "user_id": item.successor_id,
                    "role": "reader",
                    "reason": reason[:200],
                    "because_type": HandoverItem.crm_type.name,
                    "because_id": item.id,
                    "valid_from": now,
                }
                for item in offered
                if item.successor_id is not None
            ],
        )
