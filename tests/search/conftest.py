"""A store with records that can be searched."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from crm_core.store.store import Store

from .search_records import POLICY, TYPES


@pytest.fixture
def store(database_url: str, fill_database: Any) -> Iterator[Store]:
    """A store of the kernel's records and the tests' own, empty."""
    fill_database(_tables)
    store = Store(database_url, TYPES, POLICY)
    yield store
    store.close()


def _tables(url: str) -> None:
    store = Store(url, TYPES, POLICY)
    store.create_all()
    store.close()
