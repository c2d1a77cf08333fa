"""A bound expression: SQL for the database, a function for memory."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

import attrs
from sqlalchemy import ColumnElement, FromClause

from crm_core.expressions.binder import Binder, Uses
from crm_core.expressions.environment import Environment, Row, World
from crm_core.expressions.heights import MAX_HEIGHT, height
from crm_core.expressions.nodes import And, Compare, Evaluate, In, IsNull, Node, Not, Scope
from crm_core.expressions.syntax import Expression
from crm_core.records import RecordType, Types

__all__ = ["Filter", "bind"]


@attrs.frozen(eq=False)
class Filter:
    """A condition on records of one type, with the same answers in memory and in SQL.

    ``names`` are the fields that are used, as they are written (``grade``, ``owner.unit``, ``contacts.role``);
    ``needs_world`` says whether other records are looked at, so that evaluation in memory needs a :class:`World`.
    """

    source: str
    record_type: RecordType
    env: Environment = attrs.field(repr=False)
    names: frozenset[str]
    needs_world: bool
    _node: Node = attrs.field(repr=False)

    def where(self, table: FromClause | None = None) -> ColumnElement[bool]:
        """The condition over ``table`` (the type's own, or an alias of it); values are bound parameters.

        It says nothing of who may see the rows of ``table`` itself: that is for the caller to add.
        """
        return self._node.sql(Scope(self.record_type.table if table is None else table, self.env))

    def parts(self, table: FromClause | None = None) -> list[ColumnElement[bool]]:
        """Conditions like :meth:`where` that must all be true for this one to be true, as its outer parts tell."""
        scope = Scope(self.record_type.table if table is None else table, self.env)
        return [part.sql(scope) for part in _conjuncts(self._node)]

    def means_the_same(self, other: Filter) -> bool:
        """Whether another filter asks the same; the same words may mean something else on another day."""
        return self.record_type is other.record_type and self._node == other._node

    def demands(self, value: Node) -> bool:
        """Whether the condition is never true of a row in which ``value`` is absent, as far as its outer parts tell."""
        return any(_compares(part, value) for part in _conjuncts(self._node))

    @cached_property
    def _evaluate(self) -> Evaluate:
        return self._node.memory()

    def value(self, row: Row, world: World | None = None) -> bool | None:
        """True, false, or ``None`` where SQL would say null."""
        result: bool | None = self._evaluate(row, world)
        return result

    def matches(self, row: Row, world: World | None = None) -> bool:
        """Whether the condition is true; unknown is not true, as in SQL."""
        return self._evaluate(row, world) is True


def _conjuncts(node: Node) -> Iterator[Node]:
    """What must all be true for ``node`` to be true."""
    if isinstance(node, And):
        for part in node.parts:
            yield from _conjuncts(part)
    else:
        yield node


def _compares(part: Node, value: Node) -> bool:
    match part:
        case Compare(left=left, right=right):
            return value in (left, right)
        case In(value=sought) | Not(part=IsNull(value=sought)):
            return sought == value
        case _:
            return False


def bind(expression: Expression, types: Types, record_type: RecordType, env: Environment) -> Filter:
    """Give the names of an expression their meaning."""
    used = Uses()
    binder = Binder(expression, types, record_type, env, used)
    node = binder.condition(expression.tree)
    if height(node) > MAX_HEIGHT:
        binder.fail(expression.tree, "The expression is nested too deeply for the database.",
                    "Simplify it, or split it into several filters.")  # fmt: skip
    return Filter(expression.source, record_type, env, frozenset(used.names), used.world, node)
