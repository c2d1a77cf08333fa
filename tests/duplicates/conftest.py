"""A company whose customers may be there twice."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from crm_core import Crm

from .support import Company, opened, populate


@pytest.fixture
def company(database_url: str, fill_database: Any) -> Iterator[Company]:
    fill_database(_found)
    with Crm.open({}, database=database_url, check=False) as crm:
        yield Company(crm)


def _found(url: str) -> None:
    with opened(url) as crm:
        populate(crm)
