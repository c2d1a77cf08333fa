"""How owned accounts stand with the rules of their pools: since when, what signs of life, what warnings."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs
from sqlalchemy import ColumnElement, Select, and_, func, or_, select

from crm_core.domain.ownership import Ownership, OwnershipRole
from crm_core.domain.pools import Pool, PoolEvent, PoolEventKind, RecycleRule
from crm_core.store.pools.free import Bound, account_type
from crm_core.store.pools.signs import horizon, latest_signs

if TYPE_CHECKING:
    from crm_core.store.session import CrmSession

__all__ = ["Deadline", "Owned", "Standing", "look", "owned"]


@attrs.frozen
class Owned:
    """An account that somebody owns now, without an appointed end, and that a pool with rules would take."""

    account_id: int
    grade: str | None
    ownership_id: int
    user_id: int
    held_from: dt.datetime | None
    recorded: dt.datetime
    pool: Pool


@attrs.frozen
class Deadline:
    """A rule that runs against an owner: due on a day, unless there is a sign of life; warned at, if they were."""

    rule: RecycleRule
    due: dt.date
    warned_at: dt.datetime | None


@attrs.frozen
class Standing:
    """An owned account with the deadlines of its rules, in the order of the rules."""

    owned: Owned
    deadlines: tuple[Deadline, ...]


def owned(
    session: CrmSession, bound: Bound, scope: str, now: dt.datetime, ids: Collection[int] | None = None,
    *, after: int = 0, limit: int | None = None,
) -> list[Owned]:  # fmt: skip
    """Accounts by id that are owned in a scope: of ``ids``, or a page. One statement.

    Whose time ends on an appointed day is left alone: somebody has decided already.
    """
    rows = session.core(_query(session, bound.of_scope(scope), scope, now, ids, after, limit))
    pools = bound.of_scope(scope).pools
    return [
        Owned(row.id, row.grade, row.ownership_id, row.user_id, row.valid_from, row.created_at, pools[row.number])
        for row in rows
    ]


def _query(
    session: CrmSession, bound: Bound, scope: str, now: dt.datetime, ids: Collection[int] | None, after: int,
    limit: int | None,
) -> Select[Any]:  # fmt: skip
    account, owner = account_type(session).table, Ownership.crm_type.table
    number: ColumnElement[Any] = bound.number(account)
    ruled = [place for place, pool in enumerate(bound.pools) if pool.recycle]
    query = (
        select(
            account.c.id, account.c.grade, owner.c.id.label("ownership_id"), owner.c.user_id, owner.c.valid_from,
            owner.c.created_at, number.label("number"),
        )
        .join(owner, and_(owner.c.account_id == account.c.id, owner.c.scope == scope,
                          owner.c.role == OwnershipRole.OWNER, owner.c.valid_to.is_(None)))
        .where(
            account.c.active, account.c.id > after, number.in_(ruled),
            or_(owner.c.valid_from.is_(None), owner.c.valid_from <= now),
        )
        .order_by(account.c.id)
        .limit(limit)
    )  # fmt: skip
    return query if ids is None else query.where(account.c.id.in_(sorted(ids)))


def look(session: CrmSession, system: CrmSession, accounts: Sequence[Owned], now: dt.datetime) -> Iterator[Standing]:
    """The deadlines of owned accounts; a constant number of statements. ``system`` is an elevated session."""
    if not accounts:
        return
    pools = list({each.pool.name: each.pool for each in accounts}.values())
    ids = [each.account_id for each in accounts]
    tz = session.policy.tz
    signs = latest_signs(session, system, ids, pools, now)
    warned = _warned(session, ids, horizon(pools, now))
    for each in accounts:
        known = signs.get(each.account_id, {})
        yield Standing(each, tuple(_deadlines(each, known, warned, now.astimezone(tz).date(), tz)))


def _deadlines(
    each: Owned,
    signs: Mapping[str, dt.datetime],
    warned: Mapping[tuple[int, int | None, str, str | None], dt.datetime],
    today: dt.date,
    tz: dt.tzinfo,
) -> Iterator[Deadline]:
    for rule in each.pool.recycle:
        if rule.spares(each.grade):
            continue
        start = rule.counts_from(each.held_from, each.recorded, signs.get(rule.signal), tz)
        if start is None:
            continue
        at = warned.get((each.account_id, each.user_id, each.pool.name, rule.key))
        # A warning is about the silence before it: who has been there since is warned anew.
        holds = at is not None and at > start and rule.still_warned(at.astimezone(tz).date(), today)
        yield Deadline(rule, rule.due(start, tz), at if holds else None)


def _warned(
    session: CrmSession, ids: Sequence[int], since: dt.datetime
) -> dict[tuple[int, int | None, str, str | None], dt.datetime]:
    event = PoolEvent.crm_type.table
    key = (event.c.account_id, event.c.user_id, event.c.pool, event.c.rule)
    rows: Iterable[Any] = session.core(
        select(*key, func.max(event.c.at))
        .where(event.c.account_id.in_(ids), event.c.kind == PoolEventKind.WARNED, event.c.at >= since)
        .group_by(*key)
    )
    return {(row[0], row[1], row[2], row[3]): row[4] for row in rows}
