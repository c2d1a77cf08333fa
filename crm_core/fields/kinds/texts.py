"""Kinds that are text: plain, and the ways to reach somebody."""

from __future__ import annotations

import re
from typing import Any, ClassVar

import attrs
from sqlalchemy import types

from crm_core.fields import columns
from crm_core.fields.kinds.base import Kind
from crm_core.fields.kinds.base import refusal as _fail

__all__ = ["EmailKind", "PhoneKind", "TextKind", "UrlKind", "clean_text"]


_SURROGATE = re.compile("[\ud800-\udfff]")


def clean_text(value: Any, what: str = "text") -> str:
    """Text that both databases can store; raises :class:`ValidationError` otherwise."""
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
        text = clean_text(value)
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
        size = min(128, self.length or 128)
        return (
            f"type({var}) is str and len({var}) <= {size} and kind_._plain.fullmatch({var}) and {var}.find('@') <= 64"
        )


class PhoneKind(TextKind):
    """A telephone number as people write it; a number with a country code is stored in E.164."""

    name: ClassVar[str] = "phone"
    _form: ClassVar[re.Pattern[str]] = re.compile(r"[0-9+()./ \-#*xX,;extEXT\u3000-]+(?:(?:转|分机)[0-9 #*\-]+)?")
    _extended: ClassVar[re.Pattern[str]] = re.compile("转|分机")
    _international: ClassVar[re.Pattern[str]] = re.compile(r"\+[0-9]{8,15}")

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
            # The library knows no extension in Chinese.
            number = phonenumbers.parse(self._extended.split(text)[0], None)
        except phonenumbers.NumberParseException as error:
            raise _fail("{value!r} is no telephone number: {reason}", value=text, reason=str(error)) from None
        if number.extension or self._extended.search(text):
            return text
        return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)

    def fast(self, var: str) -> str:
        size = min(16, self.length or 16)
        return f"type({var}) is str and len({var}) <= {size} and kind_._international.fullmatch({var})"


class UrlKind(TextKind):
    """A web address with scheme http or https."""

    name: ClassVar[str] = "url"
    # The plain majority: letters, digits and what may stand unescaped; a host without a port or a user.
    _plain: ClassVar[re.Pattern[str]] = re.compile(r"https?://[A-Za-z0-9][A-Za-z0-9.-]*(/[A-Za-z0-9._~%+/=&?-]*)?")

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
        size = "" if self.length is None else f" and len({var}) <= {self.length}"
        return f"type({var}) is str{size} and kind_._plain.fullmatch({var})"
