"""From the tree of an expression to its meaning for one record type."""

from __future__ import annotations

import ast
from decimal import Decimal
from typing import Any, NoReturn, cast

import attrs

from crm_core.expressions import calls, comparing
from crm_core.expressions.environment import Environment
from crm_core.expressions.leaves import Leaf
from crm_core.expressions.members import Collection
from crm_core.expressions.names import Names, Plugin
from crm_core.expressions.nodes import And, Bound, Const, Node, Not, Or, Sort, Test
from crm_core.expressions.numbers import Sum, exactly
from crm_core.expressions.steps import Path, RecordNode
from crm_core.expressions.syntax import Expression
from crm_core.expressions.times import Span, move
from crm_core.records import RecordType, Types

__all__ = ["Binder", "Operand", "Uses"]

MAX_COLLECTIONS = 3
"""Collections within collections."""

_SIGNS: dict[type[ast.cmpop], str] = {
    ast.Eq: "==", ast.NotEq: "!=", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.In: "in",
    ast.NotIn: "not in", ast.Is: "is", ast.IsNot: "is not",
}  # fmt: skip
_WORDS = {"null": "None", "nil": "None", "true": "True", "false": "False"}


@attrs.frozen
class Operand:
    """A part of the source and what it means."""

    place: ast.expr
    bound: Bound


@attrs.define
class Uses:
    """What an expression uses: its names, and whether other records than the filtered one."""

    names: set[str] = attrs.field(factory=set)
    world: bool = False


@attrs.frozen
class Binder:
    """Binds the names of one expression; ``record_type`` is the type that plain names belong to.

    Inside a collection another binder stands for its members; ``used`` gathers the names of all, with ``prefix``.
    """

    expression: Expression
    types: Types
    record_type: RecordType
    env: Environment
    used: Uses
    prefix: str = ""
    inside: int = 0

    @property
    def names(self) -> Names:
        return Names(self.types, self.env)

    def within(self, collection: Collection, place: ast.expr) -> Binder:
        """The binder for the members of a collection."""
        if self.inside >= MAX_COLLECTIONS:
            self.fail(place, "Collections are nested too deeply here.", "Split the expression into several filters.")
        prefix = f"{self.prefix}{collection.name}."
        return Binder(self.expression, self.types, collection.child, self.env, self.used, prefix, self.inside + 1)

    def fail(self, place: ast.AST, problem: str, mend: str, **values: Any) -> NoReturn:
        """Raise an error that points at ``place``."""
        self.expression.fail(place, problem, mend, **values)

    def condition(self, tree: ast.expr) -> Node:
        """The tree as something that is true, false or unknown."""
        return self.as_condition(Operand(tree, self.bind(tree)))

    def as_condition(self, operand: Operand) -> Node:
        """A value as a condition, if it is one."""
        bound = operand.bound
        if isinstance(bound, Node) and bound.sort is Sort.FLAG:
            return Test(bound) if isinstance(bound, Leaf) else bound
        mend = "Compare it with something."
        if bound.sort in (Sort.TEXT, Sort.TAGS):
            mend = "Compare it, or write not is_empty(...) to ask whether it is filled."
        elif bound.sort is Sort.COLLECTION:
            mend = "Write any(...), all(...), none(...) or count(...) around it."
        elif bound.sort in (Sort.RECORD, Sort.ADDRESS, Sort.JSON, Sort.MONEY):
            mend = "Compare it, for example with is not None."
        self.fail(operand.place, "This is {sort}, not a condition.", mend, sort=bound.sort.value)

    def node(self, tree: ast.expr) -> Node:
        """The tree as a value."""
        bound = self.bind(tree)
        if isinstance(bound, Node):
            return bound
        self.fail(tree, "This is {sort}, not a value.", "Write a field or a fixed value here.", sort=bound.sort.value)

    def bind(self, tree: ast.expr) -> Bound:
        """What the tree means."""
        match tree:
            case ast.Constant():
                return self._constant(tree)
            case ast.Name():
                return self._name(tree)
            case ast.Attribute():
                return self._attribute(tree)
            case ast.BoolOp():
                parts = tuple(self.condition(part) for part in tree.values)
                return And(parts) if isinstance(tree.op, ast.And) else Or(parts)
            case ast.UnaryOp(op=ast.Not()):
                return Not(self.condition(tree.operand))
            case ast.UnaryOp():
                return self._signed(tree)
            case ast.BinOp():
                return self._calculation(tree)
            case ast.Compare():
                return self._comparison(tree)
            case ast.Call():
                return calls.bind_call(self, tree)
            case ast.Tuple() | ast.List():
                return comparing.Listed(tuple(Operand(part, self.bind(part)) for part in tree.elts))
        raise AssertionError(ast.dump(tree))  # the allow-list has nothing else

    def _constant(self, tree: ast.Constant) -> Bound:
        value = tree.value
        if value is None:
            return Bound(sort=Sort.NULL)
        if isinstance(value, bool):
            return Const(value)
        if isinstance(value, str):
            return Const(value, sort=Sort.TEXT)
        return Const(self.expression.number(tree), sort=Sort.NUMBER)

    def _name(self, tree: ast.Name) -> Bound:
        found = self.names.find(tree.id, self.record_type, Path())
        if found is None:
            self._unknown(tree, tree.id, self.record_type)
        self.used.names.add(self.prefix + tree.id)
        self.used.world |= isinstance(found, RecordNode | Collection | Plugin)
        return found

    def _unknown(self, place: ast.AST, name: str, of: RecordType | Plugin | Leaf) -> NoReturn:
        if name.lower() in _WORDS and not isinstance(of, Plugin | Leaf):
            self.fail(place, "There is no {name!r} here.", "Write {word}.", name=name, word=_WORDS[name.lower()])
        if name in calls.FUNCTIONS and not isinstance(of, Plugin | Leaf):
            self.fail(place, "{name!r} is a function.", "Write {name}(...).", name=name)
        whose = of.record_type.name if isinstance(of, Leaf) else of.plugin if isinstance(of, Plugin) else of.name
        near = self.names.near(name, of)
        self.fail(place, "{whose} has no field {name!r}.", "Did you mean {near}?" if near else "Correct the name.",
                  whose=f"{whose}.{of.label}" if isinstance(of, Leaf) else whose, name=name, near=near)  # fmt: skip

    def _attribute(self, tree: ast.Attribute) -> Bound:
        base = self.bind(tree.value)
        found: Bound | None
        match base:
            case RecordNode():
                of: RecordType | Plugin | Leaf = base.record_type
                found = self.names.find(tree.attr, base.record_type, base.path)
            case Plugin():
                of, found = base, self.names.find_in_plugin(tree.attr, base)
            case Leaf(sort=Sort.MONEY | Sort.ADDRESS):
                of, found = base, self.names.find_part(tree.attr, base)
            case _:
                self.fail(tree, "{sort} has no fields.", "Remove what follows the dot.",
                          sort=base.sort.value.capitalize())  # fmt: skip
        if found is None:
            self._unknown(tree, tree.attr, of)
        self.used.names.add(self.prefix + _dotted(tree))
        self.used.names.discard(self.prefix + _dotted(tree.value))
        return found

    def _signed(self, tree: ast.UnaryOp) -> Bound:
        value = self.bind(tree.operand)
        minus = isinstance(tree.op, ast.USub)
        if isinstance(value, Span):
            return attrs.evolve(value, length=-value.length) if minus else value
        number = self.number(Operand(tree.operand, value))
        return (number.times(Decimal(-1)) if minus else number).simple()

    def number(self, operand: Operand) -> Sum:
        """A value as a sum, if it is a number."""
        bound = operand.bound
        if isinstance(bound, Node) and bound.sort is Sort.NUMBER:
            return Sum.of(bound)
        mend = "Use its amount." if bound.sort is Sort.MONEY else "Calculate with numbers only."
        self.fail(operand.place, "This is {sort}, and cannot be calculated with.", mend, sort=bound.sort.value)

    def _calculation(self, tree: ast.BinOp) -> Bound:
        left, right = Operand(tree.left, self.bind(tree.left)), Operand(tree.right, self.bind(tree.right))
        times = (Sort.DAY, Sort.MOMENT)
        if isinstance(tree.op, ast.Mult):
            return self._product(tree, self.number(left), self.number(right))
        minus = isinstance(tree.op, ast.Sub)
        if isinstance(right.bound, Span) and isinstance(left.bound, Node) and left.bound.sort in times:
            return self._moved(tree, left.bound, right.bound, -1 if minus else 1)
        if isinstance(left.bound, Span) and isinstance(right.bound, Node) and right.bound.sort in times and not minus:
            return self._moved(tree, right.bound, left.bound, 1)
        if left.bound.sort in times:
            self.fail(tree.right, "A day or moment is moved by days(...) or hours(...), not by {sort}.",
                      "Write for example today() - days(30).", sort=right.bound.sort.value)  # fmt: skip
        one, other = self.number(left), self.number(right)
        with exactly(lambda: self.too_fine(tree)):
            return one.plus(other.times(Decimal(-1)) if minus else other).simple()

    def _product(self, tree: ast.BinOp, left: Sum, right: Sum) -> Node:
        if left.terms and right.terms:
            self.fail(tree.right, "Two fields cannot be multiplied.", "Multiply by a fixed number.")
        with exactly(lambda: self.too_fine(tree)):
            product = left.times(right.constant) if left.terms else right.times(left.constant)
            return product.simple()

    def too_fine(self, tree: ast.expr) -> NoReturn:
        self.fail(tree, "The numbers here have too many digits to calculate with.", "Round the fixed numbers.")

    def _moved(self, tree: ast.BinOp, time: Node, span: Span, sign: int) -> Node:
        if time.sort is Sort.DAY and not span.whole_days:
            self.fail(tree.right, "A day has no hours.", "Move it by days(...), or use a moment.")
        try:
            return move(time, sign * span.length)
        except OverflowError:
            self.fail(tree, "This lies outside the calendar (the years 1 to 9999).", "Use a shorter time.")

    def _comparison(self, tree: ast.Compare) -> Node:
        operands = [Operand(part, self.bind(part)) for part in (tree.left, *tree.comparators)]
        parts = tuple(
            comparing.compare(self, _SIGNS[type(sign)], left, right)
            for sign, left, right in zip(tree.ops, operands, operands[1:], strict=False)
        )
        return parts[0] if len(parts) == 1 else And(parts)


def _dotted(tree: ast.expr) -> str:
    if isinstance(tree, ast.Attribute):
        return f"{_dotted(tree.value)}.{tree.attr}"
    return cast(ast.Name, tree).id  # the allow-list has nothing else before a dot
