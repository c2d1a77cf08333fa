"""A database that another writer holds for too long is told as a conflict, not as a driver's error."""

from __future__ import annotations

import pytest

from crm_core.domain.accounts import Account
from crm_core.errors import Conflict
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
