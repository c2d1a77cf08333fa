"""Every transform, and plugins' own."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_core.errors import CrmError
from crm_core.exchange import BUILT_IN, Context, ImportReport
from crm_core.exchange.mapping import Transform
from crm_core.exchange.plan import bound
from crm_core.fields import Money

Load = Callable[..., ImportReport]
SHANGHAI = ZoneInfo("Asia/Shanghai")
CONTEXT = Context(ZoneInfo("America/New_York"), SHANGHAI, "CNY")
XML = (
    '<s xmlns="urn:x"><n kind="a" xmlns:q="urn:q" q:unit="b">12</n><empty/><deep><n>&lt;x&gt; </n></deep><n>13</n></s>'
)
GOOD: Iterable[tuple[str, Mapping[str, Any], Any, Any]] = [
    ("strip", {}, "  a ", "a"),
    ("strip", {}, "  ", None),
    ("strip", {"characters": "*"}, "*a*", "a"),
    ("upper", {}, "straße", "STRASSE"),
    ("lower", {}, "ABC", "abc"),
    ("title", {}, "o'connor AND sons", "O'connor And Sons"),
    ("prefix", {"text": "T"}, 7, "T7"),
    ("part", {"separator": "@"}, "li.wei@example.com", "li.wei"),
    ("part", {"separator": "@", "index": -1}, "li.wei@example.com", "example.com"),
    ("part", {"separator": "@", "index": 1}, "li.wei", None),
    ("replace", {"old": "-", "new": "/"}, "1-2", "1/2"),
    ("shorten", {"length": 3}, "abcd", "ab…"),
    ("shorten", {"length": 4}, "abcd", "abcd"),
    ("join", {}, ["a", None, " ", "b"], "a b"),
    ("join", {"separator": ", "}, [None, ""], None),
    ("join", {}, "a", "a"),
    ("split", {}, "a, b,,", frozenset({"a", "b"})),
    ("map", {"values": {"1": "one"}}, 1, "one"),
    ("map", {"values": {}, "otherwise": "keep"}, "x", "x"),
    ("map", {"values": {}, "otherwise": "empty"}, "x", None),
    ("map", {"values": {}, "otherwise": "other"}, "x", "other"),
    ("map", {"values": {"no": False}, "otherwise": True}, "x", True),
    ("map", {"values": {"no": False}}, "no", False),
    ("int", {}, "1,234.00", 1234),
    ("decimal", {}, ".5", Decimal("0.5")),
    ("decimal", {"comma": True}, "1.234,50", Decimal("1234.50")),
    ("decimal", {"scale": 1}, "0.25", Decimal("0.2")),
    ("money", {}, "12.50", Money("12.50", "CNY")),
    ("money", {"currency": "EUR", "comma": True}, "12,50", Money("12.50", "EUR")),
    ("percent", {}, "30", Decimal("0.3")),
    ("percent", {}, "2.5 %", Decimal("0.025")),
    ("percent", {"comma": True}, "2,5%", Decimal("0.025")),
    ("percent", {}, Decimal("40"), Decimal("0.4")),
    ("day", {}, "2026-11-23 09:30", dt.date(2026, 11, 23)),
    ("day", {"format": "%d.%m.%Y"}, "23.11.2026", dt.date(2026, 11, 23)),
    ("moment", {}, "2026-11-23 09:30", dt.datetime(2026, 11, 23, 14, 30, tzinfo=dt.UTC)),
    ("moment", {"time_zone": "Asia/Shanghai"}, "2026-11-23 09:30", dt.datetime(2026, 11, 23, 1, 30, tzinfo=dt.UTC)),
    ("moment", {}, "2026-11-23T09:30+08:00", dt.datetime(2026, 11, 23, 1, 30, tzinfo=dt.UTC)),
    ("inclusive_end", {}, "2012-11-29 00:00:00.000", dt.datetime(2012, 11, 29, 16, tzinfo=dt.UTC)),
    ("inclusive_end", {"time_zone": "UTC"}, "2012-11-29", dt.datetime(2012, 11, 30, tzinfo=dt.UTC)),
    ("xml", {"path": "n"}, XML, "12"),
    ("xml", {"path": "n/@kind"}, XML, "a"),
    ("xml", {"path": "n/@unit"}, XML, "b"),
    ("xml", {"path": "deep/n"}, XML, "<x>"),
    ("xml", {"path": "empty"}, XML, None),
    ("xml", {"path": "nowhere"}, XML, None),
    ("country_code", {}, "United Kingdom", "GB"),
    ("country_code", {}, " uk ", "GB"),
    ("country_code", {}, "de", "DE"),
    ("country_code", {}, "中国", "CN"),
    ("country_code", {"locale": "de"}, "Österreich", "AT"),
]
BAD: Iterable[tuple[str, Mapping[str, Any], Any, str]] = [
    ("map", {"values": {"a": 1}}, "x", "'x' is none of a"),
    ("int", {}, "12.5", "no whole number"),
    ("int", {}, "1e1000000", "no whole number"),
    ("decimal", {}, "abc", "no number"),
    ("decimal", {}, "NaN", "no number"),
    ("decimal", {"scale": 5}, "1e40", "too many digits"),
    ("money", {"currency": "euro"}, "1", "is no currency"),
    ("percent", {}, "half", "no number"),
    ("day", {}, "23.11.2026", "day or moment such as"),
    ("day", {"format": "%d.%m.%Y"}, "2026", "a day or moment like %d.%m.%Y"),
    ("moment", {}, "0001-01-01T00:00:00+14:00", "before or after all days"),
    ("inclusive_end", {}, "9999-12-31", "end of time"),
    ("xml", {"path": "n"}, "<a>", "This is no XML"),
    ("xml", {"path": "n"}, '<!DOCTYPE s [<!ENTITY a "b">]><s>&a;</s>', "are not read"),
    ("country_code", {}, "Germny", "the nearest name is 'germany'"),
    ("country_code", {}, "Atlantis Xyz", "no country that we know"),
    ("country_code", {"locale": "xx"}, "Germany", "no language 'xx'"),
]


def call(name: str, options: Mapping[str, Any], value: Any) -> Any:
    return bound(Transform(name=name, options=options), BUILT_IN, CONTEXT)(value)


@pytest.mark.parametrize(("name", "options", "value", "expected"), GOOD)
def test_what_they_make(name: str, options: Mapping[str, Any], value: Any, expected: Any) -> None:
    assert call(name, options, value) == expected


@pytest.mark.parametrize(("name", "options", "value", "words"), BAD)
def test_what_they_refuse(name: str, options: Mapping[str, Any], value: Any, words: str) -> None:
    with pytest.raises((ValueError, CrmError), match=words):
        call(name, options, value)


def test_each_is_tested() -> None:
    assert {name for name, *_ in GOOD} == set(BUILT_IN)


@given(st.text())
def test_no_text_brings_one_down(text: str) -> None:
    for name, options in (("int", {}), ("decimal", {}), ("day", {}), ("moment", {}), ("inclusive_end", {}),
                          ("xml", {"path": "a"}), ("country_code", {}), ("money", {}), ("percent", {})):  # fmt: skip
        try:
            call(name, options, text)
        except (ValueError, CrmError):
            continue


class TestInAMapping:
    def test_a_failing_transform_costs_the_row(self, load: Load, crm: Any) -> None:
        def shout(value: str, *, times: int = 1) -> str:
            if value == "bug":
                raise KeyError("bug")
            return value + "!" * times

        object.__setattr__(crm.build, "transforms", {"shout": shout})
        section = {
            "fields": {
                "name": {"column": "name", "transform": {"name": "shout", "times": 2}},
                "note": {"columns": ["a", "b"], "transform": ["join", "upper"], "default": "none"},
                "industry": {"template": "{a}-{{{b}}}"},
                "employees": {
                    "column": "a",
                    "transform": [{"name": "map", "values": {"x": 1}, "otherwise": "empty"}, "int"],
                },
            }
        }
        report = load("id,name,a,b\n1,bug,x,y\n2,ok,x,y\n3,ok,,\n", section)
        assert (report.created, report.rejected) == (2, 1)
        assert report.first_rejects[0].reason == "name: The transform shout failed: KeyError: 'bug'."
        from crm_core.domain.accounts import Account

        with crm.system_session("test", read_only=True) as session:
            got = {(each.name, each.note, each.industry, each.employees) for each in session.list(Account)}
        assert got == {("ok!!", "X Y", "x-{y}", 1), ("ok!!", "none", None, None)}
