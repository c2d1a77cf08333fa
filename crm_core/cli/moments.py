"""Days and moments as people write and read them: in the time zone of the organisation."""

from __future__ import annotations

import datetime as dt

import click

from crm_core.cli.usage import InvalidValue
from crm_core.views.showing import shown

__all__ = ["MOMENT", "Moment", "When", "shown"]


class When:
    """A day or a moment from the command line, before the time zone of the build is known."""

    def __init__(self, day: dt.date | None, moment: dt.datetime | None) -> None:
        self.day = day
        self.moment = moment

    def moment_in(self, tz: dt.tzinfo) -> dt.datetime:
        """The moment; a day is its midnight, and a moment without a zone is one on the organisation's clocks."""
        moment = self.moment or dt.datetime.combine(self.day or dt.date.min, dt.time())
        aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=tz)
        return aware.astimezone(dt.UTC)


class Moment(click.ParamType):  # type: ignore[type-arg]  # generic only since click 8.5
    """``2025-03-01``, ``2025-03-01T09:30`` or ``2025-03-01T09:30+08:00``."""

    name = "moment"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> When:
        """Read it."""
        text = str(value).strip()
        try:
            if len(text) <= 10:
                when = When(dt.date.fromisoformat(text), None)
            else:
                when = When(None, dt.datetime.fromisoformat(text))
            # The ends of the calendar have no moment in every zone.
            when.moment_in(dt.timezone(dt.timedelta(hours=14)))
            when.moment_in(dt.timezone(-dt.timedelta(hours=14)))
        except (ValueError, OverflowError):
            raise InvalidValue(
                "{value!r} is neither a day nor a moment. Write 2025-03-01 or 2025-03-01T09:30+08:00.",
                ctx, param, value=text,
            ) from None  # fmt: skip
        return when


MOMENT = Moment()
