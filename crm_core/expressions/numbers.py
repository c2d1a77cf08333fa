"""Numbers, exactly: sums of fields times fixed factors, compared with fixed numbers.

SQLite keeps decimals as scaled 64-bit integers and would turn to floating point, silently, where they overflow. So a
sum is brought to the finest scale of its terms, each term must fit in 18 digits at that scale (else the sum is null,
in memory and in SQL alike), and there are at most nine terms.
"""

from __future__ import annotations

import decimal
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any, NoReturn, cast

import attrs
from sqlalchemy import BigInteger, bindparam, case, literal

from crm_core.expressions.dialects import number_type
from crm_core.expressions.environment import Row, World
from crm_core.expressions.nodes import MIRRORED, OPERATORS, Const, Evaluate, Node, Scope, Sort, Sql, against, among

__all__ = ["MAX_TERMS", "NumberIn", "NumberTest", "Sum", "compare_numbers", "exactly"]

MAX_TERMS = 9
_DIGITS = 10**18
_INT64 = 2**63
# Never the thread's own context, which the embedding application may have changed.
EXACT = decimal.Context(prec=80, traps=[decimal.Inexact, decimal.InvalidOperation, decimal.Overflow])


class TooFine(Exception):
    """Constants with more digits, or sums of more terms, than can be calculated with."""


@attrs.frozen
class Sum(Node):
    """``factor × number`` for each term, plus ``constant``."""

    terms: tuple[tuple[Decimal, Node], ...]
    constant: Decimal = Decimal(0)
    sort: Sort = attrs.field(default=Sort.NUMBER, kw_only=True)

    @classmethod
    def of(cls, node: Node) -> Sum:
        """Any number as a sum."""
        if isinstance(node, Sum):
            return node
        if isinstance(node, Const):
            return cls((), node.value)
        return cls(((Decimal(1), node),))

    def plus(self, other: Sum) -> Sum:
        return Sum(self.terms + other.terms, EXACT.add(self.constant, other.constant))

    def times(self, factor: Decimal) -> Sum:
        terms = tuple((EXACT.multiply(own, factor), node) for own, node in self.terms)
        return Sum(terms, EXACT.multiply(self.constant, factor))

    def simple(self) -> Node:
        """Itself, or the constant that it is."""
        return self if self.terms else Const(self.constant, sort=Sort.NUMBER)

    def sql(self, scope: Scope) -> Sql:
        """Only for the test whether it is absent: the constant plays no part in that."""
        return Linear.of(self.terms).sql(scope)

    def memory(self) -> Evaluate:
        return Linear.of(self.terms).memory()


def _decimals(number: Decimal) -> int:
    return max(-cast(int, number.normalize(EXACT).as_tuple().exponent), 0)


@attrs.frozen
class Term:
    """A number times a factor, which at the common scale is ``step``.

    ``limit`` is the greatest number that fits, counted in the number's own last decimal; ``None`` where all do.
    """

    factor: Decimal
    node: Node
    step: int
    limit: int | None


@attrs.frozen(kw_only=True)
class Linear(Node):
    """The terms of a sum at their common scale."""

    terms: tuple[Term, ...]

    @classmethod
    def of(cls, terms: Iterable[tuple[Decimal, Node]]) -> Linear:
        terms = tuple(terms)
        if len(terms) > MAX_TERMS:
            raise TooFine
        scale = max(node.scale + _decimals(factor) for factor, node in terms)
        bounded = []
        for factor, node in terms:
            step = abs(int(EXACT.scaleb(factor, scale - node.scale)))
            if step >= _DIGITS:
                raise TooFine
            bounded.append(Term(factor, node, step, None if step <= 1 else (_DIGITS - 1) // step))
        return cls(terms=tuple(bounded), scale=scale, sort=Sort.NUMBER)

    def sql(self, scope: Scope) -> Sql:
        first, *others = self.terms
        total = self._term_sql(first, scope)
        if first.factor < 0:
            total = -total
        for term in others:
            value = self._term_sql(term, scope)
            total = total + value if term.factor >= 0 else total - value
        return total

    def _term_sql(self, term: Term, scope: Scope) -> Sql:
        value = term.node.sql(scope)
        if term.step == 1 and self.scale == term.node.scale:
            return value
        multiplied = value * _number(term.step, self.scale - term.node.scale)
        if term.limit is None:
            return multiplied
        own = term.node.scale
        return case((value.between(_number(-term.limit, own), _number(term.limit, own)), multiplied))

    def memory(self) -> Evaluate:
        if len(self.terms) == 1 and self.terms[0].factor == 1:
            return self.terms[0].node.memory()
        terms = [
            (term.factor, term.node.memory(), None if term.limit is None else _value(term.limit, term.node.scale))
            for term in self.terms
        ]
        add, multiply = EXACT.add, EXACT.multiply

        def total(row: Row, world: World | None) -> Decimal | None:
            result = Decimal(0)
            for factor, value, limit in terms:
                number = value(row, world)
                if number is None or (limit is not None and not -limit <= number <= limit):
                    return None
                result = add(result, multiply(factor, Decimal(number)))
            return result

        return total


@attrs.frozen
class NumberTest(Node):
    """A comparison of a sum with a fixed number."""

    operator: str
    linear: Linear
    constant: Decimal

    def sql(self, scope: Scope) -> Sql:
        # Between two numbers of this scale the constant is replaced by the lower one, and the sign adapted.
        below, exact = floor(self.constant, self.linear.scale)
        sign = self.operator
        if not exact:
            sign = {"<": "<=", ">=": ">"}.get(sign, sign)
        value = self.linear.sql(scope)
        if (not exact and sign in ("==", "!=")) or not -_INT64 <= below < _INT64:
            always = sign == "!=" or sign in (("<", "<=") if below > 0 else (">", ">="))
            return case((value.is_not(None), Const(always).sql(scope)))
        compared: Sql = OPERATORS[sign](value, _number(below, self.linear.scale))
        return compared

    def memory(self) -> Evaluate:
        return against(self.linear.memory(), self.operator, plain(self.constant))


@attrs.frozen
class NumberIn(Node):
    """Whether a sum is one of several fixed numbers."""

    linear: Linear
    constants: tuple[Decimal, ...]

    def sql(self, scope: Scope) -> Sql:
        scale = self.linear.scale
        floors = (floor(constant, scale) for constant in self.constants)
        fitting = [below for below, exact in floors if exact and -_INT64 <= below < _INT64]
        value = self.linear.sql(scope)
        if not fitting:
            return case((value.is_not(None), Const(False).sql(scope)))
        listed = bindparam(None, [_value(below, scale) for below in fitting], expanding=True, type_=number_type(scale))
        return value.in_(listed)

    def memory(self) -> Evaluate:
        return among(self.linear.memory(), frozenset(plain(constant) for constant in self.constants))


def floor(number: Decimal, scale: int) -> tuple[int, bool]:
    """The greatest whole multiple of 10^-scale that is not above ``number``, and whether it is ``number`` itself."""
    scaled = EXACT.scaleb(number, scale)
    below = int(scaled.to_integral_value(decimal.ROUND_FLOOR, EXACT_ROUNDING))
    return below, below == scaled


EXACT_ROUNDING = decimal.Context(prec=80)


def _value(scaled: int, scale: int) -> Any:
    return EXACT.scaleb(Decimal(scaled), -scale) if scale else scaled


def _number(scaled: int, scale: int) -> Sql:
    return literal(_value(scaled, scale), number_type(scale) if scale else BigInteger())


def plain(number: Decimal) -> int | Decimal:
    """An ``int`` where it is whole, because that compares faster."""
    return int(number) if number == number.to_integral_value() else number


@contextmanager
def exactly(refuse: Callable[[], NoReturn]) -> Iterator[None]:
    """Calls ``refuse`` where a calculation with constants would have to round."""
    try:
        yield
    except (TooFine, decimal.DecimalException):
        refuse()


def compare_numbers(sign: str, left: Node, right: Node) -> Node:
    """A comparison of two numbers, to be called within :func:`exactly`."""
    difference = Sum.of(left).plus(Sum.of(right).times(Decimal(-1)))
    if not difference.terms:
        return Const(OPERATORS[sign](difference.constant, Decimal(0)))
    if difference.terms[0][0] < 0:
        difference, sign = difference.times(Decimal(-1)), MIRRORED[sign]
    return NumberTest(sign, Linear.of(difference.terms), EXACT.minus(difference.constant))
