"""Rules of events: the same times as worked out one by one from their beginning, and never at a great cost."""

from __future__ import annotations

import datetime as dt
import itertools
from typing import Any

import pytest
from dateutil.rrule import rrulestr
from hypothesis import given, settings
from hypothesis import strategies as st
from icalendar.prop import vRecur

from crm_core.errors import ValidationError
from crm_core.exchange.calendars.rules import times_of

FIRST, LAST = dt.datetime(2025, 2, 5), dt.datetime(2026, 11, 20)
DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")


@st.composite
def rules(draw: st.DrawFn) -> str:
    often = draw(st.sampled_from(["DAILY", "WEEKLY", "MONTHLY", "YEARLY"]))
    parts = [f"FREQ={often}", f"INTERVAL={draw(st.integers(1, 5))}"]
    chosen: list[tuple[str, Any]] = [
        ("BYMONTH", st.sampled_from([1, 2, 4, 12])),
        # Days that every month has: without them, what we compare with looks for thousands of years.
        ("BYMONTHDAY", st.sampled_from([-1, 1, 15, 28]) if often != "WEEKLY" else st.just(15)),
        ("BYHOUR", st.sampled_from([8, 17])),
    ]
    if often in ("YEARLY", "MONTHLY"):
        chosen.append(("BYDAY", st.builds("{}{}".format, st.sampled_from(["", "1", "-1"]), st.sampled_from(DAYS))))
    else:
        chosen.append(("BYDAY", st.sampled_from(DAYS)))
    name, values = draw(st.sampled_from(chosen))
    if draw(st.booleans()):
        parts.append(f"{name}={','.join(map(str, draw(st.lists(values, min_size=1, max_size=3))))}")
        if draw(st.booleans()):
            parts.append(f"BYSETPOS={draw(st.sampled_from([1, -1]))}")
    if draw(st.booleans()):
        parts.append(f"COUNT={draw(st.integers(1, 300))}")
    return ";".join([*parts, f"WKST={draw(st.sampled_from(['MO', 'SU']))}"])


@settings(deadline=None)
@given(rules(), st.datetimes(dt.datetime(1960, 1, 1), dt.datetime(2027, 1, 1)))
def test_the_same_as_one_by_one(rule: str, start: dt.datetime) -> None:
    start = start.replace(microsecond=0)
    until = itertools.takewhile(lambda each: each <= LAST, rrulestr(rule, dtstart=start))
    expected = [each for each in until if each >= FIRST]
    assert times_of(vRecur.from_ical(rule), start, FIRST, LAST, 10_000) == expected


@pytest.mark.parametrize(
    ("rule", "start", "found"),
    [
        ("FREQ=YEARLY", dt.datetime(1904, 2, 29), []),
        ("FREQ=MONTHLY", dt.datetime(1, 1, 31, 9), 12),
        ("FREQ=DAILY", dt.datetime(1, 1, 1, 9), 653),
        ("FREQ=YEARLY;BYMONTHDAY=7", dt.datetime(1700, 3, 7, 9), 22),
        ("FREQ=DAILY;UNTIL=20250207T090000", dt.datetime(1, 1, 1, 9), 3),
        ("FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30", dt.datetime(1, 1, 1), []),
        ("FREQ=DAILY;COUNT=5;BYMONTH=2;BYMONTHDAY=30", dt.datetime(2000, 1, 1), []),
        ("FREQ=DAILY", dt.datetime(2030, 1, 1), []),
    ],
)
@pytest.mark.timeout(60)  # whoever goes through all that lies before does not come to an end
def test_far_back_and_never(rule: str, start: dt.datetime, found: Any) -> None:
    times = times_of(vRecur.from_ical(rule), start, FIRST, LAST, 10_000)
    assert (len(times) if isinstance(found, int) else times) == found


def test_to_the_last_year() -> None:
    first, last = dt.datetime(9998, 1, 1), dt.datetime(9999, 12, 31)
    assert len(times_of(vRecur.from_ical("FREQ=MONTHLY"), dt.datetime(2026, 1, 5), first, last, 100)) == 24


def test_too_many_before() -> None:
    seconds = ",".join(map(str, range(60)))
    rule = vRecur.from_ical(f"FREQ=DAILY;COUNT=9000000;BYMINUTE={seconds};BYSECOND={seconds}")
    with pytest.raises(ValidationError, match="more than 50000 times"):
        times_of(rule, dt.datetime(2024, 1, 1), FIRST, LAST, 1000)
