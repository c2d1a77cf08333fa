"""The times that a rule of an event says, at a bounded cost: whoever wrote the rule, and however far back it begins.

What works a rule out looks for its next time as far as there are years: to a rule that no day fulfils (the 30th of
February), that is eight thousand of them. So it is asked about the last years that there are with the same calendar
as those wanted, where it soon comes to the end.
"""

from __future__ import annotations

import calendar
import datetime as dt
from typing import Any

from dateutil.rrule import rrulestr

from crm_core.errors import ValidationError

__all__ = ["times_of"]

MOST_TRIED = 50_000
_MOST_YEARS = 200
_OFTEN = ("DAILY", "WEEKLY", "MONTHLY", "YEARLY")
_DAYS = ("BYWEEKNO", "BYYEARDAY", "BYMONTHDAY", "BYDAY")


def times_of(rule: Any, start: dt.datetime, first: dt.datetime, last: dt.datetime, most: int) -> list[dt.datetime]:
    """The times from ``first`` to ``last`` of a rule that begins at ``start``, all by one clock; one more than ``most``
    when there are more. ``UNTIL`` has been made one of that clock.

    Raises :class:`ValidationError` for a rule that comes more often than daily, or that costs too much to work out.
    """
    copy = type(rule)({name: list(dict.fromkeys(_listed(value))) for name, value in rule.items()})
    frequency = str((copy.get("FREQ") or [""])[0]).upper()
    if frequency not in _OFTEN:
        raise ValidationError("It comes again {rule}, which is more often than daily.", rule=frequency or "?")
    interval = int((copy.get("INTERVAL") or [1])[0])
    if interval < 1:
        raise ValidationError(
            "It comes again every {interval} times.", mend="Its INTERVAL is 1 or more.", interval=interval
        )
    if "COUNT" not in copy:
        start = _nearer(copy, frequency, interval, start, first)
    elif first.year - start.year > _MOST_YEARS:
        raise ValidationError(
            "Its times are counted from the year {year} on.", mend="Let it begin later, or have no COUNT.",
            year=start.year,
        )  # fmt: skip
    if start > last:
        return []
    years = _years_on(max(min(start.year, first.year) - 1, 1), min(last.year + 1, dt.MAXYEAR))
    if until := copy.get("UNTIL"):
        last = min(last, until[0])
        del copy["UNTIL"]
    found: list[dt.datetime] = []
    for tried, each in enumerate(rrulestr(copy.to_ical().decode(), dtstart=_moved(start, years), ignoretz=True)):
        if tried >= MOST_TRIED:
            raise ValidationError(
                "It comes more than {most} times up to {end}.",
                mend="Take events from a shorter time: --since and --until say from when to when.",
                most=MOST_TRIED, end=f"{last:%Y-%m-%d}",
            )  # fmt: skip
        moment = _moved(each, -years)
        if moment > last or len(found) > most:
            break
        if moment >= first:
            found.append(moment)
    return found


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _moved(moment: dt.datetime, years: int) -> dt.datetime:
    return moment.replace(year=moment.year + years)


def _years_on(first: int, last: int) -> int:
    """How many years on the calendar is the same from ``first`` to ``last``, as many as there can be."""
    kinds = [_kind(year) for year in range(first, last + 1)]
    # It is at least every 400 years.
    return next(
        years
        for years in range(dt.MAXYEAR - last, -1, -1)
        if all(_kind(year + years) == kind for year, kind in enumerate(kinds, first))
    )


def _kind(year: int) -> tuple[int, bool]:
    return calendar.weekday(year, 1, 1), calendar.isleap(year)


def _nearer(rule: Any, frequency: str, interval: int, start: dt.datetime, first: dt.datetime) -> dt.datetime:
    """Where a rule that does not count may begin as well: some periods before ``first``, and in step with ``start``.

    What the rule takes from its beginning is written into it where the beginning moves to another day of the month.
    """
    if start >= first:
        return start
    if frequency in ("DAILY", "WEEKLY"):
        step = dt.timedelta(days=interval * (7 if frequency == "WEEKLY" else 1))
        return start + max((first - start) // step - 1, 0) * step
    months = interval * (12 if frequency == "YEARLY" else 1)
    steps = ((first.year - start.year) * 12 + first.month - start.month) // months - 1
    if steps < 1:
        return start
    if not any(name in rule for name in _DAYS):
        rule["BYMONTHDAY"] = [start.day]
        if frequency == "YEARLY" and "BYMONTH" not in rule:
            rule["BYMONTH"] = [start.month]
    month = start.year * 12 + (start.month - 1 if frequency == "MONTHLY" else 0) + steps * months
    return start.replace(year=month // 12, month=month % 12 + 1, day=1)
