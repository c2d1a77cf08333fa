"""Collections: the records whose reference points to one record."""

from __future__ import annotations

from typing import Any

import attrs
from sqlalchemy import exists, false, func, literal, not_, select

from crm_core.expressions.environment import Row, World
from crm_core.expressions.nodes import Bound, Evaluate, Node, Scope, Sort, Sql
from crm_core.expressions.steps import Path, reader, the_world, valid_and_visible
from crm_core.records import RecordType

__all__ = ["Collection", "Count", "Quantified"]


@attrs.frozen
class Collection(Bound):
    """The records of type ``child`` whose reference ``field`` is the record at the end of ``path``."""

    path: Path
    child: RecordType
    field: str
    name: str
    sort: Sort = attrs.field(default=Sort.COLLECTION, kw_only=True)

    def select(self, scope: Scope, condition: Node | None, *, failing: bool = False) -> Any:
        """A correlated select over the members that count; with ``failing``, those for which it is not true."""
        member = self.child.table.alias()
        here = self.path.sql(scope, lambda table: table.c.id)
        statement = select(literal(1)).select_from(member).where(
            member.c[self.field] == here, *valid_and_visible(self.child, member, scope.env)
        )  # fmt: skip
        if condition is not None:
            held = condition.sql(Scope(member, scope.env))
            statement = statement.where(not_(func.coalesce(held, false())) if failing else held)
        return statement.correlate_except(member)

    def memory(self, condition: Node | None) -> Any:
        """A function to the conditions' values, one for each member."""
        walk, own_id, child, field = self.path.memory(), reader("id"), self.child, self.field
        held = None if condition is None else condition.memory()

        def values(row: Row, world: World | None) -> list[Any]:
            here = walk(row, world)
            id = None if here is None else own_id(here)
            if id is None:
                return []
            members = the_world(world).members(child, field, id)
            return [True if held is None else held(member, world) for member in members]

        return values


@attrs.frozen
class Quantified(Node):
    """``any``, ``all`` and ``none``: two-valued, because an unknown condition does not hold."""

    how: str
    collection: Collection
    condition: Node | None

    def sql(self, scope: Scope) -> Sql:
        found = exists(self.collection.select(scope, self.condition, failing=self.how == "all"))
        return found if self.how == "any" else not_(found)

    def memory(self) -> Evaluate:
        values = self.collection.memory(self.condition)
        if self.how == "any":
            return lambda row, world: any(value is True for value in values(row, world))
        if self.how == "all":
            return lambda row, world: all(value is True for value in values(row, world))
        return lambda row, world: not any(value is True for value in values(row, world))


@attrs.frozen
class Count(Node):
    """How many members there are for which the condition is true."""

    collection: Collection
    condition: Node | None
    sort: Sort = attrs.field(default=Sort.NUMBER, kw_only=True)

    def sql(self, scope: Scope) -> Sql:
        members = self.collection.select(scope, self.condition)
        counted: Sql = members.with_only_columns(func.count()).scalar_subquery()
        return counted

    def memory(self) -> Evaluate:
        values = self.collection.memory(self.condition)
        return lambda row, world: sum(value is True for value in values(row, world))
