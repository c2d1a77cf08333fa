"""The bound tree: each node knows its SQL and its evaluation in memory, side by side, so that they stay equal.

In memory ``None`` is SQL's null. Conditions give ``True``, ``False`` or ``None``.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from enum import Enum
from typing import Any, TypeAlias

import attrs
from sqlalchemy import (
    Boolean,
    ColumnElement,
    Date,
    FromClause,
    String,
    and_,
    bindparam,
    case,
    cast,
    false,
    literal,
    not_,
    null,
    or_,
    true,
)

from crm_core.expressions.environment import Environment, Row, World
from crm_core.fields.columns import Moment

__all__ = ["And", "Bound", "Compare", "Const", "In", "IsNull", "Node", "Not", "Only", "Or", "Scope", "Sort"]

Sql: TypeAlias = ColumnElement[Any]
Evaluate: TypeAlias = Callable[[Row, World | None], Any]

OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip
MIRRORED = {"==": "==", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}


class Sort(Enum):
    """What a value is; the words are for error messages."""

    FLAG = "a condition"
    TEXT = "text"
    NUMBER = "a number"
    MONEY = "an amount of money"
    DAY = "a day"
    MOMENT = "a moment"
    CHOICE = "a choice"
    TAGS = "a set of tags"
    RECORD = "a record"
    ADDRESS = "an address"
    JSON = "free JSON"
    NULL = "None"
    LIST = "a list"
    SPAN = "a length of time"
    PLUGIN = "the name of a plugin"
    COLLECTION = "a collection"


@attrs.frozen
class Scope:
    """The table (or alias) that names stand for, and the environment."""

    table: FromClause
    env: Environment


@attrs.frozen(kw_only=True)
class Bound:
    """What a part of an expression means; not all of it is a value."""

    sort: Sort = Sort.FLAG


@attrs.frozen(kw_only=True)
class Node(Bound):
    """A value. ``scale`` counts the decimals of a number."""

    scale: int = 0

    def sql(self, scope: Scope) -> Sql:
        """The value as SQL over the table of ``scope``."""
        raise NotImplementedError

    def memory(self) -> Evaluate:
        """A function from a row (and the other records) to the value."""
        raise NotImplementedError


_TYPES: dict[Sort, Any] = {
    Sort.TEXT: String(), Sort.CHOICE: String(), Sort.DAY: Date(), Sort.MOMENT: Moment(), Sort.FLAG: Boolean(),
}  # fmt: skip


@attrs.frozen
class Const(Node):
    """A fixed value; conditions on fixed values alone are settled when they are bound."""

    value: Any

    def sql(self, scope: Scope) -> Sql:
        if self.value is None:
            return cast(null(), Boolean)
        if self.sort is Sort.FLAG:
            return true() if self.value else false()
        return literal(self.value, _TYPES[self.sort])

    def memory(self) -> Evaluate:
        value = self.value
        return lambda row, world: value


@attrs.frozen
class And(Node):
    """False when one part is false, else null when one is null."""

    parts: tuple[Node, ...]

    def sql(self, scope: Scope) -> Sql:
        return and_(*(part.sql(scope) for part in self.parts))

    def memory(self) -> Evaluate:
        parts = tuple(part.memory() for part in self.parts)

        def both(row: Row, world: World | None) -> bool | None:
            result: bool | None = True
            for part in parts:
                value = part(row, world)
                if value is False:
                    return False
                if value is None:
                    result = None
            return result

        return both


@attrs.frozen
class Or(Node):
    """True when one part is true, else null when one is null."""

    parts: tuple[Node, ...]

    def sql(self, scope: Scope) -> Sql:
        return or_(*(part.sql(scope) for part in self.parts))

    def memory(self) -> Evaluate:
        parts = tuple(part.memory() for part in self.parts)

        def either(row: Row, world: World | None) -> bool | None:
            result: bool | None = False
            for part in parts:
                value = part(row, world)
                if value is True:
                    return True
                if value is None:
                    result = None
            return result

        return either


@attrs.frozen
class Not(Node):
    """The opposite; null stays null."""

    part: Node

    def sql(self, scope: Scope) -> Sql:
        return not_(self.part.sql(scope))

    def memory(self) -> Evaluate:
        part = self.part.memory()

        def opposite(row: Row, world: World | None) -> bool | None:
            value = part(row, world)
            return None if value is None else not value

        return opposite


@attrs.frozen
class Test(Node):
    """A flag field as a condition."""

    flag: Node

    def sql(self, scope: Scope) -> Sql:
        # A bare column as a condition misses the index on SQLite.
        return self.flag.sql(scope) == true()

    def memory(self) -> Evaluate:
        return self.flag.memory()


@attrs.frozen
class IsNull(Node):
    """Whether a value is absent; never null itself."""

    value: Node

    def sql(self, scope: Scope) -> Sql:
        return self.value.sql(scope).is_(None)

    def memory(self) -> Evaluate:
        value = self.value.memory()
        return lambda row, world: value(row, world) is None


@attrs.frozen
class Compare(Node):
    """A comparison of two values of one sort; null when one is null. A constant stands on the right."""

    operator: str
    left: Node
    right: Node

    def sql(self, scope: Scope) -> Sql:
        compared: Sql = OPERATORS[self.operator](self.left.sql(scope), self.right.sql(scope))
        return compared

    def memory(self) -> Evaluate:
        left = self.left.memory()
        if isinstance(self.right, Const):
            return against(left, self.operator, self.right.value)
        right, compare = self.right.memory(), OPERATORS[self.operator]

        def compared(row: Row, world: World | None) -> bool | None:
            one = left(row, world)
            if one is None:
                return None
            other = right(row, world)
            return None if other is None else compare(one, other)

        return compared


def against(left: Evaluate, sign: str, constant: Any) -> Evaluate:
    """Comparison with a fixed value; the commonest are written out, because a call costs as much as the comparison."""

    def equal(row: Row, world: World | None) -> bool | None:
        value = left(row, world)
        return None if value is None else value == constant

    def greater(row: Row, world: World | None) -> bool | None:
        value = left(row, world)
        return None if value is None else value > constant

    compare = OPERATORS[sign]

    def compared(row: Row, world: World | None) -> bool | None:
        value = left(row, world)
        return None if value is None else compare(value, constant)

    return {"==": equal, ">": greater}.get(sign, compared)


@attrs.frozen
class In(Node):
    """Whether a value is one of several fixed ones; null when it is null."""

    value: Node
    choices: tuple[Const, ...]

    def sql(self, scope: Scope) -> Sql:
        values = [choice.value for choice in self.choices]
        listed = bindparam(None, values, expanding=True, type_=_TYPES[self.choices[0].sort])
        return self.value.sql(scope).in_(listed)

    def memory(self) -> Evaluate:
        return among(self.value.memory(), frozenset(choice.value for choice in self.choices))


def among(value: Evaluate, choices: frozenset[Any]) -> Evaluate:
    """Membership in fixed values."""

    def found(row: Row, world: World | None) -> bool | None:
        it = value(row, world)
        return None if it is None else it in choices

    return found


@attrs.frozen
class Only(Node):
    """``then`` where ``when`` is true, null elsewhere."""

    when: Node
    then: Node

    def sql(self, scope: Scope) -> Sql:
        return case((self.when.sql(scope), self.then.sql(scope)))

    def memory(self) -> Evaluate:
        when, then = self.when.memory(), self.then.memory()
        return lambda row, world: then(row, world) if when(row, world) else None
