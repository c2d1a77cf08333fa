"""How long to wait before something that failed is tried again."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Callable

__all__ = ["FIRST_PAUSE", "MOST_PAUSE", "pause"]

FIRST_PAUSE = dt.timedelta(seconds=10)
MOST_PAUSE = dt.timedelta(hours=1)
"""No pause is longer; what seems to wait longer waits for a clock that was set back."""


def pause(failures: int, chance: Callable[[], float] = random.random) -> dt.timedelta:
    """The pause after so many failures in a row: doubled by each, at most :data:`MOST_PAUSE`.

    By chance it is up to a half shorter, so that what failed together is not tried together again.
    """
    doublings = min(max(failures, 1) - 1, 20)
    whole = min(FIRST_PAUSE * (1 << doublings), MOST_PAUSE)
    return whole * (1 - chance() / 2)
