"""Who may see what, as plain Python: from the declarations of records and roles, knowing nothing of the store's SQL."""

from __future__ import annotations

import datetime as dt
import functools
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

import attrs
from sqlalchemy import select

from crm_core.records import KERNEL, Administered, Owned, Private, Public, RecordType, Through, Types, Via
from crm_core.store.policy import Scope

if TYPE_CHECKING:
    from crm_core.assembly.build import Build
    from crm_core.store.policy import Role
    from crm_core.store.session import CrmSession

__all__ = ["Oracle", "Row", "honest_roles", "rows_of", "widened"]

Row = Mapping[str, Any]
Grants = Mapping[str, tuple[tuple[str, Scope], ...]]


def rows_of(session: CrmSession) -> dict[str, dict[int, Row]]:
    """Every row of every record type as it lies in the database, by type and id."""
    return {
        record_type.name: {row["id"]: dict(row) for row in session.core(select(record_type.table)).mappings()}
        for record_type in session.types.values()
    }


def _contributed(build: Build) -> Iterator[tuple[str, Role]]:
    """The roles and grants that each plugin registers, in load order."""
    from crm_core.assembly.contributions import contributions

    for plugin in build.plugins:
        for role in contributions(plugin.name, plugin.namespace)[0].roles:
            yield plugin.name, role


def _foreign(plugin: str, role: Role, makers: Mapping[str, str]) -> list[tuple[str, Scope]]:
    """What a plugin adds to somebody else's role about records that are not its own."""
    if plugin == KERNEL or makers[role.name] == plugin:
        return []
    return [(pattern, scope) for pattern, scope in role.grants if not pattern.startswith(f"{plugin}.")]


def honest_roles(build: Build) -> Grants:
    """The roles of a build, without what plugins add to the roles of others about records that are not their own.

    Roles of the build file count as they stand there.
    """
    makers: dict[str, str] = {}
    grants: defaultdict[str, tuple[tuple[str, Scope], ...]] = defaultdict(tuple)
    for plugin, role in _contributed(build):
        makers.setdefault(role.name, plugin)
        foreign = _foreign(plugin, role, makers)
        grants[role.name] += tuple(grant for grant in role.grants if grant not in foreign)
    written = {name: build.policy.roles[name].grants for name in build.file.roles if name in build.policy.roles}
    return {**grants, **written}


def widened(build: Build, plugin: str) -> list[tuple[str, str, Scope]]:
    """What a plugin adds to the roles of others about records that are not its own: role, permission pattern, scope."""
    makers: dict[str, str] = {}
    found: list[tuple[str, str, Scope]] = []
    for name, role in _contributed(build):
        makers.setdefault(role.name, name)
        if name == plugin:
            found += [(role.name, pattern, scope) for pattern, scope in _foreign(name, role, makers)]
    return found


@attrs.define(eq=False)
class Oracle:
    """All rows of a database, and the questions; ``now`` is the moment whose rights count."""

    types: Types
    grants: Grants
    rows: dict[str, dict[int, Row]]
    now: dt.datetime
    _known: dict[Any, bool] = attrs.field(factory=dict)

    def holds(self, row: Row, moment: dt.datetime | None = None) -> bool:
        """Whether a dated row holds at a moment (default: now)."""
        moment = moment or self.now
        start, end = row["valid_from"], row["valid_to"]
        return (start is None or start <= moment) and (end is None or end > moment)

    # -- rights ------------------------------------------------------------------------------------------------

    def scope(self, role: str, permission: str) -> int:
        """The widest scope of a role for a permission; 0 for none."""
        grants = self.grants.get(role, ())
        return max((int(scope) for pattern, scope in grants if fnmatchcase(permission, pattern)), default=0)

    @functools.cached_property
    def _places(self) -> Mapping[int, list[tuple[int, str]]]:
        found: defaultdict[int, list[tuple[int, str]]] = defaultdict(list)
        for row in self.rows["membership"].values():
            if self.holds(row):
                found[row["user_id"]].append((row["unit_id"], row["role"]))
        return found

    @functools.cached_property
    def _owners(self) -> Mapping[int, list[int]]:
        found: defaultdict[int, list[int]] = defaultdict(list)
        for row in self.rows["ownership"].values():
            if self.holds(row):
                found[row["account_id"]].append(row["user_id"])
        return found

    def widest(self, user: int, permission: str) -> int:
        """The widest scope at which any place of a user grants a permission; 0 for none."""
        return max((self.scope(role, permission) for _, role in self._places.get(user, ())), default=0)

    def _beneath(self, unit: int, top: int) -> bool:
        above: int | None = unit
        while above is not None:
            if above == top:
                return True
            above = self.rows["unit"][above]["parent_id"]
        return False

    def reaches(self, user: int, permission: str, account: int) -> bool:
        """Whether a permission reaches an account: by who owns it, in its scope, or by a share."""
        owners, mine = self._owners.get(account, ()), self._places.get(user, ())
        for unit, role in mine:
            scope = self.scope(role, permission)
            if scope == Scope.ALL or (scope and user in owners):
                return True
            for place in (place for owner in owners for place, _ in self._places.get(owner, ())):
                if (scope == Scope.UNIT and place == unit) or (scope == Scope.SUBTREE and self._beneath(place, unit)):
                    return True
        return any(
            row["account_id"] == account
            and self.holds(row)
            and (row["user_id"] == user or row["unit_id"] in [unit for unit, _ in mine])
            and self.scope(row["role"], permission) > 0
            for row in self.rows["share"].values()
        )

    # -- records -----------------------------------------------------------------------------------------------

    def sees(self, user: int, record: str, id_: int) -> bool:
        """Whether a user may see a record, whatever its dates."""
        return self._sees(user, record, id_, frozenset(), direct=True)

    def may(self, user: int, record: str, id_: int, verb: str) -> bool:
        """Whether a user may ``update`` or ``delete`` a record."""
        record_type = self.types[record]
        wanted = frozenset({record_type.permission(verb)})
        if isinstance(record_type.access, Public) or self._hangs_on_public(record_type):
            # Everybody sees it, so that only its author, and scope all, may change it.
            return self._mine(user, wanted, self.rows[record][id_]["created_by"])
        return self._sees(user, record, id_, wanted, direct=False)

    def visible(
        self, user: int, record: str, moment: dt.datetime | None = None, *, all_dates: bool = False
    ) -> set[int]:
        """The ids that a user sees: of dated records those that hold at a moment (default: now), or all."""
        dated = self.types[record].dated and not all_dates
        return {
            id_
            for id_, row in self.rows[record].items()
            if (not dated or self.holds(row, moment)) and self.sees(user, record, id_)
        }

    def sees_everything(self, user: int, record: str) -> bool:
        """Whether a user sees whatever there ever was of a type, deleted records included."""
        record_type = self.types[record]
        access = record_type.access
        if self.widest(user, record_type.permission("read")) != Scope.ALL:
            return False
        if not isinstance(access, Via):
            return True
        targets = [record_type.extends if name == "id" else record_type.by_name[name].target for name in access.fields]
        return all(
            isinstance(self.types[str(target)].access, Public) or self.sees_everything(user, str(target))
            for target in targets
        )

    def reads(self, user: int, permission: str) -> bool:
        """Whether a user has the permission for a restricted field."""
        return self.widest(user, permission) > 0

    def _sees(self, user: int, record: str, id_: int, wanted: frozenset[str], *, direct: bool) -> bool:
        key = (user, record, id_, wanted, direct)
        if key not in self._known:
            self._known[key] = self._judge(user, self.types[record], id_, wanted, direct)
        return self._known[key]

    def _judge(self, user: int, record_type: RecordType, id_: int, wanted: frozenset[str], direct: bool) -> bool:
        access, row = record_type.access, self.rows[record_type.name].get(id_)
        if row is None:
            return False
        if isinstance(access, Public):
            # What hangs on it needs a permission of its own.
            return direct or all(self.widest(user, permission) for permission in wanted)
        wanted = wanted | {record_type.permission("read")}
        if isinstance(access, Owned):
            return all(self.reaches(user, permission, id_) for permission in wanted)
        if isinstance(access, Administered):
            return all(self.widest(user, permission) == Scope.ALL for permission in wanted)
        if isinstance(access, Private):
            return self._mine(user, wanted, row[access.own])
        if isinstance(access, Through):
            links = ((link, each) for link, each in self.rows[access.record].items() if each[access.field] == id_)
            return self._mine(user, wanted, row["created_by"]) or any(
                self._sees(user, access.record, link, wanted, direct=False) for link, _ in links
            )
        assert isinstance(access, Via)
        filled = [(record, there) for record, there in self._above(record_type, access, row) if there is not None]
        if not filled:
            return self._mine(user, wanted, row["created_by"], row[access.own] if access.own else None)
        judged = (self._sees(user, record, there, wanted, direct=False) for record, there in filled)
        return all(judged) if access.every else next(judged)

    def _above(self, record_type: RecordType, access: Via, row: Row) -> Iterator[tuple[str, int | None]]:
        for name in access.fields:
            target = record_type.extends if name == "id" else record_type.by_name[name].target
            assert target is not None
            yield target, row[name]

    def _hangs_on_public(self, record_type: RecordType) -> bool:
        access = record_type.access
        if not isinstance(access, Via):
            return False
        targets = [record_type.extends if name == "id" else record_type.by_name[name].target for name in access.fields]
        return all(target is not None and isinstance(self.types[target].access, Public) for target in targets)

    def _mine(self, user: int, wanted: Iterable[str], *people: int | None) -> bool:
        widest = [self.widest(user, permission) for permission in wanted]
        return all(scope == Scope.ALL for scope in widest) or (all(widest) and user in people)
