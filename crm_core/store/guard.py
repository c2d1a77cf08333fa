"""Reading statements before they run: which record types they touch, and forms that would escape visibility.

SQLAlchemy's loader criteria reach almost every form of statement; the few they miss are refused here, with what to
write instead.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any
from weakref import WeakKeyDictionary

import attrs
from sqlalchemy import Table
from sqlalchemy.orm import FromStatement, Mapper
from sqlalchemy.sql import dml, elements, functions, operators, selectable
from sqlalchemy.sql.annotation import Annotated
from sqlalchemy.sql.visitors import HasTraverseInternals

from crm_core.errors import UnsupportedStatement
from crm_core.fields.field import Field
from crm_core.records import RecordType, declared
from crm_core.store.froms import NOWHERE, Context, Froms, froms_of

__all__ = ["TRUSTED", "Footprint", "inspect_statement", "trusted"]

TRUSTED = "crm_trusted"

# An operator is written into the SQL as it stands: signs, or a few words.
_OPERATOR = re.compile(r"[^\w\s'\"`;()]{1,8}|[A-Za-z]+( [A-Za-z]+){0,3}")
_CLAUSES = frozenset({"select", "union", "from", "where", "or", "and", "intersect", "except", "join"})
# Functions of the databases that themselves run SQL, or read files and tables by name.
_RUNS_SQL = re.compile(
    r"query_to_|table_to_|cursor_to_|schema_to_|database_to_|dblink|crosstab|connectby|ts_stat|ts_rewrite"
    r"|pg_read_|pg_ls_|pg_stat_file|lo_|load_extension|readfile|writefile|setval|nextval|set_config|pg_logical_"
    r"|pg_file_|pg_notify|pg_terminate_|pg_cancel_|pg_execute_|edit$",
    re.IGNORECASE,
)


@attrs.frozen
class Footprint:
    """What a statement touches."""

    types: frozenset[RecordType]
    columns: frozenset[tuple[RecordType, Field]]


def trusted(condition: Any) -> Any:
    """Mark a condition that the kernel itself compiled with visibility inside: it is not inspected again."""
    return condition._annotate({TRUSTED: True})


def inspect_statement(statement: Any, criteria: tuple[Any, ...] = (), *, loading: bool = False) -> Footprint:
    """Walk a statement; raises :class:`UnsupportedStatement` for forms that bypass the store.

    ``criteria`` are conditions that stand in its loader options. ``loading`` says that SQLAlchemy made the statement
    itself (``get``, a navigation, a reload): it then uses bare columns.
    """
    if loading or criteria or not isinstance(statement, selectable.Select):
        return _inspected(statement, criteria, loading)
    # One that was made once and is executed again and again need not be walked again: no method changes a statement.
    known = _known.get(statement)
    if known is None:
        known = _known[statement] = _inspected(statement)
    return known


_known: WeakKeyDictionary[Any, Footprint] = WeakKeyDictionary()


def _inspected(statement: Any, criteria: tuple[Any, ...] = (), loading: bool = False) -> Footprint:
    types: set[RecordType] = set()
    columns: set[tuple[RecordType, Field]] = set()
    if not isinstance(statement, selectable.SelectBase | FromStatement | functions.FunctionElement):
        _refuse_text(statement)
        raise UnsupportedStatement(
            "A statement of the kind {kind} would bypass visibility and journal.",
            mend="Write select(...) over record classes, or use the session's own methods.",
            kind=type(statement).__name__,
        )
    forgotten: list[Any] = []
    for element, froms in _walk((statement, *criteria)):
        _refuse_text(element)
        if isinstance(element, dml.UpdateBase):
            raise UnsupportedStatement(
                "An insert, update or delete inside another statement would bypass checks and journal.",
                mend="Execute update(Record) or delete(Record) by itself, or use session.add().",
            )
        if isinstance(element, selectable.Select):
            _select(element)
            forgotten += [] if froms is None or loading else froms.forgotten
        elif isinstance(element, elements.ColumnClause):
            _column(element, types, columns, loading)
        elif isinstance(element, Table):
            _table(element, types)
        elif isinstance(element, selectable.AliasedReturnsRows) and isinstance(element.element, Table):
            _alias(element, types)
        elif isinstance(element, selectable.TableClause):
            _refuse_core(element.name)
        else:
            _raw(element)
    _refuse_forgotten(forgotten)
    return Footprint(frozenset(types), frozenset(columns))


def _walk(roots: tuple[Any, ...]) -> Iterator[tuple[Any, Froms | None]]:
    """Every element; of a SELECT with its FROMs."""
    stack: list[tuple[Any, Context]] = [(root, NOWHERE) for root in roots]
    # What was seen is held: made on the way and thrown away, it would leave its id to what comes after.
    seen: dict[tuple[int, int], tuple[Any, Context]] = {}
    while stack:
        element, context = stack.pop()
        key = (id(element), id(context))
        if key in seen:
            continue
        seen[key] = element, context
        annotations = getattr(element, "_annotations", None)
        if annotations and TRUSTED in annotations:
            continue
        froms = froms_of(element, context) if isinstance(element, selectable.Select) else None
        yield element, froms
        if isinstance(element, elements.ColumnClause):
            # A FROM that only its columns name stands nowhere else; a computed one leads to no record by itself.
            if element.table is not None and not _plain(element.table):
                stack.append((element.table, context))
            continue
        if isinstance(element, selectable.AliasedReturnsRows):
            if isinstance(element.element, Table):
                continue
            context = NOWHERE
        if froms is not None:
            context = Context(froms.own, froms.own | context.all)
        stack.extend((child, context) for child in _children(element))


def _plain(from_: Any) -> bool:
    """Whether a FROM is a table or an alias of one: its columns say whose they are."""
    inner = from_.element if isinstance(from_, selectable.AliasedReturnsRows) else from_
    return isinstance(inner, selectable.TableClause)


def _children(element: Any) -> list[Any]:
    children: list[Any] = []
    unknown: set[int] = set()
    for target, _onclause, _left, _flags in getattr(element, "_setup_joins", ()):
        of_type = getattr(target, "_of_type", None)
        if of_type is not None:
            # A navigation to an alias: its condition names the alias without saying whose it is.
            unknown.add(id(target.expression))
            alias = of_type.selectable._annotate({"parententity": of_type, "parentmapper": of_type.mapper})
            children += [*target._extra_criteria, alias]
    if isinstance(element, FromStatement):
        children.append(element.element)
    if isinstance(element, selectable.Values):
        # Its columns are names, and belong to no table; its values may be expressions.
        children += [
            value
            for rows in element._data
            for row in rows
            for value in row
            if isinstance(value, elements.ClauseElement)
        ]
    elif isinstance(element, HasTraverseInternals):
        # Not the override of Select, which adds the bare tables behind annotated columns.
        children += [child for child in HasTraverseInternals.get_children(element) if id(child) not in unknown]
    return children


def _select(element: Any) -> None:
    if element._prefixes or element._suffixes or element._hints or element._statement_hints:
        raise UnsupportedStatement(
            "Prefixes, suffixes and hints are SQL as text, which would bypass visibility.", mend="Leave them out."
        )
    for _target, _onclause, _left, flags in element._setup_joins:
        if flags["full"]:
            _refuse_full()


def _refuse_forgotten(forgotten: Iterable[Any]) -> None:
    for from_ in forgotten:
        table: Any = from_.element if isinstance(from_, selectable.AliasedReturnsRows) else from_
        raise UnsupportedStatement(
            "SQLAlchemy would not apply visibility to {record} in this form of statement.",
            mend="Name it openly: select(...).select_from({record}), or .join({record}, ...); join objects and a second"
            " record in one expression are not enough.",
            record=declared.by_table[table].cls.__name__,
        )


def _refuse_text(element: Any) -> None:
    if isinstance(element, elements.TextClause | selectable.TextualSelect | elements._textual_label_reference):
        raise UnsupportedStatement(
            "SQL as text would bypass visibility.",
            mend="Write select(...) over record classes, or session.list(Record, where='...').",
        )


def _refuse_full() -> None:
    raise UnsupportedStatement(
        "A full outer join would show records that may not be seen, as rows without a partner.",
        mend="Write two selects, each with join(..., isouter=True).",
    )


def _raw(element: Any) -> None:
    """Parts of expressions that are written into the SQL as they are."""
    if isinstance(element, selectable.Join) and element.full:
        _refuse_full()
    for attribute in ("operator", "modifier"):
        operator = getattr(element, attribute, None)
        if isinstance(operator, operators.custom_op):
            sign = str(operator.opstring).strip()
            if not _OPERATOR.fullmatch(sign) or "--" in sign or "/*" in sign or _CLAUSES & set(sign.lower().split()):
                raise UnsupportedStatement(
                    "The operator {sign!r} is SQL as text, which would bypass visibility.",
                    mend="Use one operator, such as op('&').",
                    sign=sign,
                )
    if isinstance(element, functions.FunctionElement) and _RUNS_SQL.match(str(getattr(element, "name", ""))):
        raise UnsupportedStatement(
            "The function {name} reaches tables or files by itself, which would bypass visibility.",
            mend="Write select(...) over record classes.",
            name=element.name,
        )
    if isinstance(element, elements.Extract) and not element.field.isidentifier():
        raise UnsupportedStatement("extract() takes one word.", mend="Write for example extract('year', ...).")


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


def _column(element: Any, types: set[RecordType], columns: set[tuple[RecordType, Field]], loading: bool) -> None:
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
            "The column {name!r} belongs to no record.",
            mend="Write Account.{name}, not column(...).",
            name=element.name,
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
