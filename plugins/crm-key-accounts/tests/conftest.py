"""A company with two salespeople in two units and their manager, for the tests of this plugin."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from crm_core.testing.filling import FillDatabase
from crm_core.testing.two_teams import TwoTeams, two_teams


@pytest.fixture
def open_company(database_url: str, fill_database: FillDatabase) -> Iterator[Callable[..., TwoTeams]]:
    """Opens the company, with these settings of the plugin."""
    with ExitStack() as stack:
        yield lambda **settings: stack.enter_context(
            two_teams(
                database_url,
                ["key_accounts"],
                east=("Acme", "Beta"),
                west=("Delta",),
                settings=settings,
                fill_database=fill_database,
            )
        )


@pytest.fixture
def company(open_company: Callable[..., TwoTeams]) -> TwoTeams:
    return open_company()
