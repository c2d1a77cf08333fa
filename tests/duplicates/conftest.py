"""A company whose customers may be there twice."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .support import Company, opened, populate


@pytest.fixture
def company(database_url: str) -> Iterator[Company]:
    with opened(database_url) as crm:
        yield populate(crm)
