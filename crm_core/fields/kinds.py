"""Field kinds: what a value is, how it is checked, stored, journalled and read from text."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Mapping
from decimal import Context, Decimal, Inexact, InvalidOperation
from enum import Enum
from typing import Any, ClassVar

import attrs
from sqlalchemy import Boolean, Date, types

from crm_core.errors import ValidationError
from crm_core.fields import columns
from crm_core.fields.composites import ADDRESS_PARTS, Address, Money

__all__ = [
    "AddressKind",
    "ChoiceKind",
    "DayKind",
    "EmailKind",
    "FlagKind",
    "JsonKind",
    "Kind",
    "MomentKind",
    "MoneyKind",
    "NumberKind",
    "PhoneKind",
    "RefKind",
    "TagsKind",
    "TextKind",
    "UrlKind",
]

_SURROGATE = re.compile("[\ud800-\udfff]")
_LIMIT = 10**18
_EXACT = Context(prec=64, traps=[Inexact])


def _fail(problem: str, mend: str = "", **values: Any) -> ValidationError:
    return ValidationError(problem, mend=mend, **values)


@attrs.frozen
class Kind:
    """Base of the field kinds.

    ``columns`` gives ``(suffix, type)`` pairs: one column for most kinds, several for money and address. ``split`` and
    ``join`` translate between a value and its column values, ``encode`` and ``decode`` between a value and its JSON
    form in the journal and in exports, ``parse`` reads the text of a data file.

    Kinds without fields of their own are plain subclasses: making an attrs class takes two milliseconds of start-up.
    """

    name: ClassVar[str]
    python: ClassVar[str]

    def columns(self) -> tuple[tuple[str, types.TypeEngine[Any]], ...]:
        raise NotImplementedError

    def check(self, value: Any) -> Any:
        """The value as it is stored; raises :class:`ValidationError`. Never called with ``None``."""
        raise NotImplementedError

    def fast(self, var: str) -> str:
        """Python source that is true only where ``check`` would return ``var`` unchanged."""
        return "False"

    def split(self, value: Any) -> tuple[Any, ...]:
        return (value,)

    def join(self, values: tuple[Any, ...]) -> Any:
        return values[0]

    def encode(self, value: Any) -> Any:
        return value

    def decode(self, value: Any) -> Any:
        return self.check(value)

    def parse(self, text: str) -> Any:
        return self.check(text)

    def format(self, value: Any) -> str:
        return str(value)


def _clean_text(value: Any, what: str = "text") -> str:
    if not isinstance(value, str):
        raise _fail("Expected {what}, not {given}.", what=what, given=type(value).__name__)
    if not value.isascii() and _SURROGATE.search(value):
        raise _fail("The text holds half a character (a lone surrogate).", "Read the file with its right encoding.")
    if "\x00" in value:
        raise _fail("The text holds a NUL character, which PostgreSQL cannot store.", "Remove the NUL character.")
    return value


@attrs.frozen
class TextKind(Kind):
    """Text of at most ``length`` characters (``None``: any length)."""

    name: ClassVar[str] = "text"
    python: ClassVar[str] = "str"
    length: int | None = None

    def columns(self) -> tuple[tuple[str, types.TypeEngine[Any]], ...]:
        return (("", columns.stored_text(self.length)),)

    def check(self, value: Any) -> Any:
        text = _clean_text(value)
        if self.length is not None and len(text) > self.length:
            raise _fail(
                "The text has {given} characters; at most {length} fit.",
                "Shorten it.",
                given=len(text),
                length=self.length,
            )
        return text

    def fast(self, var: str) -> str:
        size = "" if self.length is None else f" and len({var}) <= {self.length}"
        return f"type({var}) is str{size} and {var}.isprintable()"


class EmailKind(TextKind):
    """An e-mail address, checked for its form; no name server is asked."""

    name: ClassVar[str] = "email"

    # The plain ASCII majority is settled by one match; everything else by the e-mail library.
    _plain: ClassVar[re.Pattern[str]] = re.compile(
        r"[A-Za-z0-9_+-]+(\.[A-Za-z0-9_+-]+)*@([A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?\.)+[A-Za-z]{2,24}"
    )

    def __init__(self, length: int | None = 254) -> None:
        super().__init__(length)

    def check(self, value: Any) -> Any:
        text = TextKind.check(self, value).strip()
        if len(text) <= 128 and self._plain.fullmatch(text) and len(text.partition("@")[0]) <= 64:
            return text
        from email_validator import EmailNotValidError, validate_email

        try:
            return validate_email(text, check_deliverability=False, test_environment=True).normalized
        except EmailNotValidError as error:
            raise _fail("{value!r} is no e-mail address: {reason}", value=text, reason=str(error)) from None

    def fast(self, var: str) -> str:
        return "False"


class PhoneKind(TextKind):
    """A telephone number as people write it; a number with a country code is stored in E.164."""

    name: ClassVar[str] = "phone"
    _form: ClassVar[re.Pattern[str]] = re.compile(r"[0-9+()./ \-#*xX,;extEXT\u3000-]+")

    def __init__(self, length: int | None = 40) -> None:
        super().__init__(length)

    def check(self, value: Any) -> Any:
        from crm_core.fields.folding import to_half_width

        text = TextKind.check(self, to_half_width(TextKind.check(self, value)).strip())
        digits = sum(char.isdigit() for char in text)
        if not self._form.fullmatch(text) or digits < 3:
            raise _fail("{value!r} is no telephone number.", "Write digits, such as +86 10 6552 9988.", value=text)
        if not text.startswith("+") or (text[1:].isdigit() and 8 <= digits <= 15):
            return text
        import phonenumbers

        try:
            number = phonenumbers.parse(text, None)
        except phonenumbers.NumberParseException as error:
            raise _fail("{value!r} is no telephone number: {reason}", value=text, reason=str(error)) from None
        if number.extension:
            return text
        return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)

    def fast(self, var: str) -> str:
        return "False"


class UrlKind(TextKind):
    """A web address with scheme http or https."""

    name: ClassVar[str] = "url"

    def __init__(self, length: int | None = 500) -> None:
        super().__init__(length)

    def check(self, value: Any) -> Any:
        from urllib.parse import urlsplit

        text = TextKind.check(self, value).strip()
        try:
            parts = urlsplit(text)
            bad = parts.scheme not in ("http", "https") or not parts.hostname or any(c.isspace() for c in text)
        except ValueError:
            bad = True
        if bad:
            raise _fail("{value!r} is no web address.", "Begin it with https://.", value=text)
        return text

    def fast(self, var: str) -> str:
        return "False"


@attrs.frozen
class ChoiceKind(Kind):
    """One member of an enumeration of texts."""

    name: ClassVar[str] = "choice"
    python: ClassVar[str] = "Enum"
    enum: type[Enum]

    def columns(self) -> tuple[tuple[str, types.TypeEngine[Any]], ...]:
        return (("", columns.Choice(self.enum)),)

    def check(self, value: Any) -> Any:
        if isinstance(value, self.enum):
            return value
        try:
            return self.enum(value)
        except ValueError:
            raise _fail(
                "{value!r} is none of the choices.",
                "Choose one of: {choices}.",
                value=value,
                choices=", ".join(str(member.value) for member in self.enum),
            ) from None

    def fast(self, var: str) -> str:
        return f"{var}.__class__ is enum_"

    def encode(self, value: Any) -> Any:
        return value.value if isinstance(value, Enum) else value

    def parse(self, text: str) -> Any:
        return self.check(text.strip())

    def format(self, value: Any) -> str:
        return str(self.encode(value))


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


class DayKind(Kind):
    """A calendar day."""

    name: ClassVar[str] = "day"
    python: ClassVar[str] = "date"

    def columns(self) -> tuple[tuple[str, types.TypeEngine[Any]], ...]:
        return (("", Date()),)

    def check(self, value: Any) -> Any:
        if isinstance(value, dt.datetime) or not isinstance(value, dt.date):
            raise _fail("Expected a day (datetime.date), not {given}.", given=type(value).__name__)
        return value

    def fast(self, var: str) -> str:
        return f"type({var}) is date_"

    def encode(self, value: Any) -> Any:
        return value.isoformat()

    def decode(self, value: Any) -> Any:
        return self.parse(value) if isinstance(value, str) else self.check(value)

    def parse(self, text: str) -> Any:
        day, _, _time = text.strip().replace("T", " ").partition(" ")
        try:
            return dt.date.fromisoformat(day)
        except ValueError:
            raise _fail("{value!r} is no day.", "Write it as 2026-11-23.", value=text) from None

    def format(self, value: Any) -> str:
        return str(value.isoformat())


class MomentKind(Kind):
    """A moment: an aware ``datetime``, kept in UTC with microseconds."""

    name: ClassVar[str] = "moment"
    python: ClassVar[str] = "datetime"

    def columns(self) -> tuple[tuple[str, types.TypeEngine[Any]], ...]:
        return (("", columns.Moment()),)

    def check(self, value: Any) -> Any:
        if not isinstance(value, dt.datetime):
            raise _fail("Expected a moment (datetime.datetime), not {given}.", given=type(value).__name__)
        if value.tzinfo is None:
            raise _fail("{value} has no time zone.", "Give an aware datetime, such as one in UTC.", value=value)
        try:
            return value if value.tzinfo is dt.UTC else value.astimezone(dt.UTC)
        except OverflowError:
            raise _fail("{value} lies outside the years 1 to 9999 in UTC.", value=value) from None

    def fast(self, var: str) -> str:
        return f"type({var}) is datetime_ and {var}.tzinfo is utc_"

    def encode(self, value: Any) -> Any:
        return value.isoformat(timespec="microseconds")

    def decode(self, value: Any) -> Any:
        return self.parse(value) if isinstance(value, str) else self.check(value)

    def parse(self, text: str) -> Any:
        try:
            moment = dt.datetime.fromisoformat(text.strip())
        except ValueError:
            raise _fail("{value!r} is no moment.", "Write it as 2026-11-23T09:30:00+08:00.", value=text) from None
        return self.check(moment)

    def format(self, value: Any) -> str:
        return str(value.isoformat())


class FlagKind(Kind):
    """Yes or no."""

    name: ClassVar[str] = "flag"
    python: ClassVar[str] = "bool"
    _words: ClassVar[dict[str, bool]] = {
        **dict.fromkeys(("1", "true", "yes", "y", "t", "是"), True),
        **dict.fromkeys(("0", "false", "no", "n", "f", "否"), False),
    }

    def columns(self) -> tuple[tuple[str, types.TypeEngine[Any]], ...]:
        return (("", Boolean()),)

    def check(self, value: Any) -> Any:
        if not isinstance(value, bool):
            raise _fail("Expected True or False, not {given}.", given=type(value).__name__)
        return value

    def fast(self, var: str) -> str:
        return f"type({var}) is bool"

    def parse(self, text: str) -> Any:
        try:
            return self._words[text.strip().casefold()]
        except KeyError:
            raise _fail("{value!r} is neither yes nor no.", "Write true or false.", value=text) from None

    def format(self, value: Any) -> str:
        return "true" if value else "false"


@attrs.frozen
class RefKind(Kind):
    """The id of another record of type ``target``."""

    name: ClassVar[str] = "ref"
    python: ClassVar[str] = "int"
    target: str
    on_delete: str = "cascade"
    collection: str | None = None

    def columns(self) -> tuple[tuple[str, types.TypeEngine[Any]], ...]:
        return (("", columns.BIGINT),)

    def check(self, value: Any) -> Any:
        if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < 2**63:
            raise _fail("Expected the id of a {target}, not {value!r}.", target=self.target, value=value)
        return value

    def fast(self, var: str) -> str:
        return f"type({var}) is int and 0 < {var} < {2**63}"

    def parse(self, text: str) -> Any:
        if not text.strip().isdecimal():
            raise _fail("{value!r} is no id.", "Use a look-up in the mapping to find records by key.", value=text)
        return self.check(int(text))


class TagsKind(Kind):
    """A set of short words."""

    name: ClassVar[str] = "tags"
    python: ClassVar[str] = "frozenset"

    def columns(self) -> tuple[tuple[str, types.TypeEngine[Any]], ...]:
        return (("", columns.Tags()),)

    def check(self, value: Any) -> Any:
        if isinstance(value, str) or not isinstance(value, frozenset | set | list | tuple):
            raise _fail("Expected a set of tags, not {given}.", given=type(value).__name__)
        for tag in value:
            if not _clean_text(tag).strip() or len(tag) > 80:
                raise _fail("{tag!r} is no tag.", "A tag has one to 80 characters.", tag=tag)
        return frozenset(value)

    def fast(self, var: str) -> str:
        return f"type({var}) is frozenset and not {var}"

    def encode(self, value: Any) -> Any:
        return sorted(value)

    def parse(self, text: str) -> Any:
        return self.check([part.strip() for part in re.split("[;；]", text) if part.strip()])

    def format(self, value: Any) -> str:
        return ";".join(sorted(value))


class JsonKind(Kind):
    """Any JSON value, for what nobody filters by."""

    name: ClassVar[str] = "json"
    python: ClassVar[str] = "Any"

    def columns(self) -> tuple[tuple[str, types.TypeEngine[Any]], ...]:
        return (("", columns.Json()),)

    def check(self, value: Any) -> Any:
        return _check_json(value)

    def parse(self, text: str) -> Any:
        import json

        try:
            return self.check(json.loads(text))
        except ValueError as error:
            raise _fail("This is no JSON: {reason}.", reason=str(error)) from None

    def format(self, value: Any) -> str:
        return columns.json_text(value)


def _check_json(value: Any) -> Any:
    """The value as it comes back: a tuple is a list."""
    match value:
        case None | bool():
            return value
        case str():
            return _clean_text(value)
        case int():
            if abs(value) >= 2**53:
                raise _fail("{value} is too large for JSON.", "Store it as text.", value=value)
            return value
        case float():
            if value != value or value in (float("inf"), float("-inf")):
                raise _fail("JSON has no {value}.", "Store it as text.", value=value)
            return value
        case list() | tuple():
            return [_check_json(part) for part in value]
        case dict():
            return {_clean_text(key, "a text as key"): _check_json(part) for key, part in value.items()}
        case _:
            raise _fail("JSON has no {given}.", "Store it as text.", given=type(value).__name__)


@attrs.frozen
class AddressKind(Kind):
    """A postal address in five columns."""

    name: ClassVar[str] = "address"
    python: ClassVar[str] = "Address"

    def columns(self) -> tuple[tuple[str, types.TypeEngine[Any]], ...]:
        return tuple((f"_{part}", columns.stored_text(length)) for part, length in ADDRESS_PARTS)

    def check(self, value: Any) -> Any:
        if not isinstance(value, Address):
            raise _fail("Expected an Address, not {given}.", given=type(value).__name__)
        for part, length in ADDRESS_PARTS:
            text = getattr(value, part)
            if text is not None:
                try:
                    TextKind(length).check(text)
                except ValidationError as error:
                    raise _fail("{part}: {reason}", part=part, reason=str(error)) from None
        if value == Address():
            raise _fail("The address is empty.", "Leave the field out (None) instead.")
        return value

    def split(self, value: Any) -> tuple[Any, ...]:
        values: tuple[Any, ...] = value.__composite_values__()
        return values

    def join(self, values: tuple[Any, ...]) -> Any:
        return None if all(value is None for value in values) else Address(*values)

    def encode(self, value: Any) -> Any:
        return {part: text for (part, _), text in zip(ADDRESS_PARTS, self.split(value), strict=True) if text}

    def decode(self, value: Any) -> Any:
        if isinstance(value, Mapping):
            try:
                value = Address(**value)
            except TypeError as error:
                raise _fail("This is no address: {reason}", reason=str(error)) from None
        return self.check(value)

    def parse(self, text: str) -> Any:
        return self.check(Address(street=text.strip()))


KindFactory = Callable[..., Kind]
