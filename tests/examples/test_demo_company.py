"""The demo company is imported without a rejected row, and shows what the demo promises."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from crm_core import Account, Contact, Crm, Record, User, ownership
from crm_core.exchange import run_import
from crm_core.views import overview

DEMO = Path(__file__).parents[2] / "examples" / "demo"
FOUR_WAYS = {"consumer_goods", "industrial", "key_accounts", "project_sales", "stakeholders"}


@pytest.fixture
def demo(database_url: str) -> Iterator[Crm]:
    with Crm.open(DEMO / "crm.toml", database=database_url, check=False) as crm:
        crm.migrate()
        yield crm


def rows_of(crm: Crm) -> dict[str, int]:
    with crm.system_session("test", read_only=True) as session:
        types: dict[str, type[Record]] = {name: each.cls for name, each in crm.types.items()}
        return {name: session.count(cls, all_dates=True) for name, cls in types.items()}


def test_the_demo_company(demo: Crm) -> None:
    first = run_import(demo, DEMO / "mapping.toml", DEMO / "data")
    assert {section.name: section.rejected for section in first.sections if section.rejected} == {}
    assert demo.report.warnings == ()
    filled = rows_of(demo)
    assert {name for name, count in filled.items() if count == 0} == {
        "account_address", "duty_confirmation", "handover", "handover_item", "participant", "pool_event",
        "quality_issue", "redirect", "share",
    }  # fmt: skip

    # A second import finds everything as it is.
    again = run_import(demo, DEMO / "mapping.toml", DEMO / "data")
    assert sum(section.created + section.updated + section.rejected for section in again.sections) == 0
    assert rows_of(demo) == filled

    with demo.session("zhou.lan", read_only=True) as session:
        hotels = session.scalars(select(Account).where(Account.local_name == "北曜酒店集团")).one()
        shown = overview(session, hotels)
        assert shown.failed == ()
        assert {panel.plugin for panel in shown.panels} == FOUR_WAYS
        assert session.count(Account, 'source == "distributor" and address.city == "佛山"') == 2
        assert session.count(Contact) > 70

    # Who owned it before the change of owner, and who sees it today.
    for day, login in ((dt.date(2026, 5, 31), "sun.yue"), (dt.date(2026, 6, 1), "oliver.hale")):
        with demo.session("zhou.lan", at=dt.datetime.combine(day, dt.time(4), dt.UTC)) as session:
            owner = ownership.owner(session, session.require(Account, hotels.id))
            assert isinstance(owner, User)
            assert owner.login == login
    seen = {}
    for login in ("li.wei", "he.miao", "oliver.hale", "tang.jie", "helena.brandt"):
        with demo.session(login, read_only=True) as session:
            seen[login] = (session.count(Account), session.get(Account, hotels.id) is not None)
    assert {login for login, (_, sees) in seen.items() if not sees} == {"he.miao"}
    assert seen["he.miao"][0] < seen["tang.jie"][0] < seen["helena.brandt"][0] == filled["account"]
