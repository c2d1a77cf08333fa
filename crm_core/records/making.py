"""How records are made and changed in Python: what their class does not know is refused in words."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from crm_core.errors import Problem, ValidationError, nearest
from crm_core.fields.field import Field

__all__ = ["refuse_unknown"]

_OWN = ("id", "version", "created_at", "created_by", "updated_at", "custom", "_sa_instance_state")
_set = object.__setattr__


def refuse_unknown(cls: Any, record: str, fields: Mapping[str, Field]) -> None:
    """Let a class that attrs made say in a :class:`ValidationError` what is missing, or that there is no such field."""
    own = any(hasattr(cls, name) for name in ("__attrs_init__", "__attrs_pre_init__", "__attrs_post_init__"))
    cls.__init__ = (_init if own else _fill)(cls.__init__, record, fields)
    cls.__setattr__ = _setattr(record, fields)


def _init(made: Callable[..., None], record: str, fields: Mapping[str, Field]) -> Callable[..., None]:
    # SQLAlchemy hands on what this takes: by its names it would hand on every default, too, which costs more.
    def initialise(self: Any, **values: Any) -> None:
        try:
            made(self, **values)
        except TypeError:
            problems = [*_wrong(fields, values)]
            if not problems:
                raise
            raise ValidationError("{record} cannot be written.", problems, record=record) from None

    return initialise


def _fill(made: Callable[..., None], record: str, fields: Mapping[str, Field]) -> Callable[..., None]:
    """Like :func:`_init`, for a class whose making is attrs' alone: values are checked and laid into the object.

    Assigned one by one they would go through SQLAlchemy's attributes, which note for each that it was not there before.
    Of a new object that is known, and it was most of what it cost to make one.
    """
    refusing = _init(made, record, fields)
    checks = {name: field.check for name, field in fields.items()}
    names, required = frozenset(fields), frozenset(name for name, field in fields.items() if field.required)
    factories = {name: field.factory for name, field in fields.items() if field.factory is not None}
    # They are immutable, and were checked when the record was declared.
    defaults = {
        name: field.default if field.default is None else field.check(field.default, record)
        for name, field in fields.items()
        if not field.required and field.factory is None
    }

    def initialise(self: Any, **values: Any) -> None:
        if not (required <= values.keys() <= names):
            refusing(self, **values)
            return
        new = {**defaults, **{name: checks[name](value, record) for name, value in values.items()}}
        for name, factory in factories.items():
            if name not in values:
                new[name] = checks[name](factory(), record)
        self.__dict__.update(new)

    return initialise


def _wrong(fields: Mapping[str, Field], values: Mapping[str, Any]) -> Iterator[Problem]:
    for name in values:
        if name == "custom":
            yield Problem(name, "It is no argument.", "Assign it to the record: record.custom = {{...}}.")
        elif name in _OWN:
            yield Problem(name, "The store writes it.", "Leave it out.")
        elif name not in fields:
            yield _unknown(name, fields)
    for name, field in fields.items():
        if field.required and name not in values:
            yield Problem(name, "A value is needed.", "Give one.")


def _setattr(record: str, fields: Mapping[str, Field]) -> Callable[[Any, str, Any], None]:
    # In place of the one by attrs, which raises and catches an error for each name that is no field.
    checks = {name: field.check for name, field in fields.items()}
    own = frozenset(_OWN)

    def assign(self: Any, name: str, value: Any) -> None:
        check = checks.get(name)
        if check is not None:
            value = check(value, record)
        elif name not in own and name[0] != "_" and not hasattr(type(self), name):
            raise ValidationError("{record} cannot be written.", [_unknown(name, fields)], record=record)
        _set(self, name, value)

    return assign


def _unknown(name: str, fields: Mapping[str, Field]) -> Problem:
    return Problem(name, "There is no such field.", "Did you mean {near}?", {"near": nearest(name, fields)})
