"""What a footprint costs: as many statements whatever the plugin has."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import insert, text

from crm_core.leaving.footprint import footprint
from crm_core.store.tables import RECORD_TYPE
from crm_core.testing.statements import counted

from .leaver import Company, rows

Opened = Callable[..., Any]


def cost(crm: Any) -> tuple[int, Any]:
    with counted(crm) as statements:
        found = footprint(crm, "leaver")
    return len(statements), found


def test_more_rows_cost_no_more_statements(company: Company) -> None:
    few, found = cost(company.crm)
    before = {each.name: each.rows for each in found.held.tables}
    with company.crm.system_session("test") as session:
        visit = company.crm.types["leaver.visit"].cls
        session.add_many(visit, [{"account_id": company.ids["Acme"], "subject": f"Visit {n}"} for n in range(1500)])
    many, found = cost(company.crm)
    assert {each.name: each.rows for each in found.held.tables}["leaver__visit"] == before["leaver__visit"] + 1500
    assert found.held.changes["leaver.visit"] > 1500
    assert many == few


def test_more_record_types_cost_no_more_statements(company: Company) -> None:
    few, _ = cost(company.crm)
    with company.crm.store.engine.begin() as connection:
        for number in range(20):
            connection.execute(
                text(f"CREATE TABLE leaver__more{number} (id BIGINT PRIMARY KEY, note TEXT, visit_id BIGINT "
                     "REFERENCES leaver__visit (id))")
            )  # fmt: skip
            connection.execute(text(f"CREATE INDEX more{number} ON leaver__more{number} (note)"))
            connection.execute(text(f"INSERT INTO leaver__more{number} (id) VALUES (1), (2)"))
            connection.execute(
                insert(RECORD_TYPE).values(
                    name=f"leaver.more{number}",
                    plugin="leaver",
                    table=f"leaver__more{number}",
                    label="More",
                    about="{}",
                )
            )
    many, found = cost(company.crm)
    assert many == few
    assert [each.rows for each in found.held.tables if each.name.startswith("leaver__more")] == [2] * 20
    assert found.held.columns["leaver__more7"] == ("id", "note", "visit_id")
    assert all(each.bytes for each in found.held.tables)
    assert len(rows(company.crm)) == 4, "the plugin goes on working"


def test_it_costs_few(company: Company, opened: Opened) -> None:
    assert cost(company.crm)[0] <= 25
    assert cost(opened(without=("leaver",)))[0] <= 25
