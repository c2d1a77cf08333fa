"""Orders and the pages that follow them.

Absent values come last in either direction, on both databases; the id breaks ties, so that an order is total and a
page can continue after the last row of the one before (keyset pages: deep ones cost no more than the first).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import attrs
from sqlalchemy import ColumnElement, FromClause, and_, false, literal, literal_column, or_, tuple_

from crm_core.errors import ExpressionError
from crm_core.expressions.binder import Binder, Uses
from crm_core.expressions.environment import Environment
from crm_core.expressions.filters import Filter
from crm_core.expressions.leaves import Leaf
from crm_core.expressions.names import Names
from crm_core.expressions.nodes import Scope, Sort, Sql
from crm_core.expressions.steps import RecordNode
from crm_core.expressions.syntax import parse
from crm_core.records import RecordType, Types

__all__ = ["MAX_KEYS", "Key", "Order", "keyset", "order_by", "parse_order"]

MAX_KEYS = 16
_TERM = re.compile(r"\s*(?P<name>[^\s,]+)(?:\s+(?P<way>[^,]*?))?\s*")


@attrs.frozen
class Key:
    """One thing to sort by; ``present`` says that it is absent in no row of the list."""

    leaf: Leaf
    descending: bool
    present: bool = False

    @property
    def nullable(self) -> bool:
        """Whether it may be absent."""
        return self.leaf.nullable and not self.present

    def sql(self, scope: Scope) -> Sql:
        """What is compared: the stored sort key of a folded text, else the value."""
        folded = self.leaf.field.folded and not self.leaf.custom
        return self.leaf.key_sql(scope) if folded else self.leaf.sql(scope)


@attrs.frozen
class Order:
    """A total order of the records of one type. :meth:`values` are what :meth:`after` continues from."""

    record_type: RecordType
    env: Environment = attrs.field(repr=False)
    keys: tuple[Key, ...]

    def _scope(self, table: FromClause | None) -> Scope:
        return Scope(self.record_type.table if table is None else table, self.env)

    def within(self, condition: Filter) -> Order:
        """The same order for rows that meet a condition: what that compares is there, and an index can be walked.

        No index of either database has the absent last in both directions.
        """
        keys = (attrs.evolve(key, present=key.leaf.nullable and condition.demands(key.leaf)) for key in self.keys)
        return attrs.evolve(self, keys=tuple(keys))

    def columns(self, table: FromClause | None = None, *, sorted_by_id: bool = False) -> list[ColumnElement[Any]]:
        """For ``order_by``. With ``sorted_by_id`` no index can be walked for an order that begins with the id."""
        scope = self._scope(table)
        columns: list[ColumnElement[Any]] = []
        for key in self.keys:
            column = key.sql(scope)
            directed = column.desc() if key.descending else column.asc()
            # Saying it where nothing can be absent would keep SQLite from using the index.
            columns.append(directed.nulls_last() if key.nullable else directed)
        if sorted_by_id and _is_id(self.keys[0]):
            number = self.keys[0].sql(scope) + literal_column("0")
            columns[0] = number.desc() if self.keys[0].descending else number.asc()
        return columns

    def values(self, table: FromClause | None = None) -> list[ColumnElement[Any]]:
        """For ``select``: the values of a row by which the next page is found, the id last."""
        scope = self._scope(table)
        return [key.sql(scope).label(f"key_{number}") for number, key in enumerate(self.keys)]

    def after(self, values: Sequence[Any], table: FromClause | None = None) -> ColumnElement[bool]:
        """The condition for the rows after the one that has these :meth:`values`."""
        if len(values) != len(self.keys):
            raise ValueError(f"This order has {len(self.keys)} values, not {len(values)}.")
        scope = self._scope(table)
        columns = [key.sql(scope) for key in self.keys]
        last = [None if value is None else literal(value, column.type)
                for value, column in zip(values, columns, strict=True)]  # fmt: skip
        one_way = len({key.descending for key in self.keys}) == 1
        if one_way and not any(key.nullable for key in self.keys):
            # A comparison of rows is what both databases walk an index for.
            row, bound = tuple_(*columns), tuple_(*last)
            return row < bound if self.keys[0].descending else row > bound
        alternatives: list[ColumnElement[bool]] = []
        same: list[ColumnElement[bool]] = []
        for key, column, value in zip(self.keys, columns, last, strict=True):
            alternatives.append(and_(*same, _beyond(key, column, value)))
            same.append(column.is_(None) if value is None else column == value)
        return or_(*alternatives)


def _beyond(key: Key, column: Sql, value: Sql | None) -> ColumnElement[bool]:
    if value is None:
        return false()  # the absent come last: nothing is beyond them
    further: ColumnElement[bool] = column < value if key.descending else column > value
    return or_(further, column.is_(None)) if key.nullable else further


def parse_order(types: Types, record_type: RecordType, source: str, env: Environment) -> Order:
    """Read an order such as ``"grade, name desc"``; fields may lie behind steps (``account.name``).

    Raises :class:`ExpressionError` at the character of what cannot be sorted by, or is not known to the reader. The id
    is added as the last key, in the direction of the one before it, so that one index serves both.
    """
    keys: list[Key] = []
    start = 0
    for part in source.split(",") if source.strip() else ():
        keys += _term(types, record_type, source, start, part, env)
        start += len(part) + 1
    if len(keys) > MAX_KEYS:
        raise ExpressionError("An order has at most {limit} fields.", mend="Leave out the last ones.", limit=MAX_KEYS,
                              source=source[:200])  # fmt: skip
    names = Names(types, env)
    if not any(map(_is_id, keys)):
        keys.append(Key(names.own_id(record_type), bool(keys) and keys[-1].descending))
    return Order(record_type, env, tuple(keys))


def _is_id(key: Key) -> bool:
    """Whether it is the id of the record itself."""
    return key.leaf.field.name == "id" and not key.leaf.path.steps


def _term(types: Types, record_type: RecordType, source: str, start: int, part: str, env: Environment) -> list[Key]:
    match = _TERM.fullmatch(part)
    if match is None:
        raise ExpressionError("A field is missing here.", mend="Write fields with commas between them.",
                              source=source, position=min(start, len(source)))  # fmt: skip
    way = match.group("way") or "asc"
    if way not in ("asc", "desc"):
        raise ExpressionError("{way!r} is no direction.", mend="Write asc or desc, or a comma before the next field.",
                              source=source, position=start + match.start("way"), way=way)  # fmt: skip
    position = start + match.start("name")
    try:
        expression = parse(match.group("name"))
        binder = Binder(expression, types, record_type, env, Uses())
        bound = binder.bind(expression.tree)
    except ExpressionError as error:
        error.source, error.position = source, error.position + position
        raise
    names = binder.names
    if isinstance(bound, RecordNode):
        bound = names.title(bound) or names.id_of(bound)
    if not isinstance(bound, Leaf) or bound.sort in (Sort.TAGS, Sort.JSON, Sort.ADDRESS):
        raise ExpressionError("{sort} cannot be sorted by.", mend="Name a field that has an order.", source=source,
                              position=position, sort=bound.sort.value.capitalize())  # fmt: skip
    leaves = [bound]
    if bound.sort is Sort.MONEY:
        parts = (names.find_part("currency", bound), names.find_part("amount", bound))
        leaves = [leaf for leaf in parts if leaf is not None]
    return [Key(leaf, way == "desc") for leaf in leaves]


def order_by(
    types: Types, record_type: RecordType, source: str, env: Environment, table: FromClause | None = None
) -> list[ColumnElement[Any]]:
    """The columns for ``order_by`` of an order that is written as text; see :func:`parse_order`."""
    return parse_order(types, record_type, source, env).columns(table)


def keyset(order: Order, values: Sequence[Any], table: FromClause | None = None) -> ColumnElement[bool]:
    """The condition for the rows after the one with these values; see :meth:`Order.after`."""
    return order.after(values, table)
