"""Reading statements before they run: which record types they touch, and forms that would escape visibility.

SQLAlchemy's loader criteria reach almost every form of statement; the few they miss are refused here, with what to
write instead.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import attrs
from sqlalchemy import Table
from sqlalchemy.orm import Mapper
from sqlalchemy.orm.attributes import QueryableAttribute
from sqlalchemy.sql import elements, selectable
from sqlalchemy.sql.annotation import Annotated
from sqlalchemy.sql.visitors import HasTraverseInternals

from crm_core.errors import UnsupportedStatement
from crm_core.fields.field import Field
from crm_core.records import RecordType, declared

__all__ = ["TRUSTED", "Footprint", "inspect_statement", "trusted"]

TRUSTED = "crm_trusted"


@attrs.frozen
class Footprint:
    """What a statement touches."""

    types: frozenset[RecordType]
    columns: frozenset[tuple[RecordType, Field]]


def trusted(condition: Any) -> Any:
    """Mark a condition that the kernel itself compiled with visibility inside: it is not inspected again."""
    return condition._annotate({TRUSTED: True})


def inspect_statement(statement: Any, *, loading: bool = False) -> Footprint:
    """Walk a statement; raises :class:`UnsupportedStatement` for forms that bypass the store.

    ``loading`` says that SQLAlchemy made the statement itself (``get``, a navigation, a reload): it then uses bare
    columns.
    """
    types: set[RecordType] = set()
    columns: set[tuple[RecordType, Field]] = set()
    for element in _walk(statement):
        if isinstance(element, elements.TextClause | selectable.TextualSelect | elements._textual_label_reference):
            raise UnsupportedStatement(
                "SQL as text would bypass visibility.",
                mend="Write select(...) over record classes, or session.list(Record, where='...').",
            )
        if isinstance(element, elements.ColumnClause):
            _column(element, types, columns, loading)
        elif isinstance(element, Table):
            _table(element, types)
        elif isinstance(element, selectable.AliasedReturnsRows) and isinstance(element.element, Table):
            _alias(element, types)
        elif isinstance(element, selectable.TableClause) and not isinstance(element, Table):
            _refuse_core(element.name)
    return Footprint(frozenset(types), frozenset(columns))


def _walk(statement: Any) -> Iterator[Any]:
    stack = [statement]
    seen: set[int] = set()
    while stack:
        element = stack.pop()
        if id(element) in seen:
            continue
        seen.add(id(element))
        annotations = getattr(element, "_annotations", None)
        if annotations and TRUSTED in annotations:
            continue
        yield element
        if isinstance(element, elements.ColumnClause | Table):
            continue
        if isinstance(element, selectable.AliasedReturnsRows) and isinstance(element.element, Table):
            continue
        if isinstance(element, QueryableAttribute):
            stack.append(element.expression)
            continue
        for target, onclause, _from, _flags in getattr(element, "_setup_joins", ()) or ():
            stack.extend(part for part in (target, onclause) if part is not None)
        if isinstance(element, HasTraverseInternals):
            # Not the override of Select, which adds the bare tables behind annotated columns.
            stack.extend(HasTraverseInternals.get_children(element))


def _mapper_of(element: Any) -> Mapper[Any] | None:
    return element._annotations.get("parentmapper") if isinstance(element, Annotated) else None


def _table(element: Table, types: set[RecordType]) -> None:
    record_type = declared.by_table.get(element)
    mapper = _mapper_of(element)
    if mapper is None or record_type is None:
        _refuse_core(element.name)
    else:
        types.add(record_type)


def _alias(element: Any, types: set[RecordType]) -> None:
    mapper = _mapper_of(element)
    if mapper is None:
        _refuse_core(element.element.name)
        return
    # An alias that SQLAlchemy made by itself stands for the mapper; one made by aliased() for itself.
    if element._annotations.get("parententity") is mapper:
        raise UnsupportedStatement(
            "has() or any() on a navigation to the same record type escapes visibility.",
            mend="Write exists().where(...) over aliased(Record) instead.",
        )
    types.add(mapper.class_.crm_type)


def _column(
    element: Any, types: set[RecordType], columns: set[tuple[RecordType, Field]], loading: bool
) -> None:
    table = element.table
    if isinstance(table, selectable.AliasedReturnsRows):
        table = table.element
    if isinstance(table, selectable.TableClause) and _mapper_of(element) is None and not loading:
        _refuse_core(table.name)
    if element.is_literal:
        # count(*) and EXISTS (SELECT 1 ...) are literal columns to SQLAlchemy.
        if element.name == "*" or element.name.isdigit():
            return
        raise UnsupportedStatement(
            "A literal column is SQL as text, which would bypass visibility.", mend="Use literal(...) for values."
        )
    if table is None:
        raise UnsupportedStatement(
            "The column {name!r} belongs to no record.", mend="Write Account.{name}, not column(...).", name=element.name
        )
    for base in element.base_columns:
        record_type = declared.by_table.get(getattr(base, "table", None))  # type: ignore[arg-type]
        if record_type is None:
            continue
        types.add(record_type)
        field = record_type.field_of_column.get(base.name)
        if field is not None:
            columns.add((record_type, field))


def _refuse_core(name: str) -> None:
    raise UnsupportedStatement(
        "A statement on the table {table!r} itself would bypass visibility and journal.",
        mend="Write it over the record class: select(Account), not select(Account.__table__).",
        table=name,
    )
