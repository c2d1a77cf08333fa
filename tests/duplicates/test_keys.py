"""Match keys: what stays the same however it is written."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_core.fields import matching
from crm_core.fields.matching import name_key, person_key, phone_key, simplified, word_key

SIMPLE = "海尔青岛贸易国际东风汽车龙门万达发展后里只余台历干面"
TRADITIONAL = str.maketrans("尔岛贸国际东风车龙门万达发后里历", "爾島貿國際東風車龍門萬達發後裡歷")
LATIN = "abcdefghijklmnopqrstuvwxyzäöüéñøåçß0123456789"
words = st.text(st.sampled_from(LATIN), min_size=1, max_size=8)
names = st.lists(
    st.one_of(words, st.text(st.sampled_from(SIMPLE), min_size=1, max_size=6)), min_size=1, max_size=5
).map(" ".join)


def wide(text: str) -> str:
    """The same text in full-width letters and digits."""
    return "".join(chr(ord(char) + 0xFEE0) if "!" <= char <= "~" else "　" if char == " " else char for char in text)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("海尔集团有限公司", "海爾集團股份有限公司"),
        ("青岛海尔（上海）贸易有限责任公司", "青島海爾(上海)貿易有限公司"),
        ("Acme Bearings Co., Ltd.", "ＡＣＭＥ　ＢＥＡＲＩＮＧＳ"),
        ("Acme Inc.", "ACME, LLC"),
        ("Müller GmbH & Co. KG", "MULLER AG"),
        ("Société Générale S.A.", "societe generale"),
        ("Nordic A/S", "Nordic ApS"),
        ("Fabryka Sp. z o.o.", "Fabryka"),
        ("株式会社トヨタ", "トヨタ株式會社"),
        ("海尔 GmbH", "海爾"),
    ],
)
def test_the_same_company_has_one_key(one: str, other: str) -> None:
    assert name_key(one) == name_key(other) != ""


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("海尔上海分公司", "海尔上海"),  # a branch is a customer of its own
        ("Acme East", "Acme West"),
        ("トカ", "ドガ"),  # these marks make other letters
        ("有限公司", "集团"),  # nothing but a legal form
        ("AG", "SA"),
    ],
)
def test_others_have_others(one: str, other: str) -> None:
    assert name_key(one) != name_key(other)


@given(st.one_of(st.text(max_size=200), names))
def test_a_key_is_its_own_key(text: str) -> None:
    for make in (name_key, person_key, word_key, simplified):
        assert make(make(text)) == make(text)
    assert len(name_key(text)) <= matching.LONGEST


@given(names)
def test_width_case_script_and_signs_make_no_difference(name: str) -> None:
    key = name_key(name)
    variants = [wide(name), name.upper(), name.translate(TRADITIONAL), unicodedata.normalize("NFD", name), f" {name}! "]
    assert {name_key(variant) for variant in variants} == {key}
    assert person_key(wide(name.upper())) == person_key(name)


@given(st.permutations(["wang", "Fang", "Li"]))
def test_the_order_of_a_persons_words_makes_none(parts: list[str]) -> None:
    assert person_key(" ".join(parts)) == person_key("Wang Fang Li")


@given(names, st.sampled_from(["有限公司", " GmbH", " Co., Ltd.", "股份有限公司", " S.A.", " Inc", " LLC", "集團"]))
def test_a_legal_form_makes_none(name: str, form: str) -> None:
    assert name_key(name + form) in {name_key(name), word_key(name + form)}
    assert name_key(f"Haier 海尔 {name}q" + form) == name_key(f"Haier 海尔 {name}q")


def test_the_legal_forms_of_the_sample_data_are_taken_off(shared_data: Path) -> None:
    suffixes = (shared_data / "cn-name-parts" / "suffix.txt").read_text(encoding="utf-8").split()
    legal = [each for each in suffixes if each in matching._HAN_FORMS]
    assert {"有限公司", "有限责任公司", "股份有限公司", "有限合伙"} & set(suffixes) <= set(legal)
    assert legal
    for form in legal:
        assert name_key(f"青岛海尔{form}") == "青岛海尔"
    kept = [
        each for each in suffixes if each not in legal and not each.endswith(("公司", "集团", *matching._HAN_FORMS))
    ]
    assert kept
    for trade in kept:
        assert name_key(f"青岛海尔{trade}") == f"青岛海尔{simplified(trade)}"


@pytest.mark.parametrize(
    ("number", "region", "key"),
    [
        ("+861065529988", None, "+861065529988"),
        ("+86 10 6552-9988", None, "+861065529988"),
        ("0086 10 65529988", None, "+861065529988"),
        ("010-6552 9988", "CN", "+861065529988"),
        ("０１０－６５５２９９８８", "cn", "+861065529988"),
        ("138 0013 8000", None, "+8613800138000"),
        ("089 123456", "DE", "+4989123456"),
        ("089 123456", None, "089123456"),
        ("110", None, None),
        ("+86 10 6552 9988 ext 12", None, "+861065529988"),
    ],
)
def test_phone_numbers(number: str, region: str | None, key: str | None) -> None:
    assert phone_key(number, region) == key


def test_an_extension_tells_colleagues_apart() -> None:
    one, other = ("+86 10 6552 9988 ext 12", "+86 10 6552 9988 ext 13")
    assert phone_key(one) == phone_key(other)
    assert phone_key(one, extension=True) != phone_key(other, extension=True)


@pytest.mark.parametrize(
    ("country", "number", "key"),
    [
        ("CN", "91310000 6073 7801 15", "CN:913100006073780115"),
        (None, "913100006073780115", "CN:913100006073780115"),
        ("DE", "DE 123456789", "DE:123456789"),
        ("DE", "123456789", "DE:123456789"),
        (None, "HRB 12345", ":HRB12345"),
        (None, "12", None),
    ],
)
def test_registration_numbers(country: str | None, number: str, key: str | None) -> None:
    assert matching.registration_key(country, number) == key


def test_domains() -> None:
    assert matching.domain_of_site("https://www.Acme.com/cn?x=1") == "acme.com"
    assert matching.domain_of_site("http://user@acme.com:8080") == "acme.com"
    assert matching.domain_of_site("https://海尔.中国/") == matching.domain_of_mail("a@海尔.中国")
    assert matching.domain_of_site("https://weibo.com/acme") is None
    assert matching.domain_of_site("http://localhost/") is None
    assert matching.domain_of_mail("li@acme.com") == "acme.com"
    assert {matching.domain_of_mail(f"li@{host}") for host in ("qq.com", "163.com", "gmail.com", "GMAIL.COM")} == {None}
    assert matching.domain_of_mail("no address") is None
    assert matching.domain_of_mail("x@-.中国-") is None
    assert matching.mail_key(" Li@QQ.com ") == "li@qq.com"
    assert matching.mail_key("li") is None
