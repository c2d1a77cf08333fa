"""Records that change together are written in the order of their ids, so that nobody stands against anybody."""

from __future__ import annotations

import random

from sqlalchemy import event

from tests.store import journal_support as support
from tests.store.journal_support import Note


def test_records_are_updated_in_the_order_of_their_ids(database_url):
    with support.opened(database_url) as store:
        with store.session(principal="test") as session:
            ids = session.add_many(Note, [{"name": "a"}] * 25)[5:]  # none of which could be taken for a version
        updated: list[int] = []

        def note(_connection, _cursor, statement, parameters, _context, executemany):
            if statement.startswith("UPDATE") and executemany:
                updated.extend(max(each for each in _values(row) if type(each) is int) for row in parameters)

        event.listen(store.engine, "before_cursor_execute", note)
        with store.session(principal="test") as session:
            mixed = random.Random(4).sample(list(ids), len(ids))
            session.update_many(Note, [{"id": id_, "name": "b"} for id_ in mixed])
        assert updated == sorted(ids), sorted(ids)


def _values(row):
    return row.values() if isinstance(row, dict) else row
