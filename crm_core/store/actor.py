"""Who acts: the user (or system principal) behind a session, and how far each permission reaches."""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import attrs
from sqlalchemy import BindParameter, ColumnElement, FromClause, Select, bindparam, select

from crm_core.domain.organisation import Membership, User
from crm_core.errors import Conflict, NotFound, PermissionDenied
from crm_core.store.policy import Policy, Scope
from crm_core.store.quick import quickly

if TYPE_CHECKING:
    from sqlalchemy import Connection

__all__ = ["NOWHERE", "Actor", "Reach", "load_actor", "narrowest", "reach_of", "system_actor", "valid_at"]


@attrs.frozen
class Reach:
    """How far a permission reaches for one actor.

    ``own`` reaches what the actor owns, ``units`` and ``subtrees`` what members of these units (and of the units
    below) own; ``share_roles`` are the roles whose shares grant the permission.
    """

    all: bool = False
    own: bool = False
    units: frozenset[int] = frozenset()
    subtrees: frozenset[int] = frozenset()
    share_roles: frozenset[str] = frozenset()

    @property
    def nothing(self) -> bool:
        """Whether no grant at all stands behind it (shares may still)."""
        return not (self.all or self.own)  # every scope reaches what the actor owns

    def contains(self, narrow: Reach) -> bool:
        """Whether every account within ``narrow`` is surely within this reach, too; neither of them is all."""
        if not self.share_roles >= narrow.share_roles or (narrow.own and not self.own):
            return False
        # A unit's own subtree contains the unit.
        return narrow.units <= (self.units | self.subtrees) and narrow.subtrees <= self.subtrees


def narrowest(reaches: Iterable[Reach]) -> list[Reach]:
    """Of several reaches those that decide what is within all of them: what contains another one is left out."""
    kept: list[Reach] = []
    for reach in sorted(reaches, key=repr):
        if not any(reach.contains(other) for other in kept):
            kept = [other for other in kept if not other.contains(reach)] + [reach]
    return kept


NOWHERE = Reach()
EVERYWHERE = Reach(all=True)


@attrs.frozen(eq=False)
class Actor:
    """The user or system principal of a session.

    ``places`` are the (unit id, role name) pairs of the memberships valid now: rights are those of today, whatever
    time a session looks at.
    """

    principal: str
    user_id: int | None = None
    places: tuple[tuple[int, str], ...] = ()
    system: bool = False
    _reaches: dict[str, Reach] = attrs.field(factory=dict, repr=False)

    @property
    def units(self) -> frozenset[int]:
        """The units the actor belongs to now."""
        return frozenset(unit for unit, _ in self.places)

    @property
    def mine(self) -> Any:
        """The actor's id as it stands in a condition."""
        return self.user_id

    def those(self, units: frozenset[int]) -> list[Any]:
        """Ids of units as they stand in a condition."""
        return sorted(units)

    def reach(self, policy: Policy, permission: str) -> Reach:
        """How far ``permission`` reaches for this actor."""
        known = self._reaches.get(permission)
        if known is None:
            known = self._reaches[permission] = reach_of(self, policy, permission)
        return known


def reach_of(actor: Actor, policy: Policy, permission: str) -> Reach:
    """Combine the grants of the actor's roles for one permission."""
    if actor.system:
        return EVERYWHERE
    own = False
    units: set[int] = set()
    subtrees: set[int] = set()
    for unit, role_name in actor.places:
        role = policy.roles.get(role_name)
        scope = role.scope(permission) if role is not None else None
        if scope is None:
            continue
        if scope is Scope.ALL:
            return EVERYWHERE
        own = True
        if scope is Scope.UNIT:
            units.add(unit)
        elif scope is Scope.SUBTREE:
            subtrees.add(unit)
    shared = frozenset(name for name, role in policy.roles.items() if role.scope(permission) is not None)
    # A unit's own subtree contains the unit: saying both would hide that two reaches are the same.
    return Reach(False, own, frozenset(units - subtrees), frozenset(subtrees), shared)


def system_actor(principal: str) -> Actor:
    """A named system principal: init, imports, jobs. It sees everything and is journalled by its name."""
    return Actor(principal=principal, system=True)


def load_actor(connection: Connection, login: str, now: dt.datetime) -> Actor:
    """The active user called ``login`` with the memberships valid at ``now``."""
    rows = quickly(connection, _places(), {"login": login, "now": now}).all()
    if not rows:
        raise NotFound(
            "There is no user with the login {login!r}.",
            mend="Check the spelling, or create the user; 'crm list user' shows all.",
            login=login,
        )
    if len({row.id for row in rows}) > 1:
        raise Conflict(
            "Several users have the login {login!r}.",
            mend="Give each a login of their own: rights must not mix.",
            login=login,
        )
    if not rows[0].active:
        raise PermissionDenied("The user {login!r} is not active.", mend="Activate the user first.", login=login)
    return Actor(
        principal=login,
        user_id=rows[0].id,
        places=tuple((row.unit_id, row.role) for row in rows if row.unit_id is not None),
    )


@functools.cache
def _places() -> Select[int, bool, int, str]:
    """The user of a login with the memberships that hold; made once, because every session of a user asks it."""
    user, membership = User.crm_type.table, Membership.crm_type.table
    holding = (membership.c.user_id == user.c.id) & valid_at(membership, bindparam("now"))
    return (
        select(user.c.id, user.c.active, membership.c.unit_id, membership.c.role)
        .select_from(user.outerjoin(membership, holding))
        .where(user.c.login == bindparam("login"))
        .order_by(membership.c.id)
    )


def valid_at(table: FromClause, moment: dt.datetime | BindParameter[Any]) -> ColumnElement[bool]:
    """The condition that a dated row of ``table`` holds at ``moment``."""
    return ((table.c.valid_from.is_(None)) | (table.c.valid_from <= moment)) & (
        (table.c.valid_to.is_(None)) | (table.c.valid_to > moment)
    )
