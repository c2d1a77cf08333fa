"""Comparing and combining field values, with custom fields name by name: one record may be changed many times."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["RAW", "STORES_OWN", "difference", "filled", "net", "overlay", "same", "with_custom"]

STORES_OWN = frozenset({"id", "version", "created_at", "created_by", "updated_at"})
"""What the store writes by itself: it goes on when a record is restored, and is never compared."""

RAW = "*row"
"""Key under which the journal keeps the column values of a plugin that is not in the build."""

_CUSTOM = "custom"


def filled(values: Mapping[str, Any]) -> dict[str, Any]:
    """Without what is absent: ``None``, and custom fields that are."""
    found = {name: value for name, value in values.items() if value is not None}
    if _CUSTOM in found:
        custom = {name: value for name, value in found.pop(_CUSTOM).items() if value is not None}
        if custom:
            found[_CUSTOM] = custom
    return found


def difference(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Before and after of the fields in ``new`` that really change; of ``custom`` only the names that do."""
    before: dict[str, Any] = {}
    after: dict[str, Any] = {}
    for name, value in new.items():
        if name == _CUSTOM:
            had, has = old.get(_CUSTOM) or {}, value or {}
            differing = [key for key in has if had.get(key) != has[key]]
            if differing:
                before[_CUSTOM] = {key: had.get(key) for key in differing}
                after[_CUSTOM] = {key: has[key] for key in differing}
        elif old.get(name) != value:
            before[name], after[name] = old.get(name), value
    return before, after


def with_custom(after: Mapping[str, Any], old: Mapping[str, Any]) -> Mapping[str, Any]:
    """Changed values as they are to be written: ``custom``, where it changes, holds what stays of the ``old``, too."""
    if _CUSTOM not in after:
        return after
    custom = {**(old.get(_CUSTOM) or {}), **after[_CUSTOM]}
    return {**after, _CUSTOM: {name: value for name, value in custom.items() if value is not None}}


def overlay(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """``above`` laid over ``below``."""
    result = {**below, **above}
    for name in (_CUSTOM, RAW):
        if name in below and name in above:
            result[name] = {**(below[name] or {}), **(above[name] or {})}
    return result


def net(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Both sides of an update, with the same names and only those that differ."""
    names = (before.keys() | after.keys()) - STORES_OWN
    whole = {name: after.get(name) for name in sorted(names)}
    if _CUSTOM in whole:
        had, has = before.get(_CUSTOM) or {}, whole[_CUSTOM] or {}
        whole[_CUSTOM] = {key: has.get(key) for key in sorted(had.keys() | has.keys())}
    return difference(before, whole)


def same(now: Mapping[str, Any], then: Mapping[str, Any]) -> bool:
    """Whether a record has the declared fields that it had; what is absent is absent on both sides."""
    here, there = filled(now), filled(then)
    return all(here.get(name) == there.get(name) for name in (here.keys() | there.keys()) - STORES_OWN)
