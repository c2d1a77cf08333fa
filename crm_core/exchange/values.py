"""From what a cell and its transforms give to the value of a field."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from crm_core.errors import ValidationError
from crm_core.exchange.conditions import Cell
from crm_core.exchange.transforms import Context
from crm_core.exchange.transforms.refusal import Refusal
from crm_core.exchange.transforms.times import read_moment
from crm_core.fields import Address, Money
from crm_core.fields.field import Field
from crm_core.fields.kinds import JsonKind, MomentKind, MoneyKind, NumberKind, json_form

__all__ = ["composed", "converter"]


def converter(field: Field, custom: bool, context: Context, *, from_json: bool = False) -> Callable[[Any], Any]:
    """A function from a text or JSON value to the value of ``field``; of a custom field, to its JSON form."""
    kind = field.kind
    parse: Callable[[str], Any] = kind.parse
    decode: Callable[[Any], Any] = kind.decode
    if isinstance(kind, MomentKind):

        def parse(text: str) -> Any:
            try:
                return read_moment(text, context.tz)
            except Refusal as error:
                raise ValidationError(error.template, **error.values) from None

    elif isinstance(kind, JsonKind):

        def decode(value: Any) -> Any:
            return kind.decode(_without_decimals(value))

        if from_json:
            # A text is one of JSON's values there, and none of them is written as a text.
            parse = decode

    if context.typed and not isinstance(kind, NumberKind):
        # What a spreadsheet takes for a number may be a telephone number.
        def decode(value: Any) -> Any:
            return parse(str(value)) if type(value) in (int, Decimal) else kind.decode(value)

    def convert(value: Any) -> Any:
        return parse(value) if isinstance(value, str) else decode(value)

    return (lambda value: json_form(kind, convert(value))) if custom else convert


def _without_decimals(value: Any) -> Any:
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, list):
        return [_without_decimals(each) for each in value]
    if isinstance(value, dict):
        return {name: _without_decimals(each) for name, each in value.items()}
    return value


def composed(field: Field, parts: Mapping[str, Cell], context: Context) -> Cell:
    """An address or an amount from its parts; nothing when there is none."""
    if isinstance(field.kind, MoneyKind):
        amount, currency = parts["amount"], parts.get("currency")
        number = NumberKind(field.kind.scale)

        def money(row: Any) -> Money | None:
            value = amount(row)
            if value is None:
                return None
            code = currency(row) if currency is not None else None
            return Money(number.decode(value), code or context.currency)

        return money

    def address(row: Any) -> Address | None:
        values = {part: text for part, get in parts.items() if (text := _part(get(row)))}
        return Address(**values) if values else None

    return address


def _part(value: Any) -> str | None:
    return None if value is None else str(value).strip() or None
