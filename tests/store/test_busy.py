"""A database that another writer holds for too long is told as a conflict, not as a driver's error."""

from __future__ import annotations

import threading

import pytest

from crm_core.domain.accounts import Account
from crm_core.errors import Conflict, Contention
from tests.store import journal_support as support


def test_another_writer_is_a_conflict(database_url: str) -> None:
    with support.opened(database_url) as store:
        if store.dialect != "sqlite":
            pytest.skip("PostgreSQL lets writers of different rows go on")
        with store.session(principal="first") as first:
            first.add(Account(name="Acme"))
            first.flush()
            with store.session(principal="second") as second:
                with pytest.raises(Conflict, match="Another writer"), store.engine.connect() as raw:
                    raw.connection.driver_connection.execute("PRAGMA busy_timeout=50")  # type: ignore[union-attr]
                    raw.close()
                    second.delete_many(Account, [first.next_id()])
                second.rollback()


def test_who_only_looks_is_told_the_same(database_url: str) -> None:
    """A session that may write holds the place of the writer from its first look on."""
    with support.opened(database_url) as store:
        if store.dialect != "sqlite":
            pytest.skip("PostgreSQL lets writers of different rows go on")
        with store.session(principal="first") as first, store.session(principal="second") as second:
            first.add(Account(name="Acme"))
            first.flush()
            with store.engine.connect() as raw:
                raw.connection.driver_connection.execute("PRAGMA busy_timeout=50")  # type: ignore[union-attr]
            with pytest.raises(Contention, match="Another writer"):
                second.list(Account)
            second.rollback()


def test_nobody_waits_while_somebody_else_is_counted(database_url: str) -> None:
    """How much somebody sees is asked of the database, for which one may have to wait for whoever asks next."""
    with support.opened(database_url) as store:
        asked, told = threading.Event(), threading.Event()

        def count() -> int:
            asked.set()
            assert told.wait(10)
            return 0

        with store.session(principal="first") as first, store.session(principal="second") as second:
            slow, quick = first.visibility, second.visibility
            slow._owned_count, quick._owned_count = count, lambda: 0
            waiting = threading.Thread(target=lambda: slow.wide)
            waiting.start()
            assert asked.wait(10)
            other = threading.Thread(target=lambda: quick.wide)
            other.start()
            other.join(5)
            held_up = other.is_alive()
            told.set()
            waiting.join()
            other.join()
        assert not held_up
