"""How values lie in the two databases: the column types, and the same conversions for the driver's fast path.

Each type has ``to_driver(dialect)``: a function from a Python value (never ``None``) to what the driver takes, used by
bulk writes, which do not pass through SQLAlchemy's statement machinery. ``None`` means the value goes as it is.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from decimal import Decimal
from enum import Enum
from typing import Any

from sqlalchemy import BigInteger, Date, DateTime, Integer, Numeric, String, Text, types
from sqlalchemy.engine import Dialect

__all__ = ["BIGINT", "Choice", "Custom", "Json", "Lexemes", "Moment", "Scaled", "Tags", "stored_text"]

Converter = Callable[[Any], Any]

# SQLite makes a rowid alias only of a column that is spelled INTEGER.
BIGINT = BigInteger().with_variant(Integer(), "sqlite")


def stored_text(length: int | None) -> types.TypeEngine[str]:
    """Text that compares and sorts by code point on both databases."""
    kind = String if length else Text
    return kind(length).with_variant(kind(length, collation="C"), "postgresql")


class Moment(types.TypeDecorator[dt.datetime]):
    """An aware moment in UTC; on SQLite text of fixed width, so that text order is time order."""

    impl = DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> types.TypeEngine[Any]:
        if dialect.name == "sqlite":
            return dialect.type_descriptor(String(32))
        return dialect.type_descriptor(DateTime(timezone=True))

    def process_bind_param(self, value: dt.datetime | None, dialect: Dialect) -> Any:
        if value is None:
            return None
        return moment_text(value) if dialect.name == "sqlite" else value.astimezone(dt.UTC)

    def process_result_value(self, value: Any, dialect: Dialect) -> dt.datetime | None:
        if value is None:
            return None
        if dialect.name == "sqlite":
            return dt.datetime.fromisoformat(value)
        return value.astimezone(dt.UTC)  # type: ignore[no-any-return]

    def to_driver(self, dialect: str) -> Converter | None:
        return moment_text if dialect == "sqlite" else None


def moment_text(value: dt.datetime) -> str:
    """``2026-11-22 08:00:00.000000+00:00``."""
    return value.astimezone(dt.UTC).isoformat(" ", "microseconds")


class Lexemes(types.TypeDecorator[str]):
    """The tokens by which the search of PostgreSQL finds a document; on SQLite, which keeps them elsewhere, empty."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> types.TypeEngine[Any]:
        if dialect.name == "postgresql":
            from sqlalchemy.dialects.postgresql import TSVECTOR

            return dialect.type_descriptor(TSVECTOR())
        return dialect.type_descriptor(Text())


class Scaled(types.TypeDecorator[Decimal]):
    """A decimal of fixed scale: a scaled integer on SQLite (whose NUMERIC would lose digits), NUMERIC elsewhere."""

    impl = Numeric
    cache_ok = True

    def __init__(self, scale: int) -> None:
        self.scale = scale
        super().__init__(18, scale)

    def load_dialect_impl(self, dialect: Dialect) -> types.TypeEngine[Any]:
        if dialect.name == "sqlite":
            return dialect.type_descriptor(BigInteger())
        return dialect.type_descriptor(Numeric(18, self.scale))

    def process_bind_param(self, value: Decimal | int | None, dialect: Dialect) -> Any:
        if value is None:
            return None
        return self._to_int(value) if dialect.name == "sqlite" else Decimal(value)

    def _to_int(self, value: Decimal | int) -> int:
        scaled = Decimal(value).scaleb(self.scale)
        whole = int(scaled)
        if whole != scaled:
            raise ValueError(f"{value} has more than {self.scale} decimals")
        return whole

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:
        if value is None:
            return None
        return Decimal(value).scaleb(-self.scale) if dialect.name == "sqlite" else value

    def to_driver(self, dialect: str) -> Converter | None:
        return self._to_int if dialect == "sqlite" else None


class Choice(types.TypeDecorator[Enum]):
    """A member of an enumeration, stored by its value, so that reordering or renaming members is safe."""

    impl = String
    cache_ok = True

    def __init__(self, enum: type[Enum]) -> None:
        self.enum = enum
        self._members = {member.value: member for member in enum}
        super().__init__(40)

    def load_dialect_impl(self, dialect: Dialect) -> types.TypeEngine[Any]:
        return dialect.type_descriptor(String(40, collation="C" if dialect.name == "postgresql" else None))

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        stored: str | None = value.value if isinstance(value, self.enum) else value
        return stored

    def process_result_value(self, value: Any, dialect: Dialect) -> Enum | None:
        return None if value is None else self._members.get(value, value)

    def to_driver(self, dialect: str) -> Converter | None:
        # History may hold a choice that is withdrawn: it is its own value.
        return lambda member: getattr(member, "value", member)


class Json(types.TypeDecorator[Any]):
    """Any JSON value. Python's ``None`` is SQL NULL; a JSON null exists only inside a value."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> types.TypeEngine[Any]:
        # JSON keeps the text of numbers, which JSONB would rewrite (1e23 would come back as an int).
        if dialect.name == "postgresql":
            from sqlalchemy.dialects.postgresql import JSON

            return dialect.type_descriptor(JSON(none_as_null=True))
        return dialect.type_descriptor(Text())

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        if value is None or dialect.name == "postgresql":
            return value
        return json_text(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        if value is None or dialect.name == "postgresql":
            return value
        return json.loads(value)

    def to_driver(self, dialect: str) -> Converter | None:
        # COPY and executemany both take JSON as text.
        return json_text

    def coerce_compared_value(self, op: Any, value: Any) -> Any:
        return self


def json_text(value: Any) -> str:
    """Compact JSON with sorted keys; Chinese characters as themselves."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True, allow_nan=False)


class Custom(Json):
    """The custom fields of a record by name; none is an empty mapping, stored as NULL."""

    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        return super().process_bind_param(value or None, dialect)

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        return super().process_result_value(value, dialect) or {}


class Tags(Json):
    """A set of short texts, stored as a sorted JSON list."""

    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> types.TypeEngine[Any]:
        if dialect.name == "postgresql":
            from sqlalchemy.dialects.postgresql import JSONB

            return dialect.type_descriptor(JSONB(none_as_null=True))
        return dialect.type_descriptor(Text())

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        return super().process_bind_param(None if value is None else sorted(value), dialect)

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        loaded = super().process_result_value(value, dialect)
        return None if loaded is None else frozenset(loaded)

    def to_driver(self, dialect: str) -> Converter | None:
        return lambda tags: json_text(sorted(tags)) if tags else "[]"


DAY = Date()
