"""Transforms to days and moments."""

from __future__ import annotations

import datetime as dt
from contextlib import suppress
from typing import Any
from zoneinfo import ZoneInfo

from crm_core.exchange.transforms.context import Context
from crm_core.exchange.transforms.refusal import Refusal

__all__ = ["day", "inclusive_end", "moment", "read_moment"]


def _read(value: Any, format: str | None, context: Context | None = None) -> dt.datetime:
    text = str(value).strip()
    try:
        return dt.datetime.strptime(text, format) if format else dt.datetime.fromisoformat(text)
    except ValueError:
        if format and context is not None and context.typed:
            # A cell that holds a day shows it in some format, but does not hold the format's text.
            with suppress(ValueError):
                return dt.datetime.fromisoformat(text)
        if format:
            raise Refusal("{value!r} is not a day or moment like {format}.", value=text, format=format) from None
        raise Refusal("{value!r} is not a day or moment such as 2026-11-23 09:30:00.", value=text) from None


def day(value: Any, *, format: str | None = None, context: Context | None = None) -> dt.date:
    """A calendar day. ``format`` is one of Python's ``strptime``, such as ``%d.%m.%Y``."""
    return _read(value, format, context).date()


def read_moment(value: Any, tz: dt.tzinfo, format: str | None = None, context: Context | None = None) -> dt.datetime:
    """A moment in UTC; where the text names no zone it is one of ``tz``."""
    found = _read(value, format, context)
    if found.tzinfo is None:
        found = found.replace(tzinfo=tz)
    try:
        return found.astimezone(dt.UTC)
    except OverflowError:
        raise Refusal("{value!r} lies before or after all days that there are.", value=value) from None


def moment(value: Any, *, format: str | None = None, time_zone: str | None = None, context: Context) -> dt.datetime:
    """A moment. Where the text names no zone it is one of ``time_zone``, or else of the mapping's."""
    return read_moment(value, ZoneInfo(time_zone) if time_zone else context.tz, format, context)


def inclusive_end(
    value: Any, *, format: str | None = None, time_zone: str | None = None, context: Context
) -> dt.datetime:
    """The end of a range whose last day still belongs to it: midnight after that day, in the organisation's zone."""
    tz = ZoneInfo(time_zone) if time_zone else context.organisation_tz
    try:
        after = _read(value, format, context).date() + dt.timedelta(days=1)
        return dt.datetime.combine(after, dt.time(), tz).astimezone(dt.UTC)
    except OverflowError:
        # The last day that Python knows is how many systems write "no end".
        raise Refusal("{value!r} is the end of time.", value=value) from None
