"""Records that change together are locked in the order of their ids, so that nobody stands against anybody."""

from __future__ import annotations

import random

from sqlalchemy import event

from tests.store import journal_support as support
from tests.store.journal_support import Note


def test_records_are_locked_in_the_order_of_their_ids_before_they_are_changed(database_url):
    with support.opened(database_url) as store:
        with store.session(principal="test") as session:
            ids = session.add_many(Note, [{"name": "a"}] * 25)
        said: list[str] = []
        event.listen(store.engine, "before_cursor_execute", lambda *given: said.append(" ".join(given[2].split())))
        with store.session(principal="test") as session:
            # Of different fields, so that a statement for each would come to the records in an order of its own.
            mixed = random.Random(4).sample(list(ids), len(ids))
            rows = [{"id": id_, ("name" if id_ % 2 else "body"): "b"} for id_ in mixed]
            assert session.update_many(Note, rows) == len(ids)
        first = next(number for number, each in enumerate(said) if each.startswith("UPDATE"))
        locking = [each for each in said[:first] if "_note.id IN" in each and "ORDER BY" in each]
        if store.dialect == "sqlite":
            assert not locking  # there is one writer, and nothing to lock
        else:
            (found,) = locking
            assert found.endswith("_note.id FOR NO KEY UPDATE")
