"""Who may claim from a pool."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import and_, or_, select

from crm_core.domain.organisation import Membership, Unit, User
from crm_core.domain.pools import Pool
from crm_core.errors import PermissionDenied
from crm_core.store.actor import valid_at
from crm_core.store.tables import UNIT_CLOSURE

if TYPE_CHECKING:
    from crm_core.store.session import CrmSession

__all__ = ["claimants", "is_member", "may_look", "receivers", "require_member", "unknown_logins", "unknown_units"]


def _units(session: CrmSession, pool: Pool) -> set[int] | None:
    """The units of a pool and all below them; ``None`` where it names none."""
    if not pool.units:
        return None
    unit = Unit.crm_type.table
    query = (
        select(UNIT_CLOSURE.c.descendant_id)
        .join(unit, unit.c.id == UNIT_CLOSURE.c.ancestor_id)
        .where(or_(unit.c.code.in_(pool.units), unit.c.name.in_(pool.units)))
    )
    return set(session.core(query).scalars())


def is_member(session: CrmSession, pool: Pool) -> bool:
    """Whether the actor may claim from a pool: by a role of it in a unit of it."""
    if not (pool.roles or pool.units) or session.actor.user_id is None:
        return False
    places = [unit for unit, role in session.actor.places if not pool.roles or role in pool.roles]
    units = _units(session, pool) if places else set()
    return bool(places) and (units is None or not units.isdisjoint(places))


def may_look(session: CrmSession, pool: Pool) -> bool:
    """Whether the actor may see what is in a pool: its members, and whoever sees all accounts anyway."""
    return session.visibility.reach("account.read").all or is_member(session, pool)


def require_member(session: CrmSession, pool: Pool, *, looking: bool = False) -> None:
    """Refuse whoever is no member."""
    if not (may_look(session, pool) if looking else is_member(session, pool)):
        raise PermissionDenied(
            "{principal} may not claim from the pool {pool}.",
            mend="Roles and units under [pools.{pool}] in the build file say who may.",
            principal=session.actor.principal,
            pool=pool.name,
        )


def claimants(session: CrmSession, pool: Pool) -> list[int]:
    """Active users who may claim from a pool now, by id."""
    if not (pool.roles or pool.units):
        return []
    user, member = User.crm_type.table, Membership.crm_type.table
    units = _units(session, pool)
    query = (
        select(user.c.id)
        .join(member, and_(member.c.user_id == user.c.id, valid_at(member, session.clock())))
        .where(user.c.active.is_(True))
        .distinct()
        .order_by(user.c.id)
    )
    if pool.roles:
        query = query.where(member.c.role.in_(pool.roles))
    if units is not None:
        query = query.where(member.c.unit_id.in_(sorted(units)))
    return list(session.core(query).scalars())


def receivers(session: CrmSession, pool: Pool) -> list[int]:
    """Active users among whom the accounts of a pool are handed out, in the order in which the pool names them."""
    if not pool.members:
        return claimants(session, pool)
    user = User.crm_type.table
    query = select(user.c.login, user.c.id).where(user.c.login.in_(pool.members), user.c.active.is_(True))
    ids = {row.login: row.id for row in session.core(query)}
    return [ids[login] for login in pool.members if login in ids]


def unknown_logins(session: CrmSession, pool: Pool) -> list[str]:
    """Members whom no active user is."""
    user = User.crm_type.table
    query = select(user.c.login).where(user.c.login.in_(pool.members), user.c.active.is_(True))
    known = set(session.core(query).scalars()) if pool.members else set()
    return [login for login in pool.members if login not in known]


def unknown_units(session: CrmSession, pool: Pool) -> list[str]:
    """Units that there are not."""
    unit = Unit.crm_type.table
    query = select(unit.c.code, unit.c.name).where(or_(unit.c.code.in_(pool.units), unit.c.name.in_(pool.units)))
    known = {value for row in session.core(query) for value in row} if pool.units else set()
    return [each for each in pool.units if each not in known]
