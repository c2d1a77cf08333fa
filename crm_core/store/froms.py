"""Which FROM clauses of a SELECT SQLAlchemy gives its loader criteria, and which it forgets.

It reaches the entity of each column, of ``select_from()`` and of joins, and those compared directly in WHERE. It
forgets the second entity of one expression, those within functions or windows, and the parts of an explicit join
object. This follows SQLAlchemy's rules closely enough to name what is forgotten; the tests try each form.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import attrs
from sqlalchemy import inspect
from sqlalchemy.orm import Bundle
from sqlalchemy.orm.attributes import QueryableAttribute
from sqlalchemy.sql import selectable
from sqlalchemy.sql.util import extract_first_column_annotation, surface_expressions

from crm_core.records import declared

__all__ = ["NOWHERE", "Context", "Froms", "froms_of", "is_orm", "make_orm"]


@attrs.frozen(eq=False)
class Context:
    """What a nested SELECT may be correlated to: the FROMs of the SELECT around it, and of all around that."""

    nearest: frozenset[Any] = frozenset()
    all: frozenset[Any] = frozenset()


NOWHERE = Context()


@attrs.frozen
class Froms:
    """The FROMs of record types in one SELECT: all of its own, and those that would get no criteria."""

    own: frozenset[Any]
    forgotten: tuple[Any, ...]


def is_orm(statement: Any) -> bool:
    """Whether SQLAlchemy knows that a statement is about records; else it adds no criteria to its FROMs."""
    return bool(statement._propagate_attrs.get("compile_state_plugin") == "orm")


def make_orm(statement: Any, entity: type) -> None:
    """Tell SQLAlchemy that a statement is about records, where only its subqueries are: options then reach these."""
    if not is_orm(statement):
        statement._propagate_attrs = statement._propagate_attrs.union(
            {"compile_state_plugin": "orm", "plugin_subject": inspect(entity)}
        )


def froms_of(statement: selectable.Select[Any], context: Context) -> Froms:
    """The FROMs of a SELECT that stands in ``context``."""
    columns = [*statement._raw_columns]
    for memoized in statement._memoized_select_entities:
        columns += memoized._raw_columns
    joins = [*statement._setup_joins]
    for memoized in statement._memoized_select_entities:
        joins += memoized._setup_joins
    where = statement._where_criteria
    present: dict[Any, None] = {}
    for part in (*columns, *where):
        present.update(dict.fromkeys(_flat(part._from_objects)))
    covered = {entity.selectable for entity in _entities(columns)}
    for from_ in statement._from_obj:
        present.update(dict.fromkeys(_flat([from_])))
        covered |= _covered([from_])
    for target, onclause, left, _flags in joins:
        for side in (left, target, onclause):
            froms = _sides(side)
            present.update(dict.fromkeys(_flat(froms)))
            covered |= _covered(froms)
    for criterion in where:
        covered |= {
            entity.selectable
            for each in surface_expressions(criterion)  # type: ignore[no-untyped-call]
            if (entity := each._annotations.get("parententity")) is not None
        }
    if not is_orm(statement):
        covered = set()
    away = _correlated(statement, frozenset(present), context)
    return Froms(
        frozenset(present) - away,
        tuple(each for each in present if each not in covered and each not in away),
    )


def _flat(froms: Iterable[Any]) -> Iterator[Any]:
    """The tables and aliases of tables of record types within FROMs."""
    for from_ in froms:
        if isinstance(from_, selectable.Join):
            yield from _flat((from_.left, from_.right))
        elif isinstance(from_, selectable.FromGrouping):
            yield from _flat((from_.element,))
        else:
            table = from_.element if isinstance(from_, selectable.AliasedReturnsRows) else from_
            if table in declared.by_table:
                yield from_


def _entities(columns: Iterable[Any]) -> Iterator[Any]:
    """The entity that SQLAlchemy sees in each column: the first one in it."""
    for column in _expressions(columns):
        entity = extract_first_column_annotation(column, "parententity")  # type: ignore[no-untyped-call]
        if entity is not None:
            yield entity


def _expressions(columns: Iterable[Any]) -> Iterator[Any]:
    for column in columns:
        bundle = column._annotations.get("bundle")
        if isinstance(bundle, Bundle):
            yield from _expressions(each.__clause_element__() if hasattr(each, "__clause_element__") else each
                                    for each in bundle.exprs)  # fmt: skip
        elif "parententity" in column._annotations:
            yield column
        else:
            yield from column._select_iterable


def _sides(side: Any) -> list[Any]:
    """The FROMs that a join's side or a navigation brings."""
    if isinstance(side, QueryableAttribute):
        parent, of_type = side._parententity, getattr(side, "_of_type", None)
        target = of_type if of_type is not None else side.property.entity
        return [parent.selectable._annotate({"parententity": parent}),
                target.selectable._annotate({"parententity": target})]  # fmt: skip
    return [side] if isinstance(side, selectable.FromClause) else []


def _covered(froms: Iterable[Any]) -> set[Any]:
    """Of each FROM the entity that stands for it; of a join object made by SQLAlchemy's ORM the leftmost."""
    return {entity.selectable for from_ in froms if (entity := from_._annotations.get("parententity")) is not None}


def _correlated(statement: selectable.Select[Any], present: frozenset[Any], context: Context) -> frozenset[Any]:
    """The FROMs that belong to a SELECT around this one."""
    if statement._correlate:
        return present & context.all & frozenset(_flat(statement._correlate))
    if statement._correlate_except is not None:
        return (present & context.all) - frozenset(_flat(statement._correlate_except))
    outer = present & context.nearest
    # SQLAlchemy correlates by itself only while something remains to select from.
    return outer if statement._auto_correlate and len(_all_froms(statement)) > len(outer) else frozenset()


def _all_froms(statement: selectable.Select[Any]) -> set[Any]:
    parts = (*statement._raw_columns, *statement._where_criteria)
    found = {from_ for part in parts for from_ in part._from_objects} | set(statement._from_obj)
    return found | {target for target, *_ in statement._setup_joins}
