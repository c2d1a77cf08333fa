"""What an expression is bound in, and where its evaluation in memory finds other records."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol, TypeAlias

import attrs
from sqlalchemy import ColumnElement, FromClause

from crm_core.fields import Field
from crm_core.records import Record, RecordType

__all__ = ["Derived", "Environment", "Row", "World"]

Row: TypeAlias = Record | Mapping[str, Any]
"""A record, or its values by field name; an absent field is ``None``."""


class World(Protocol):
    """Other records, for evaluation in memory: only those that the actor may see."""

    def record(self, record_type: RecordType, id: int) -> Row | None:
        """The visible record of that type with that id; an extension has the id of the record it extends."""

    def members(self, record_type: RecordType, field: str, id: int) -> Iterable[Row]:
        """The visible records of that type whose reference ``field`` is ``id``; of dated ones those valid at ``at``."""


@attrs.frozen
class Derived:
    """A step that follows from rows of another type: ``account.owner`` from ownership.

    ``through`` is the type whose rows are looked at; ``back`` its reference to the record we come from, ``forward`` its
    reference to the record of type ``target`` that we go to; ``where`` maps fields of the rows to the values they must
    have. Of several rows the one with the lowest id counts; of dated rows those valid at the environment's ``at``.
    """

    record_type: str
    name: str
    target: str
    through: str
    back: str
    forward: str
    where: Mapping[str, Any] = attrs.field(factory=dict)


def _nobody(record_type: RecordType, field: Field) -> bool:
    return False


def _today(env: Environment) -> dt.date:
    return env.now.astimezone(env.tz).date()


@attrs.frozen(kw_only=True, eq=False)
class Environment:
    """The time, the reader's rights and the build's own fields.

    ``now`` is an aware moment; ``today`` follows from it in ``tz``, the organisation's time zone. Dated rows count
    when they are valid ``at``. ``custom`` maps a record type's name to its custom fields. ``readable`` is asked for
    fields that need a permission. ``visible`` gives the condition under which a row of a table (or alias) may be
    seen; ``None`` is all. It is asked for every record that is stepped to, not for the rows that are filtered.
    """

    now: dt.datetime
    tz: dt.tzinfo
    visible: Callable[[RecordType, FromClause], ColumnElement[bool] | None]
    at: dt.datetime = attrs.field(default=attrs.Factory(lambda env: env.now, takes_self=True))
    today: dt.date = attrs.field(default=attrs.Factory(_today, takes_self=True))
    custom: Mapping[str, Mapping[str, Field]] = attrs.field(factory=dict)
    readable: Callable[[RecordType, Field], bool] = _nobody
    derived: tuple[Derived, ...] = ()

    def may_read(self, record_type: RecordType, field: Field) -> bool:
        """Whether the reader may know of ``field``."""
        return field.restricted is None or self.readable(record_type, field)

    def midnight(self, day: dt.date) -> dt.datetime:
        """The moment at which ``day`` begins for the organisation; :class:`OverflowError` at the ends of time."""
        return dt.datetime.combine(day, dt.time(), self.tz).astimezone(dt.UTC)
