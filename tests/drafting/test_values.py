"""What values look like, whether a field takes them, and by which transform."""

from __future__ import annotations

import pytest
from stdnum.cn import uscc

from crm_core.assembly import assemble
from crm_core.exchange.drafting.fitting import fit
from crm_core.exchange.drafting.looks import looks, shape
from crm_core.exchange.drafting.targets import POINT, Target, Targets

from .conftest import BUILD

CODES = [base + uscc.calc_check_digit(base) for base in (f"91310000{600037341 + number}" for number in range(6))]


@pytest.mark.parametrize(
    ("look", "values"),
    [
        ("uscc", CODES), ("mobile", ["13800138000", "+86 13912345678"]), ("country", ["China", "德国", "US"]),
        ("currency", ["CNY", "EUR"]), ("domain", ["example.com", "www.example.cn"]),
        ("company", ["北京机床厂", "Acme Ltd", "Hansa GmbH", "第一人民医院"]),
        ("person", ["王小明", "欧阳娜", "Ann Smith", "Jean-Luc Picard", "阿卜杜拉·买买提"]),
        ("salutation", ["Mr.", "Ms", "先生"]), ("email", ["a@example.com"]),
    ],
)  # fmt: skip
def test_looks(column, look: str, values: list[str]) -> None:
    assert looks(column(*values), look) == 1


@pytest.mark.parametrize(
    ("look", "value"),
    [
        ("uscc", CODES[0][:-1] + ("0" if CODES[0][-1] != "0" else "1")), ("mobile", "021-65521000"),
        ("country", "Atlantis"), ("currency", "XYZ1"), ("domain", "a@example.com"), ("company", "王小明"),
        ("person", "北京机床厂"), ("person", "12 High Street"),
    ],
)  # fmt: skip
def test_looks_otherwise(column, look: str, value: str) -> None:
    assert looks(column(value), look) == 0


def test_the_look_of_an_empty_column_is_none(column) -> None:
    empty = column("", "", "")
    assert looks(empty, "email") == 0
    assert shape(empty) == ("empty", {})


@pytest.mark.parametrize(
    ("values", "what"),
    [
        (["a@example.com", "b@example.com"], "e-mail addresses"), (["2024-01-31", "2024-02-01"], "days"),
        (["31.01.2024", "01.02.2024"], "days"), (["2024/01/31 09:30"], "moments"), (["1", "22"], "whole numbers"),
        (["1.234,50"], "numbers with a decimal comma"), (["yes", "no"], "yes and no"),
        (CODES, "unified social credit codes"),
        (["hello world", "and more"], "text"), (["China", "France"], "countries"), (["10 %", "2 %"], "percentages"),
    ],
)  # fmt: skip
def test_shapes_say_what_without_a_value(column, values: list[str], what: str) -> None:
    template, said = shape(column(*values, ""))
    assert said["what"] == what
    assert template.format(**said).endswith(f"{len(set(values))} distinct, longest {max(map(len, values))}, 1 empty")
    assert not any(value in template.format(**said) for value in values if len(value) > 3)


GIVEN = {
    **BUILD,
    "custom_fields": {
        "account": {
            "score": {"kind": "number", "scale": 2}, "share": {"kind": "number", "scale": 4},
            "since": {"kind": "day"}, "seen": {"kind": "moment"}, "short": {"kind": "text", "length": 5},
            "size": {"kind": "choice", "choices": ["small", "large"]}, "labels": {"kind": "tags"},
        }
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def custom() -> Targets:
    return Targets(assemble(GIVEN))


@pytest.mark.parametrize(
    ("field", "part", "values", "share", "transform"),
    [
        ("score", "", ["1.5", "20"], 1, None),
        ("score", "", ["1.234,5", "7,25"], 1, {"name": "decimal", "comma": True, "scale": 2}),
        ("score", "", ["1.2345"], 1, {"name": "decimal", "scale": 2}),
        ("score", "", ["1", "many"], 0.5, None),
        ("share", "", ["10 %", "2.5 %"], 1, "percent"),
        ("employees", "", ["12", "1,300"], 1, None),
        ("since", "", ["2024-01-31"], 1, None),
        ("since", "", ["2024-01-31 00:00:00.000"], 1, None),
        ("since", "", ["31.01.2024"], 1, {"name": "day", "format": "%d.%m.%Y"}),
        ("since", "", ["2024年1月31日"], 1, {"name": "day", "format": "%Y年%m月%d日"}),
        ("since", "", ["01/02/2024"], 0.9, {"name": "day", "format": "%d/%m/%Y"}),
        ("since", "", ["12/31/2024"], 1, {"name": "day", "format": "%m/%d/%Y"}),
        ("since", "", ["soon"], 0, None),
        ("seen", "", ["2024-01-31 09:30:00", "2024-01-31 09:31:00"], 1, None),
        ("seen", "", ["31.01.2024 09:30"], 1, {"name": "moment", "format": "%d.%m.%Y %H:%M"}),
        ("seen", "", ["2024-01-31"], 1, None),
        ("seen", "", ["31.01.2024"], 1, {"name": "moment", "format": "%d.%m.%Y"}),
        ("revenue", "amount", ["1200 CNY"], 1, None),
        ("revenue", "amount", ["1200.50"], 1, "money"),
        ("revenue", "amount", ["1.200,50", "3,5"], 1, {"name": "money", "comma": True}),
        ("revenue", "amount", ["€ 12", "€3.5"], 1,
         [{"name": "replace", "old": "€", "new": ""}, {"name": "money", "currency": "EUR"}]),
        ("revenue", "currency", ["EUR", "USD"], 1, None),
        ("website", "", ["https://example.com"], 1, None),
        ("website", "", ["example.com", "www.example.cn"], 1, {"name": "prefix", "text": "https://"}),
        ("website", "", ["none at all"], 0, None),
        ("email", "", ["a@example.com", "nobody"], 0.5, None),
        ("phone", "", ["021-6552 1000"], 1, None),
        ("active", "", ["是", "否"], 1, None),
        ("active", "", ["perhaps"], 0, None),
        ("short", "", ["abc"], 1, None),
        ("short", "", ["abc", "abcdefgh"], 0.5, {"name": "shorten", "length": 5}),
        ("kind", "", ["company", "partner"], 1, None),
        ("kind", "", ["Supplier", "Company"], 1,
         {"name": "map", "values": {"Company": "company", "Supplier": "partner"}}),
        ("kind", "", ["blue", "red"], 0, None),
        ("size", "", ["Small", "huge"], 0.5, {"name": "map", "values": {"Small": "small"}, "otherwise": "empty"}),
        ("size", "", [f"s{number}" for number in range(50)], 0, None),
        ("labels", "", ["a;b"], 1, None),
        ("address", "country", ["CN", "DE"], 1, None),
        ("address", "country", ["China", "Germany"], 1, "country_code"),
        ("address", "country", ["China", "Atlantis"], 0.5, "country_code"),
        ("address", "city", ["Berlin"], 1, None),
    ],
)  # fmt: skip
def test_fields_take_values(custom, column, field, part, values, share, transform) -> None:
    found = fit(column(*values), Target("account", field, part), custom)
    assert found.share == pytest.approx(share)
    if share:
        assert found.transform == transform


@pytest.mark.parametrize(
    ("field", "part", "values", "words"),
    [
        ("since", "", ["01/02/2024"], "all values also read as %m/%d/%Y: look which it is"),
        ("email", "", ["a@example.com", "nobody"], "50 % of the different values cannot be read"),
        ("short", "", ["abcdefgh"], "more than 5 characters are cut"),
        ("size", "", ["Small", "huge"], "1 words have no counterpart among small, large"),
        ("score", "", ["1.2345"], "rounded to 2 decimals"),
        ("revenue", "amount", ["€ 12"], "€ is taken for EUR"),
    ],
)
def test_what_is_to_be_said_is_said(custom, column, field, part, values, words) -> None:
    remarks = fit(column(*values), Target("account", field, part), custom).remarks
    assert words in " ".join(template.format(**given) for template, given in remarks)


def test_ten_thousands_are_told(custom, column) -> None:
    found = fit(column("12", header="年营业额（万元）"), Target("account", "revenue", "amount"), custom)
    assert found.share == 0.5
    assert "ten thousands" in found.remarks[0][0]


def test_a_title_of_courtesy_is_no_title_of_a_job(custom, column) -> None:
    courtesy = column("Mr.", "Ms.", header="Title")
    assert fit(courtesy, Target("contact", "salutation"), custom).share == 1
    assert fit(courtesy, Target("affiliation", "title"), custom).share == 0


def test_ways_to_reach_somebody(custom, column) -> None:
    assert fit(column("13800138000"), Target(POINT, "value", "mobile"), custom).share == 1
    assert fit(column("nothing"), Target(POINT, "value", "mobile"), custom).share == 0
    assert fit(column("nothing"), Target(POINT, "value", "email"), custom).share == 0
    assert fit(column("wx_1"), Target(POINT, "value", "wechat"), custom).share == 1
