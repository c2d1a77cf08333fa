"""Transforms to numbers, amounts and words of ours."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from crm_core.exchange.transforms.context import Context
from crm_core.exchange.transforms.refusal import Refusal
from crm_core.fields import Money

__all__ = ["decimal", "int_", "map_", "money", "percent"]


def decimal(value: Any, *, comma: bool = False, scale: int | None = None) -> Decimal:
    """An exact number. With ``comma``, ``1.234,50`` is meant; ``scale`` rounds to so many decimals, half to even."""
    text = str(value).strip().replace("\u00a0", "").replace(" ", "")
    if isinstance(value, str):
        text = text.replace(".", "").replace(",", ".") if comma else text.replace(",", "")
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise Refusal("{value!r} is no number.", value=value) from None
    if not number.is_finite():
        raise Refusal("{value!r} is no number.", value=value)
    if scale is None:
        return number
    try:
        return round(number, scale)
    except InvalidOperation:
        raise Refusal("{value!r} has too many digits.", value=value) from None


def int_(value: Any) -> int:
    """A whole number; ``12.00`` is one, ``12.5`` is not."""
    number = decimal(value)
    # An exponent could ask for a number of a million digits.
    if number.adjusted() > 30 or number != number.to_integral_value():
        raise Refusal("{value!r} is no whole number.", value=value)
    return int(number)


def percent(value: Any, *, comma: bool = False) -> Decimal:
    """A share from a percentage: ``30`` or ``30 %`` is 0.3."""
    bare = value.strip().rstrip("%％").rstrip() if isinstance(value, str) else value
    return decimal(bare, comma=comma).scaleb(-2)


def money(value: Any, *, currency: str | None = None, comma: bool = False, context: Context) -> Money:
    """An amount; without ``currency``, in the build's."""
    return Money(decimal(value, comma=comma), currency or context.currency)


def map_(value: Any, *, values: Mapping[str, Any], otherwise: Any = "reject") -> Any:
    """The word that ``values`` gives for it. Others are rejected, kept (``otherwise = "keep"``), left empty
    (``"empty"``), or replaced by what ``otherwise`` says.
    """
    found = values.get(str(value))
    if found is not None:
        return found
    if otherwise == "reject":
        raise Refusal("{value!r} is none of {known}.", value=value, known=", ".join(values))
    return {"keep": value, "empty": None}.get(otherwise, otherwise) if isinstance(otherwise, str) else otherwise
