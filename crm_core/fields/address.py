"""A postal address."""

from __future__ import annotations

import attrs

__all__ = ["ADDRESS_PARTS", "Address"]


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
