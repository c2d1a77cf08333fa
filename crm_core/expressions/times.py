"""Days and moments: fixed ones, fields moved by a fixed time, and their comparison."""

from __future__ import annotations

import datetime as dt

import attrs
from sqlalchemy import case, literal

from crm_core.expressions import dialects
from crm_core.expressions.environment import Environment, Row, World
from crm_core.expressions.nodes import (
    MIRRORED,
    OPERATORS,
    Bound,
    Compare,
    Const,
    Evaluate,
    IsNull,
    Node,
    Not,
    Only,
    Scope,
    Sort,
    Sql,
)

__all__ = ["MAX_SPAN", "Moved", "Span", "TimesApart", "compare_times", "move"]

MAX_SPAN = dt.timedelta(days=400_000)
_DAYS = (dt.date.min, dt.date.max)
_MOMENTS = (dt.datetime.min.replace(tzinfo=dt.UTC), dt.datetime.max.replace(tzinfo=dt.UTC))


class TimesApart(Exception):
    """A day field and a moment field were compared: no database knows the organisation's midnights of all days."""


@attrs.frozen
class Span(Bound):
    """A length of time; ``whole_days`` is what a day can be moved by."""

    length: dt.timedelta
    whole_days: bool
    sort: Sort = attrs.field(default=Sort.SPAN, kw_only=True)


@attrs.frozen
class Moved(Node):
    """A day or moment field, so much later; null where that leaves the years 1 to 9999."""

    field: Node
    span: dt.timedelta

    def sql(self, scope: Scope) -> Sql:
        value = self.field.sql(scope)
        if self.sort is Sort.DAY:
            moved = dialects.moved_day(value, self.span.days)
            first, last = _DAYS
        else:
            moved = dialects.moved_moment(value, self.span)
            first, last = _MOMENTS
        if self.span > dt.timedelta():
            return case((value <= literal(last - self.span, value.type), moved))
        return case((value >= literal(first - self.span, value.type), moved))

    def memory(self) -> Evaluate:
        field, span = self.field.memory(), self.span

        def moved(row: Row, world: World | None) -> dt.date | None:
            value = field(row, world)
            try:
                return None if value is None else value + span
            except OverflowError:
                return None

        return moved


def move(node: Node, span: dt.timedelta) -> Node:
    """A day or moment so much later; raises :class:`OverflowError` where a fixed one leaves the calendar."""
    if isinstance(node, Const):
        return attrs.evolve(node, value=node.value + span)
    base, before = _base(node)
    total = before + span
    if abs(total) > MAX_SPAN:
        raise OverflowError
    return Moved(base, total, sort=node.sort) if total else base


def _base(node: Node) -> tuple[Node, dt.timedelta]:
    return (node.field, node.span) if isinstance(node, Moved) else (node, dt.timedelta())


def compare_times(sign: str, left: Node, right: Node, env: Environment) -> Node:
    """A comparison of days and moments. A day beside a moment is its midnight in the organisation's time zone.

    Raises :class:`TimesApart`, or :class:`OverflowError` where a fixed time leaves the calendar.
    """
    if isinstance(left, Const):
        if not isinstance(right, Const):
            return compare_times(MIRRORED[sign], right, left, env)
        if left.sort is not right.sort:
            left, right = _moment(left, env), _moment(right, env)
        return Const(OPERATORS[sign](left.value, right.value))
    field, span = _base(left)
    if not isinstance(right, Const):
        if left.sort is not right.sort:
            raise TimesApart
        other, other_span = _base(right)
        return Compare(sign, field, move(other, other_span - span))
    if left.sort is Sort.MOMENT:
        right = _moment(right, env)
    elif right.sort is Sort.MOMENT:
        day, exact = _day_before(right.value, env)
        if not exact:
            if sign in ("==", "!="):
                return Only(Not(IsNull(field)), Const(sign == "!="))
            sign = {"<": "<=", ">=": ">"}.get(sign, sign)
        right = Const(day, sort=Sort.DAY)
    return Compare(sign, field, move(right, -span))


def _moment(node: Const, env: Environment) -> Const:
    return node if node.sort is Sort.MOMENT else Const(env.midnight(node.value), sort=Sort.MOMENT)


def _day_before(moment: dt.datetime, env: Environment) -> tuple[dt.date, bool]:
    """The last day whose midnight is not after ``moment``, and whether it is ``moment`` itself."""
    day = moment.astimezone(env.tz).date()
    # A clock that is set back across midnight shows the day before once more, after the new day has begun.
    day = min(day, dt.date.max - dt.timedelta(days=1)) + dt.timedelta(days=1)
    while env.midnight(day) > moment:
        day -= dt.timedelta(days=1)
    return day, env.midnight(day) == moment
