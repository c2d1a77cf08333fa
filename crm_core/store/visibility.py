"""One visibility function: what an actor may see (or change), as plain SQL over tables.

Everything that reads goes through :meth:`Visibility.criterion`. Inner tables are bare copies without lineage to the
mapped tables, so that SQLAlchemy never adapts them together with an aliased entity, and dated criteria never reach
them: rights are those of today.
"""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    FromClause,
    Select,
    SelectBase,
    Table,
    TableClause,
    and_,
    column,
    exists,
    false,
    literal_column,
    or_,
    select,
    table,
    true,
    union_all,
)

from crm_core.domain.organisation import Membership, Unit, User
from crm_core.domain.ownership import Ownership, Share
from crm_core.records import Administered, Owned, Private, Public, RecordType, Through, Types, Via
from crm_core.store.actor import Actor, Reach, narrowest, valid_at
from crm_core.store.once import AskedOnce
from crm_core.store.policy import Policy
from crm_core.store.tables import UNIT_CLOSURE

__all__ = ["WIDE", "Visibility", "bare"]

WIDE = 5000
"""From so many visible accounts on, probing each row beats collecting the visible ids (measured, see docs)."""

# Everybody's rights follow from these, so that whoever may write some of them could give themselves the rest.
_GRANTING = frozenset({Membership, Unit, User})

Criterion = ColumnElement[bool] | None


@functools.cache
def bare(mapped: Table) -> TableClause:
    """A copy of a table that shares names and types, but no identity."""
    return table(mapped.name, *(column(each.name, each.type) for each in mapped.c))


# The same in each probe: none stands within another.
_OWNER = bare(Ownership.crm_type.table).alias()
_ONE: Any = literal_column("1")


class Visibility:
    """The criteria of one actor at one moment. ``None`` as a criterion means: everything."""

    def __init__(
        self,
        types: Types,
        policy: Policy,
        actor: Actor,
        now: dt.datetime | BindParameter[Any],
        owned_count: Callable[[], int],
    ) -> None:
        self.types = types
        self.policy = policy
        self.actor = actor
        self.now = now
        self._owned_count = owned_count
        self._ids: dict[Reach, SelectBase | None] = {}
        self._owning: dict[Reach, Criterion] = {}
        self._shares: dict[Reach, SelectBase | None] = {}

    @AskedOnce
    def wide(self) -> bool:
        """Whether the actor sees so much that probing rows is the better plan."""
        return self._owned_count() >= WIDE

    def reach(self, permission: str) -> Reach:
        """How far a permission reaches for the actor."""
        return self.actor.reach(self.policy, permission)

    def criterion(
        self, record_type: RecordType, rows: FromClause, verb: str = "read", *, permission: str | None = None
    ) -> Criterion:
        """Which ``rows`` of a record type the actor may read (or ``create``, ``update``, ``delete``).

        Whatever may be changed must also be visible. ``permission`` is one besides that must reach the rows, too.
        """
        if self.actor.system:
            return None
        reaches = {self.reach(record_type.permission(verb)), self.reach(record_type.permission("read"))}
        if permission is not None:
            reaches.add(self.reach(permission))
        if isinstance(record_type.access, Public):
            reaches = {self.reach(record_type.permission(verb))} if verb != "read" else set()
        return self._rows(record_type, rows, frozenset(reaches), verb)

    def sees(self, record_type: RecordType, id_: ColumnElement[Any], at: dt.datetime | None = None) -> Criterion:
        """Whether the actor may read the record with this id; with ``at`` also whether it is valid then."""
        if self.actor.system and at is None:
            return None
        if isinstance(record_type.access, Owned) and at is None:
            reach = self.reach(record_type.permission("read"))
            return self._owned(id_, frozenset() if reach.all else frozenset({reach}))
        rows = bare(record_type.table).alias()
        inner = self.criterion(record_type, rows)
        conditions = [] if inner is None else [inner]
        if at is not None:
            conditions.append(valid_at(rows, at))
        if not conditions:
            return None
        return exists(select(1).select_from(rows).where(rows.c.id == id_, *conditions))

    def sees_deleted(self, record_type: RecordType) -> bool:
        """Whether the actor sees whatever there was of a type: scope all, there and on all that it hangs on."""
        everything = self.criterion(record_type, record_type.table) is None
        return everything and self.reach(record_type.permission("read")).all

    def may_add(self, record_type: RecordType) -> bool:
        """Whether the actor may create records of a type at all, as far as that depends on the type alone."""
        whole = isinstance(record_type.access, Administered) or record_type.cls in _GRANTING
        return not whole or self.reach(record_type.permission("create")).all

    def _rows(self, record_type: RecordType, rows: FromClause, reaches: frozenset[Reach], verb: str) -> Criterion:
        narrow = frozenset(reach for reach in reaches if not reach.all)
        mine = self.actor.mine
        access = record_type.access
        if isinstance(access, Public):
            if narrow and record_type.cls in _GRANTING:
                return false()
            return None if not narrow else and_(rows.c.created_by == mine, self._granted(narrow))
        if isinstance(access, Administered):
            return None if not narrow else false()
        if isinstance(access, Private):
            return None if not narrow else and_(rows.c[access.own] == mine, self._granted(narrow))
        if isinstance(access, Owned):
            return self._owned(rows.c.id, narrow)
        if isinstance(access, Through):
            return self._through(access, rows, narrow)
        assert isinstance(access, Via)
        return self._via(record_type, access, rows, narrow, verb)

    def _granted(self, reaches: frozenset[Reach]) -> ColumnElement[bool]:
        return false() if any(reach.nothing for reach in reaches) else true()

    def _by_id(self, record_type: RecordType, id_: ColumnElement[Any], reaches: frozenset[Reach]) -> Criterion:
        """Whether the record with this id is seen; for the root no table needs to be joined."""
        if isinstance(record_type.access, Public):
            # Everybody reads it, but what hangs on it needs a permission of its own.
            return false() if any(reach.nothing and not reach.all for reach in reaches) else None
        reaches = reaches | {self.reach(record_type.permission("read"))}
        narrow = frozenset(reach for reach in reaches if not reach.all)
        if isinstance(record_type.access, Owned):
            return self._owned(id_, narrow)
        rows = bare(record_type.table).alias()
        inner = self._rows(record_type, rows, narrow, "read")
        return None if inner is None else exists(select(1).select_from(rows).where(rows.c.id == id_, inner))

    def _via(
        self, record_type: RecordType, access: Via, rows: FromClause, reaches: frozenset[Reach], verb: str
    ) -> Criterion:
        ways = self._ways(record_type, access, rows, reaches, verb)
        return or_(*ways) if isinstance(ways, list) else ways

    def _ways(
        self, record_type: RecordType, access: Via, rows: FromClause, reaches: frozenset[Reach], verb: str
    ) -> Criterion | list[ColumnElement[bool]]:
        """The condition, or a list of them where it hangs on which reference is filled."""
        targets = []
        for name in access.fields:
            target = record_type.extends if name == "id" else record_type.by_name[name].target
            assert target is not None
            targets.append((rows.c[name], self.types[target], self._optional(record_type, name)))
        if verb != "read" and reaches and all(isinstance(target.access, Public) for _, target, _ in targets):
            return and_(rows.c.created_by == self.actor.mine, self._granted(reaches))
        parts = [self._by_id(target, id_, reaches) for id_, target, _ in targets]
        if all(part is None for part in parts) and (not reaches or not any(empty for _, _, empty in targets)):
            return None
        orphan = self._orphan(access, rows, reaches)
        ids = [id_ for id_, _, _ in targets]
        conditions = [true() if part is None else part for part in parts]
        if access.every:
            seen = and_(*(
                or_(id_.is_(None), part) if empty else part
                for (id_, _, empty), part in zip(targets, conditions, strict=True)
            ))  # fmt: skip
            if not all(empty for _, _, empty in targets):
                return seen
            return and_(seen, or_(orphan, *(id_.is_not(None) for id_ in ids)))
        if not targets[0][2]:
            return conditions[0]
        chain: list[ColumnElement[bool]] = []
        before: list[ColumnElement[bool]] = []
        for id_, part in zip(ids, conditions, strict=True):
            chain.append(and_(*before, id_.is_not(None), part))
            before.append(id_.is_(None))
        return [*chain, and_(*before, orphan)]

    def _optional(self, record_type: RecordType, name: str) -> bool:
        return name != "id" and record_type.by_name[name].optional

    def _orphan(self, access: Via, rows: FromClause, reaches: frozenset[Reach]) -> ColumnElement[bool]:
        """Rows that hang on nothing: their user's, or their creator's."""
        if not reaches:
            return true()
        mine = self.actor.mine
        person = rows.c.created_by == mine
        if access.own is not None:
            person = or_(person, rows.c[access.own] == mine)
        return and_(person, self._granted(reaches))

    def _through(self, access: Through, rows: FromClause, reaches: frozenset[Reach]) -> Criterion:
        if not reaches:
            return None
        links = self.types[access.record]
        link_rows = bare(links.table).alias()
        narrow = frozenset(reach for reach in reaches | {self.reach(links.permission("read"))} if not reach.all)
        inner = self._rows(links, link_rows, narrow, "read")
        linked = exists(
            select(1)
            .select_from(link_rows)
            .where(link_rows.c[access.field] == rows.c.id, *([] if inner is None else [inner]))
        )
        return or_(linked, and_(rows.c.created_by == self.actor.mine, self._granted(reaches)))

    def accounts_within(self, rows: FromClause, reaches: frozenset[Reach]) -> Criterion:
        """Which accounts lie within all of ``reaches``."""
        return self._owned(rows.c.id, reaches)

    def _owned(self, id_: ColumnElement[Any], reaches: frozenset[Reach]) -> Criterion:
        if not reaches:
            return None
        # A wider permission usually includes the narrower one; each distinct reach is one condition.
        return and_(*(self._account(id_, reach) for reach in narrowest(reaches)))

    def _account(self, id_: ColumnElement[Any], reach: Reach) -> ColumnElement[bool]:
        if self.wide:
            if reach not in self._shares:
                shared = self._shared(reach)
                # Like what is gathered below, it says nothing of the statement around it.
                self._shares[reach] = None if shared is None else shared.correlate(None)
            lent = self._shares[reach]
            return or_(self._probed(id_, reach), *([] if lent is None else [id_.in_(lent)]))
        if reach not in self._ids:
            self._ids[reach] = self._ids_within(reach)
        ids = self._ids[reach]
        return false() if ids is None else id_.in_(ids)

    def _probed(self, id_: ColumnElement[Any], reach: Reach) -> ColumnElement[bool]:
        """Whether an account has an owner within a reach: one look into an index for each row.

        As EXISTS, PostgreSQL would rather gather the owners of all accounts before it looks at the first row. Those for
        whose accounts the reach stands are gathered once: IS TRUE keeps it from making a join of them.
        """
        if reach not in self._owning:
            self._owning[reach] = self._owned_within(reach)
        owning = self._owning[reach]
        if owning is None:
            return false()
        theirs = select(_ONE).where(_OWNER.c.account_id == id_, owning).correlate_except(_OWNER)
        return theirs.limit(_ONE).scalar_subquery().is_not(None)

    def _owned_within(self, reach: Reach) -> Criterion:
        """What is true of an owner of now within a reach; ``None`` where nobody can be."""
        people = self.people(reach)
        grounds = [_OWNER.c.user_id == self.actor.mine] if reach.own else []
        if people is not None:
            grounds.append(_OWNER.c.user_id.in_(people).is_(True))
        return and_(valid_at(_OWNER, self.now), or_(*grounds)) if grounds else None

    def _ids_within(self, reach: Reach) -> SelectBase | None:
        """The ids of all accounts within a reach; ``None`` when there can be none.

        It says nothing of the statement around it, so that one query does for all record types of a session.
        """
        ids = [query.with_only_columns(accounts).correlate(None) for query, accounts in self._owners(reach)]
        shared = self._shared(reach)
        if shared is not None:
            ids.append(shared.correlate(None))
        if not ids:
            return None
        return union_all(*ids) if len(ids) > 1 else ids[0]

    def _owners(self, reach: Reach) -> list[tuple[Select[Any], ColumnElement[Any]]]:
        return [found for make in (self._own, self._team) if (found := make(reach)) is not None]

    def _own(self, reach: Reach) -> tuple[Select[Any], ColumnElement[Any]] | None:
        # Own accounts are also the unit's: the join over units would find them, but only where a membership holds.
        if not reach.own:
            return None
        owner = bare(Ownership.crm_type.table).alias()
        query = select(owner.c.account_id).where(owner.c.user_id == self.actor.mine, valid_at(owner, self.now))
        return query, owner.c.account_id

    def _team(self, reach: Reach) -> tuple[Select[Any], ColumnElement[Any]] | None:
        if not (reach.units or reach.subtrees):
            return None
        owner = bare(Ownership.crm_type.table).alias()
        member = bare(Membership.crm_type.table).alias()
        query = (
            select(owner.c.account_id)
            .select_from(owner.join(member, member.c.user_id == owner.c.user_id))
            .where(valid_at(owner, self.now), self._colleague(member, reach))
        )
        return query, owner.c.account_id

    def people(self, reach: Reach) -> Select[Any] | None:
        """The users for whose accounts a reach stands, besides one's own; ``None`` where there are none."""
        if not (reach.units or reach.subtrees):
            return None
        member = bare(Membership.crm_type.table).alias()
        return select(member.c.user_id).where(self._colleague(member, reach))

    def _colleague(self, member: FromClause, reach: Reach) -> ColumnElement[bool]:
        """Memberships that hold now in a unit within reach."""
        grounds: list[ColumnElement[bool]] = []
        if reach.units:
            grounds.append(member.c.unit_id.in_(self.actor.those(reach.units)))
        if reach.subtrees:
            closure = bare(UNIT_CLOSURE).alias()
            below = select(closure.c.descendant_id).where(closure.c.ancestor_id.in_(self.actor.those(reach.subtrees)))
            grounds.append(member.c.unit_id.in_(below))
        return and_(valid_at(member, self.now), or_(*grounds))

    def _shared(self, reach: Reach) -> Select[Any] | None:
        if not reach.share_roles or self.actor.user_id is None:
            return None
        share = bare(Share.crm_type.table).alias()
        receiver = share.c.user_id == self.actor.mine
        if self.actor.units:
            receiver = or_(receiver, share.c.unit_id.in_(self.actor.those(self.actor.units)))
        return select(share.c.account_id).where(
            receiver, share.c.role.in_(sorted(reach.share_roles)), valid_at(share, self.now)
        )

    def parents(
        self, record_type: RecordType, rows: Sequence[Mapping[str, Any]], ids: Sequence[int], verb: str = "create"
    ) -> Iterator[tuple[str, RecordType, set[int], Callable[[], Criterion]]]:
        """For new (or moved) rows: the ids they are hung on, with what makes the criterion that these must meet."""
        access = record_type.access
        if not isinstance(access, Via):
            return
        reach = self.reach(record_type.permission(verb))
        wanted: dict[str, set[int]] = {name: set() for name in access.fields}
        for row in rows:
            for name in access.fields:
                if name != "id" and row.get(name) is not None:
                    wanted[name].add(row[name])
                    if not access.every:
                        break
        if "id" in wanted:
            wanted["id"].update(ids)
        for name, parent_ids in wanted.items():
            target_name = record_type.extends if name == "id" else record_type.by_name[name].target
            assert target_name is not None
            target = self.types[target_name]
            if parent_ids and not isinstance(target.access, Public):
                reaches = frozenset({reach, self.reach(target.permission("read"))})
                yield name, target, parent_ids, functools.partial(self._rows, target, target.table, reaches, "read")

    def shareable(self, record_type: RecordType) -> tuple[str, ...]:
        """The fields along which a share of an account may reach down to records of this type."""
        access = record_type.access
        if not isinstance(access, Via):
            return ()
        targets = (
            (name, record_type.extends if name == "id" else record_type.by_name[name].target) for name in access.fields
        )
        return tuple(name for name, target in targets if target and not isinstance(self.types[target].access, Public))

    def owned_ids(self) -> list[Select[Any]]:
        """Queries for the account ids that the actor reads as owner or through units (not through shares)."""
        reach = self.reach("account.read")
        found = [pair for pair in (self._own(reach), self._team(reach)) if pair is not None]
        return [query for query, _ in found]
