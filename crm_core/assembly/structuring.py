"""From the tables of a build file to attrs classes, with every mistake at its path.

cattrs reads; what it is taught here is to be strict (TOML has types, so a text is no number) and to speak of
paths such as ``plugins.key_accounts.tiers[2].minimum``.
"""

from __future__ import annotations

import datetime as dt
import functools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from enum import Enum
from typing import Any, Literal, TypeVar, get_args, get_origin

import attrs
from cattrs import BaseValidationError, Converter, ForbiddenExtraKeysError, StructureHandlerNotFoundError
from cattrs.cols import is_any_set, is_mapping, is_mutable_sequence, is_sequence
from cattrs.errors import AttributeValidationNote, IterableValidationNote

from crm_core.errors import CrmError, Problem, nearest
from crm_core.fields import Money, Secret
from crm_core.fields.kinds import MoneyKind
from crm_core.store.policy import Scope

__all__ = ["structure"]

T = TypeVar("T")
_BARE = re.compile(r"[A-Za-z0-9_-]+")


class _Unfit(Exception):
    """A value that does not fit, told by template."""

    def __init__(self, problem: str, mend: str = "", **values: Any) -> None:
        super().__init__(problem)
        self.problem = problem
        self.mend = mend
        self.values = values


def structure(value: Any, cls: type[T], path: str) -> tuple[T | None, list[Problem]]:
    """``value`` as an instance of ``cls``, or everything that is wrong with it.

    ``path`` says where it stands.
    """
    try:
        root: Any = cls
        return _converter(root).structure(value, cls), []
    except Exception as error:
        return None, list(_problems(error, path, cls))


@functools.cache
def _converter(root: Any) -> Converter:
    """One converter for each class that a file is read into: what one learns of a type must not depend on others."""
    converter = Converter(forbid_extra_keys=True, use_alias=True)
    for cls, words in _PLAIN.items():
        converter.register_structure_hook(cls, _plain(cls, words))
    converter.register_structure_hook(float, _float)
    converter.register_structure_hook(Decimal, _decimal)
    converter.register_structure_hook(Money, _money)
    converter.register_structure_hook(Secret, _secret)
    converter.register_structure_hook_func(_is_literal, _literal)
    converter.register_structure_hook_func(_is_enum, _member)
    busy: set[Any] = set()

    def factory(cls: Any) -> Callable[[Any, Any], Any]:
        # The hook that cattrs would have used, behind a look at the shape of the value.
        busy.add(cls)
        try:
            inner = converter.get_structure_hook(cls, cache_result=False)
        finally:
            busy.discard(cls)
        shape, words = _shape(cls) or (object, "")

        def hook(value: Any, wanted: Any) -> Any:
            if isinstance(value, str) or not isinstance(value, shape):
                raise _Unfit("Expected {words}, not {value!r}.", words=words, value=value)
            return inner(value, wanted)

        return hook

    converter.register_structure_hook_factory(lambda cls: cls not in busy and _shape(cls) is not None)(factory)
    return converter


def _shape(cls: Any) -> tuple[Any, str] | None:
    if is_mapping(cls) or (attrs.has(cls) and cls is not Money):
        return Mapping, "a table"
    if (cls is not str and (is_sequence(cls) or is_mutable_sequence(cls) or is_any_set(cls))) or get_origin(
        cls
    ) is tuple:
        return (Sequence, set, frozenset), "a list"
    return None


_PLAIN: dict[type[Any], str] = {
    str: "a text",
    bool: "true or false",
    int: "a whole number",
    dt.datetime: "a moment such as 2026-11-23T09:30:00+08:00",
    dt.date: "a day such as 2026-11-23",
    dt.time: "a time of day such as 09:30:00",
}


def _plain(cls: type[Any], words: str) -> Callable[[Any, Any], Any]:
    def hook(value: Any, wanted: Any) -> Any:
        # cattrs finds this hook for enumerations whose members are texts or numbers, too.
        if _is_enum(wanted):
            return _member(value, wanted)
        # Exactly this class: a bool is an int to Python, and a datetime a date.
        if type(value) is not cls:
            raise _Unfit("Expected {words}, not {value!r}.", words=words, value=value)
        if isinstance(value, dt.datetime) and value.tzinfo is None:
            raise _Unfit("{value} has no time zone.", "Write it as {value}+08:00.", value=value.isoformat())
        return value

    return hook


def _decimal(value: Any, _: Any = None) -> Decimal:
    try:
        number = value if isinstance(value, Decimal) else Decimal(str(value))
    except InvalidOperation:
        number = None
    if number is None or not number.is_finite() or isinstance(value, bool):
        raise _Unfit("Expected a number, not {value!r}.", value=value)
    return number


def _float(value: Any, _: Any) -> float:
    if isinstance(value, str):
        raise _Unfit("Expected a number, not {value!r}.", value=value)
    return float(_decimal(value))


def _money(value: Any, _: Any) -> Money:
    if isinstance(value, Money):
        return value
    if not isinstance(value, str):
        raise _Unfit("Expected an amount with its currency, not {value!r}.", 'Write "1234.50 CNY".', value=value)
    money: Money = MoneyKind().parse(value)
    return money


def _secret(value: Any, _: Any) -> Secret:
    if isinstance(value, Secret):
        return value
    if isinstance(value, str):
        return Secret(value)
    name = value.get("env") if isinstance(value, Mapping) and len(value) == 1 else None
    if not isinstance(name, str) or not name or set(name) & set("=\0"):
        # Whatever was meant, it is not repeated.
        raise _Unfit("Expected a text or the name of an environment variable.", 'Write {{ env = "NAME" }}.')
    return Secret(env=name)


def _is_literal(cls: Any) -> bool:
    return get_origin(cls) is Literal


def _literal(value: Any, cls: Any) -> Any:
    if not any(value == choice and type(value) is type(choice) for choice in get_args(cls)):
        raise _not_chosen(value, [str(choice) for choice in get_args(cls)])
    return value


def _is_enum(cls: Any) -> bool:
    return isinstance(cls, type) and issubclass(cls, Enum)


def _member(value: Any, cls: type[Enum]) -> Any:
    # A scope is an ordered number inside and a word for people.
    words = {member.name.lower() if cls is Scope else member.value: member for member in cls}
    if isinstance(value, cls):
        return value
    if not isinstance(value, str | int) or value not in words:
        raise _not_chosen(value, [str(word) for word in words])
    return words[value]


def _not_chosen(value: Any, choices: list[str]) -> _Unfit:
    return _Unfit(
        "{value!r} is none of the choices.",
        "Choose one of: {choices}.",
        value=value,
        choices=", ".join(choices),
    )


def _problems(error: BaseException, path: str, cls: Any) -> Iterator[Problem]:
    if isinstance(error, BaseValidationError):
        for inner in error.exceptions:
            yield from _problems(inner, _below(path, inner), error.cl)
    elif isinstance(error, ForbiddenExtraKeysError):
        known = [attribute.alias or attribute.name for attribute in attrs.fields(error.cl) if attribute.init]
        for key in sorted(error.extra_fields, key=str):
            yield Problem(
                _joined(path, key),
                "{key!r} is not known here.",
                "Did you mean {near}?" if known else "Remove it.",
                {"key": key, "near": nearest(str(key), known)},
            )
    elif isinstance(error, _Unfit | CrmError):
        yield Problem(path, error.problem, error.mend, error.values)
    elif isinstance(error, KeyError) and _note(error, AttributeValidationNote) is not None:
        yield Problem(path, "It is missing.", "Add it.")
    elif isinstance(error, StructureHandlerNotFoundError):
        yield Problem(
            path,
            "{cls} has a field that no build file can give: {reason}",
            "Settings hold texts, numbers, days, lists, tables, enumerations, Money, Secret and attrs classes.",
            {"cls": getattr(cls, "__name__", str(cls)), "reason": str(error)},
        )
    else:
        # What a validator of the class itself says: its first argument is the sentence.
        yield Problem(path, "{reason}", "", {"reason": str(error.args[0] if error.args else error)})


def _note(error: BaseException, kind: type[T]) -> T | None:
    return next((note for note in getattr(error, "__notes__", ()) if isinstance(note, kind)), None)


def _below(path: str, error: BaseException) -> str:
    attribute = _note(error, AttributeValidationNote)
    if attribute is not None:
        return _joined(path, attribute.name)
    element = _note(error, IterableValidationNote)
    if element is None:
        return path
    return f"{path}[{element.index}]" if isinstance(element.index, int) else _joined(path, element.index)


def _joined(path: str, key: object) -> str:
    """``path.key``, the key in quotes where TOML wants them."""
    name = str(key) if _BARE.fullmatch(str(key)) else f'"{key}"'
    return f"{path}.{name}" if path else name
