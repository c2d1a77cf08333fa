"""What a long change set needs: as much for ten thousand rows as for a thousand."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest
from sqlalchemy import text

from crm_core.store import created
from crm_core.store.session import CrmSession
from crm_core.store.store import Store
from tests.store import journal_support as support

PART = 1000


def cache_size(session: CrmSession) -> int:
    return int(session.core(text("PRAGMA cache_size")).scalar_one())


def write(session: CrmSession, count: int) -> None:
    for start in range(0, count, PART):
        session.add_many(support.Note, ({"name": f"Note {row}"} for row in range(start, start + PART)))


def peak(store: Store, count: int, *, streaming: bool) -> int:
    """The most bytes that Python held while this many records were written as one change set."""
    with store.session(principal="import", streaming=streaming) as session:
        write(session, PART)  # what is made once
        tracemalloc.start()
        try:
            write(session, count)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()


def test_a_change_set_that_streams_holds_no_more_of_many_rows_than_of_few(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It knows the latest ids that it gave, 20,000 of each type. That is not what is looked for here."""
    monkeypatch.setattr(created, "_LIMIT", PART)
    with support.opened(database_url) as store:
        few, many = (peak(store, count, streaming=True) for count in (2 * PART, 6 * PART))
        whole = peak(store, 6 * PART, streaming=False)
    assert many < 1.2 * few, (few, many)
    assert whole > 2 * many, "one that does not stream holds every row, so that the bound above can be missed"


@pytest.mark.parametrize("read_only", [False, True])
def test_only_while_a_change_set_streams_sqlite_remembers_little_of_what_it_wrote(
    tmp_path: Path, read_only: bool
) -> None:
    with support.opened(f"sqlite:///{tmp_path / 'crm.db'}") as store:
        with store.session(principal="test", read_only=read_only) as session:
            usual = cache_size(session)
        with store.session(principal="import", read_only=read_only, streaming=True) as session:
            assert 0 > cache_size(session) > usual / 4, "negative: kibibytes"
            with session.begin_nested():
                assert cache_size(session) > usual / 4
            session.rollback()
            assert cache_size(session) > usual / 4, "in its next transaction, too"
        with store.session(principal="test", read_only=read_only) as session:
            assert cache_size(session) == usual
