"""Accounts that ceased to be somebody's: what a former owner may still be told of them, and no word more."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import attrs
from sqlalchemy import and_, not_, or_, select

from crm_core.domain.accounts import Account
from crm_core.domain.handovers.records import Handover, HandoverItem, ItemState
from crm_core.domain.ownership import Ownership
from crm_core.domain.pools import PoolEvent, PoolEventKind
from crm_core.store.learned import held_accounts, merging
from crm_core.store.looks import Look, committed_since
from crm_core.store.tables import CHANGE, CHANGE_SET
from crm_core.store.values import decode_values

if TYPE_CHECKING:
    from crm_core.store.session import CrmSession

__all__ = ["Gone", "gone"]


@attrs.frozen(kw_only=True)
class Gone:
    """An account that was somebody's: how it was called when it ceased to be, since when, and why."""

    account_id: int
    name: str
    at: dt.datetime
    reason: str
    how: str


@attrs.frozen
class _Ended:
    """A responsibility that ended: of which account, and into which that may have been merged since."""

    account_id: int
    now_id: int
    at: dt.datetime
    reason: str | None
    by: int | None


def gone(session: CrmSession, reader: int, since: Look) -> list[Gone]:
    """Accounts that ceased to be the reader's since a look, not by their own doing: name and reason, no more.

    This reads beyond the rights of the reader, who can no longer see the account; so it must be the reader who asks.
    """
    lost = {each.account_id: each for each in _ended(session, reader, since)}  # the last one of each account
    lost = {id_: each for id_, each in lost.items() if each.by is None or each.by != reader}
    names, why = _names_then(session, lost), _reasons(session, reader, lost)
    return [
        Gone(
            account_id=id_, name=names.get(id_, ""), at=each.at, how=why.get(id_, ("ended", ""))[0],
            reason=why.get(id_, ("", ""))[1] or each.reason or "",
        )
        for id_, each in sorted(lost.items(), key=lambda item: (item[1].at, item[0]))
    ]  # fmt: skip


def _ended(session: CrmSession, reader: int, since: Look) -> list[_Ended]:
    """What ended of the reader's, in order of accounts, ends and changes."""
    row, now = Ownership.crm_type.table, session.now
    query = (
        select(row.c.account_id, row.c.valid_to, CHANGE_SET.c.reason, CHANGE_SET.c.user_id, row.c.id, CHANGE.c.version)
        .select_from(row)
        .join(CHANGE, and_(CHANGE.c.record_id == row.c.id, CHANGE.c.type == "ownership"))
        .join(CHANGE_SET, CHANGE_SET.c.id == CHANGE.c.change_set_id)
        .where(
            row.c.user_id == reader,
            row.c.valid_to <= now,
            or_(row.c.valid_to > since.at, committed_since(session, since)),
            row.c.account_id.not_in(held_accounts(reader, now)),
            # What ended it: why it was corrected later is not theirs to know.
            CHANGE.c.after.contains('"valid_to"', autoescape=True),
            # What merges do is not theirs to know.
            not_(merging()),
        )
        .order_by(row.c.valid_to, row.c.id, CHANGE.c.version)
    )
    found = session.core(query).all()
    moves = _moves(session, sorted({each.id for each in found}))
    return [
        _Ended(
            next((before for version, before in moves.get(each.id, ()) if version > each.version), each.account_id),
            each.account_id,
            each.valid_to,
            each.reason,
            each.user_id,
        )
        for each in found
    ]


def _moves(session: CrmSession, ids: Sequence[int]) -> dict[int, list[tuple[int, int]]]:
    """Where rows were before they were moved: by row the version that moved it, and the account until then."""
    query = (
        select(CHANGE.c.record_id, CHANGE.c.version, CHANGE.c.before)
        .where(
            CHANGE.c.record_id.in_(ids),
            CHANGE.c.type == "ownership",
            CHANGE.c.operation == "update",
            CHANGE.c.before.contains('"account_id"', autoescape=True),
        )
        .order_by(CHANGE.c.record_id, CHANGE.c.version)
    )
    found: dict[int, list[tuple[int, int]]] = {}
    for row in session.core(query):
        found.setdefault(row.record_id, []).append((row.version, decode_values(None, row.before)["account_id"]))
    return found


def _names_then(session: CrmSession, lost: Mapping[int, _Ended]) -> dict[int, str]:
    """How accounts were called when they ceased to be the reader's: later names are not theirs to know."""
    table, ids = Account.crm_type.table, sorted(lost)
    present = session.core(select(table.c.id, table.c.name).where(table.c.id.in_(ids)))
    names: dict[int, str] = {row.id: row.name for row in present}
    renamed = (
        select(CHANGE.c.record_id, CHANGE.c.before, CHANGE_SET.c.at)
        .join(CHANGE_SET, CHANGE_SET.c.id == CHANGE.c.change_set_id)
        .where(CHANGE.c.record_id.in_(ids), CHANGE.c.type == "account", CHANGE.c.operation != "create")
        .order_by(CHANGE.c.record_id, CHANGE.c.version.desc())
    )
    for row in session.core(renamed):
        name = decode_values(Account.crm_type, row.before).get("name")
        if name is not None and (row.at > lost[row.record_id].at or row.record_id not in names):
            names[row.record_id] = name
    return names


def _reasons(session: CrmSession, reader: int, lost: Mapping[int, _Ended]) -> dict[int, tuple[str, str]]:
    """How and why each was lost, where a pool or a handover says so."""
    places: dict[int, list[_Ended]] = {}
    for each in lost.values():
        places.setdefault(each.now_id, []).append(each)
    ids = sorted(places)
    item, handover = HandoverItem.crm_type.table, Handover.crm_type.table
    found: dict[int, tuple[str, str]] = {}
    handed = (
        select(item.c.account_id, handover.c.message, item.c.done_at)
        .join(handover, handover.c.id == item.c.handover_id)
        .where(item.c.account_id.in_(ids), handover.c.leaver_id == reader, item.c.state == ItemState.DONE)
        .order_by(item.c.done_at, item.c.id)
    )
    for row in session.core(handed):
        for each in places[row.account_id]:
            if _own(each, places) or each.at == row.done_at:
                found[each.account_id] = ("handed over", row.message or "")
    event = PoolEvent.crm_type.table
    pooled = (
        select(event.c.account_id, event.c.reason, event.c.rule, event.c.at)
        .where(
            event.c.account_id.in_(ids),
            event.c.user_id == reader,
            event.c.kind.in_([PoolEventKind.RECYCLED, PoolEventKind.RELEASED]),
        )
        .order_by(event.c.at, event.c.id)
    )
    for row in session.core(pooled):
        for each in places[row.account_id]:
            own, late = _own(each, places), row.at >= each.at
            if (late and own) or ((late or own) and each.account_id not in found):
                found[each.account_id] = ("recycled", row.reason or row.rule or "")
    return found


def _own(each: _Ended, places: Mapping[int, list[_Ended]]) -> bool:
    """Whether what is told of an account is told of this one alone, and not of what was merged into it, too."""
    return each.account_id == each.now_id and len(places[each.now_id]) == 1
