"""What every field kind can do, and how a value is refused."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, ClassVar

import attrs
from sqlalchemy import types

from crm_core.errors import ValidationError

__all__ = ["Kind", "json_form", "refusal"]


def refusal(problem: str, mend: str = "", **values: Any) -> ValidationError:
    """The error for a value that a kind does not take; the field adds where it stands."""
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
        """Python source that is true only where ``check`` would return ``var`` unchanged; ``kind_`` is the kind."""
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


def json_form(kind: Kind, value: Any) -> Any:
    """A value as JSON has it: exact numbers as text."""
    form = kind.encode(value)
    return f"{form:f}" if isinstance(form, Decimal) else form
