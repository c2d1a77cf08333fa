from __future__ import annotations

import datetime as dt

from hypothesis import given
from hypothesis import strategies as st

from crm_core.store.backoff import FIRST_PAUSE, MOST_PAUSE, pause

FAILURES = st.integers(0, 10**6)
CHANCE = st.floats(0, 1, exclude_max=True)


@given(FAILURES, CHANCE)
def test_a_pause_is_neither_none_nor_too_long(failures, chance):
    assert FIRST_PAUSE / 2 <= pause(failures, lambda: chance) <= MOST_PAUSE


@given(st.integers(1, 40), CHANCE)
def test_it_never_shrinks_with_more_failures(failures, chance):
    assert pause(failures, lambda: chance) <= pause(failures + 1, lambda: chance)


def test_it_doubles_up_to_the_most():
    assert [pause(failures, lambda: 0.0).total_seconds() for failures in range(1, 12)] == [
        10, 20, 40, 80, 160, 320, 640, 1280, 2560, 3600, 3600,
    ]  # fmt: skip


def test_what_failed_together_is_spread():
    pauses = {pause(5) for _ in range(50)}
    assert len(pauses) > 40
    assert min(pauses) >= dt.timedelta(seconds=80)
    assert max(pauses) <= dt.timedelta(seconds=160)
