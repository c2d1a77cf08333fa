"""TOML made up from declared settings: what a class of settings takes, and now and then what it does not."""

from __future__ import annotations

import datetime as dt
import random
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Literal, get_args, get_origin

import attrs

from crm_core.testing.conformance.commanding import toml

__all__ = ["Pools", "as_toml", "drawn", "mostly"]

Pools = Mapping[str, tuple[Any, ...]]
"""Values that are likely under a key."""

_WRONG: tuple[Any, ...] = (
    "", "x", "{", "a\x00b", "长" * 300, -1, 0, 10**30, 1.5, True, [], {}, [[]], ["x", 1], {"x": {}},
    dt.date(2026, 11, 23), float("nan"), float("inf"), dt.time(1, 2),
)  # fmt: skip


def mostly(right: Sequence[Any], wrong: Sequence[Any] = ()) -> tuple[Any, ...]:
    """Values of which about one in thirty is wrong."""
    times = max(1, 30 * len(wrong) // len(right))
    return (*(tuple(right) * times), *wrong)


def drawn(chance: random.Random, kind: Any, key: str, pools: Pools, wrong: float = 0.02) -> Any:
    """A value for a setting of this type that is called ``key``."""
    if chance.random() < wrong:
        return chance.choice(_WRONG)

    def one(of: Any, name: str) -> Any:
        return drawn(chance, of, name, pools, wrong)

    if key in pools and chance.random() < 0.9:
        return chance.choice(pools[key])
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (types.UnionType, typing.Union):
        return one(chance.choice([each for each in arguments if each is not type(None)]), key)
    if origin is Literal:
        return chance.choice(arguments)
    if origin is tuple:
        return [one(arguments[0], f"{key}[]") for _ in range(chance.choice((0, 1, 1, 2, 4)))]
    if isinstance(origin, type) and issubclass(origin, Mapping):
        names = pools.get(f"{key}{{}}", mostly(("one", "two", "three"), ("a.b", "é", "x y")))
        return {name: one(arguments[1], f"{key}.*") for name in chance.choices(names, k=chance.randint(0, 3))}
    if attrs.has(kind):
        return _table(chance, kind, one)
    plain: dict[Any, tuple[Any, ...]] = {
        str: ("one", "two", "name", ""),
        int: mostly((1, 2, 3, 30), (-1, 0, 10**6)),
        bool: (True, False),
        Decimal: mostly((Decimal("0.5"), Decimal(1), Decimal("0.25")), (10, Decimal("-1.25"))),
        dt.date: (dt.date(2026, 1, 1),),
    }
    return chance.choice(plain.get(kind, ("x", 1, True, [])))


def _table(chance: random.Random, kind: Any, one: Callable[[Any, str], Any]) -> dict[str, Any]:
    hints = typing.get_type_hints(kind)
    found = {}
    for each in attrs.fields(kind):
        needed = each.default is attrs.NOTHING
        if chance.random() < (0.97 if needed else 0.4):
            found[each.name] = one(hints[each.name], each.name)
    if chance.random() < 0.02:
        found[chance.choice(("unknown", "labl", "x.y"))] = 1
    return found


def as_toml(chance: random.Random, content: Mapping[str, Any]) -> str:
    """The content as TOML: tables under headlines of their own, dotted, or on one line."""
    flat: list[str] = []
    tables: list[str] = []
    for name, value in content.items():
        if isinstance(value, Mapping) and chance.random() < 0.8:
            tables.append(f"[{_key(name)}]\n{_lines(chance, value)}")
        elif (
            isinstance(value, list)
            and value
            and all(isinstance(each, Mapping) for each in value)
            and chance.random() < 0.9
        ):
            tables += [f"[[{_key(name)}]]\n{_lines(chance, each)}" for each in value]
        else:
            flat.append(toml({name: value}))
    return "".join(flat) + "\n".join(tables)


def _lines(chance: random.Random, table: Mapping[str, Any]) -> str:
    lines = []
    for name, value in table.items():
        if isinstance(value, Mapping) and value and chance.random() < 0.5:
            lines += [f"{_key(name)}.{toml({key: each})}" for key, each in value.items()]
        else:
            lines.append(toml({name: value}))
    return "".join(lines)


def _key(name: str) -> str:
    return toml({name: 0}).partition(" = ")[0]
