from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_core.errors import ValidationError
from crm_core.fields import Money

AMOUNTS = st.decimals(-(10**13), 10**13, places=4, allow_nan=False)
COUNTS = st.integers(-1000, 1000)


@given(AMOUNTS, AMOUNTS, COUNTS)
def test_arithmetic_is_exact(one, other, count):
    left, right = Money(one, "CNY"), Money(other, "CNY")
    assert (left + right).amount == one + other
    assert left + right - right == left
    assert (left * count).amount == one * count == (count * left).amount
    assert -left + left == Money(0, "CNY")
    assert bool(left) == bool(one)


@given(AMOUNTS, AMOUNTS)
def test_comparison_is_that_of_the_amounts(one, other):
    left, right = Money(one, "CNY"), Money(other, "CNY")
    assert (left < right, left <= right, left > right, left >= right, left == right) == (
        one < other, one <= other, one > other, one >= other, one == other,
    )  # fmt: skip
    if left == right:
        assert hash(left) == hash(right)


@pytest.mark.parametrize("operator", ["__add__", "__sub__", "__lt__", "__le__", "__gt__", "__ge__"])
def test_currencies_do_not_mix(operator):
    with pytest.raises(ValidationError, match=r"CNY and EUR cannot be compared or added\. Convert one"):
        getattr(Money(1, "CNY"), operator)(Money(1, "EUR"))
    with pytest.raises(TypeError, match="do not mix"):
        getattr(Money(1, "CNY"), operator)(1)


def test_amounts_in_two_currencies_are_unequal():
    assert Money(1, "CNY") != Money(1, "EUR")
    assert Money(1, "CNY") == Money("1.00", "CNY")
    assert Money(0, "CNY") != 0


@pytest.mark.parametrize("amount", [1.5, float("nan"), True, "abc", "", "NaN", Decimal("Infinity"), None, [], "1,5"])
def test_what_is_no_amount(amount):
    with pytest.raises(ValidationError, match=r"no amount|Money takes no"):
        Money(amount, "CNY")


@pytest.mark.parametrize("currency", ["cny", "CN", "CNYY", "", "¥¥¥", "元", 156, None, "C Y", "C1Y"])
def test_what_is_no_currency(currency):
    with pytest.raises(ValidationError, match="three capital letters"):
        Money(1, currency)


def test_floats_stay_out():
    with pytest.raises(TypeError, match="never a float"):
        Money(1, "CNY") * 1.5
    assert Money(10, "CNY") * Decimal("0.1") == Money(1, "CNY")


def test_it_is_written_with_its_currency():
    assert str(Money("1E+3", "CNY")) == "1000 CNY"
    assert repr(Money("1.50", "CNY")) == "Money(amount=Decimal('1.50'), currency='CNY')"
