"""Which columns of a table hold the keys of another's rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import attrs

from crm_core.exchange.drafting.headers import plain, singular, words
from crm_core.exchange.drafting.table import Column, Table

__all__ = ["Reference", "in_order", "references", "values_of"]

_NUMBERED = frozenset(
    {"id", "no", "nr", "num", "number", "code", "key", "name", "entity", "编号", "编码", "代码", "号"}
)
_MOST, _NAMED = 0.7, 0.6
"""Where rows of the other table could not be read, so many of the keys must be there, and the names speak of it."""

_NEAR, _SPOKEN = 0.01, 0.85
_TELLING = 4
"""Values that are at least so long are hardly found in another table by chance."""


@attrs.frozen
class Reference:
    """A column whose values are all found in the key of another table, or ``by_name`` in its names.

    ``certainty`` is 0 to 1: names that speak of each other are worth more than values alone.
    """

    column: Column
    table: Table
    certainty: float
    by_name: bool = False


def values_of(column: Column) -> frozenset[str]:
    """The different values, without white space around them."""
    return frozenset(value.strip() for value in column.values)


def references(
    table: Table,
    others: Sequence[tuple[Table, Column, Column | None]],
    known: Mapping[int, frozenset[str]],
    speaks: Callable[[Column, Table], bool],
) -> list[Reference]:
    """The references of a table to ``others``, each given with the column of its key and that of its names.

    ``known`` are the values of columns by the identity of the column; ``speaks`` says whether a header is a name for a
    reference to what a table holds (an owner is one of the users). A column may lead to several tables.
    """
    found: list[Reference] = []
    for column in table.columns:
        if not column.filled or column.longest > 200:
            continue
        values = known[id(column)]
        for other, key, name in others:
            for target, by_name in ((key, False), (name, True)):
                if target is None or target is column:
                    continue
                inside = len(values & known[id(target)]) / len(values)
                if inside < (1 if other.complete and not other.broken else _MOST):
                    continue
                certainty = _related(column, target, other, by_name)
                if not by_name and certainty < _SPOKEN and speaks(column, other):
                    certainty = _SPOKEN
                certainty *= inside
                if inside < 1 and certainty < _NAMED:
                    continue  # values alone say it only when all are there
                if certainty:
                    certainty = min(0.97, certainty + _NEAR * _in_common(table, other))
                    found.append(Reference(column, other, certainty, by_name))
    return found


def _in_common(one: Table, other: Table) -> int:
    """How many words the names of two tables share: vStoreWithContacts is rather about stores than about vendors."""
    return len({singular(word) for word in words(one.title)} & {singular(word) for word in words(other.title)})


def _related(column: Column, key: Column, other: Table, by_name: bool) -> float:
    """How much the names of a column and of another table have to do with each other, and how telling values are."""
    own, theirs = _telling(column.header), _telling(key.header)
    of_file = {singular(word) for word in words(other.title)}
    if by_name:
        return 0.85 if own and (own <= of_file or own <= theirs) and column.longest >= _TELLING else 0.0
    if own and own <= of_file:
        return 0.95
    if own and (own == theirs or plain(column.header) == plain(key.header)):
        return 0.9
    if own and own & of_file:
        return 0.75
    shortest = min(map(len, column.values))
    return 0.55 if shortest >= _TELLING and len(column.values) > 1 and not column.possible & {"whole", "flag"} else 0.0


def _telling(header: str) -> set[str]:
    return {singular(word) for word in words(header)} - _NUMBERED


def in_order(tables: Sequence[Table], needed: Mapping[int, Iterable[Table]]) -> list[Table]:
    """The tables so that each comes after those that it refers to; where they refer to each other, as they came.

    ``needed`` are the tables that one refers to, by its identity.
    """
    done: list[Table] = []
    seen: set[int] = set()

    def visit(table: Table) -> None:
        if id(table) in seen:
            return
        seen.add(id(table))
        for other in needed.get(id(table), ()):
            visit(other)
        done.append(table)

    for table in tables:
        visit(table)
    return done
