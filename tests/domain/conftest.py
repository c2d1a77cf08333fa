"""A small company for the verbs: two units, three people of ours, on a migrated database."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from crm_core import Crm, Unit, User, organisation

BUILD: dict[str, Any] = {"crm": {"name": "verbs", "plugins": [], "time_zone": "Asia/Shanghai"}}


@pytest.fixture
def crm(database_url: str, fill_database: Any) -> Iterator[Crm]:
    """An opened CRM of the kernel alone, in the time zone of Shanghai."""
    fill_database(_found)
    with Crm.open(BUILD, database=database_url, check=False) as opened:
        yield opened


def _found(url: str) -> None:
    with Crm.open(BUILD, database=url, check=False) as opened:
        opened.migrate()
        with opened.system_session("init") as session:
            head = session.add_one(Unit(name="Head office", code="HQ"))
            session.add(Unit(name="East", code="EAST", parent_id=head.id))
            for login, name in (("li.wei", "李伟"), ("wang.fang", "王芳"), ("boss", "陈总")):
                session.add(User(login=login, name=name))
            session.flush()
            organisation.join(session, "li.wei", "EAST", role="sales", since_always=True)
            organisation.join(session, "wang.fang", "EAST", role="sales", since_always=True)
            organisation.join(session, "boss", "HQ", role="administrator", since_always=True)
