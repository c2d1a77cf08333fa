"""Values that fill several columns: money and postal addresses."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any

import attrs

from crm_core.errors import ValidationError

__all__ = ["ADDRESS_PARTS", "Address", "Money"]


def _amount(value: Decimal | int | str) -> Decimal:
    if isinstance(value, float | bool):
        raise ValidationError(
            "Money takes no {given} ({value}).",
            mend="Give a Decimal, an int or a text such as '12.50'.",
            given=type(value).__name__,
            value=value,
        )
    try:
        amount = Decimal(value)
    except (InvalidOperation, TypeError, ValueError):
        amount = None
    if amount is None or not amount.is_finite():
        raise ValidationError("{value!r} is no amount.", mend="Write it as 1234.50.", value=value)
    return amount


def _currency(_: object, __: object, value: Any) -> None:
    if not (isinstance(value, str) and len(value) == 3 and value.isascii() and value.isalpha() and value.isupper()):
        raise ValidationError(
            "{value!r} is no currency.",
            mend="Use the three capital letters of ISO 4217, such as CNY or EUR.",
            value=value,
        )


@attrs.frozen(order=False)
class Money:
    """An amount in a currency (ISO 4217 code).

    Sums stay within one currency; adding or comparing two currencies raises :class:`ValidationError`, because only
    a dated rate could answer it. Amounts are :class:`~decimal.Decimal`, never floats.
    """

    amount: Decimal = attrs.field(converter=_amount)
    currency: str = attrs.field(validator=_currency)

    def __composite_values__(self) -> tuple[Decimal, str]:
        return (self.amount, self.currency)

    def _same(self, other: Money) -> Decimal:
        if not isinstance(other, Money):
            raise TypeError(f"Money and {type(other).__name__} do not mix.")
        if other.currency != self.currency:
            raise ValidationError(
                "{left} and {right} cannot be compared or added.",
                mend="Convert one of them with a dated rate first, or keep one sum per currency.",
                left=self.currency,
                right=other.currency,
            )
        return other.amount

    def __add__(self, other: Money) -> Money:
        return Money(self.amount + self._same(other), self.currency)

    def __sub__(self, other: Money) -> Money:
        return Money(self.amount - self._same(other), self.currency)

    def __mul__(self, factor: Decimal | int) -> Money:
        if isinstance(factor, float):
            raise TypeError("Money is multiplied by an int or a Decimal, never a float.")
        return Money(self.amount * factor, self.currency)

    __rmul__ = __mul__

    def __neg__(self) -> Money:
        return Money(-self.amount, self.currency)

    def __lt__(self, other: Money) -> bool:
        return self.amount < self._same(other)

    def __le__(self, other: Money) -> bool:
        return self.amount <= self._same(other)

    def __gt__(self, other: Money) -> bool:
        return self.amount > self._same(other)

    def __ge__(self, other: Money) -> bool:
        return self.amount >= self._same(other)

    def __bool__(self) -> bool:
        return bool(self.amount)

    def __str__(self) -> str:
        return f"{self.amount:f} {self.currency}"


def _optional_text(instance: object, attribute: attrs.Attribute[str | None], value: str | None) -> None:
    if value is not None and not isinstance(value, str):
        raise TypeError(f"{attribute.name} of an address is text, not {type(value).__name__}.")


def _part(value: str | None) -> str | None:
    return value or None


@attrs.frozen
class Address:
    """Where something is. Every part may be absent (an empty one is); ``country`` is an ISO 3166 alpha-2 code.

    In filters the parts are steps: ``address.city == "上海"``.
    """

    street: str | None = attrs.field(default=None, converter=_part, validator=_optional_text)
    city: str | None = attrs.field(default=None, converter=_part, validator=_optional_text)
    region: str | None = attrs.field(default=None, converter=_part, validator=_optional_text)
    postal_code: str | None = attrs.field(default=None, converter=_part, validator=_optional_text)
    country: str | None = attrs.field(default=None, converter=_part, validator=_optional_text)

    def __composite_values__(self) -> tuple[str | None, ...]:
        return (self.street, self.city, self.region, self.postal_code, self.country)

    def __str__(self) -> str:
        parts = (self.street, self.city, self.region, self.postal_code, self.country)
        return ", ".join(part for part in parts if part)


ADDRESS_PARTS: tuple[tuple[str, int], ...] = (
    ("street", 200),
    ("city", 80),
    ("region", 80),
    ("postal_code", 20),
    ("country", 2),
)
