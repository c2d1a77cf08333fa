"""Python's search for garbage in cycles, put off while a batch of rows is written.

A batch makes tens of thousands of dictionaries, tuples and lists, none of them in a cycle, and each few hundred start
another search, now and then through everything that the process holds. That was a fifth of the time of bulk creation.
"""

from __future__ import annotations

import functools
import gc
import os
import threading
from collections.abc import Callable
from typing import ParamSpec, TypeVar

__all__ = ["uncollected"]

P = ParamSpec("P")
R = TypeVar("R")


class _Pause:
    """The search is the process's, so threads share one pause; who has switched it off themselves finds it so."""

    def __init__(self) -> None:
        self.begin_anew()

    def begin_anew(self) -> None:
        """Nobody holds it; also in a process that was forked by another thread meanwhile."""
        self._lock = threading.Lock()
        self._holders = 0
        self._was_on = False

    def __enter__(self) -> None:
        with self._lock:
            if self._holders == 0:
                self._was_on = gc.isenabled()
                gc.disable()
            self._holders += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._holders -= 1
            if self._holders == 0 and self._was_on:
                gc.enable()

    def after_fork(self) -> None:
        """The threads that held it are not in the child."""
        if self._holders and self._was_on:
            gc.enable()
        self.begin_anew()


_pause = _Pause()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pause.after_fork)


def uncollected(work: Callable[P, R]) -> Callable[P, R]:
    """Put the search off while a function runs: one that writes a batch of bounded size, and calls no plugin."""

    @functools.wraps(work)
    def undisturbed(*args: P.args, **options: P.kwargs) -> R:
        with _pause:
            return work(*args, **options)

    return undisturbed
