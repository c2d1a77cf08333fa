"""The catalogues of the build, written by several processes at once: two of them may migrate at the same time."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

from sqlalchemy import text

from tests.store import journal_support as support

ROUNDS = 30


def test_several_at_once_write_the_same_catalogues(database_url):
    with support.opened(database_url) as one, support.opened(database_url) as two:
        one.create_all()
        before = _written(one)
        start = threading.Barrier(2, timeout=20)

        def write(store):
            for _ in range(ROUNDS):
                if start.wait() == 0:
                    _forget_what_is_indexed(store)
                start.wait()
                store.migrated()

        with ThreadPoolExecutor(2) as pool:
            for done in [pool.submit(write, each) for each in (one, two)]:
                done.result()
        assert _written(one) == before and before


def _forget_what_is_indexed(store):
    with store.engine.begin() as connection:
        connection.execute(text("DELETE FROM crm_search_state"))


def _written(store):
    with store.engine.connect() as connection:
        return [
            sorted(map(repr, connection.execute(text(f"SELECT * FROM {table}"))))
            for table in ("crm_record_type", "crm_reference", "crm_custom_field", "crm_search_state")
        ]
