"""Choices, flags, references, tags, JSON and addresses."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import Enum
from typing import Any, ClassVar

import attrs
from sqlalchemy import Boolean, types

from crm_core.errors import ValidationError
from crm_core.fields import columns
from crm_core.fields.composites import ADDRESS_PARTS, Address
from crm_core.fields.kinds.base import Kind
from crm_core.fields.kinds.base import refusal as _fail
from crm_core.fields.kinds.texts import TextKind
from crm_core.fields.kinds.texts import clean_text as _clean_text

__all__ = ["AddressKind", "ChoiceKind", "FlagKind", "JsonKind", "RefKind", "TagsKind"]


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
        return f"{var}.__class__ is kind_.enum"

    def encode(self, value: Any) -> Any:
        return value.value if isinstance(value, Enum) else value

    def parse(self, text: str) -> Any:
        return self.check(text.strip())

    def format(self, value: Any) -> str:
        return str(self.encode(value))


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
