"""Carrying a handover out: in one transaction, whatever is open goes over with the responsibility."""

from __future__ import annotations

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs
from sqlalchemy import select

from crm_core.domain.contacts import Affiliation
from crm_core.domain.handovers.answering import require_active, withdraw
from crm_core.domain.handovers.finding import accounts_of, follow_items, items, require_pool, seen_as_kernel
from crm_core.domain.handovers.owning import Unchanged, hold_owners, write_owners
from crm_core.domain.handovers.records import MOOT, WAITING, Handover, HandoverItem, HandoverState, ItemState
from crm_core.domain.ownership import OwnershipRole
from crm_core.errors import Conflict, HookError

if TYPE_CHECKING:
    from crm_core.store.session import CrmSession

__all__ = ["Deed", "Received", "do", "everything_open", "hold", "lock", "settle"]

_ORDER = (OwnershipRole.OWNER, OwnershipRole.COLLABORATOR, OwnershipRole.BACKUP, OwnershipRole.MENTOR)


@attrs.frozen(kw_only=True)
class Received:
    """What went to one successor (``user_id`` is ``None``: to the pool): how many accounts, people and pieces of work.

    ``people`` are those who work at these accounts, as far as the actor sees them; ``open_work`` counts records.
    """

    user_id: int | None
    accounts: int
    people: int
    open_work: int


@attrs.frozen(kw_only=True)
class Deed:
    """What was carried out of a handover.

    ``items`` are the responsibilities that went over at ``effective``, ``ended`` and ``begun`` the rows of ownership,
    ``moved`` the open work by record type. ``followed`` counts by kind what the leaver was to do and is now for whoever
    is responsible, without being changed: promises. ``received`` says what went to whom. ``kept`` names by type what
    could not go back to the pool, because it needs somebody. ``unchanged`` are the items that were kept as they are,
    because somebody else was responsible meanwhile. Where the handover takes effect in the future (``later``), the open
    work goes over then.
    """

    handover_id: int
    effective: dt.datetime
    items: int
    ended: int = 0
    begun: int = 0
    moved: Mapping[str, int] = attrs.field(factory=dict)
    followed: Mapping[str, int] = attrs.field(factory=dict)
    kept: Mapping[str, int] = attrs.field(factory=dict)
    received: tuple[Received, ...] = ()
    unchanged: tuple[Unchanged, ...] = ()
    later: bool = False


def do(session: CrmSession, handover: Handover, *, partial: bool = False) -> Deed:
    """Carry a handover out: end what the leaver is responsible for, begin it for the successors, move what is open.

    All of it belongs to the change set of the session. Raises :class:`Conflict` unless every item is accepted (with
    ``partial``: at least one), and :class:`~crm_core.errors.HookError` when a plugin could not tell what is open,
    because that would be left behind. Needs the right to change the items and to transfer the accounts, and none on
    the work that goes over.

    Where the leaver is no longer responsible, the item is kept as it is, and so is the open work there.
    """
    found = lock(session, items(session, handover, *WAITING))
    session.refresh(handover)  # somebody else may have done it while we waited
    ready = [item for item in found if item.state is ItemState.ACCEPTED]
    staying = accounts_of(item for item in found if item.state is not ItemState.ACCEPTED)
    if handover.state is not HandoverState.OFFERED:
        raise Conflict(
            "The handover {id} is {state}.",
            mend="Only what was offered can be done: crm handover offer {id}.",
            record="handover",
            id=handover.id,
            state=handover.state.value,
        )
    if not ready or (len(ready) < len(found) and not partial):
        raise Conflict(
            "Items of the handover {id} that are not accepted yet: {count} of {total}.",
            mend="Wait for the answers, assign what was refused to somebody else, or do those that are: --partial.",
            record="handover",
            id=handover.id,
            count=len(found) - len(ready),
            total=len(found),
        )
    session.writer.require_transfer(accounts_of(ready))
    hold_owners(session, handover.leaver_id, ready)
    require_pool(session, ready)
    require_active(session, ready)
    now = session.clock()
    moment = handover.effective_at or now
    later = moment > now
    people = _people(session, accounts_of(ready))  # they may be out of sight afterwards
    written = write_owners(session, handover, ready, moment, now)
    moot = {each.item_id for each in written.unchanged}
    kept_items, ready = [item for item in ready if item.id in moot], [item for item in ready if item.id not in moot]
    if later:
        everything_open(session, accounts_of(ready), handover.leaver_id)  # a failure is told now
        moved: Mapping[int, list[tuple[str, int]]] = {}
        kept: Counter[str] = Counter()
        followed: Counter[str] = Counter()
    else:
        moved, kept, followed = _move(session, handover, ready, moot, staying)
    withdraw(session, (item.id for item in ready), at=max(moment, now))
    withdraw(session, moot)
    with seen_as_kernel(session, accounts_of([*ready, *kept_items])):
        session.update_many(
            HandoverItem,
            [
                {
                    "id": item.id,
                    "state": ItemState.DONE,
                    "done_at": moment,
                    "settled_at": None if later else now,
                    "moved": [list(pair) for pair in (*written.changed[item.id], *moved.get(item.id, ()))],
                    "change_sets": [session.change_set_id()],
                }
                for item in ready
            ],
        )
        session.update_many(HandoverItem, [{"id": id_, "state": ItemState.KEPT} for id_ in sorted(moot)])
    follow_items(session, handover)
    return Deed(
        handover_id=handover.id,
        effective=moment,
        items=len(ready),
        ended=written.ended,
        begun=written.begun,
        moved=_counted(moved),
        followed=dict(followed),
        kept=dict(kept),
        received=_received(ready, moved, people),
        unchanged=written.unchanged,
        later=later,
    )


def settle(session: CrmSession, handover: Handover) -> Deed | None:
    """Move the open work of what was handed over ahead of its time, once that has come; ``None`` if there is none."""
    now = session.clock()
    found = [
        item
        for item in lock(session, items(session, handover, ItemState.DONE))
        if item.state is ItemState.DONE and item.settled_at is None and item.done_at is not None and item.done_at <= now
    ]
    if not found:
        return None
    moved, kept, _ = _move(session, handover, found)  # what was promised is the successors' since that day
    known = session.writer.rows(HandoverItem.crm_type, [item.id for item in found], fields=("moved", "change_sets"))
    with seen_as_kernel(session, accounts_of(found)):
        session.update_many(
            HandoverItem,
            [
                {
                    "id": item.id,
                    "settled_at": now,
                    "moved": [*known[item.id]["moved"], *([*pair] for pair in moved.get(item.id, ()))],
                    "change_sets": [*known[item.id]["change_sets"], session.change_set_id()],
                }
                for item in found
            ],
        )
    return Deed(handover_id=handover.id, effective=now, items=len(found), moved=_counted(moved), kept=dict(kept))


def lock(session: CrmSession, found: Sequence[HandoverItem]) -> list[HandoverItem]:
    """These items as they are now, held until the transaction ends; refused to whoever may not change them."""
    session.flush()
    session.writer.may_change(HandoverItem.crm_type, [item.id for item in found], "update")
    return hold(session, found)


def hold(session: CrmSession, found: Sequence[HandoverItem]) -> list[HandoverItem]:
    """These items as they are now, held until the transaction ends."""
    ids = [item.id for item in found]
    session.writer.rows(HandoverItem.crm_type, ids, fields=(), lock=True)
    for start in range(0, len(ids), 1000):
        fresh = select(HandoverItem).where(HandoverItem.id.in_(ids[start : start + 1000]))
        session.scalars(fresh, execution_options={"populate_existing": True}).all()
    return list(found)


def everything_open(session: CrmSession, accounts: Iterable[int], user_id: int | None) -> list[Any]:
    """What is open at accounts, whoever may see it; raises :class:`HookError` unless every plugin could tell."""
    ids = sorted(accounts)
    found: list[Any] = []
    failures: list[Any] = []
    system = session.as_system("handover")
    try:
        for start in range(0, len(ids), 1000):
            gathered = session.store.dispatch.gather_handover(system, ids[start : start + 1000], user_id)
            found += gathered.parts
            failures += gathered.failed
    finally:
        system.close()
    for failed in failures:
        raise HookError(
            "The handover is not carried out: {plugin} could not tell what is open ({error}).",
            mend="Nothing was changed. Mend the plugin or leave it out, and repeat.",
            plugin=failed.plugin,
            error=failed.error,
            hook=failed.hook,
        )
    return found


def _move(
    session: CrmSession,
    handover: Handover,
    ready: Sequence[HandoverItem],
    moot: Collection[int] = (),
    staying: Collection[int] = (),
) -> tuple[Mapping[int, list[tuple[str, int]]], Counter[str], Counter[str]]:
    """Set the colleague in charge of all that is open.

    By item what was changed, by type what stays, and by kind what is the successors' without a change: not where the
    leaver is ``staying`` in another role, nor in a pool, where nobody keeps their promises yet.
    """
    leading = _leading(session, handover, ready, moot)
    moved: defaultdict[int, list[tuple[str, int]]] = defaultdict(list)
    kept: Counter[str] = Counter()
    followed: Counter[str] = Counter()
    changes: defaultdict[str, dict[int, dict[str, Any]]] = defaultdict(dict)
    for each in everything_open(session, leading, handover.leaver_id):
        item = leading[each.account_id]
        if each.user_id != handover.leaver_id:
            continue
        if each.reassign is None:
            followed[each.kind] += item.successor_id is not None and each.account_id not in staying
            continue
        field = session.types[each.record_type].by_name[each.reassign]
        if item.successor_id is None and not field.optional:
            kept[each.record_type] += 1
            continue
        if each.record_id not in changes[each.record_type]:
            moved[item.id].append((each.record_type, each.record_id))
        changes[each.record_type].setdefault(each.record_id, {})[each.reassign] = item.successor_id
    with seen_as_kernel(session, accounts_of(ready)):
        for name, records in changes.items():
            rows = [{"id": id_, **values} for id_, values in records.items()]
            session.update_many(session.types[name].cls, rows)
    return moved, kept, +followed


def _leading(
    session: CrmSession, handover: Handover, ready: Sequence[HandoverItem], moot: Collection[int]
) -> dict[int, HandoverItem]:
    """By account the item that open work follows: the owner's before all others, a person before the pool.

    An item whose work went over before counts only where no other does: what is open by now came later, or from an
    account that was merged into this one.
    Accounts whose leading item is not among ``ready`` are left out: their work goes over with that one.
    """
    accounts = sorted({item.account_id for item in ready})
    first: dict[int, tuple[Any, ...]] = {}
    system = session.as_system("handover")
    try:
        for start in range(0, len(accounts), 1000):
            query = select(
                HandoverItem.id,
                HandoverItem.account_id,
                HandoverItem.role,
                HandoverItem.scope,
                HandoverItem.to_pool,
                HandoverItem.settled_at,
            ).where(
                HandoverItem.handover_id == handover.id,
                HandoverItem.account_id.in_(accounts[start : start + 1000]),
                HandoverItem.state.not_in(MOOT),
            )
            for row in system.execute(query):
                if row.id in moot:
                    continue
                rank = (row.settled_at is not None, row.to_pool, _ORDER.index(row.role), row.scope, row.id)
                first[row.account_id] = min(rank, first.get(row.account_id, rank))
    finally:
        system.close()
    return {item.account_id: item for item in ready if first[item.account_id][-1] == item.id}


def _people(session: CrmSession, accounts: Iterable[int]) -> Mapping[int, set[int]]:
    """By account who works there now."""
    ordered = sorted(accounts)
    found: defaultdict[int, set[int]] = defaultdict(set)
    for start in range(0, len(ordered), 1000):
        query = select(Affiliation.account_id, Affiliation.contact_id).where(
            Affiliation.account_id.in_(ordered[start : start + 1000])
        )
        for row in session.execute(query):
            found[row.account_id].add(row.contact_id)
    return found


def _received(
    ready: Sequence[HandoverItem], moved: Mapping[int, list[tuple[str, int]]], people: Mapping[int, set[int]]
) -> tuple[Received, ...]:
    """What went to whom, in the order of the items; an account that went over in several roles counts once."""
    by_successor: defaultdict[int | None, list[HandoverItem]] = defaultdict(list)
    for item in ready:
        by_successor[item.successor_id].append(item)
    return tuple(
        Received(
            user_id=user_id,
            accounts=len(accounts := accounts_of(found)),
            people=len({contact for account in accounts for contact in people.get(account, ())}),
            open_work=sum(len(moved.get(item.id, ())) for item in found),
        )
        for user_id, found in by_successor.items()
    )


def _counted(moved: Mapping[int, list[tuple[str, int]]]) -> dict[str, int]:
    return dict(Counter(name for pairs in moved.values() for name, _ in pairs))
