"""How full the pools are, whom they forget, and what happened to an account there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import attrs
from sqlalchemy import and_, exists, func, literal, or_, select

from crm_core.domain.accounts import Account
from crm_core.domain.ownership import Ownership, Share
from crm_core.domain.pools import Pool, PoolEvent
from crm_core.errors import PermissionDenied
from crm_core.store.pools.free import account_type, bound, free
from crm_core.store.pools.members import is_member, may_look, unknown_logins, unknown_units

if TYPE_CHECKING:
    from crm_core.store.session import CrmSession

__all__ = ["Orphans", "PoolCount", "counts", "history", "orphans"]


@attrs.frozen
class PoolCount:
    """A pool and how many accounts are in it; ``mine`` says whether the actor may claim from it.

    ``unknown`` names units and members of the build file that are not there.
    """

    pool: Pool
    free: int
    mine: bool
    unknown: tuple[str, ...]


@attrs.frozen
class Orphans:
    """Active accounts that nobody owns and no pool takes: only who sees all accounts reaches them."""

    count: int
    ids: tuple[int, ...]


def counts(session: CrmSession) -> list[PoolCount]:
    """The pools that the actor may look into, in the order of the build file, with how many accounts are in each.

    One statement for each scope of ownership, and some for each pool to see who may claim there.
    """
    pools = bound(session)
    looked = {pool.name for pool in pools.pools if may_look(session, pool)}
    now = session.clock()
    table = account_type(session).table
    found: dict[str, int] = {}
    for scope in pools.scopes if looked else ():
        here = pools.of_scope(scope)
        number = here.number(table)
        rows: Any = session.core(
            select(number.label("number"), func.count())
            .where(number.is_not(None), free(table, scope, now))
            .group_by("number")
        )
        found |= {here.pools[place].name: count for place, count in rows}
    return [
        PoolCount(
            pool, found.get(pool.name, 0), is_member(session, pool),
            (*unknown_units(session, pool), *unknown_logins(session, pool)),
        )
        for pool in pools.pools
        if pool.name in looked
    ]  # fmt: skip


def orphans(session: CrmSession, limit: int = 20) -> Orphans:
    """Active accounts that nobody is or will be responsible for, that are lent to nobody and that no pool takes.

    Only who sees all accounts may know: :class:`PermissionDenied` otherwise. ``ids`` are the first ``limit``.
    """
    if not session.visibility.reach("account.read").all:
        raise PermissionDenied(
            "{principal} may not look for accounts that nobody reaches.",
            mend="A role with the permission account.read at scope all is needed.",
            principal=session.actor.principal,
        )
    pools = bound(session)
    now = session.clock()
    table = account_type(session).table
    reached = [
        exists(
            select(literal(1)).where(
                rows.c.account_id == table.c.id, or_(rows.c.valid_to.is_(None), rows.c.valid_to > now)
            )
        )
        for rows in (Ownership.crm_type.table.alias(), Share.crm_type.table.alias())
    ]
    # Nobody is responsible in any scope, so a pool of any scope takes it.
    alone = and_(
        table.c.active, ~or_(*reached), *(pools.of_scope(scope).number(table).is_(None) for scope in pools.scopes)
    )
    count: int = session.core(select(func.count()).select_from(table).where(alone)).scalar_one()
    ids: Sequence[int] = (
        session.core(select(table.c.id).where(alone).order_by(table.c.id).limit(limit)).scalars().all() if count else ()
    )
    return Orphans(count, tuple(ids))


def history(session: CrmSession, account: Account | int) -> list[PoolEvent]:
    """What happened to an account at its pools, the earliest first, for whoever sees the account."""
    found = session.require(Account, account if isinstance(account, int) else account.id)
    query = select(PoolEvent).where(PoolEvent.account_id == found.id).order_by(PoolEvent.at, PoolEvent.id)
    return list(session.scalars(query))
