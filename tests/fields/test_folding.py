from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pypinyin import lazy_pinyin

from crm_core.fields import FOLD_MARK, Address, fold, sort_key
from crm_core.fields.folding import readings, to_half_width


@pytest.mark.parametrize(
    ("name", "spelled"),
    [
        ("单田芳", "shan tian fang "), ("單田芳", "shan tian fang "), ("曾子墨", "zeng zi mo "),
    ("仇英", "qiu ying "),
        ("解晓东", "xie xiao dong "), ("查良镛", "zha liang yong "), ("区志航", "ou zhi hang "),
    ("任正非", "ren zheng fei "),
        ("朴树", "piao shu "), ("尉迟恭", "yu chi gong "), ("万俟卨", "mo qi "), ("令狐冲", "ling hu chong "),
        ("李伟", "li wei "), ("欧阳修", "ou yang xiu "),
    ],
)  # fmt: skip
def test_surnames_are_read_as_surnames(name, spelled):
    assert sort_key(name, surname=True).partition(FOLD_MARK)[0].startswith(spelled)


def test_the_same_characters_elsewhere_are_read_as_words():
    assert sort_key("单位", surname=False).startswith("dan wei")
    assert sort_key("单", surname=True).startswith("dan"), "one character alone is no name"
    assert sort_key("小单", surname=True).startswith("xiao dan")


def test_case_width_and_compatibility_are_folded():
    assert fold("ＡＢＣ　１２３") == "abc 123"
    assert fold("Straße") == fold("STRASSE") == "strasse"
    assert fold("ﬁne") == "fine"
    assert fold("ACME") == "acme"
    assert to_half_width("１３８（０１０）") == "138(010)"


def test_latin_and_chinese_names_sort_together():
    names = ["Zoe", "单小姐", "abel", "ＢＯＢ", "王芳"]
    assert sorted(names, key=lambda name: sort_key(name, surname=True)) == ["abel", "ＢＯＢ", "单小姐", "王芳", "Zoe"]


@given(st.text())
def test_a_key_ends_with_the_folded_text(text):
    key = sort_key(text)
    assert key.endswith(FOLD_MARK + fold(text))
    assert sort_key(fold(text)).endswith(fold(fold(text)))


@given(st.text(st.characters(max_codepoint=127)))
def test_plain_ascii_is_its_own_spelling(text):
    assert sort_key(text) == f"{text.lower()}{FOLD_MARK}{text.lower()}"


def test_an_address_is_its_parts():
    address = Address(street="南京路 1", city="上海", region="", country="CN")
    assert str(address) == "南京路 1, 上海, CN"
    assert address.region is None
    assert address == Address("南京路 1", "上海", None, None, "CN")
    with pytest.raises(TypeError, match="city of an address is text, not int"):
        Address(city=5)


WORDS = ["青岛", "轴承", "有限公司", "银行", "重庆", "长", "行", "乐", "女", "绿", "𠀀", "㐀", "一"]


@given(st.lists(st.sampled_from(WORDS) | st.characters(min_codepoint=0x3400, max_codepoint=0x9FFF), max_size=8))
def test_a_name_is_said_word_by_word_as_it_is_said_at_once(words):
    run = "".join(words)
    assert readings(run, False) == lazy_pinyin(run)
