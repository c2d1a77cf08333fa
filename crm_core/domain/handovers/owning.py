"""The rows of ownership of a handover: what of the leaver's ends, what begins for the successors, and what is moot."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs
from sqlalchemy import select

from crm_core.domain.dated import holds
from crm_core.domain.handovers.finding import accounts_of, seen_as_kernel
from crm_core.domain.handovers.records import Handover, HandoverItem
from crm_core.domain.ownership import Ownership, OwnershipRole

if TYPE_CHECKING:
    from crm_core.store.session import CrmSession

__all__ = ["Unchanged", "Written", "hold_owners", "write_owners"]

_ALL_DATES = {"all_dates": True}


@attrs.frozen(kw_only=True)
class Unchanged:
    """An item that was kept as it is, because the leaver is no longer responsible: ``user_id`` owns it ``since``.

    Both are ``None`` where nobody owns it (and ``since`` where they always did), and where it is about another role
    than the owner's.
    """

    item_id: int
    account_id: int
    role: OwnershipRole
    scope: str
    user_id: int | None = None
    since: dt.datetime | None = None


@attrs.frozen(kw_only=True)
class Written:
    """What was written: by item the rows, how many rows ended and began, and the items that were kept as they are."""

    changed: Mapping[int, list[tuple[str, int]]]
    ended: int
    begun: int
    unchanged: tuple[Unchanged, ...]


def write_owners(
    session: CrmSession, handover: Handover, ready: Sequence[HandoverItem], moment: dt.datetime, now: dt.datetime
) -> Written:
    """End the leaver's rows and begin the successors'."""
    # Of two for one responsibility the first counts, here as in the order of open work.
    by_key = {(item.account_id, item.role, item.scope): item for item in sorted(ready, key=_id, reverse=True)}
    name = Ownership.crm_type.name
    changed: dict[int, list[tuple[str, int]]] = {item.id: [] for item in ready}
    updates: list[dict[str, Any]] = []
    new: list[dict[str, Any]] = []
    gone: list[int] = []
    rows, helpers = _rows(session, handover.leaver_id, ready)
    for row in rows:
        item = by_key.get((row["account_id"], row["role"], row["scope"]))
        if item is None or (row["valid_to"] is not None and row["valid_to"] <= max(moment, now)):
            continue  # nobody's concern, or over by itself
        changed[item.id].append((name, row["id"]))
        known = _is_known(helpers, row, item, moment)
        if row["valid_from"] is not None and row["valid_from"] >= moment:  # has not begun by then
            if item.successor_id is None or known:
                gone.append(row["id"])
            else:
                updates.append({"id": row["id"], "user_id": item.successor_id, "reason": handover.message})
            continue
        updates.append({"id": row["id"], "valid_to": moment})
        if item.successor_id is not None and not known:
            new.append(_continued(session, row, item, handover, moment))
            changed[item.id].append((name, new[-1]["id"]))
    with seen_as_kernel(session, accounts_of(ready)):
        session.update_many(Ownership, updates)
        session.delete_many(Ownership, gone)
        session.add_many(Ownership, new)
    begun = len(new) + sum("user_id" in each for each in updates)
    return Written(
        changed=changed,
        ended=len(updates) + len(gone),
        begun=begun,
        unchanged=_unchanged(session, [item for item in ready if not changed[item.id]], moment),
    )


def hold_owners(session: CrmSession, leaver_id: int, ready: Sequence[HandoverItem]) -> None:
    """Wait for whoever is changing the accounts, or who is responsible there, before anything is written."""
    if session.dialect == "postgresql":
        owned = {row["id"] for row in _rows(session, leaver_id, ready)[0]}
        session.writer.hold({session.types["account"]: accounts_of(ready), Ownership.crm_type: owned})


def _unchanged(session: CrmSession, found: Sequence[HandoverItem], moment: dt.datetime) -> tuple[Unchanged, ...]:
    """Of items of which nothing went over, those that are not as they are to be already."""
    holders: defaultdict[tuple[int, OwnershipRole, str], list[Any]] = defaultdict(list)
    accounts = sorted(accounts_of(found))
    system = session.as_system("handover")
    try:
        for start in range(0, len(accounts), 1000):
            query = (
                select(
                    Ownership.account_id, Ownership.role, Ownership.scope, Ownership.user_id, Ownership.valid_from,
                    Ownership.valid_to,
                )
                .where(Ownership.account_id.in_(accounts[start : start + 1000]))
                .order_by(Ownership.id)
            )  # fmt: skip
            for row in system.execute(query, execution_options=_ALL_DATES):
                if holds(row, moment):
                    holders[row.account_id, row.role, row.scope].append(row)
    finally:
        system.close()
    kept: list[Unchanged] = []
    for item in found:
        there = holders[item.account_id, item.role, item.scope]
        owner = there[0] if there and item.role is OwnershipRole.OWNER else None
        # What the successor has already, or the pool, is as it should be, and the open work follows.
        as_meant = any(row.user_id == item.successor_id for row in there) if item.successor_id else owner is None
        if not as_meant:
            kept.append(
                Unchanged(
                    item_id=item.id,
                    account_id=item.account_id,
                    role=item.role,
                    scope=item.scope,
                    user_id=None if owner is None else owner.user_id,
                    since=None if owner is None else owner.valid_from,
                )
            )
    return tuple(kept)


def _rows(
    session: CrmSession, leaver_id: int, ready: Sequence[HandoverItem]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The leaver's rows at the accounts, and those of the successors, who may be helping there already."""
    accounts = sorted({item.account_id for item in ready})
    people = sorted({leaver_id, *(item.successor_id for item in ready if item.successor_id is not None)})
    names = ("id", "account_id", "user_id", "role", "scope", "valid_from", "valid_to", "custom")
    rows: list[dict[str, Any]] = []
    system = session.as_system("handover")
    try:
        for start in range(0, len(accounts), 1000):
            query = (
                select(*(getattr(Ownership, name) for name in names))
                .where(Ownership.account_id.in_(accounts[start : start + 1000]), Ownership.user_id.in_(people))
                .order_by(Ownership.id)
            )
            rows += [dict(row._mapping) for row in system.execute(query, execution_options=_ALL_DATES)]
    finally:
        system.close()
    mine = [row for row in rows if row["user_id"] == leaver_id]
    return mine, [row for row in rows if row["user_id"] != leaver_id]


def _id(item: HandoverItem) -> int:
    return item.id


def _is_known(
    helpers: Sequence[Mapping[str, Any]], row: Mapping[str, Any], item: HandoverItem, moment: dt.datetime
) -> bool:
    """Whether the successor has this part already for all the time that is left of it."""
    if item.role is OwnershipRole.OWNER or item.successor_id is None:
        return False
    start = moment if row["valid_from"] is None else max(moment, row["valid_from"])
    return any(
        each["user_id"] == item.successor_id
        and (each["account_id"], each["role"], each["scope"]) == (row["account_id"], row["role"], row["scope"])
        and (each["valid_from"] is None or each["valid_from"] <= start)
        and (each["valid_to"] is None or (row["valid_to"] is not None and each["valid_to"] >= row["valid_to"]))
        for each in helpers
    )


def _continued(
    session: CrmSession, row: Mapping[str, Any], item: HandoverItem, handover: Handover, moment: dt.datetime
) -> dict[str, Any]:
    values = {
        "id": session.next_id(),
        "account_id": row["account_id"],
        "user_id": item.successor_id,
        "role": row["role"],
        "scope": row["scope"],
        "reason": handover.message,
        "valid_from": moment,
        "valid_to": row["valid_to"],
    }
    return values | ({"custom": dict(row["custom"])} if row["custom"] else {})
