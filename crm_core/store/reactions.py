"""What the kernel itself does when records change: in the same transaction, and before the plugins are asked."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeAlias

from sqlalchemy import Select, bindparam, delete, insert, select

from crm_core.domain.accounts import Account
from crm_core.domain.activities import Activity
from crm_core.domain.handovers.records import OPEN, WAITING, Handover, HandoverItem, HandoverState, ItemState
from crm_core.domain.organisation import Unit, User
from crm_core.domain.ownership import Ownership, OwnershipRole
from crm_core.errors import Conflict
from crm_core.records import RecordType
from crm_core.store.at_account import name_accounts
from crm_core.store.giving import leaver_stays
from crm_core.store.parts import in_parts
from crm_core.store.quick import quickly
from crm_core.store.responsible import leaver_hands_over, owners_are_active
from crm_core.store.tables import UNIT_CLOSURE

if TYPE_CHECKING:
    from crm_core.store.journal import Entry
    from crm_core.store.session import CrmSession

__all__ = ["react", "rebuild_closure"]

Reaction: TypeAlias = "Callable[[CrmSession, RecordType, Sequence[Entry]], None]"


def react(session: CrmSession, batches: Sequence[tuple[RecordType, Sequence[Entry]]]) -> None:
    """Let every rule of the kernel see the changes, a batch per record type."""
    for record_type, entries in batches:
        for reaction in _REACTIONS.get(record_type.name, ()):
            reaction(session, record_type, entries)


def _keep_closure(session: CrmSession, _type: RecordType, entries: Sequence[Entry]) -> None:
    if any(entry.operation != "update" or "parent_id" in (*entry.before, *entry.after) for entry in entries):
        rebuild_closure(session)


def _creator_owns(session: CrmSession, _type: RecordType, entries: Sequence[Entry]) -> None:
    # What an undo brings back has the owners that it had.
    if session.policy.creator_owns and not session.actor.system and session.writer.expected is None:
        with session.writer.as_kernel():
            # What an undo restores is not new, and has the owner that it had.
            _own_new_accounts(session, [e.id for e in entries if e.operation == "create" and e.version == 1])


def _handover_follows(session: CrmSession, _type: RecordType, entries: Sequence[Entry]) -> None:
    """A handover of which nothing waits any more is over, also where what waited went with its account."""
    ids = sorted({entry.before["handover_id"] for entry in entries if entry.operation == "delete"})
    if not ids or session.writer.expected is not None:
        return  # an undo brings back the state, too
    handover, item = Handover.crm_type.table, HandoverItem.crm_type.table
    states: dict[int, set[ItemState]] = {}
    for part in in_parts(ids):
        query = (
            select(handover.c.id, item.c.state)
            .select_from(handover.outerjoin(item, item.c.handover_id == handover.c.id))
            .where(handover.c.id.in_(part), handover.c.state.in_(OPEN))
            .distinct()
        )
        for row in session.core(query):
            states.setdefault(row.id, set()).update([] if row.state is None else [row.state])
    over = [
        {"id": id_, "state": HandoverState.DONE if ItemState.DONE in found else HandoverState.CANCELLED}
        for id_, found in states.items()
        if found.isdisjoint(WAITING)
    ]
    with session.writer.as_kernel():
        session.update_many(Handover, over)


def rebuild_closure(session: CrmSession) -> None:
    """Write down which unit is beneath which; units are few, so all of it each time."""
    unit = Unit.crm_type.table
    parents = {row.id: row.parent_id for row in session.core(select(unit.c.id, unit.c.parent_id))}
    pairs: set[tuple[int, int]] = set()
    for start in parents:
        above: int | None = start
        path: list[int] = []
        while above is not None:
            if above in path:
                raise Conflict(
                    "The unit {id} would be above itself.", mend="Choose another parent unit.", record="unit", id=above
                )
            path.append(above)
            pairs.add((above, start))
            above = parents.get(above)
    session.core(delete(UNIT_CLOSURE))
    if pairs:
        session.core(
            insert(UNIT_CLOSURE), [{"ancestor_id": above, "descendant_id": below} for above, below in sorted(pairs)]
        )


def _own_new_accounts(session: CrmSession, created: Sequence[int]) -> None:
    """Whoever creates an account owns it, unless the change set names an owner."""
    owned = _owned_in_log(session)
    for part in in_parts([id_ for id_ in created if id_ not in owned]):
        owned.update(quickly(session.core_connection(), _owned_among(), {"ids": part}).scalars())
    missing = [id_ for id_ in created if id_ not in owned]
    if missing:
        session.add_many(
            Ownership,
            [
                {"account_id": id_, "user_id": session.user_id, "role": OwnershipRole.OWNER, "reason": "creator"}
                for id_ in missing
            ],
        )


def _owned_in_log(session: CrmSession) -> set[int]:
    """Accounts to which this change set has just given owners; of those the database need not be asked."""
    changes = [entry for entry in session.writer.log if entry.name == Ownership.crm_type.name]
    if any(entry.operation != "create" for entry in changes):
        return set()  # what was given may have been taken again
    return {entry.after["account_id"] for entry in changes}


@functools.cache
def _owned_among() -> Select[int]:
    """Those of the accounts that somebody owns; made once, because every creation of an account asks it."""
    owner = Ownership.crm_type.table
    return select(owner.c.account_id).where(owner.c.account_id.in_(bindparam("ids", expanding=True)))


_REACTIONS: dict[str, tuple[Reaction, ...]] = {
    Unit.crm_type.name: (_keep_closure,),
    Account.crm_type.name: (_creator_owns,),
    Activity.crm_type.name: (name_accounts,),
    HandoverItem.crm_type.name: (_handover_follows,),
    User.crm_type.name: (leaver_hands_over,),
    Ownership.crm_type.name: (owners_are_active,),
    Handover.crm_type.name: (leaver_stays,),
}
