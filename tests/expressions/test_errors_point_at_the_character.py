"""Every mistake is answered at the character where it was made, with what to write instead."""

from __future__ import annotations

import ast
from typing import Any

import pytest

from crm_core.errors import ExpressionError
from crm_core.expressions import parse
from crm_core.expressions.scan import MAX_LENGTH

# The mark ^ stands before the character at fault; the text after | is part of the message.
MISTAKES = [
    # characters
    ('grade ^＝ "A"', "Type == instead"),
    ('grade == ^“A”', 'Type " instead'),
    ('contains^（name， "A"）', "Type ( instead"),
    ('contains(name^， "A")', "Type , instead"),
    ('grade == "A"^）', "Type ) instead"),
    ('^！ active', "Type not instead"),
    ('^！= active', "Type not instead"),
    ('size ^＞ 5', "Type > instead"),
    ('size > ^５', "Type 5 instead"),
    ('size^\u3000> 5', "a plain space"),
    ('size ^≥ 5', "Type >= instead"),
    ('^【active】', "Type ( instead"),
    ('grade ^= "A"', "Type == instead"),
    ('active ^&& loyal', "Type and instead"),
    ('active ^| loyal', "Type or instead"),
    ('^! active', "Type not instead"),
    ('grade ^<> "A"', "Type != instead"),
    ('size ^/ 2 > 1', "Multiply by a fixed number"),
    ('size ^% 2 == 1', "no '%'"),
    ('size ^** 2 > 1', "no '**'"),
    ('size ^@ 2', "has no meaning"),
    ('size ^\x00', "U+0000"),
    ('size ^\ud800', "U+D800"),
    ('^{size}', "has no meaning"),
    ('grade == ^"A', 'Close it with "'),
    ("grade == ^'A", "Close it with '"),
    ('grade == "a^\\d"', "means nothing"),
    ('grade == "^\\ud800"', "no character"),
    ('grade == "^\\u0000"', "no character"),
    ('grade == "a^\x00"', "cannot be stored"),
    ('grade == "a^\ud800"', "cannot be stored"),
    ('grade == "a^\udfff"', "cannot be stored"),
    ('^f"x" == grade', "Remove f"),
    ('grade == ^b"x"', "Remove b"),
    ('size > ^0x10', "no number"),
    ('size > ^1e5', "no number"),
    ('size > ^1.', "no number"),
    ('size > ^1j', "no number"),
    ('size > ^1__0', "no number"),
    ('size > ^007', "does not begin with a zero"),
    (f'size > ^{"9" * 31}', "too many digits"),
    ('size > ^.5', "A value is missing before ."),
    ('^__class__', "no name of a field"),
    ('name.^__class__', "no name of a field"),
    ('^_private', "no name of a field"),
    ('^lambda: 1', "no word of the filter language"),
    ('active ^if loyal else active', "no word of the filter language"),
    # order
    ('^', "empty"),
    ('^  ', "empty"),
    ('^# only a remark', "empty"),
    ('active and^', "ends too early"),
    ('active and\n  not^', "ends too early"),
    ('size > ^and active', "missing before and"),
    ('^== 5', "missing before =="),
    ('size ^5', "between size and 5"),
    ('grade in ("A" ^"B")', "comma"),
    ('active ^AND loyal', "Write and in small letters"),
    ('grade ^IN ("A", "B")', "Write in in small letters"),
    ('name ^LIKE "x"', "contains(name"),
    ('5 ^(size)', "between 5 and ("),
    ('(active ^loyal)', "between active and loyal"),
    ('name ^[0]', "between name and ["),
    ('(active^]', "no opening bracket"),
    ('active^)', "no opening bracket"),
    ('^(active', "never closed"),
    ('size in (1,^,2)', "missing before ,"),
    ('is_empty(^* name)', "missing before *"),
    ('active and ^is None', "missing before is"),
    ('^in tags', "missing before in"),
    ('active ^not loyal', "between active and not"),
    ('active ^not', "between active and not"),
    ('not (active ^not loyal)', "between active and not"),
    # form
    ('"x".^upper == grade', "name before the dot"),
    ('"x".^upper() == grade', "Only functions"),
    ('name.^upper() == grade', "Only functions"),
    ('contains(name, part^="x")', "Type == instead"),
    ('(name).^upper == grade', "has no fields"),
    ('(^contains)(name)', "takes 2 values"),
    # names
    ('^grad == "A"', "Did you mean grade"),
    ('^GRADE == "A"', "Did you mean grade"),
    ('active and\n  ^grad == "A"', "Did you mean grade"),
    ('name == "上海公司" and ^grad == "A"', "Did you mean grade"),
    ('name == "😀" and # 上海\n place.^town == "A"', "Did you mean"),
    ('boss.^nam == "x"', "Did you mean name"),
    ('boss . ^nam == "x"', "Did you mean name"),
    ('worth.^sum > 1', "amount, currency"),
    ('place.^stret == "x"', "Did you mean street?"),
    ('vip.^tir == "x"', "Did you mean tier"),
    ('^tier == "x"', "Did you mean vip.tier?"),
    ('any(^job)', "Did you mean jobs?"),
    ('grade == ^null', "Write None"),
    ('active == ^true', "Write True"),
    ('^today > 5', "Write today(...)"),
    ('size.^x == 1', "has no fields"),
    ('jobs.^x == 1', "A collection has no fields"),
    ('^contain(name, "x")', "Did you mean contains"),
    ('^frobnicate(name)', "Did you mean"),
    ('^contains(name)', "takes 2 values, not 1"),
    ('^any(jobs, active, loyal)', "1 or 2"),
    ('^today(1) > 5', "takes 0 values"),
    ('any(jobs, ^grade == "A")', "Did you mean"),
    # conditions
    ('^name', "not is_empty"),
    ('^size', "a number, not a condition"),
    ('active and ^5', "a number, not a condition"),
    ('not ^"x"', "text, not a condition"),
    ('^None', "None, not a condition"),
    ('^tags', "not is_empty"),
    ('^jobs', "any(...)"),
    ('^boss', "a record, not a condition"),
    ('^worth', "not a condition"),
    ('^vip', "the name of a plugin"),
    ('^("A", "B")', "a list, not a condition"),
    ('^days(5)', "a length of time"),
    # comparisons
    ('grade > ^5', "Text cannot be compared with a number"),
    ('^5 > grade', "cannot be compared"),
    ('size == ^"5"', "without quotation marks"),
    ('worth > ^5', "money("),
    ('seen > ^"2026-01-31"', "date("),
    ('founded == ^"2026-01-31"', "date("),
    ('active == ^5', "cannot be compared"),
    ('active < ^loyal', "cannot be compared with <"),
    ('tags == ^tags', "in tags"),
    ('tags == ^"vip"', "in tags"),
    ('place == ^place', "one of its parts"),
    ('extra == ^c_json', "is None"),
    ('grade is ^"A"', "Write == or !="),
    ('grade is ^5', "Write == or !="),
    ('grade < ^None', "is None"),
    ('^None < grade', "is None"),
    ('^jobs is None', "never absent"),
    ('^vip == None', "never absent"),
    ('^jobs == 5', "cannot be compared"),
    ('grade == ^("A", "B")', "Write in before a list"),
    ('grade in (^"A")', "needs a comma"),
    ('grade in ^name', "contains(text, part)"),
    ('"x" in ^jobs', "any(collection"),
    ('5 in ^size', "needs a list"),
    ('^5 in tags', "A tag is text"),
    ('^jobs in ("a",)', "cannot be looked for"),
    ('grade in ("A", ^None)', "is None"),
    ('grade in ("A", ^5)', "cannot be compared"),
    ('stage == ^"on"', "Choose one of: idea, won, lost"),
    ('^"on" == stage', "Choose one of: idea, won, lost"),
    ('stage in ("won", ^"on")', "idea, won, lost"),
    ('stage == ^grade', "Choose one of"),
    ('stage == ^5', "not with a number"),
    ('^stage < "won"', "no order"),
    ('boss == ^parent', "different kinds of records"),
    ('founded == ^seen', "day field"),
    # calculation
    ('^name + 1 > 2', "cannot be calculated"),
    ('1 + ^name > 2', "cannot be calculated"),
    ('^worth + 1 > 2', "amount"),
    ('-^name == 1', "cannot be calculated"),
    ('+^name == 1', "cannot be calculated"),
    ('size * ^size > 2', "Two fields"),
    ('^tags * 2 > 2', "cannot be calculated"),
    ('size * 1.0000000000000000001 > ^1', "too many digits"),
    ('^size * 1.0000000000000000001 is None', "too many digits"),
    ('size + size + size + size + size + size + size + size + size + size > ^1', "too many digits"),
    ('founded + ^5 > today()', "days(...)"),
    ('founded + ^seen > today()', "days(...)"),
    ('founded + ^hours(5) > today()', "no hours"),
    ('^days(5) + days(5) > size', "cannot be calculated"),
    ('founded > ^date("9999-12-31") + days(1)', "calendar"),
    ('seen + days(300000) > ^date("0001-01-05")', "calendar"),
    ('seen > ^date("0001-01-01")', "calendar"),
    ('seen > now() - days(^400001)', "longer than"),
    ('seen > now() - days(^999999999999999999999999999999)', "longer than"),
    ('is_empty(^size * 1.0000000000000000001)', "too many digits"),
    ('seen > now() - days(^1.5)', "whole fixed number"),
    ('seen > now() - days(^size)', "whole fixed number"),
    ('^seen + days(300000) + days(300000) > now()', "calendar"),
    # functions
    ('contains(^"x", name)', "must be a field"),
    ('contains(^size, "x")', "not text"),
    ('contains(name, ^5)', "not text"),
    ('contains(^jobs, "x")', "not text"),
    ('icontains(^grade, "x")', "no folded form"),
    ('icontains(^c_text, "x")', "no folded form"),
    ('icontains(name, ^grade)', "fixed text"),
    ('length(^"x") > 1', "must be a field"),
    ('is_empty(^"x")', "fixed value"),
    ('is_empty(^jobs)', "not a value"),
    ('date(^"2026-02-30") > founded', "no day"),
    ('date(^"20260130") > founded', "no day"),
    ('date(^5) > founded', "fixed text"),
    ('moment(^"2026-01-31T10:00:00") > seen', "time zone"),
    ('moment(^"soon") > seen', "time zone"),
    ('worth > money(^"x", "CNY")', "no amount"),
    ('worth > money(^size, "CNY")', "not a fixed amount"),
    ('worth > money(5, ^"RMB!")', "no currency"),
    ('worth > money(5, ^name)', "fixed text"),
    ('any(^name, active)', "not a collection"),
    ('any(jobs, ^role)', "not a condition"),
    # limits
    ('any(branches, any(branches, any(branches, any(^branches, active))))', "nested too deeply"),
    ('(' * 25 + '^(active' + ')' * 26, "nested too deeply"),
    ('not ' * 25 + '^not active', "nested too deeply"),
    ('parent.' * 8 + 'parent^.name == "x"', "nested too deeply"),
    ('1' + '+1' * 40 + '^+1 > size', "calculates too much"),
    ('(^active and not ' + '(active and not ' * 24 + 'active' + ')' * 25, "too deeply for the database"),
]  # fmt: skip


@pytest.mark.parametrize(("marked", "message"), MISTAKES)
def test_a_mistake_is_shown_where_it_is(kit: Any, marked: str, message: str) -> None:
    position = marked.index("^")
    source = marked[:position] + marked[position + 1 :]
    with pytest.raises(ExpressionError) as caught:
        kit.bind(source)
    assert message in str(caught.value)
    assert caught.value.position == position
    assert caught.value.source == source
    assert caught.value.mend


def test_a_source_that_is_too_long_is_not_read() -> None:
    with pytest.raises(ExpressionError, match="at most 10000"):
        parse("a" * (MAX_LENGTH + 1))


def test_a_source_of_too_many_parts_is_refused() -> None:
    with pytest.raises(ExpressionError, match="more than 3000 parts"):
        parse(f"id in ({'1,' * 4000})")


def test_what_the_parser_finds_too_deep_is_an_error_of_the_language(monkeypatch: pytest.MonkeyPatch) -> None:
    def give_up(*args: object, **kwargs: object) -> None:
        raise RecursionError

    monkeypatch.setattr(ast, "parse", give_up)
    with pytest.raises(ExpressionError, match="nested too deeply"):
        parse("active")
