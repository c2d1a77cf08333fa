"""Steps from record to record, and the records where they end."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Any, TypeAlias

import attrs
from sqlalchemy import ColumnElement, FromClause, or_, select

from crm_core.expressions.environment import Environment, Row, World
from crm_core.expressions.nodes import Node, Scope, Sort, Sql
from crm_core.records import Record, RecordType

__all__ = ["DerivedStep", "ExtensionStep", "Path", "RecordNode", "RefStep", "reader", "valid_and_visible"]

Walk: TypeAlias = Callable[[Row, World | None], Row | None]


def reader(name: str) -> Callable[[Row], Any]:
    """Reads one field of a row, whichever form the row has."""

    def read(row: Row) -> Any:
        return getattr(row, name) if isinstance(row, Record) else row.get(name)

    return read


def _plain(value: Any) -> Any:
    return value.value if isinstance(value, Enum) else value


def the_world(world: World | None) -> World:
    """The world, or an error for the programmer who left it out."""
    if world is None:
        raise TypeError("This filter looks at other records: give it a world (Filter.needs_world says so before).")
    return world


def valid_and_visible(record_type: RecordType, table: FromClause, env: Environment) -> list[ColumnElement[bool]]:
    """The conditions under which a row of a collection counts."""
    conditions: list[ColumnElement[bool]] = []
    if record_type.dated:
        since, until = table.c.valid_from, table.c.valid_to
        conditions = [or_(since.is_(None), since <= env.at), or_(until.is_(None), until > env.at)]
    visible = env.visible(record_type, table)
    return conditions if visible is None else [*conditions, visible]


@attrs.frozen
class Step:
    """One step to a record of type ``target``."""

    target: RecordType

    def id_sql(self, here: FromClause, env: Environment) -> Sql:
        """The id of the record that the step leads to, from a row of ``here``."""
        raise NotImplementedError

    def memory(self) -> Walk:
        raise NotImplementedError


@attrs.frozen
class RefStep(Step):
    """Along a reference field."""

    field: str

    def id_sql(self, here: FromClause, env: Environment) -> Sql:
        return here.c[self.field]

    def memory(self) -> Walk:
        target, read = self.target, reader(self.field)

        def follow(row: Row, world: World | None) -> Row | None:
            id = read(row)
            return None if id is None else the_world(world).record(target, id)

        return follow


@attrs.frozen
class ExtensionStep(Step):
    """To another plugin's extension of the record, which has the record's id."""

    def id_sql(self, here: FromClause, env: Environment) -> Sql:
        return here.c.id

    def memory(self) -> Walk:
        target, read = self.target, reader("id")

        def extend(row: Row, world: World | None) -> Row | None:
            id = read(row)
            return None if id is None else the_world(world).record(target, id)

        return extend


@attrs.frozen
class DerivedStep(Step):
    """To the record that the first fitting row of another type leads to."""

    through: RecordType
    back: str
    forward: str
    where: tuple[tuple[str, Any], ...]

    def id_sql(self, here: FromClause, env: Environment) -> Sql:
        row = self.through.table.alias()
        fixed = [row.c[name] == value for name, value in self.where]
        return (
            select(row.c[self.forward])
            .where(row.c[self.back] == here.c.id, *fixed, *valid_and_visible(self.through, row, env))
            .order_by(row.c.id)
            .limit(1)
            .correlate_except(row)
            .scalar_subquery()
        )

    def memory(self) -> Walk:
        own_id, forward = reader("id"), reader(self.forward)
        fixed = [(reader(name), _plain(value)) for name, value in self.where]

        def follow(row: Row, world: World | None) -> Row | None:
            id = own_id(row)
            if id is None:
                return None
            found = the_world(world)
            rows = [
                member
                for member in found.members(self.through, self.back, id)
                if all(_plain(read(member)) == value for read, value in fixed)
            ]
            first = min(rows, key=own_id, default=None)
            target_id = None if first is None else forward(first)
            return None if target_id is None else found.record(self.target, target_id)

        return follow


@attrs.frozen
class Path:
    """Steps from the filtered record to the one whose field is asked; what is absent or invisible ends in null."""

    steps: tuple[Step, ...] = ()

    def then(self, step: Step) -> Path:
        return Path((*self.steps, step))

    def sql(self, scope: Scope, pick: Callable[[FromClause], Sql]) -> Sql:
        """What ``pick`` takes from the table of the last record, as a correlated subquery where there are steps."""
        if not self.steps:
            return pick(scope.table)
        here = self.steps[0].target.table.alias()
        joined: FromClause = here
        tables, conditions = [here], [here.c.id == self.steps[0].id_sql(scope.table, scope.env)]
        for step in self.steps[1:]:
            table = step.target.table.alias()
            joined = joined.join(table, table.c.id == step.id_sql(here, scope.env))
            tables.append(table)
            here = table
        for step, table in zip(self.steps, tables, strict=True):
            visible = scope.env.visible(step.target, table)
            if visible is not None:
                conditions.append(visible)
        found = select(pick(here)).select_from(joined).where(*conditions)
        return found.correlate_except(*tables).scalar_subquery()

    def memory(self) -> Walk:
        walks = [step.memory() for step in self.steps]

        def walk(row: Row, world: World | None) -> Row | None:
            here: Row | None = row
            for step in walks:
                if here is None:
                    return None
                here = step(here, world)
            return here

        return walk


@attrs.frozen
class RecordNode(Node):
    """A record reached by steps; its value is its id."""

    record_type: RecordType
    path: Path
    sort: Sort = attrs.field(default=Sort.RECORD, kw_only=True)

    def sql(self, scope: Scope) -> Sql:
        return self.path.sql(scope, lambda table: table.c.id)

    def memory(self) -> Callable[[Row, World | None], Any]:
        walk, read = self.path.memory(), reader("id")

        def found(row: Row, world: World | None) -> Any:
            here = walk(row, world)
            return None if here is None else read(here)

        return found
