"""Properties that ask the database, which no thread may hold up for others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, overload

__all__ = ["AskedOnce"]


class AskedOnce:
    """A property that is asked for once: `functools.cached_property` lets all threads wait meanwhile, up to 3.11.

    Who asks the database may have to wait there for another thread, which would wait for this one.
    """

    def __init__(self, ask: Callable[[Any], bool]) -> None:
        self._ask = ask

    @overload
    def __get__(self, instance: None, owner: type) -> AskedOnce: ...
    @overload
    def __get__(self, instance: object, owner: type) -> bool: ...
    def __get__(self, instance: object | None, owner: type) -> AskedOnce | bool:
        if instance is None:
            return self
        found = instance.__dict__[self._ask.__name__] = self._ask(instance)
        return found
