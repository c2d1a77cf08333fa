"""Whether an index is what the records say."""

from __future__ import annotations

from typing import Any

from crm_core.store.search.keeping import stored
from crm_core.store.search.reindex import check, reindex
from crm_core.store.store import Store
from crm_core.store.tables import SEARCH_DOCUMENT


def documents(store: Store) -> dict[Any, Any]:
    """All documents by what tells them apart; those with ids of their own may have others in another index."""
    with store.session(principal="test", read_only=True) as session:
        rows = session.core(SEARCH_DOCUMENT.select()).mappings().all()
    found = {
        (row["type"], row["record_id"] or row["id"], row["permission"]): (
            row["account_id"], row["shown_id"], row["size"], row["body"],
        )
        for row in rows
    }  # fmt: skip
    assert len(found) == len(rows)
    return found


def verify(store: Store) -> None:
    """The index is right by its own check, and a new one is the same."""
    found = check(store)
    assert found.right, found
    before = documents(store)
    reindex(store)
    assert documents(store) == before
    assert check(store).right


__all__ = ["documents", "stored", "verify"]
