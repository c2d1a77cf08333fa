"""Making an input that shows a finding as short as it can be."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from torture.fuzz.target import Verdict

__all__ = ["minimised"]

_PLAIN = (b"a", b"0", b"1")


def minimised(data: bytes, verdict: Verdict, judge: Callable[[bytes], Verdict], seconds: float) -> bytes:
    """A shorter input with the same finding: without lines, then without pieces, then without bytes.

    It takes at most so many seconds, and gives the shortest that was found by then.
    """
    end = time.monotonic() + seconds

    def shows(candidate: bytes) -> bool:
        if time.monotonic() > end:
            return False
        got = judge(candidate)
        return (got.kind, got.mark) == (verdict.kind, verdict.mark)

    before = None
    while before != data and time.monotonic() < end:
        before = data
        data = b"".join(_fewer(data.splitlines(keepends=True), shows))
        data = b"".join(_fewer([bytes([each]) for each in data], shows))
    for at in range(len(data)):
        for plain in _PLAIN:
            candidate = data[:at] + plain + data[at + 1 :]
            if data[at : at + 1] not in _PLAIN and shows(candidate):
                data = candidate
    return data


def _fewer(parts: Sequence[bytes], shows: Callable[[bytes], bool]) -> Sequence[bytes]:
    """Fewer parts that still show it: pieces are left out, long ones first."""
    size = len(parts) // 2 or len(parts)
    while size:
        start = 0
        while start < len(parts):
            fewer = [*parts[:start], *parts[start + size :]]
            if shows(b"".join(fewer)):
                parts = fewer
            else:
                start += size
        size //= 2
    return parts
