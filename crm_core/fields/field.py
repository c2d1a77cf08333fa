"""What a record knows about one of its fields, and how a declaration becomes an attrs attribute."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import attrs

from crm_core.errors import DeclarationError, Problem, ValidationError
from crm_core.fields.kinds import Kind, RefKind

__all__ = ["NO_DEFAULT", "Field", "declare"]


class _NoDefault:
    def __repr__(self) -> str:
        return "NO_DEFAULT"


NO_DEFAULT: Any = _NoDefault()
"""Stands for an absent default, because ``None`` is one."""


@attrs.frozen
class Field:
    """One declared field of a record type."""

    kind: Kind
    name: str = ""
    optional: bool = False
    default: Any = NO_DEFAULT
    factory: Callable[[], Any] | None = None
    label: str = ""
    search: bool = False
    folded: bool = False
    surname: bool = False
    vocabulary: str | None = None
    index: bool = False
    personal: bool = False
    restricted: str | None = None
    help: str = ""

    @property
    def required(self) -> bool:
        """Whether a new record must give it."""
        return self.default is NO_DEFAULT and self.factory is None

    @property
    def target(self) -> str | None:
        """The record type a reference points to."""
        return self.kind.target if isinstance(self.kind, RefKind) else None

    @functools.cached_property
    def column_names(self) -> tuple[str, ...]:
        """The columns that hold the value (without the sort key)."""
        return tuple(self.name + suffix for suffix, _ in self.kind.columns())

    def initial(self) -> Any:
        """The value a new record takes when none is given."""
        return self.factory() if self.factory is not None else self.default

    def check(self, value: Any, record: str = "") -> Any:
        """The value as stored, or :class:`~crm_core.errors.ValidationError` naming record and field."""
        if value is None:
            if self.optional:
                return None
            problem = Problem(self.name, "A value is needed.", "Give one.")
        else:
            try:
                return self.kind.check(value)
            except ValidationError as error:
                problem = Problem(self.name, error.problem, error.mend, error.values)
        raise ValidationError(
            "{record} cannot be written." if record else "The value cannot be used.",
            [problem],
            record=record,
            field=self.name,
        )


def declare(kind: Kind, default: Any = NO_DEFAULT, factory: Callable[[], Any] | None = None, **options: Any) -> Any:
    """An attrs attribute that carries a :class:`Field`; the record decorator fills in name and label."""
    if default is not NO_DEFAULT and factory is not None:
        raise DeclarationError("A field has either a default or a factory.", mend="Remove one of them.")
    if isinstance(default, list | dict | set):
        raise DeclarationError("A mutable default would be shared by all records.", mend="Use factory=... instead.")
    known = {attribute.name for attribute in attrs.fields(Field)} - {"kind", "name", "optional", "default", "factory"}
    for option in options:
        if option not in known:
            raise DeclarationError(
                "A {kind} field has no option {option!r}.",
                mend="Known options: {known}.",
                kind=kind.name,
                option=option,
                known=", ".join(sorted(known)),
            )
    field = Field(kind, optional=default is None, default=default, factory=factory, **options)
    attrs_default: Any = attrs.Factory(factory) if factory is not None else default
    if attrs_default is NO_DEFAULT:
        attrs_default = attrs.NOTHING
    return attrs.field(default=attrs_default, kw_only=True, metadata={"crm_core.field": field})
