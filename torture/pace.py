"""How quick the machine was meanwhile: where others share its processors, its milliseconds depend on the hour."""

from __future__ import annotations

import statistics
import time

import attrs

__all__ = ["Pace"]

ADDITIONS = 200_000
"""As many as are made; what they took is told for a million."""


@attrs.define
class Pace:
    """The seconds that a million additions of Python take, each time somebody looked.

    By the clock, as whatever is measured is: who waits for a processor is slow, too.
    """

    taken: list[float] = attrs.field(factory=list)

    def sample(self) -> None:
        """Look once."""
        begun = time.perf_counter()
        total = 0
        for number in range(ADDITIONS):
            total += number
        self.taken.append((time.perf_counter() - begun) * 1_000_000 / ADDITIONS)

    @property
    def milliseconds(self) -> tuple[float, float, float]:
        """The median, the least and the most; raises :class:`ValueError` where nobody looked."""
        taken = [each * 1000 for each in self.taken]
        return statistics.median(taken), min(taken), max(taken)

    def __str__(self) -> str:
        median, least, most = self.milliseconds
        return f"a million additions of Python meanwhile in {median:.0f} ms ({least:.0f} to {most:.0f})"
