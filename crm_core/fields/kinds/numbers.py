"""Exact numbers, and money."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Context, Decimal, Inexact, InvalidOperation
from typing import Any, ClassVar

import attrs
from sqlalchemy import types

from crm_core.fields import columns
from crm_core.fields.composites import Money
from crm_core.fields.kinds.base import Kind
from crm_core.fields.kinds.base import refusal as _fail

__all__ = ["MoneyKind", "NumberKind"]


_LIMIT = 10**18
_EXACT = Context(prec=64, traps=[Inexact])


def _fits_scale(number: Decimal, scale: int) -> bool:
    try:
        scaled = _EXACT.scaleb(number, scale)
    except Inexact:
        return False  # more digits than ever fit
    return scaled == scaled.to_integral_value()


@attrs.frozen
class NumberKind(Kind):
    """An exact number with ``scale`` decimals and at most 18 digits in all; scale 0 gives ``int``."""

    name: ClassVar[str] = "number"
    python: ClassVar[str] = "Decimal"
    scale: int = 4

    def columns(self) -> tuple[tuple[str, types.TypeEngine[Any]], ...]:
        return (("", columns.Scaled(self.scale) if self.scale else columns.BIGINT),)

    def check(self, value: Any) -> Any:
        if isinstance(value, bool) or not isinstance(value, Decimal | int):
            raise _fail("Expected a number, not {given}.", "Give an int or a Decimal.", given=type(value).__name__)
        number = value if isinstance(value, Decimal) else Decimal(value)
        if not number.is_finite():
            raise _fail("{value} is no number.", "Leave the field out (None) where there is none.", value=value)
        if number and number.adjusted() >= 18 - self.scale:
            raise _fail("{value} has too many digits; at most 18 fit, {scale} of them decimals.",
                        "Check the unit.", value=value, scale=self.scale)  # fmt: skip
        if not _fits_scale(number, self.scale):
            raise _fail("{value} has more than {scale} decimals.", "Round it first.", value=value, scale=self.scale)
        return number if self.scale else int(number)

    def fast(self, var: str) -> str:
        return f"type({var}) is int and -{_LIMIT} < {var} < {_LIMIT}" if not self.scale else "False"

    def decode(self, value: Any) -> Any:
        return self.parse(value) if isinstance(value, str) else self.check(value)

    def parse(self, text: str) -> Any:
        try:
            return self.check(Decimal(text.strip().replace(",", "")))
        except InvalidOperation:
            raise _fail("{value!r} is no number.", "Write it as 1234.50.", value=text) from None

    def format(self, value: Any) -> str:
        return f"{value:f}" if isinstance(value, Decimal) else str(value)


@attrs.frozen
class MoneyKind(Kind):
    """An amount in a currency; ``scale`` decimals (four by default)."""

    name: ClassVar[str] = "money"
    python: ClassVar[str] = "Money"
    scale: int = 4

    def columns(self) -> tuple[tuple[str, types.TypeEngine[Any]], ...]:
        return (("_amount", columns.Scaled(self.scale)), ("_currency", columns.stored_text(3)))

    def check(self, value: Any) -> Any:
        if not isinstance(value, Money):
            raise _fail("Expected Money, not {given}.", "Write Money('12.50', 'CNY').", given=type(value).__name__)
        NumberKind(self.scale).check(value.amount)
        return value

    def split(self, value: Any) -> tuple[Any, ...]:
        values: tuple[Any, ...] = value.__composite_values__()
        return values

    def join(self, values: tuple[Any, ...]) -> Any:
        return None if values[0] is None else Money(values[0], values[1])

    def encode(self, value: Any) -> Any:
        return {"amount": f"{value.amount:f}", "currency": value.currency}

    def decode(self, value: Any) -> Any:
        if isinstance(value, Mapping):
            amount = NumberKind(self.scale).parse(str(value.get("amount", "")))
            return self.check(Money(amount, value.get("currency", "")))
        return self.check(value)

    def parse(self, text: str) -> Any:
        amount, _, currency = text.strip().rpartition(" ")
        if not amount:
            raise _fail("{value!r} is no amount with a currency.", "Write it as 1234.50 CNY.", value=text)
        return self.check(Money(NumberKind(self.scale).parse(amount), currency))
