"""A store with records that can be searched."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from crm_core.store.store import Store

from .search_records import POLICY, TYPES


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    """A store of the kernel's records and the tests' own, empty."""
    store = Store(database_url, TYPES, POLICY)
    store.create_all()
    yield store
    store.close()
