"""Taking a handover back: one account of it, or all."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import attrs

from crm_core.domain.handovers.answering import require_active_leaver, withdraw
from crm_core.domain.handovers.doing import everything_open, lock
from crm_core.domain.handovers.finding import as_items, items, require_state, seen_as_kernel
from crm_core.domain.handovers.records import WAITING, Handover, HandoverItem, HandoverState, ItemState
from crm_core.domain.ownership import Ownership
from crm_core.errors import Conflict

if TYPE_CHECKING:
    from crm_core.store.session import CrmSession

__all__ = ["TakenBack", "take_back", "undo"]


@attrs.frozen(kw_only=True)
class TakenBack:
    """What was taken back: how many items, the records by type, and those that stay because they are finished."""

    items: int
    records: Mapping[str, int]
    kept: Mapping[str, int]


def take_back(session: CrmSession, item: HandoverItem | Iterable[HandoverItem]) -> TakenBack:
    """Give back to the leaver what one item (or several) moved: a partial undo, with its three-way conflicts.

    What the successor has finished meanwhile stays theirs. Raises :class:`Conflict` when an item is not done or the
    leaver not active, and :class:`~crm_core.errors.UndoConflict` when later changes stand on it; nothing is changed
    then.
    """
    found = as_items(item)
    require_state(lock(session, found), ItemState.DONE)
    for handover in {each.handover_id: session.require(Handover, each.handover_id) for each in found}.values():
        require_active_leaver(session, handover)
    rows = session.writer.rows(HandoverItem.crm_type, [each.id for each in found], fields=("moved", "change_sets"))
    _require_genuine(session, found, rows)
    open_ = {
        (each.record_type, each.record_id)
        for each in everything_open(session, {each.account_id for each in found}, None)
    }
    only: defaultdict[str, set[int]] = defaultdict(set)
    kept: Counter[str] = Counter()
    change_sets: set[int] = set()
    for values in rows.values():
        change_sets.update(values["change_sets"])
        for name, id_ in values["moved"]:
            if name == Ownership.crm_type.name or (name, id_) in open_:
                only[name].add(id_)
            else:
                kept[name] += 1
    handovers = sorted({each.handover_id for each in found})
    with seen_as_kernel(session, found):
        for change_set in sorted(change_sets, reverse=True):
            session.undo(change_set, only=only)
        session.update_many(HandoverItem, [{"id": id_, "state": ItemState.UNDONE} for id_ in rows])
    withdraw(session, found)
    for id_ in handovers:
        _follow(session, session.require(Handover, id_))
    return TakenBack(items=len(found), records={name: len(ids) for name, ids in only.items()}, kept=dict(kept))


def _require_genuine(session: CrmSession, found: Iterable[HandoverItem], rows: Mapping[int, Mapping[str, Any]]) -> None:
    """What is taken back must be what the handover did: the items themselves may have been written by hand."""
    for each in found:
        values = rows[each.id]
        ids = [id_ for name, id_ in values["moved"] if name == Ownership.crm_type.name]
        owned = session.writer.rows(Ownership.crm_type, ids, fields=("account_id",))
        foreign = any(row["account_id"] != each.account_id for row in owned.values())
        if foreign or not set(values["change_sets"]) <= session.change_sets_of(HandoverItem.crm_type, each.id):
            raise Conflict(
                "The item {id} does not say what the handover did.",
                mend="Undo its change set instead; somebody with the permission system.undo may.",
                record="handover_item",
                id=each.id,
            )


def undo(session: CrmSession, handover: Handover) -> TakenBack:
    """Take back all that a handover has done, as far as the actor sees it, and give up what of it still waits."""
    done = items(session, handover, ItemState.DONE)
    if not done:
        raise Conflict(
            "Nothing of the handover {id} is done.",
            mend="What was only drafted or offered is given up by 'crm handover cancel {id}'.",
            record="handover",
            id=handover.id,
        )
    taken = take_back(session, done)
    system = session.as_system("handover")
    try:
        left = items(system, handover, *WAITING, ItemState.DONE)
        # What went over to people whose accounts the actor does not see is for somebody else to take back.
        if not any(item.state is ItemState.DONE for item in left):
            with session.writer.as_kernel():
                handover.state = HandoverState.UNDONE
            withdraw(session, left)
    finally:
        system.close()
    return taken


def _follow(session: CrmSession, handover: Handover) -> None:
    """Once all that was done is taken back, and nothing waits, the handover is undone."""
    system = session.as_system("handover")
    try:
        rest = items(system, handover, *WAITING, ItemState.DONE)
    finally:
        system.close()
    if not rest:
        with session.writer.as_kernel():
            handover.state = HandoverState.UNDONE
