"""What the tests of the journal's parts share: stores on PostgreSQL whose clock is in the test's hand."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import attrs
from sqlalchemy import text

from crm_core.store.policy import Policy
from crm_core.store.store import Store
from tests.store import journal_support as support
from tests.store.journal_support import Note

EPOCH = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


@attrs.define
class Clock:
    """A clock that stands still until somebody moves it."""

    now: dt.datetime = EPOCH

    def __call__(self) -> dt.datetime:
        return self.now

    def turn(self, **by: float) -> dt.datetime:
        """Let time pass."""
        self.now += dt.timedelta(**by)
        return self.now


@contextmanager
def opened(url: str, clock: Clock, **policy: Any) -> Iterator[Store]:
    """A store with its tables, closed at the end."""
    store = Store(url, support.all_types(), Policy(custom=support.CUSTOM, **policy), clock=clock)
    try:
        store.create_all()
        yield store
    finally:
        store.close()


def write(store: Store, name: str = "kept") -> tuple[int, int]:
    """A note, and the change set that it came with: both ids, the latter first."""
    with store.session(principal="test") as session:
        note = session.add_one(Note(name=name)).id
    assert session.last_change_set is not None
    return session.last_change_set, note


def rows(store: Store, table: str) -> int:
    """How many rows a table has."""
    with store.engine.connect() as connection:
        found: int = connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one()
    return found
