"""What the kernel itself does when records change: in the same transaction, and before the plugins are asked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from sqlalchemy import Select, and_, delete, exists, insert, or_, select

from crm_core.domain.accounts import Account
from crm_core.domain.handovers.records import OPEN, Handover, HandoverItem, ItemState
from crm_core.domain.organisation import Unit, User
from crm_core.domain.ownership import Ownership, OwnershipRole
from crm_core.errors import Conflict
from crm_core.records import RecordType
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
    if session.policy.creator_owns and not session.actor.system:
        with session.writer.as_kernel():
            _own_new_accounts(session, [entry.id for entry in entries if entry.operation == "create"])


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
    owner = Ownership.crm_type.table
    owned: set[int] = set()
    for start in range(0, len(created), 1000):
        part = created[start : start + 1000]
        owned.update(session.core(select(owner.c.account_id).where(owner.c.account_id.in_(part))).scalars())
    missing = [id_ for id_ in created if id_ not in owned]
    if missing:
        session.add_many(
            Ownership,
            [
                {"account_id": id_, "user_id": session.user_id, "role": OwnershipRole.OWNER, "reason": "creator"}
                for id_ in missing
            ],
        )


_COVERING = (ItemState.DRAFTED, ItemState.OFFERED, ItemState.ACCEPTED)


def _leaver_hands_over(session: CrmSession, _type: RecordType, entries: Sequence[Entry]) -> None:
    """Nobody is deactivated while they are responsible for something that no open handover gives to somebody else."""
    leaving = [
        entry.id
        for entry in entries
        if entry.operation == "update" and entry.before.get("active") is True and entry.after.get("active") is False
    ]
    for start in range(0, len(leaving), 1000):
        rows = session.core(_uncovered(session, leaving[start : start + 1000])).all()
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
    problem = "{login} is still responsible for {count} accounts."
    if session.writer.visible_ids(Ownership.crm_type, ids) != ids:
        problem = "{login} is still responsible for accounts."  # how many is not for everybody to know
    raise Conflict(
        problem,
        mend="Hand them over first: crm handover draft {login}.",
        record="user",
        login=login,
        count=len({row.account_id for row in first}),
    )


_REACTIONS: dict[str, tuple[Reaction, ...]] = {
    Unit.crm_type.name: (_keep_closure,),
    Account.crm_type.name: (_creator_owns,),
    User.crm_type.name: (_leaver_hands_over,),
}
