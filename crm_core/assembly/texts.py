"""The texts of a section of the build file, each with its path: what names fields, records and permissions."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from enum import Enum
from typing import Any

import attrs

__all__ = ["quoted", "texts_in"]


def texts_in(value: Any, path: str, passed_over: Collection[str] = ()) -> Iterator[tuple[str, str]]:
    """Every text of a section with its path, keys included; ``passed_over`` are names of fields that hold prose."""
    if attrs.has(type(value)):
        for each in attrs.fields(type(value)):
            if each.name not in passed_over:
                yield from texts_in(getattr(value, each.name), f"{path}.{each.name}", passed_over)
    elif isinstance(value, Mapping):
        for key, each in value.items():
            if isinstance(key, str):
                yield f"{path}.{quoted(key)}", key
            yield from texts_in(each, f"{path}.{quoted(str(key))}", passed_over)
    elif isinstance(value, str):
        yield path, value
    elif isinstance(value, Iterable) and not isinstance(value, Enum | bytes):
        for number, each in enumerate(value):
            yield from texts_in(each, f"{path}[{number}]", passed_over)


def quoted(key: str) -> str:
    """A key as TOML wants it."""
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else f'"{key}"'
