from __future__ import annotations

import datetime as dt
from decimal import Decimal
from enum import Enum
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_core import fields as f
from crm_core.errors import DeclarationError, ValidationError
from crm_core.fields import KINDS, Address, Field, Money
from crm_core.fields.field import NO_DEFAULT
from crm_core.fields.kinds import NumberKind, PhoneKind, TextKind
from crm_core.fields.kinds.times import FIRST, LAST
from crm_core.store.values import decode_values, encode_values
from crm_core.testing.strategies import values

UTC = dt.UTC
CHINA = dt.timezone(dt.timedelta(hours=8))


class Colour(Enum):
    RED = "red"
    GREEN = "green"


def field(attribute: Any) -> Field:
    """The field behind a declaration, named as a record would name it."""
    return attrs.evolve(attribute.metadata["crm_core.field"], name="it")


DECLARED = {
    "text": field(f.text(20)),
    "choice": field(f.choice(Colour)),
    "number": field(f.number(2)),
    "money": field(f.money()),
    "day": field(f.day()),
    "moment": field(f.moment()),
    "flag": field(f.flag()),
    "ref": field(f.ref("account")),
    "tags": field(f.tags()),
    "json": field(f.json()),
    "email": field(f.email()),
    "phone": field(f.phone()),
    "url": field(f.url()),
    "address": field(f.address()),
}


def test_every_kind_is_tested_here():
    assert DECLARED.keys() == KINDS.keys()


ACCEPTED: list[tuple[str, Any, Any]] = [
    ("text", "", ""), ("text", "x" * 20, "x" * 20), ("text", "多" * 20, "多" * 20), ("text", "a\nb\t", "a\nb\t"),
    ("choice", Colour.RED, Colour.RED), ("choice", "green", Colour.GREEN),
    ("number", 1, Decimal(1)), ("number", Decimal("-1.25"), Decimal("-1.25")),
    ("number", Decimal("9999999999999999.99"), Decimal("9999999999999999.99")),
    ("number", Decimal("1.500"), Decimal("1.5")),
    ("number", Decimal("1E+3"), Decimal(1000)),
    ("money", Money("12.5", "CNY"), Money("12.5", "CNY")),
    ("day", dt.date(1, 1, 1), dt.date(1, 1, 1)),
    ("moment", dt.datetime(2026, 1, 1, 8, tzinfo=CHINA), dt.datetime(2026, 1, 1, tzinfo=UTC)),
    ("flag", False, False), ("ref", 2**63 - 1, 2**63 - 1),
    ("tags", ["b", "a", "b"], frozenset("ab")), ("tags", set(), frozenset()),
    ("tags", ("标签",), frozenset({"标签"})),
    ("json", {"a": [1, 2.5, None, True, "文"]}, {"a": [1, 2.5, None, True, "文"]}), ("json", (1, (2,)), [1, [2]]),
    ("email", " li@example.com ", "li@example.com"), ("email", "Li.Wei+x@EXAMPLE.com", "Li.Wei+x@EXAMPLE.com"),
    ("email", "用户@例子.广告", "用户@例子.广告"),
    ("phone", "+86 (10) 6552-9988", "+861065529988"), ("phone", "＋８６ 138 0013 8000", "+8613800138000"),
    ("phone", "010-65529988 ext 12", "010-65529988 ext 12"),
    ("phone", "+86 10 6552 9988 ext. 5", "+86 10 6552 9988 ext. 5"),
    ("phone", "021-65529988转801", "021-65529988转801"), ("phone", "+86 21 65529988 分机 8", "+86 21 65529988 分机 8"),
    ("phone", "110", "110"),
    ("url", " https://例子.cn/路?x=1#y ", "https://例子.cn/路?x=1#y"),
    ("url", "http://localhost:8000", "http://localhost:8000"),
    ("address", Address(city="上海"), Address(city="上海")),
    ("address", Address(street="", city="上海"), Address(city="上海")),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "value", "stored"), ACCEPTED)
def test_accepted(kind, value, stored):
    found = DECLARED[kind].check(value, "account")
    assert found == stored
    assert type(found) is type(stored)
    assert DECLARED[kind].check(found) == found, "what is stored is accepted again, unchanged"


REFUSED: list[tuple[str, Any, str]] = [
    ("text", 5, "Expected text, not int"), ("text", b"x", "not bytes"),
    ("text", "x" * 21, "21 characters; at most 20"),
    ("text", "a\x00b", "NUL"), ("text", "a\ud800", "lone surrogate"),
    ("choice", "blue", "Choose one of: red, green"), ("choice", 1, "none of the choices"), ("choice", [], "none of"),
    ("number", "1", "Expected a number, not str"), ("number", 1.5, "not float"), ("number", True, "not bool"),
    ("number", Decimal("1.234"), "more than 2 decimals"), ("number", 10**16, "too many digits"),
    ("number", Decimal("NaN"), "NaN is no number"), ("number", Decimal("-Infinity"), "is no number"),
    ("number", Decimal("1E+999999"), "too many digits"), ("number", Decimal("1E-999999"), "decimals"),
    ("number", Decimal("1.0000000000000000000000000000000001"), "decimals"),
    ("money", 5, "Expected Money, not int"), ("money", Money("1.00001", "CNY"), "more than 4 decimals"),
    ("money", Money(10**14, "CNY"), "too many digits"),
    ("day", dt.datetime(2026, 1, 1), "not datetime"), ("day", "2026-01-01", "not str"),
    ("moment", dt.date(2026, 1, 1), "not date"), ("moment", dt.datetime(2026, 1, 1), "no time zone"),
    ("moment", dt.datetime(1, 1, 1, tzinfo=CHINA), "outside"),
    ("moment", dt.datetime(1, 1, 1, 23, 59, tzinfo=dt.UTC), "some time zones lies outside"),
    ("moment", dt.datetime(9999, 12, 31, 0, 1, tzinfo=dt.UTC), "some time zones lies outside"),
    ("flag", 1, "True or False, not int"), ("flag", "yes", "not str"),
    ("ref", 0, "id of a account"), ("ref", True, "not True"), ("ref", 2**63, "not 9223372036854775808"),
    ("ref", "1", "not '1'"),
    ("tags", "abc", "set of tags, not str"), ("tags", [" "], "is no tag"), ("tags", ["x" * 81], "is no tag"),
    ("tags", [5], "Expected text"), ("tags", ["a\x00"], "NUL"),
    ("json", float("nan"), "JSON has no nan"), ("json", {"a": float("inf")}, "JSON has no inf"),
    ("json", {1: 2}, "as key"),
    ("json", 2**53, "too large"), ("json", [object()], "JSON has no object"), ("json", ["\ud800"], "surrogate"),
    ("json", {"a\x00": 1}, "NUL"), ("json", b"x", "no bytes"),
    ("email", "li", "no e-mail address"), ("email", "a@b@c", "no e-mail"), ("email", "", "no e-mail"),
    ("email", "x" * 250 + "@example.com", "at most 254"),
    ("phone", "call me", "no telephone number"), ("phone", "12", "no telephone number"),
    ("phone", "转801", "no telephone number"), ("phone", "+转801", "no telephone number"),
    ("phone", "+999 1", "no telephone"),
    ("phone", "⑽" * 40, "no telephone number|at most 40"),
    ("url", "example.com", "Begin it with https://"), ("url", "javascript:alert(1)", "no web address"),
    ("url", "https://", "no web"), ("url", "http://[", "no web"), ("url", "https://a b", "no web"),
    ("address", "Nanjing Road", "Expected an Address, not str"), ("address", Address(), "address is empty"),
    ("address", Address(street="", city=""), "address is empty"), ("address", Address(country="CHN"), "country"),
    ("address", Address(city="a\x00"), "city"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "value", "message"), REFUSED)
def test_refused_with_record_and_field(kind, value, message):
    with pytest.raises(ValidationError, match=message) as caught:
        DECLARED[kind].check(value, "account")
    assert str(caught.value).startswith("account cannot be written.\n  - it: ")
    assert (caught.value.record, caught.value.field) == ("account", "it")
    assert len(caught.value.problems) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_none_is_for_optional_fields(kind):
    with pytest.raises(ValidationError, match=r"it: A value is needed\. Give one\."):
        DECLARED[kind].check(None, "account")
    assert attrs.evolve(DECLARED[kind], optional=True, default=None).check(None) is None


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
def test_ways_there_and_back(kind, data):
    declared = DECLARED[kind]
    value = declared.check(data.draw(values(declared)))
    handler = declared.kind
    assert handler.join(handler.split(value)) == value
    assert len(handler.split(value)) == len(declared.column_names)
    assert handler.decode(handler.encode(value)) == value
    for form in (value, handler.encode(value)):
        assert handler.decode(decode_values(None, encode_values({"it": form}))["it"]) == value
    if kind == "address":
        return  # a text has no parts
    if kind == "tags" and any(set(tag) & set(";；") or tag != tag.strip() for tag in value):
        return  # the separator itself
    assert handler.parse(handler.format(value)) == value
    if kind != "text":
        assert handler.parse(f" {handler.format(value)} ") == value


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
def test_the_fast_check_says_yes_only_where_the_slow_one_changes_nothing(kind, data):
    declared = DECLARED[kind]
    anything = values(declared) | st.none() | st.integers() | st.text() | st.booleans() | st.dates() | st.just(b"x")
    value = data.draw(anything)
    scope = {
        "v": value, "date_": dt.date, "datetime_": dt.datetime, "utc_": UTC, "first_": FIRST, "last_": LAST,
        "kind_": declared.kind,
    }  # fmt: skip
    if eval(declared.kind.fast("v"), scope):
        assert declared.kind.check(value) is value


PARSED: list[tuple[str, str, Any]] = [
    ("number", "1,234.50", Decimal("1234.5")), ("number", " -3 ", Decimal(-3)),
    ("money", "1,234.50 CNY", Money("1234.5", "CNY")),
    ("day", "2026-11-23", dt.date(2026, 11, 23)), ("day", "2026-11-23T10:00:00", dt.date(2026, 11, 23)),
    ("day", " 2026-11-23 00:00:00.000 ", dt.date(2026, 11, 23)),
    ("moment", "2026-11-23T09:30:00+08:00", dt.datetime(2026, 11, 23, 1, 30, tzinfo=UTC)),
    ("moment", "2026-11-23T01:30:00Z", dt.datetime(2026, 11, 23, 1, 30, tzinfo=UTC)),
    ("flag", "是", True), ("flag", "NO", False), ("flag", " 1 ", True),
    ("ref", " 17 ", 17), ("tags", "a; b；c;;", frozenset("abc")), ("json", '{"a": [1]}', {"a": [1]}),
    ("choice", "red", Colour.RED), ("address", "Nanjing Road 1", Address(street="Nanjing Road 1")),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "text", "value"), PARSED)
def test_parsed(kind, text, value):
    assert DECLARED[kind].kind.parse(text) == value


UNREADABLE = [
    ("number", "abc", "no number"), ("number", "", "no number"), ("number", "1e400", "too many"),
    ("number", "nan", "no number"),
    ("money", "12", "no amount with a currency"), ("money", "x CNY", "no number"), ("money", "1 yuan", "no currency"),
    ("day", "23.11.2026", "no day"), ("day", "2026-11-2399", "no day"), ("day", "2026-02-30", "no day"),
    ("day", "", "no day"),
    ("moment", "yesterday", "no moment"), ("moment", "2026-11-23T09:30:00", "no time zone"),
    ("flag", "maybe", "neither yes nor no"), ("ref", "x", "no id"), ("ref", "²", "no id"), ("ref", "-1", "no id"),
    ("json", "{", "no JSON"), ("json", "NaN", "JSON has no"), ("choice", "blue", "none of"), ("address", "", "empty"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "text", "message"), UNREADABLE)
def test_unreadable(kind, text, message):
    with pytest.raises(ValidationError, match=message):
        DECLARED[kind].kind.parse(text)


BROKEN_JSON = [
    ("money", {"amount": "1"}), ("money", {"currency": "CNY"}), ("money", {"amount": [], "currency": "CNY"}),
    ("money", "1 CNY x"),
    ("address", {"town": "x"}), ("address", {"city": 5}), ("address", []), ("number", []), ("number", "x"),
    ("day", 5),
    ("moment", {}), ("tags", {"a": 1}), ("choice", {}), ("flag", "true"), ("text", 1), ("ref", "1"),
    ("email", 1), ("phone", []),
    ("url", None),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "value"), BROKEN_JSON)
def test_json_of_another_form_is_refused_in_words(kind, value):
    with pytest.raises(ValidationError):
        DECLARED[kind].kind.decode(value)


def test_the_limits_follow_the_scale():
    assert NumberKind(0).check(10**18 - 1) == 10**18 - 1
    assert type(NumberKind(0).check(Decimal(5))) is int
    for value in (10**18, -(10**18)):
        with pytest.raises(ValidationError):
            NumberKind(0).check(value)
    NumberKind(12).check(Decimal("999999.999999999999"))
    with pytest.raises(ValidationError):
        NumberKind(12).check(10**6)


@given(st.text())
def test_any_text_is_text_or_refused_in_words(text):
    for kind in (TextKind(None), *(DECLARED[name].kind for name in ("email", "phone", "url"))):
        try:
            stored = kind.check(text)
        except ValidationError as error:
            assert str(error)
        else:
            assert kind.check(stored) == stored
            stored.encode()


@given(st.text("+0123456789 ()-./xext,;#*＋（）０９", max_size=40))
def test_telephone_numbers_are_written_one_way(text):
    kind = PhoneKind()
    try:
        stored = kind.check(text)
    except ValidationError:
        return
    assert kind.check(stored) == stored
    assert len(stored) <= 40


class TestDeclaring:
    def test_a_field_is_optional_when_its_default_is_none(self):
        assert field(f.text(5, default=None)).optional
        assert not field(f.text(5, default="x")).required
        assert field(f.text(5)).required
        assert field(f.tags(factory=frozenset)).initial() == frozenset()
        assert repr(NO_DEFAULT) == "NO_DEFAULT"

    @pytest.mark.parametrize(
        ("declare", "message"),
        [
            (lambda: f.text(0), "can hold nothing"),
            (lambda: f.number(13), "0 to 12"),
            (lambda: f.number(-1), "scale of -1"),
            (lambda: f.money(13), "0 to 12"),
            (lambda: f.text(5, colour="red"), "no option 'colour'.*Known options"),
            (lambda: f.json(default={}), "mutable default"),
            (lambda: f.text(5, default="x", factory=str), "either a default or a factory"),
            (lambda: f.ref("account", on_delete="explode"), "not known"),
            (lambda: f.ref("account", on_delete="clear"), "must be optional"),
            (lambda: f.choice(Enum("Bad", {"A": 1})), "Bad.A has the value 1"),
            (lambda: f.choice(Enum("Bad", {"A": "x" * 41})), "one to 40"),
            (lambda: f.choice(Enum("Empty", {})), "no members"),
        ],
    )
    def test_declaration_errors(self, declare, message):
        with pytest.raises(DeclarationError, match=message):
            declare()
