"""Taking a handover back: one account of it, or all."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs
from sqlalchemy import select

from crm_core.domain.handovers.answering import give_up, require_active_leaver, withdraw
from crm_core.domain.handovers.doing import everything_open, hold
from crm_core.domain.handovers.finding import as_items, items, require_state, seen_as_kernel
from crm_core.domain.handovers.records import WAITING, Handover, HandoverItem, HandoverState, ItemState
from crm_core.domain.ownership import TRANSFER, Ownership
from crm_core.errors import Conflict, PermissionDenied, Problem, UndoConflict

if TYPE_CHECKING:
    from crm_core.store.session import CrmSession

__all__ = ["Left", "TakenBack", "take_back", "undo"]

_UPDATE = "handover_item.update"
_ITEM = ("handover_id", "account_id", "state", "moved", "change_sets")


@attrs.frozen(kw_only=True)
class Left:
    """An item that could not be taken back, because of later changes; ``account_id`` is ``None`` if it is not seen."""

    item_id: int
    account_id: int | None
    problems: tuple[Problem, ...]


@attrs.frozen(kw_only=True)
class TakenBack:
    """What was taken back: how many items, the records by type, and those that stay because they are finished.

    ``left`` are the items that could not be taken back. ``whole`` says whether nothing of the handover is done any
    more.
    """

    items: int
    records: Mapping[str, int]
    kept: Mapping[str, int]
    left: tuple[Left, ...] = ()
    whole: bool = True


def take_back(session: CrmSession, item: HandoverItem | Iterable[HandoverItem]) -> TakenBack:
    """Give back to the leaver what one item (or several) moved: a partial undo, with its three-way conflicts.

    What the successor has finished meanwhile stays theirs. For whoever may transfer the accounts, and for those who may
    take all of it back (see :func:`undo`). Raises :class:`Conflict` when an item is not done or the leaver not active,
    and :class:`~crm_core.errors.UndoConflict` when later changes stand on it; nothing is changed then.
    """
    found = as_items(item)
    session.flush()
    handovers = {id_: session.require(Handover, id_) for id_ in sorted({each.handover_id for each in found})}
    require_state(hold(session, found), ItemState.DONE)
    rows = _locked(session, [each.id for each in found])
    for id_, handover in handovers.items():
        part = {each: row for each, row in rows.items() if row["handover_id"] == id_}
        if denied := part.keys() - _allowed(session, handover.leaver_id, part):
            session.writer.may_change(HandoverItem.crm_type, denied, "update")
            session.writer.require_transfer({part[each]["account_id"] for each in denied})
        require_active_leaver(session, handover.leaver_id, id_)
    _require_genuine(session, rows)
    work = _Work(session, rows)
    work.take_back(rows)
    for id_ in handovers:
        _follow(session, id_)
    return work.report()


def undo(session: CrmSession, handover: Handover | int) -> TakenBack:
    """Take back all that a handover has done, and give up what of it still waits; ``handover`` may be its id.

    All of it, also what is out of sight by now, for those who did it, and for those who may hand over what the leaver
    is responsible for; anybody else takes back what they may transfer. Where later changes stand on an item, it is left
    as it is and told of; raises :class:`~crm_core.errors.UndoConflict` when that is so for every one. Raises
    :class:`Conflict` when nothing is done, or the leaver is not active.
    """
    session.flush()
    id_ = handover if isinstance(handover, int) else handover.id
    heads = session.writer.rows(Handover.crm_type, [id_], fields=("leaver_id",))
    if not heads:
        session.require(Handover, id_)
    leaver_id = heads[id_]["leaver_id"]
    done = _locked(session, _in_state(session, id_, ItemState.DONE))
    allowed = _allowed(session, leaver_id, done)
    if not allowed:
        _refuse(session, session.require(Handover, id_))
    require_active_leaver(session, leaver_id, id_)
    rows = {each: row for each, row in done.items() if each in allowed}
    _require_genuine(session, rows)
    work = _Work(session, rows)
    left = work.take_back_what_can_be(sorted(rows))
    if len(rows) == len(done):
        give_up(session, id_)
        _set_state(session, id_, HandoverState.DONE if left else HandoverState.UNDONE)
    return attrs.evolve(work.report(), left=left, whole=not left and len(rows) == len(done))


def _refuse(session: CrmSession, handover: Handover) -> None:
    """Nothing is done of it, or nothing that the actor might take back."""
    if items(session, handover, ItemState.DONE):
        raise PermissionDenied(
            "{principal} may not take back the handover {id}.",
            mend="Ask whoever did it, or whoever may transfer the accounts.",
            record="handover",
            principal=session.actor.principal,
            id=handover.id,
        )
    raise Conflict(
        "Nothing of the handover {id} is done.",
        mend="What was only drafted or offered is given up by 'crm handover cancel {id}'.",
        record="handover",
        id=handover.id,
    )


def _in_state(session: CrmSession, handover_id: int, *states: ItemState) -> list[int]:
    """The items in one of these states, whoever sees them."""
    query = select(HandoverItem.id).where(HandoverItem.handover_id == handover_id, HandoverItem.state.in_(states))
    system = session.as_system("handover")
    try:
        return sorted(system.scalars(query))
    finally:
        system.close()


def _locked(session: CrmSession, ids: Iterable[int]) -> dict[int, dict[str, Any]]:
    """The items that are done as they are now, held until the transaction ends."""
    rows = session.writer.rows(HandoverItem.crm_type, ids, fields=_ITEM, lock=True)
    return {id_: row for id_, row in rows.items() if row["state"] is ItemState.DONE}


def _allowed(session: CrmSession, leaver_id: int, rows: Mapping[int, Mapping[str, Any]]) -> set[int]:
    """The items that the actor may take back."""
    if not rows:
        return set()
    if session.writer.answers_for(leaver_id, (*TRANSFER, _UPDATE)):
        return set(rows)
    reached = session.writer.reached(TRANSFER, {row["account_id"] for row in rows.values()})
    allowed = {
        id_ for id_ in session.writer.visible_ids(HandoverItem.crm_type, rows, "update")
        if rows[id_]["account_id"] in reached
    }  # fmt: skip
    if all(session.can(name) for name in (*TRANSFER, _UPDATE)):
        allowed |= _did(session, rows)
    return allowed


def _did(session: CrmSession, rows: Mapping[int, Mapping[str, Any]]) -> set[int]:
    """The items that the actor carried out; where the worker did, on its day, those that they drafted."""
    mine = session.user_id
    makers = session.changed_by(HandoverItem.crm_type, rows)
    return {
        id_
        for id_, row in rows.items()
        if row["change_sets"] and all(_by(mine, makers[id_].get(each, 0), row) for each in row["change_sets"])
    }


def _by(mine: int, maker: int | None, row: Mapping[str, Any]) -> bool:
    """Whether a change set of an item is the actor's: made by them, or by the worker from their draft."""
    return maker == mine or (maker is None and row["created_by"] == mine)


def _require_genuine(session: CrmSession, rows: Mapping[int, Mapping[str, Any]]) -> None:
    """What is taken back must be what the handover did: the items themselves may have been written by hand."""
    name = Ownership.crm_type.name
    ids = {id_ for row in rows.values() for type_, id_ in row["moved"] if type_ == name}
    owned = session.writer.rows(Ownership.crm_type, ids, fields=("account_id",))
    makers = session.changed_by(HandoverItem.crm_type, rows)
    for item_id, row in rows.items():
        own = [owned[id_] for type_, id_ in row["moved"] if type_ == name and id_ in owned]
        foreign = any(each["account_id"] != row["account_id"] for each in own)
        if foreign or not set(row["change_sets"]) <= makers[item_id].keys():
            raise Conflict(
                "The item {id} does not say what the handover did.",
                mend="Undo its change set instead; somebody with the permission system.undo may.",
                record="handover_item",
                id=item_id,
            )


class _Work:
    """Taking items back, and what has come of it so far."""

    def __init__(self, session: CrmSession, rows: Mapping[int, Mapping[str, Any]]) -> None:
        self.session = session
        self.rows = rows
        accounts = {row["account_id"] for row in rows.values()}
        self.open = {(each.record_type, each.record_id) for each in everything_open(session, accounts, None)}
        self.items = 0
        self.records: Counter[str] = Counter()
        self.kept: Counter[str] = Counter()

    def report(self) -> TakenBack:
        """What was taken back."""
        return TakenBack(items=self.items, records=dict(self.records), kept=dict(self.kept))

    def take_back(self, ids: Collection[int]) -> None:
        """All of these items, or none."""
        session, only = self.session, defaultdict[str, set[int]](set)
        kept: Counter[str] = Counter()
        for id_ in ids:
            for name, record_id in self.rows[id_]["moved"]:
                if name == Ownership.crm_type.name or (name, record_id) in self.open:
                    only[name].add(record_id)
                else:
                    kept[name] += 1
        change_sets = {each for id_ in ids for each in self.rows[id_]["change_sets"]}
        savepoint = session.begin_nested()
        try:
            with seen_as_kernel(session, {self.rows[id_]["account_id"] for id_ in ids}):
                for change_set in sorted(change_sets, reverse=True):
                    session.undo(change_set, only=only)
                session.update_many(HandoverItem, [{"id": id_, "state": ItemState.UNDONE} for id_ in ids])
        except BaseException:
            savepoint.rollback()
            session.expire_all()
            raise
        savepoint.commit()
        withdraw(session, ids)
        self.items += len(ids)
        self.records.update({name: len(found) for name, found in only.items()})
        self.kept.update(kept)

    def take_back_what_can_be(self, ids: Sequence[int]) -> tuple[Left, ...]:
        """Halve what cannot be taken back at once, until each item is back or known to have to stay."""
        left = self._halve(ids)
        if len(left) == len(ids):
            problems = [problem for each in left for problem in each.problems]
            raise UndoConflict(
                "Nothing of the handover can be taken back: later changes stand on it. Nothing was changed.",
                problems,
                mend="Undo those later changes first.",
            )
        return tuple(left)

    def _halve(self, ids: Sequence[int]) -> list[Left]:
        try:
            self.take_back(ids)
        except UndoConflict as error:
            if len(ids) > 1:
                middle = len(ids) // 2
                return self._halve(ids[:middle]) + self._halve(ids[middle:])
            account_id = self.rows[ids[0]]["account_id"]
            seen = self.session.writer.visible_ids(self.session.types["account"], {account_id})
            return [
                Left(
                    item_id=ids[0],
                    account_id=account_id if seen else None,
                    problems=error.problems if seen else (),
                )
            ]
        return []


def _follow(session: CrmSession, handover_id: int) -> None:
    """Once all that was done is taken back, and nothing waits, the handover is undone."""
    if not _in_state(session, handover_id, ItemState.DONE, *WAITING):
        _set_state(session, handover_id, HandoverState.UNDONE)


def _set_state(session: CrmSession, handover_id: int, state: HandoverState) -> None:
    with session.writer.as_kernel():
        session.update_many(Handover, [{"id": handover_id, "state": state}])
