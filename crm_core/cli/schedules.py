"""Recurrence rules in words, as far as people write them often; a rule that says more is left as it is.

No library that is kept up says them in Chinese, and few schedules of jobs say more than this.
"""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from crm_core.translation import Translator

__all__ = ["in_words"]

_DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_DAY_LABELS = {"MO": "Monday", "TU": "Tuesday", "WE": "Wednesday", "TH": "Thursday", "FR": "Friday", "SA": "Saturday",
               "SU": "Sunday"}  # fmt: skip
_WORKDAYS = list(_DAYS[:5])
_KNOWN = {"FREQ", "INTERVAL", "BYHOUR", "BYMINUTE", "BYSECOND", "BYDAY", "BYMONTHDAY", "BYMONTH"}
_FITTING = {
    "MINUTELY": {"FREQ", "INTERVAL", "BYSECOND"},
    "HOURLY": {"FREQ", "INTERVAL", "BYSECOND", "BYMINUTE"},
    "DAILY": _KNOWN - {"BYMONTHDAY", "BYMONTH", "BYDAY"},
    "WEEKLY": _KNOWN - {"BYMONTHDAY", "BYMONTH"},
    "MONTHLY": _KNOWN - {"BYDAY", "BYMONTH"},
    "YEARLY": _KNOWN - {"BYDAY"},
}
"""By frequency, what may stand beside it so that the words below say all of it."""


def in_words(rule: str, translator: Translator) -> str:
    """When a schedule comes round, in the reader's language; the rule itself where words would not say all of it."""
    found = _said(re.sub(r"^RRULE:", "", rule.strip(), flags=re.IGNORECASE).upper(), translator)
    return rule if found is None else found


def _said(rule: str, translator: Translator) -> str | None:
    parts = dict(part.partition("=")[::2] for part in rule.split(";"))
    frequency = parts.get("FREQ", "")
    if not parts.keys() <= _FITTING.get(frequency, set()) or parts.get("BYSECOND", "0") != "0":
        return None
    try:
        every = int(parts.get("INTERVAL", "1"))
        # What a rule does not say follows from where it counts from: midnight, a Saturday, the first of January.
        hours, minutes = _numbers(parts, "BYHOUR", 0), _numbers(parts, "BYMINUTE", 0)
        days, months = _numbers(parts, "BYMONTHDAY", 1), _numbers(parts, "BYMONTH", 1)
    except ValueError:
        return None
    if frequency == "MINUTELY":
        return translator.format("every minute" if every == 1 else "every {count} minutes", count=every)
    if frequency == "HOURLY":
        at = _joined(translator, [str(each) for each in minutes])
        return translator.format(
            "every hour, at minute {at}" if every == 1 else "every {count} hours, at minute {at}", count=every, at=at
        )
    at = _joined(translator, [f"{hour:02}:{minute:02}" for hour in hours for minute in minutes])
    if frequency == "DAILY":
        return translator.format(
            "every day at {at}" if every == 1 else "every {count} days at {at}", count=every, at=at
        )
    if frequency == "WEEKLY":
        return _weekly(translator, parts.get("BYDAY", "SA").split(","), every, at)
    if frequency == "MONTHLY":
        return _monthly(translator, days, every, at)
    if every != 1 or len(months) > 1 or len(days) > 1 or days[0] < 1:
        return None
    day = dt.date(2000, months[0], 1).strftime("%m-") + f"{days[0]:02}"
    return translator.format("every year on {day} at {at}", day=day, at=at)


def _weekly(translator: Translator, days: list[str], every: int, at: str) -> str | None:
    if not set(days) <= set(_DAYS):  # the second Monday
        return None
    days = sorted(set(days), key=_DAYS.index)
    if days == _WORKDAYS and every == 1:
        return translator.format("Monday to Friday at {at}", at=at)
    names = _joined(translator, [translator.text(_DAY_LABELS[each]) for each in days])
    return translator.format(
        "every {days} at {at}" if every == 1 else "every {count} weeks on {days} at {at}",
        count=every, days=names, at=at,
    )  # fmt: skip


def _monthly(translator: Translator, days: list[int], every: int, at: str) -> str | None:
    if days == [-1]:
        return translator.format(
            "on the last day of every month at {at}" if every == 1 else
            "on the last day of every {count} months at {at}",
            count=every, at=at,
        )  # fmt: skip
    if min(days) < 1:
        return None
    names = _joined(translator, [str(each) for each in days])
    return translator.format(
        "on day {days} of every month at {at}" if every == 1 else "on day {days} of every {count} months at {at}",
        count=every, days=names, at=at,
    )  # fmt: skip


def _numbers(parts: dict[str, str], name: str, else_: int) -> list[int]:
    return sorted({int(each) for each in parts[name].split(",")}) if name in parts else [else_]


def _joined(translator: Translator, words: list[str]) -> str:
    return ("、" if translator.language.startswith("zh") else ", ").join(words)
