"""Replaying the rules of pools over the time of one owner, without looking at every day.

Between two changes (a sign of life becomes known, the grade changes) nothing happens but that days pass, so the day of
a warning or a loss follows by calculation. It is the same as running the rules day by day; a property test says so.
"""

from __future__ import annotations

import datetime as dt
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

import attrs

from crm_core.domain.pools import Pool, RecycleRule

__all__ = ["Known", "Lost", "Runs", "State", "Tenure", "replay"]


@attrs.frozen
class Runs:
    """The runs of the rules, one a day: their moments in order, on days without a gap from ``first`` on."""

    first: dt.date
    moments: Sequence[dt.datetime]
    tz: dt.tzinfo

    def at(self, moment: dt.datetime | None) -> int:
        """The first run at or after a moment; the first of all for none."""
        return 0 if moment is None else bisect_left(self.moments, moment)

    def on(self, day: dt.date) -> int:
        """The run on a day; the first where the day is earlier, one after the last where it is later."""
        return min(max((day - self.first).days, 0), len(self.moments))

    def day(self, run: int) -> dt.date:
        """The day of a run."""
        return self.first + dt.timedelta(run)


@attrs.frozen
class State:
    """What an account was from a run on: the pool that would take it (``None`` for none), and its grade."""

    run: int
    pool: Pool | None
    grade: str | None


@attrs.frozen
class Known:
    """A sign of life at a moment, seen by the runs from ``enters`` up to, but not with, ``leaves``."""

    kind: str
    at: dt.datetime
    enters: int
    leaves: int


@attrs.frozen
class Tenure:
    """The time of one owner: the runs from ``start`` up to, but not with, ``end`` find them."""

    account_id: int
    user_id: int
    scope: str
    held_from: dt.datetime | None
    recorded: dt.datetime
    start: int
    end: int


@attrs.frozen
class Lost:
    """The run in which an owner would have lost an account, by which rule, and the run in which they were warned."""

    run: int
    pool: Pool
    rule: RecycleRule
    warned: int | None
    grade: str | None


def replay(runs: Runs, tenure: Tenure, states: Sequence[State], signs: Sequence[Known]) -> Lost | None:
    """When the rules would have taken an account from its owner; ``None`` if never.

    ``states`` are in order of their runs, the first one at 0.
    """
    points = {tenure.start}
    for state in states:
        points.add(state.run)
    for sign in signs:
        points |= {sign.enters, sign.leaves}
    ordered = [point for point in sorted(points) if tenure.start <= point < tenure.end] + [tenure.end]
    warned: dict[tuple[str, str], int] = {}
    latest = _Latest(signs)
    place = 0
    for start, end in pairwise(ordered):
        while place + 1 < len(states) and states[place + 1].run <= start:
            place += 1
        state = states[place]
        if state.pool is not None:
            lost = _within(runs, tenure, state, latest.at(start), warned, start, end)
            if lost is not None:
                return lost
    return None


def _within(
    runs: Runs,
    tenure: Tenure,
    state: State,
    latest: Mapping[str, dt.datetime],
    warned: dict[tuple[str, str], int],
    start: int,
    end: int,
) -> Lost | None:
    """A stretch of runs in which nothing changes."""
    pool = state.pool
    assert pool is not None
    lost: Lost | None = None
    told: dict[tuple[str, str], int] = {}
    for rule in pool.recycle:
        counted = rule.counts_from(tenure.held_from, tenure.recorded, latest.get(rule.signal), runs.tz)
        if rule.spares(state.grade) or counted is None:
            continue
        due, key = rule.due(counted, runs.tz), (pool.name, rule.key)
        at = _warned(runs, rule, warned.get(key), counted, start)
        if rule.warn_days and at is None:
            at = max(start, runs.on(rule.warn_on(due)))
            if at >= end:
                continue
            told[key] = at
        taken_on = rule.taken_on(due, None if at is None else runs.day(at))
        assert taken_on is not None
        run = max(start, runs.on(taken_on))
        if run < end and (lost is None or run < lost.run):
            lost = Lost(run, pool, rule, at, state.grade)
    warned |= told
    return lost


def _warned(runs: Runs, rule: RecycleRule, at: int | None, counted: dt.datetime, start: int) -> int | None:
    if at is None or runs.moments[at] <= counted or not rule.still_warned(runs.day(at), runs.day(start)):
        return None
    return at


class _Latest:
    """The latest sign of each kind that is seen in a run; asked in the order of runs."""

    def __init__(self, signs: Sequence[Known]) -> None:
        self._signs: Iterator[Known] = iter(sorted(signs, key=lambda sign: sign.enters))
        self._next = next(self._signs, None)
        self._seen: list[Known] = []

    def at(self, run: int) -> dict[str, dt.datetime]:
        while self._next is not None and self._next.enters <= run:
            self._seen.append(self._next)
            self._next = next(self._signs, None)
        latest: dict[str, Known] = {}
        leaving: list[Known] = []
        for sign in self._seen:
            if sign.leaves > run:
                known = latest.get(sign.kind)
                if known is None or (sign.at, sign.leaves) > (known.at, known.leaves):
                    latest[sign.kind] = sign
                if sign.leaves < FOREVER:
                    leaving.append(sign)
        # Of those that stay, only the latest can still matter.
        kept = {id(sign): sign for sign in [*leaving, *_staying(self._seen)]}
        self._seen = list(kept.values())
        return {kind: sign.at for kind, sign in latest.items()}


FOREVER = 10**9
"""The run at which a sign leaves that was never taken back."""


def _staying(signs: Sequence[Known]) -> list[Known]:
    latest: dict[str, Known] = {}
    for sign in signs:
        if sign.leaves >= FOREVER and (sign.kind not in latest or sign.at > latest[sign.kind].at):
            latest[sign.kind] = sign
    return list(latest.values())
