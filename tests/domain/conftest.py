"""A small company for the verbs: two units, three people of ours, on a migrated database."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from crm_core import Crm, Unit, User, organisation


@pytest.fixture
def crm(database_url: str) -> Iterator[Crm]:
    """An opened CRM of the kernel alone, in the time zone of Shanghai."""
    build = {"crm": {"name": "verbs", "database": database_url, "plugins": [], "time_zone": "Asia/Shanghai"}}
    with Crm.open(build, check=False) as opened:
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
        yield opened
