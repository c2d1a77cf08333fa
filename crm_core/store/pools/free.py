"""Which accounts are in which pool: a condition over accounts, derived from the rules and from ownership."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import attrs
from sqlalchemy import (
    ColumnElement,
    FromClause,
    and_,
    case,
    exists,
    false,
    func,
    literal,
    not_,
    null,
    or_,
    select,
    true,
)  # fmt: skip

from crm_core.domain.ownership import Ownership, OwnershipRole
from crm_core.domain.pools import Pool
from crm_core.errors import NotFound, nearest
from crm_core.store.parts import in_parts

if TYPE_CHECKING:
    from crm_core.expressions import Environment, Filter
    from crm_core.records import RecordType
    from crm_core.store.session import CrmSession

__all__ = ["Bound", "account_type", "bound", "find", "free", "held", "untaken"]


def account_type(session: CrmSession) -> RecordType:
    """The record type that lives in pools."""
    return session.types["account"]


def find(session: CrmSession, name: str | Pool) -> Pool:
    """A pool of the build by name; :class:`NotFound` with the nearest names otherwise."""
    if isinstance(name, Pool):
        return name
    pools = session.policy.pools
    if name not in pools:
        raise NotFound(
            "There is no pool {name!r}.",
            mend="Did you mean {near}?" if pools else "Declare it in the build file: [pools.{name}].",
            name=name,
            near=nearest(name, pools),
        )
    return pools[name]


@attrs.frozen(eq=False)
class Bound:
    """Pools whose conditions have been given their meaning, in the order in which an account is looked for in them."""

    pools: tuple[Pool, ...]
    filters: tuple[Filter | None, ...]

    def of_scope(self, scope: str) -> Bound:
        """Those of one scope of ownership."""
        kept = [number for number, pool in enumerate(self.pools) if pool.scope == scope]
        return Bound(tuple(self.pools[number] for number in kept), tuple(self.filters[number] for number in kept))

    @property
    def scopes(self) -> tuple[str, ...]:
        """The scopes in the order of the file."""
        return tuple(dict.fromkeys(pool.scope for pool in self.pools))

    def number(self, table: FromClause) -> ColumnElement[Any]:
        """Of rows of accounts: the number of the pool that an account belongs to, owned or not; null for none."""
        if not self.pools:
            return null()
        met = [
            (true() if each is None else func.coalesce(each.where(table), literal(False)), literal(number))
            for number, each in enumerate(self.filters)
        ]
        return case(*met)

    def taken_by(self, pool: Pool, table: FromClause) -> ColumnElement[bool]:
        """Of rows of accounts: those that belong to a pool, owned or not; written so that databases can plan by it."""
        place = [each.name for each in self.pools].index(pool.name)
        own = self.filters[place]
        earlier = [
            false() if each is None else not_(func.coalesce(each.where(table), literal(False)))
            for each in self.filters[:place]
        ]
        return and_(true() if own is None else own.where(table), *earlier)


def bound(session: CrmSession, pools: Iterable[Pool] | None = None, now: dt.datetime | None = None) -> Bound:
    """The pools of the build (or others) with their conditions, which hold whoever asks; ``now`` is for ``today()``."""
    found = tuple(session.policy.pools.values() if pools is None else pools)
    environment = _environment(session, now or session.now)
    return Bound(found, tuple(_filter(session, pool, environment) for pool in found))


def _filter(session: CrmSession, pool: Pool, environment: Environment) -> Filter | None:
    from crm_core.expressions import parse

    return parse(pool.where).bind(session.types, account_type(session), environment) if pool.where else None


def _environment(session: CrmSession, now: dt.datetime) -> Environment:
    from crm_core.expressions import Environment
    from crm_core.store.derived import DERIVED

    return Environment(
        now=now,
        tz=session.policy.tz,
        visible=lambda _type, _rows: None,
        custom=session.policy.custom,
        derived=DERIVED,
    )


def held(owner: FromClause, scope: str, moment: dt.datetime) -> ColumnElement[bool]:
    """Of rows of ownership: the owner's, of now or of a day to come. Where one is appointed, nobody else may claim."""
    return and_(
        owner.c.scope == scope,
        owner.c.role == OwnershipRole.OWNER,
        or_(owner.c.valid_to.is_(None), owner.c.valid_to > moment),
    )


def free(table: FromClause, scope: str, moment: dt.datetime) -> ColumnElement[bool]:
    """Of rows of accounts: nobody owns them in the scope. Inactive accounts are for nobody to claim."""
    owner = Ownership.crm_type.table.alias()
    owned = exists(select(literal(1)).where(owner.c.account_id == table.c.id, held(owner, scope, moment)))
    return and_(table.c.active == true(), ~owned)


def untaken(session: CrmSession, account_ids: Sequence[int], scope: str) -> set[int]:
    """Those of these accounts that no pool of a scope would take: without an owner, hardly anybody could see them."""
    table = account_type(session).table
    pools = bound(session).of_scope(scope)
    taken: set[int] = set()
    for part in in_parts(account_ids):
        query = select(table.c.id).where(table.c.id.in_(part), table.c.active, pools.number(table).is_not(None))
        taken.update(session.core(query).scalars())
    return set(account_ids) - taken
