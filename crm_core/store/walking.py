"""Pages that are found by walking along an index, without a look at the rows that are passed over.

Whoever sees a hundredth of all accounts passes over a hundred for each that is on the page. Where an index holds all
that decides who sees a row, it tells that by itself: the page is chosen by id, and then read.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import attrs
from sqlalchemy import BindParameter, ColumnClause, ColumnElement, FromClause, Select, literal, select
from sqlalchemy.sql import operators
from sqlalchemy.sql.elements import BinaryExpression
from sqlalchemy.sql.selectable import SelectBase
from sqlalchemy.sql.visitors import iterate

from crm_core.records import RecordType
from crm_core.store.visibility import bare

if TYPE_CHECKING:
    from crm_core.expressions import Filter, Order
    from crm_core.store.session import CrmSession
    from crm_core.store.shapes import Passing, Shape

__all__ = ["Asked", "Walk", "chosen_page"]


@attrs.frozen
class Walk:
    """A walk along an index, which can tell some parts of the filter."""

    asked: Asked
    told: tuple[bool, ...]

    @property
    def whole(self) -> bool:
        """Whether the index tells all that the filter asks."""
        return all(self.told)

    def page(self, passing: Passing, limit: int, after: Sequence[Any] | None, *, within: bool) -> Select[Any]:
        """Selects the ids of a page.

        With ``within`` the rest of the filter is asked only of the rows that the actor sees, in their order. OFFSET
        keeps PostgreSQL from asking it of all rows first; SQLite promises no order of what it reads from a subquery.
        """
        order, rows = self.asked.order, passing.rows
        parts = self.asked.parts(rows)
        inside = [part for part, told in zip(parts, self.told, strict=True) if told or not within]
        walk = select(rows.c.id).where(passing.condition, *inside).order_by(*order.columns(rows))
        if after is not None:
            walk = walk.where(order.after(after, rows))
        if self.whole or not within:
            return walk.limit(limit)
        names = sorted({"id", *self.asked.keys})
        seen = walk.with_only_columns(*(rows.c[name] for name in names)).offset(literal(0)).subquery("crm_seen")
        looked = bare(order.record_type.table).alias("crm_looked")
        rest = [part for part, told in zip(self.asked.parts(looked), self.told, strict=True) if not told]
        found = select(looked.c.id).select_from(seen.join(looked, looked.c.id == seen.c.id)).where(*rest)
        return found.order_by(*order.columns(seen)).limit(limit)


class Asked:
    """What a list asks, as far as it matters which index serves it."""

    def __init__(self, order: Order, condition: Filter | None) -> None:
        self.order = order
        self._condition = condition
        table = order.record_type.table
        self._names = [_names_of(part, table) for part in self.parts(table)]
        self._pinned = {name for part in self.parts(table) for name in _pinned(part)}
        columns = _columns(order)
        one_way = len({key.descending for key in order.keys}) == 1 and not any(key.nullable for key in order.keys)
        self.keys = columns if one_way and len(columns) == len(order.keys) else ()
        self._first = columns[:1]

    def parts(self, rows: FromClause) -> list[ColumnElement[bool]]:
        """The parts of the filter, over some rows."""
        return [] if self._condition is None else self._condition.parts(rows)

    def sorted_whole(self, *, absent_last: bool) -> bool:
        """Whether no index helps: all that the reader sees is looked at, and sorted.

        With ``absent_last`` an index has the absent at its end. One that goes on to the id is there for an order, and
        begins with what many have in common.
        """
        indexes = [*_indexes(self.order.record_type)]
        first = self.order.keys[0]
        walked = not first.nullable or (absent_last and not first.descending)
        if walked and any(self._serves(index, self._first) is not None for index in indexes):
            return False
        finding = [index for index in indexes if "id" not in index[1:]]
        return all(names is not None for names in self._names) and not self._else(finding, ())

    def walk(self, needed: frozenset[str]) -> Walk | None:
        """The walk along an index that holds the columns ``needed`` to know who sees a row.

        There is none where the filter looks at other records, or names what another index begins with: that may find
        the few that match.
        """
        if any(names is None for names in self._names):
            return None
        indexes = [*_indexes(self.order.record_type)]
        for index in indexes:
            before = self._serves(index, self.keys)
            if before is None or not needed <= {*index} or self._else(indexes, index[: before + 1]):
                continue
            return Walk(self, tuple(names is not None and names <= {*index} for names in self._names))
        return None

    def _serves(self, index: Sequence[str], keys: tuple[str, ...]) -> int | None:
        """After how many columns that the filter pins the order begins; ``None`` where the index is not in order."""
        for before in range(len(index)):
            if keys and tuple(index[before : before + len(keys)]) == keys:
                return before
            if index[before] not in self._pinned:
                return None
        return None

    def _else(self, indexes: Sequence[Sequence[str]], own: Sequence[str]) -> bool:
        """Whether the filter names what an index begins with, besides its ``own``."""
        named = {name for names in self._names for name in names or ()}
        return any(index[0] in named and index[0] not in own for index in indexes)


def chosen_page(
    session: CrmSession, shape: Shape, asked: Asked, limit: int, after: Sequence[Any] | None, *, all_dates: bool
) -> Select[Any] | None:
    """Selects the ids of a page by a walk, with visibility and time inside; ``None`` where there is no such walk.

    Each row is probed, or held to the accounts that the actor sees, which are gathered once where they are few beside
    those that would be probed. SQLite looks at no row that it passes over, unless the filter demands it.
    """
    record_type = asked.order.record_type
    if not shape.depends_on_width([record_type]):
        return None
    probed = shape.passing(record_type, not all_dates, held=False)
    walk = None if probed is None else asked.walk(probed.names)
    if walk is None:
        return None
    postgresql, held = session.dialect == "postgresql", session.store.sees_some(session)
    if not postgresql and (walk.whole or not held):
        return None
    passing = shape.passing(record_type, not all_dates, held=held)
    assert passing is not None  # the same rights in another form
    return walk.page(passing, limit, after, within=postgresql)


def _columns(order: Order) -> tuple[str, ...]:
    """The columns that an order begins with, up to what is no column of the record."""
    columns = [each.element for each in order.values()]
    own = itertools.takewhile(
        lambda each: isinstance(each, ColumnClause) and each.table is order.record_type.table, columns
    )
    return tuple(each.name for each in own)


def _indexes(record_type: RecordType) -> Iterator[tuple[str, ...]]:
    """The columns of each index, that of the primary key first."""
    yield ("id",)
    for index in sorted(record_type.table.indexes, key=lambda each: str(each.name)):
        yield tuple(column.name for column in index.columns)


def _names_of(part: ColumnElement[bool], table: FromClause) -> frozenset[str] | None:
    """The columns that a condition is about; ``None`` where it looks at other records."""
    names = set()
    for each in iterate(part):
        if isinstance(each, SelectBase) or (isinstance(each, ColumnClause) and each.table not in (table, None)):
            return None
        if isinstance(each, ColumnClause) and each.table is table:
            names.add(each.name)
    return frozenset(names)


def _pinned(part: ColumnElement[bool]) -> Iterator[str]:
    """The column that has one value alone."""
    if isinstance(part, BinaryExpression) and part.operator is operators.eq:
        left, right = part.left, part.right
        if isinstance(left, ColumnClause) and isinstance(right, BindParameter):
            yield left.name
