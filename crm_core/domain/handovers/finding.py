"""Which items a verb is about, and who may move them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from crm_core.domain.handovers.records import OPEN, WAITING, Handover, HandoverItem, HandoverState, ItemState
from crm_core.domain.ownership import OwnershipRole
from crm_core.errors import Conflict

if TYPE_CHECKING:
    from crm_core.store.session import CrmSession

__all__ = [
    "accounts_of",
    "as_items",
    "follow_items",
    "items",
    "require_any_pool",
    "require_open",
    "require_pool",
    "require_state",
    "seen_as_kernel",
    "waiting_for",
]


def items(session: CrmSession, handover: Handover, *states: ItemState) -> list[HandoverItem]:
    """The items of a handover that the actor sees, in one of ``states`` or in any, in order of their accounts."""
    query = select(HandoverItem).where(HandoverItem.handover_id == handover.id)
    if states:
        query = query.where(HandoverItem.state.in_(states))
    return list(session.scalars(query.order_by(HandoverItem.account_id, HandoverItem.id)))


def waiting_for(session: CrmSession, user_id: int) -> list[HandoverItem]:
    """What is offered to somebody and not answered yet, the oldest first."""
    query = (
        select(HandoverItem)
        .join(Handover, Handover.id == HandoverItem.handover_id)
        .where(
            HandoverItem.successor_id == user_id,
            HandoverItem.state == ItemState.OFFERED,
            Handover.state == HandoverState.OFFERED,
        )
        .order_by(HandoverItem.id)
    )
    return list(session.scalars(query))


def as_items(given: HandoverItem | Iterable[HandoverItem]) -> list[HandoverItem]:
    """One item or several, as a list."""
    return [given] if isinstance(given, HandoverItem) else list(given)


def accounts_of(found: Iterable[HandoverItem]) -> set[int]:
    """The accounts that items are about."""
    return {item.account_id for item in found}


def require_open(session: CrmSession, found: Sequence[HandoverItem]) -> None:
    """Refuse to go on with a handover that is done, undone or cancelled."""
    ids = sorted({item.handover_id for item in found})
    for handover in session.scalars(select(Handover).where(Handover.id.in_(ids), Handover.state.not_in(OPEN))):
        raise Conflict(
            "The handover {id} is {state}.",
            mend="Draft another one: crm handover draft LOGIN.",
            record="handover",
            id=handover.id,
            state=handover.state.value,
        )


def require_state(found: Sequence[HandoverItem], *states: ItemState) -> None:
    """Refuse items that are in another state than the verb is for."""
    for item in found:
        if item.state not in states:
            raise Conflict(
                "The item {id} of the handover is {state}, not {wanted}.",
                mend="'crm handover show' lists the states.",
                record="handover_item",
                id=item.id,
                state=item.state.value,
                wanted=" / ".join(state.value for state in states),
            )


@contextmanager
def seen_as_kernel(session: CrmSession, accounts: Iterable[int]) -> Iterator[None]:
    """What follows from a handover needs no right of the actor on the accounts it is about."""
    seeing: Mapping[str, Any] = {"account": set(accounts)}
    with session.writer.as_kernel(seeing=seeing):
        yield


def follow_items(session: CrmSession, handover: Handover) -> None:
    """A handover is done once none of its items waits and one was carried out, or kept as it was; all of them count."""
    system = session.as_system("handover")
    try:
        states = set(
            system.scalars(select(HandoverItem.state).where(HandoverItem.handover_id == handover.id).distinct())
        )
    finally:
        system.close()
    if handover.state in OPEN and states & {ItemState.DONE, ItemState.KEPT} and states.isdisjoint(WAITING):
        with session.writer.as_kernel():
            handover.state = HandoverState.DONE


def require_any_pool(session: CrmSession) -> None:
    """Refuse to name a pool in a build that has none, as soon as it is named."""
    if not session.policy.pools:
        raise Conflict(
            "This build has no pools, so that no account can go back to one.",
            mend="Name who takes over (crm handover draft ... --rule EXPR LOGIN, --to LOGIN), or declare a pool in the "
            "build file: [pools.NAME].",
            record="handover",
        )


def require_pool(session: CrmSession, found: Sequence[HandoverItem]) -> None:
    """Refuse to leave an account to nobody: what is to go back to the pool must have one that takes it."""
    owned: defaultdict[str, list[int]] = defaultdict(list)
    for item in found:
        if item.to_pool and item.role is OwnershipRole.OWNER:
            owned[item.scope].append(item.account_id)
    for scope, accounts in owned.items():
        lost = session.untaken(accounts, scope)
        if lost:
            raise Conflict(
                "No pool takes the account {id}, so that nobody could see it any more."
                if len(lost) == 1
                else "No pool takes the account {id} (others: {count}), so that nobody could see it any more.",
                mend="Assign it to somebody: crm handover assign; or let a pool of the build file take it.",
                record="handover_item",
                id=min(lost),
                count=len(lost) - 1,
            )
