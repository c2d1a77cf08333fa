"""SQL that the two databases spell differently.

Both spellings are built as ordinary SQLAlchemy expressions with bound parameters; the database chooses when the
statement is compiled, so a cached statement never carries a value or the wrong spelling.
"""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any
from typing import cast as cast_type

from sqlalchemy import (
    BigInteger,
    Boolean,
    ColumnElement,
    Date,
    DateTime,
    Interval,
    Numeric,
    String,
    case,
    cast,
    exists,
    func,
    literal,
    select,
    type_coerce,
    types,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from crm_core.fields.columns import Moment, Scaled

__all__ = ["ChosenByDialect", "Exact", "by_dialect"]

Sql = ColumnElement[Any]


class ChosenByDialect(FunctionElement[Any]):
    """Two spellings of one value: for SQLite, and for PostgreSQL."""

    inherit_cache = True
    name = "chosen_by_dialect"

    def __init__(self, sqlite: Sql, postgresql: Sql, type_: types.TypeEngine[Any]) -> None:
        super().__init__(sqlite.self_group(), postgresql.self_group())
        self.type = type_


@compiles(ChosenByDialect)
def _compile(element: ChosenByDialect, compiler: Any, **kwargs: Any) -> str:
    sqlite, server = element.clauses
    chosen = sqlite if compiler.dialect.name == "sqlite" else server
    return f"({compiler.process(chosen, **kwargs)})"


def by_dialect(*, sqlite: Sql, postgresql: Sql, type_: types.TypeEngine[Any]) -> Sql:
    """The spelling that the database understands."""
    return ChosenByDialect(sqlite, postgresql, type_)


class Exact(types.TypeDecorator[Decimal]):
    """A constant beside numbers of ``scale`` decimals: a scaled integer on SQLite, the number itself elsewhere.

    Unlike the column type it knows no greatest number of digits, so PostgreSQL does not round or refuse it.
    """

    impl = Numeric
    cache_ok = True

    def __init__(self, scale: int) -> None:
        self.scale = scale
        super().__init__()

    def load_dialect_impl(self, dialect: Dialect) -> types.TypeEngine[Any]:
        return dialect.type_descriptor(BigInteger() if dialect.name == "sqlite" else Numeric())

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> Any:
        if value is None or dialect.name != "sqlite":
            return value
        # Not scaleb: that rounds to the precision of the thread's decimal context.
        sign, digits, exponent = value.as_tuple()
        whole = int("".join(map(str, digits))) * 10 ** max(cast_type(int, exponent) + self.scale, 0)
        return -whole if sign else whole


def number_type(scale: int) -> types.TypeEngine[Any]:
    """The type that constants beside a number column take, so that indexes on it are used."""
    return Exact(scale) if scale else BigInteger()


def _path(*keys: str) -> Sql:
    return literal("$" + "".join(f'."{key}"' for key in keys), String())


def json_text(column: Sql, *keys: str) -> Sql:
    """The text inside a JSON object, compared by code point."""
    on_server = type_coerce(column, postgresql.JSON)
    inside = on_server[keys[0]] if len(keys) == 1 else on_server[keys]
    return by_dialect(
        sqlite=func.json_extract(column, _path(*keys)),
        postgresql=inside.astext.collate("C"),
        type_=String(),
    )


def _on_server(column: Sql, keys: tuple[str, ...], type_: Any) -> Sql:
    inside = type_coerce(column, postgresql.JSON)
    return cast((inside[keys[0]] if len(keys) == 1 else inside[keys]).astext, type_)


def json_number(column: Sql, scale: int, *keys: str) -> Sql:
    """An exact number inside a JSON object, as a column of that scale would hold it."""
    found = func.json_extract(column, _path(*keys))
    if not scale:
        return by_dialect(sqlite=found, postgresql=_on_server(column, keys, BigInteger), type_=BigInteger())
    # "-0.5" with two decimals: "-0" and "5" padded to "50" make "-050", which SQLite reads as -50.
    point = func.instr(found.concat("."), ".")
    whole = func.substr(found, 1, point - 1, type_=String())
    decimals = func.substr(func.substr(found, point + 1, type_=String()).concat("0" * scale), 1, scale, type_=String())
    return by_dialect(
        sqlite=cast(whole.concat(decimals), BigInteger),
        postgresql=_on_server(column, keys, Numeric),
        type_=Scaled(scale),
    )


def json_day(column: Sql, key: str) -> Sql:
    """A day inside a JSON object."""
    return by_dialect(sqlite=func.json_extract(column, _path(key)), postgresql=_on_server(column, (key,), Date),
                      type_=Date())  # fmt: skip


def json_moment(column: Sql, key: str) -> Sql:
    """A moment inside a JSON object; its columns differ from JSON only in the sign before the time."""
    return by_dialect(
        sqlite=func.replace(func.json_extract(column, _path(key)), "T", " "),
        postgresql=_on_server(column, (key,), DateTime(timezone=True)),
        type_=Moment(),
    )


def json_flag(column: Sql, key: str) -> Sql:
    """A flag inside a JSON object."""
    return by_dialect(sqlite=func.json_extract(column, _path(key)), postgresql=_on_server(column, (key,), Boolean),
                      type_=Boolean())  # fmt: skip


def json_tags(column: Sql, key: str) -> Sql:
    """A list inside a JSON object, as a column of tags would hold it."""
    return by_dialect(sqlite=func.json_extract(column, _path(key)),
                      postgresql=_on_server(column, (key,), postgresql.JSONB), type_=types.NullType())  # fmt: skip


def has_tag(tags: Sql, tag: Sql) -> Sql:
    """Whether a set of tags holds ``tag``; null when either is."""
    each = func.json_each(tags).table_valued("value")
    found = exists(select(literal(1)).select_from(each).where(each.c.value == tag).correlate_except(each))
    on_server = type_coerce(tags, postgresql.JSONB)
    return by_dialect(
        sqlite=case((tags.is_not(None) & tag.is_not(None), found)),
        postgresql=on_server.op("@>", is_comparison=True)(func.to_jsonb(cast(tag, types.Text))),
        type_=Boolean(),
    )


def tag_count(tags: Sql) -> Sql:
    """How many tags there are; null when the set is."""
    return by_dialect(sqlite=func.json_array_length(tags),
                      postgresql=func.jsonb_array_length(type_coerce(tags, postgresql.JSONB)),
                      type_=BigInteger())  # fmt: skip


def position_in(text: Sql, part: Sql) -> Sql:
    """Where ``part`` begins in ``text``, from 1; 0 when it does not. LIKE would fold ASCII case on SQLite."""
    return by_dialect(sqlite=func.instr(text, part), postgresql=func.strpos(text, part), type_=types.Integer())


def moved_day(day: Sql, days: int) -> Sql:
    """A day so many days later."""
    return by_dialect(sqlite=func.date(day, literal(f"{days:+d} days", String())),
                      postgresql=type_coerce(day, BigInteger) + literal(days, types.Integer()),
                      type_=Date())  # fmt: skip


def moved_moment(moment: Sql, span: dt.timedelta) -> Sql:
    """A moment so much later, in whole seconds: SQLite calculates no finer, so the rest of the text is kept."""
    seconds = span.days * 86_400 + span.seconds
    text = type_coerce(moment, String)
    moved = func.datetime(func.substr(text, 1, 19), literal(f"{seconds:+d} seconds", String()), type_=String())
    return by_dialect(
        sqlite=moved.concat(func.substr(text, 20, type_=String())),
        # Seconds, because a day of an interval follows the summer time of the connection's time zone.
        postgresql=type_coerce(moment, DateTime(timezone=True))
        + func.make_interval(0, 0, 0, 0, 0, 0, literal(seconds, types.Double()), type_=Interval()),
        type_=Moment(),
    )
