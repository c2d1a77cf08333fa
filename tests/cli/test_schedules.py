"""Schedules in words: what they say is all that the rule says, or they are not said."""

from __future__ import annotations

import datetime as dt
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_core.cli.schedules import in_words
from crm_core.store.recurrence import check, occurrences
from crm_core.translation import Translator


@pytest.mark.parametrize(
    ("rule", "english", "chinese"),
    [
        ("FREQ=DAILY;BYHOUR=2;BYMINUTE=30;BYSECOND=0", "every day at 02:30", "每天 02:30"),
        ("FREQ=DAILY;INTERVAL=3;BYHOUR=2,14", "every 3 days at 02:00, 14:00", "每 3 天 02:00、14:00"),
        ("RRULE:FREQ=HOURLY;BYMINUTE=5;BYSECOND=0", "every hour, at minute 5", "每小时第 5 分钟"),
        ("FREQ=HOURLY;INTERVAL=6", "every 6 hours, at minute 0", "每 6 小时第 0 分钟"),
        ("FREQ=MINUTELY", "every minute", "每分钟"),
        ("FREQ=MINUTELY;INTERVAL=15", "every 15 minutes", "每 15 分钟"),
        ("FREQ=WEEKLY;BYDAY=TH,MO;BYHOUR=6", "every Monday, Thursday at 06:00", "每周一、周四 06:00"),
        ("FREQ=WEEKLY;INTERVAL=2;BYDAY=SU", "every 2 weeks on Sunday at 00:00", "每 2 周的周日 00:00"),
        ("FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR;BYHOUR=7", "Monday to Friday at 07:00", "周一至周五 07:00"),
        ("FREQ=WEEKLY", "every Saturday at 00:00", "每周六 00:00"),
        ("FREQ=MONTHLY;BYMONTHDAY=1,15;BYHOUR=3", "on day 1, 15 of every month at 03:00", "每月 1、15 日 03:00"),
        ("FREQ=MONTHLY;INTERVAL=3;BYMONTHDAY=2", "on day 2 of every 3 months at 00:00", "每 3 个月的 2 日 00:00"),
        ("FREQ=MONTHLY;BYMONTHDAY=-1;BYHOUR=23", "on the last day of every month at 23:00", "每月最后一天 23:00"),
        ("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=9", "every year on 02-09 at 00:00", "每年 02-09 00:00"),
    ],
)  # fmt: skip
def test_frequent_forms_in_both_languages(rule: str, english: str, chinese: str) -> None:
    check(rule)
    assert in_words(rule, Translator("en")) == english
    assert in_words(rule, Translator("zh_CN")) == chinese


@pytest.mark.parametrize(
    "rule",
    [
        "", "DTSTART:20260301T020000 FREQ=DAILY;COUNT=3", "FREQ=DAILY;UNTIL=20260102T000000", "FREQ=MONTHLY;BYDAY=2MO",
        "FREQ=WEEKLY;BYDAY=2MO", "FREQ=DAILY;BYSECOND=30", "FREQ=MONTHLY;BYMONTHDAY=-2", "FREQ=YEARLY;BYMONTH=1,2",
        "FREQ=MONTHLY;BYDAY=MO,TU;BYSETPOS=-1", "FREQ=DAILY;BYHOUR=x", "every night", "FREQ=YEARLY;INTERVAL=2",
        "FREQ=MINUTELY;BYHOUR=3",
    ],
)  # fmt: skip
def test_anything_else_stays_as_it_is(rule: str) -> None:
    assert in_words(rule, Translator("en")) == rule
    assert in_words(rule, Translator("zh_CN")) == rule


@given(
    st.integers(1, 3), st.sets(st.integers(0, 23), max_size=3), st.sets(st.integers(0, 59), max_size=2),
    st.sets(st.sampled_from(["MO", "TU", "WE", "TH", "FR", "SA", "SU"]), max_size=7),
)  # fmt: skip
def test_the_times_that_are_said_are_those_at_which_it_recurs(
    every: int, hours: set[int], minutes: set[int], days: set[str]
) -> None:
    parts = [f"FREQ=WEEKLY;INTERVAL={every}"]
    parts += [f"{name}={','.join(map(str, sorted(values)))}" for name, values in (
        ("BYHOUR", hours), ("BYMINUTE", minutes), ("BYDAY", days)) if values]  # fmt: skip
    rule = ";".join(parts)
    said = in_words(rule, Translator("en"))
    assert said != rule
    moments = []
    after = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    for each in occurrences(rule, dt.UTC, after):
        if each > after + dt.timedelta(weeks=every):
            break
        moments.append(each)
    assert set(re.findall(r"\d\d:\d\d", said)) == {f"{each:%H:%M}" for each in moments}
    named = set(re.findall(r"(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day", said))
    if "Monday to Friday" in said:
        named = {"Monday", "Tuesday", "Wednesday", "Thursday", "Friday"}
    assert named == {f"{each:%A}" for each in moments}
