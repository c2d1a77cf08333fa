"""When work recurs: on the clocks of the organisation, in order, each once, whatever the clocks do."""

from __future__ import annotations

import datetime as dt
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

import pytest
from dateutil.rrule import rrulestr
from hypothesis import given
from hypothesis import strategies as st

from crm_core.store.recurrence import check, latest_and_next, occurrences

UTC = dt.UTC
BERLIN, SHANGHAI, APIA = ZoneInfo("Europe/Berlin"), ZoneInfo("Asia/Shanghai"), ZoneInfo("Pacific/Apia")
ZONES = ["Europe/Berlin", "Asia/Shanghai", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia", "UTC"]
NIGHTLY = "FREQ=DAILY;BYHOUR=2;BYMINUTE=30;BYSECOND=0"


def local(rule: str, zone: ZoneInfo, after: str, count: int) -> list[str]:
    moment = dt.datetime.fromisoformat(after).replace(tzinfo=zone).astimezone(UTC)
    return [f"{each.astimezone(zone):%m-%d %H:%M%z}" for each in islice(occurrences(rule, zone, moment), count)]


def test_a_day_is_one_of_the_organisation() -> None:
    after = dt.datetime(2026, 5, 1, 12, tzinfo=UTC)
    assert next(occurrences(NIGHTLY, SHANGHAI, after)) == dt.datetime(2026, 5, 1, 18, 30, tzinfo=UTC)


def test_what_falls_into_the_hour_that_is_left_out_comes_as_much_later() -> None:
    assert local(NIGHTLY, BERLIN, "2026-03-28T00:00", 3) == ["03-28 02:30+0100", "03-29 03:30+0200", "03-30 02:30+0200"]


def test_of_the_hour_that_comes_twice_the_first_counts() -> None:
    assert local(NIGHTLY, BERLIN, "2026-10-24T12:00", 2) == ["10-25 02:30+0200", "10-26 02:30+0100"]


def test_what_goes_by_the_hour_goes_on_through_both() -> None:
    rule = "FREQ=HOURLY;BYMINUTE=0;BYSECOND=0"
    assert local(rule, BERLIN, "2026-10-25T01:30", 4) == [
        "10-25 02:00+0200", "10-25 02:00+0100", "10-25 03:00+0100", "10-25 04:00+0100",
    ]  # fmt: skip
    assert local(rule, BERLIN, "2026-03-29T00:30", 3) == ["03-29 01:00+0100", "03-29 03:00+0200", "03-29 04:00+0200"]


def test_a_day_that_an_island_left_out_has_its_occurrence_with_the_next() -> None:
    # Samoa had no 30 December 2011. What would be on both days at one moment is once.
    assert local(NIGHTLY, APIA, "2011-12-29T00:00", 3) == ["12-29 02:30-1000", "12-31 02:30+1400", "01-01 02:30+1400"]


def test_every_second_week_counts_from_a_fixed_week_or_from_a_start() -> None:
    found = local("FREQ=WEEKLY;INTERVAL=2;BYDAY=MO;BYHOUR=6;BYMINUTE=0;BYSECOND=0", SHANGHAI, "2026-01-01T00:00", 3)
    assert found == ["01-05 06:00+0800", "01-19 06:00+0800", "02-02 06:00+0800"]
    found = local("DTSTART:20260112T060000 RRULE:FREQ=WEEKLY;INTERVAL=2", SHANGHAI, "2026-01-01T00:00", 2)
    assert found == ["01-12 06:00+0800", "01-26 06:00+0800"]


def test_a_rule_may_end() -> None:
    rule = "DTSTART:20260101T000000\nRRULE:FREQ=DAILY;COUNT=3"
    assert local(rule, SHANGHAI, "2025-06-01T00:00", 9) == ["01-01 00:00+0800", "01-02 00:00+0800", "01-03 00:00+0800"]
    assert local(rule, SHANGHAI, "2026-06-01T00:00", 9) == []
    assert local("FREQ=DAILY;UNTIL=20260102T000000", SHANGHAI, "2025-12-31T12:00", 9) == [
        "01-01 00:00+0800", "01-02 00:00+0800",
    ]  # fmt: skip


def test_years_and_leap_days_are_found() -> None:
    after = dt.datetime(2097, 1, 1, tzinfo=UTC)
    leap = next(occurrences("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29;BYHOUR=0;BYMINUTE=0;BYSECOND=0", UTC, after))
    assert leap == dt.datetime(2104, 2, 29, tzinfo=UTC)


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ("every night", "Write one rule"),
        ("nightly", "FREQ is one of MINUTELY"),
        ("", "Write one rule"),
        ("FREQ=SECONDLY", "FREQ is one of MINUTELY"),
        ("FREQ=DAILY;BYHOUR=44", "hour must be in 0..23"),
        ("FREQ=DAILY;BYHOURS=2", "BYHOURS"),
        ("FREQ=DAILY;INTERVAL=0", "INTERVAL is 1 or more"),
        ("FREQ=DAILY;COUNT=3", "needs a start"),
        ("DTSTART:20260101 FREQ=DAILY", "Write the start as"),
        ("DTSTART;TZID=Europe/Berlin:20260101T000000 FREQ=DAILY", "Write the start as"),
        ("FREQ=DAILY\nFREQ=WEEKLY", "Write one rule"),
        ("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", "no day and time"),
    ],
)
def test_what_is_no_rule_is_told_with_what_to_write(rule: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        check(rule)


def written(freq: str, interval: int, hours: str, minute: int, days: str) -> str:
    if freq == "HOURLY" and hours:
        interval = 1  # of every second hour none may be among these
    parts = [f"FREQ={freq}", f"INTERVAL={interval}", f"BYMINUTE={minute}", "BYSECOND=0"]
    return ";".join(parts + [f"BYHOUR={hours}"] * bool(hours) + [f"BYDAY={days}"] * bool(days))


RULES = st.builds(
    written,
    st.sampled_from(["HOURLY", "DAILY", "WEEKLY", "MONTHLY"]),
    st.integers(1, 4),
    st.sampled_from(["", "1", "2", "3", "0,2,12", "23"]),
    st.sampled_from([0, 15, 30, 59]),
    st.sampled_from(["", "MO", "SU", "MO,FR,SU"]),
)
MOMENTS = st.datetimes(dt.datetime(2009, 1, 1), dt.datetime(2030, 1, 1), timezones=st.just(UTC))


@given(RULES, st.sampled_from(ZONES), MOMENTS)
def test_occurrences_are_later_rise_and_do_not_depend_on_when_one_looks(rule, zone, after) -> None:
    found = list(islice(occurrences(rule, ZoneInfo(zone), after), 12))
    assert all(each > after for each in found)
    assert all(one < two for one, two in pairwise(found))
    # Asked from each of them on, the next is the same: nobody misses or repeats one by looking at another moment.
    for one, two in pairwise(found):
        assert next(occurrences(rule, ZoneInfo(zone), one)) == two
    if found and found[0] - after > dt.timedelta(seconds=1):
        between = after + (found[0] - after) / 2
        assert next(occurrences(rule, ZoneInfo(zone), between)) == found[0]


@given(RULES, st.sampled_from(ZONES), MOMENTS)
def test_every_local_time_of_the_rule_has_its_moment(rule, zone, after) -> None:
    """Against dateutil alone, which knows no zones: each of its local times is there, on that clock or put forward."""
    tz = ZoneInfo(zone)
    start = after.astimezone(tz).replace(tzinfo=None)
    parsed = rrulestr(rule, dtstart=dt.datetime(2000, 1, 1), ignoretz=True)
    wanted = [
        each.replace(tzinfo=tz).astimezone(UTC)
        for each in parsed.between(start + dt.timedelta(days=1), start + dt.timedelta(days=60))
    ]
    found = set()
    for each in occurrences(rule, tz, after):
        if each > after + dt.timedelta(days=62):
            break
        found.add(each)
    assert set(wanted) <= found


@given(RULES, st.sampled_from(ZONES), MOMENTS, st.integers(0, 40 * 24))
def test_of_what_was_missed_the_latest_stays(rule, zone, after, hours) -> None:
    tz = ZoneInfo(zone)
    first = next(occurrences(rule, tz, after))
    now = first + dt.timedelta(hours=hours)
    latest, following = latest_and_next(rule, tz, first, now)
    assert first <= latest <= now < following
    assert following == next(occurrences(rule, tz, now))
    assert latest == first or next(occurrences(rule, tz, latest - dt.timedelta(microseconds=1))) == latest


def test_the_last_of_a_rule_that_ends_has_none_after_it() -> None:
    rule = "DTSTART:20260101T000000 FREQ=DAILY;COUNT=3"
    first = dt.datetime(2026, 1, 1, tzinfo=UTC)
    assert latest_and_next(rule, UTC, first, dt.datetime(2026, 5, 1, tzinfo=UTC)) == (
        dt.datetime(2026, 1, 3, tzinfo=UTC), None,
    )  # fmt: skip
