"""Properties that ask the database, which no thread may hold up for others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["AskedOnce"]


class AskedOnce:
    """A property that is asked for once: `functools.cached_property` lets all threads wait meanwhile, up to 3.11.

    Who asks the database may have to wait there for another thread, which would wait for this one.
    """

    def __init__(self, ask: Callable[[Any], bool]) -> None:
        self._ask = ask

    def __get__(self, instance: Any, _owner: Any = None) -> bool:
        found = instance.__dict__[self._ask.__name__] = self._ask(instance)
        return found
