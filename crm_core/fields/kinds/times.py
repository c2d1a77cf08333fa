"""Days and moments."""

from __future__ import annotations

import datetime as dt
from typing import Any, ClassVar

from sqlalchemy import Date, types

from crm_core.fields import columns
from crm_core.fields.kinds.base import Kind
from crm_core.fields.kinds.base import refusal as _fail

__all__ = ["FIRST", "LAST", "DayKind", "MomentKind"]

FIRST = dt.datetime(1, 1, 2, tzinfo=dt.UTC)
LAST = dt.datetime(9999, 12, 31, tzinfo=dt.UTC)
"""The first and the last moment that the clocks of every place can show."""


class DayKind(Kind):
    """A calendar day."""

    name: ClassVar[str] = "day"
    python: ClassVar[str] = "date"

    def columns(self) -> tuple[tuple[str, types.TypeEngine[Any]], ...]:
        return (("", Date()),)

    def check(self, value: Any) -> Any:
        if isinstance(value, dt.datetime) or not isinstance(value, dt.date):
            raise _fail("Expected a day (datetime.date), not {given}.", given=type(value).__name__)
        return value

    def fast(self, var: str) -> str:
        return f"type({var}) is date_"

    def encode(self, value: Any) -> Any:
        return value.isoformat()

    def decode(self, value: Any) -> Any:
        return self.parse(value) if isinstance(value, str) else self.check(value)

    def parse(self, text: str) -> Any:
        day, _, _time = text.strip().replace("T", " ").partition(" ")
        try:
            return dt.date.fromisoformat(day)
        except ValueError:
            raise _fail("{value!r} is no day.", "Write it as 2026-11-23.", value=text) from None

    def format(self, value: Any) -> str:
        return str(value.isoformat())


class MomentKind(Kind):
    """A moment: an aware ``datetime``, kept in UTC with microseconds, a day or more from the ends of the calendar.

    So it can be shown by the clocks of any place.
    """

    name: ClassVar[str] = "moment"
    python: ClassVar[str] = "datetime"

    def columns(self) -> tuple[tuple[str, types.TypeEngine[Any]], ...]:
        return (("", columns.Moment()),)

    def check(self, value: Any) -> Any:
        if not isinstance(value, dt.datetime):
            raise _fail("Expected a moment (datetime.datetime), not {given}.", given=type(value).__name__)
        if value.tzinfo is None:
            raise _fail("{value} has no time zone.", "Give an aware datetime, such as one in UTC.", value=value)
        try:
            moment = value if value.tzinfo is dt.UTC else value.astimezone(dt.UTC)
        except OverflowError:
            raise _fail("{value} lies outside the years 1 to 9999 in UTC.", value=value) from None
        if not FIRST <= moment <= LAST:
            raise _fail(
                "{value} by the clocks of some time zones lies outside of the years 1 to 9999.",
                "Leave it empty for what has no beginning or no end.", value=value,
            )  # fmt: skip
        return moment

    def fast(self, var: str) -> str:
        return f"type({var}) is datetime_ and {var}.tzinfo is utc_ and first_ <= {var} <= last_"

    def encode(self, value: Any) -> Any:
        return value.isoformat(timespec="microseconds")

    def decode(self, value: Any) -> Any:
        return self.parse(value) if isinstance(value, str) else self.check(value)

    def parse(self, text: str) -> Any:
        try:
            moment = dt.datetime.fromisoformat(text.strip())
        except ValueError:
            raise _fail("{value!r} is no moment.", "Write it as 2026-11-23T09:30:00+08:00.", value=text) from None
        return self.check(moment)

    def format(self, value: Any) -> str:
        return str(value.isoformat())
