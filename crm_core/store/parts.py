"""Many things in parts: no more at once than a statement can have, or than memory should hold."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

__all__ = ["AT_ONCE", "id_parts", "in_parts"]

T = TypeVar("T")

AT_ONCE = 1000
"""How many ids one statement names: well below what either database takes."""


def in_parts(items: Iterable[T], size: int = AT_ONCE) -> Iterator[list[T]]:
    """The items in order, ``size`` at a time; read no further than to the end of the part that is asked for."""
    left = iter(items)
    while part := list(islice(left, size)):
        yield part


def id_parts(ids: Iterable[int]) -> list[list[int]]:
    """The ids in order, each once, in parts; a single empty one where there are none, so that a view asks as often."""
    return list(in_parts(sorted(set(ids)))) or [[]]
