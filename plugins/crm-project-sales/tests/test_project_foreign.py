"""Opportunities of Salesforce become projects, by a draft that is imported as it is."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

from sqlalchemy import select

from crm_core import Account, Crm, ExternalRef, Money
from crm_core.exchange import run_import
from crm_core.exchange.drafting import as_toml, draft
from crm_project_sales import Project, ProjectStage
from crm_project_sales.plugin import REMARK_LABELS

OPPORTUNITIES = """\
id,is_deleted,system_modstamp,created_by_id,owner_id,account_id,name,amount,stage_name,close_date,probability,is_won
006a,false,2024-01-01 00:00:00,005,005,001a,Third line,1200000,Qualification,2026-12-31,40,false
006b,false,2024-01-01 00:00:00,005,005,001a,Fourth line,,Proposal/Price Quote,2027-01-31,60,false
006c,false,2024-01-01 00:00:00,005,005,001a,First line,800000,Closed Won,2025-01-31,100,true
006d,TRUE,2024-01-01 00:00:00,005,005,001a,Gone,1,Prospecting,2025-01-31,10,false
006e,false,2024-01-01 00:00:00,005,005,001x,Of nobody,1,Something own,2025-01-31,10,false
"""


def test_opportunities_are_projects(crm: Crm, tmp_path: Path) -> None:
    (tmp_path / "sf_opportunity_data.csv").write_text(OPPORTUNITIES, encoding="utf-8")
    with crm.system_session("test") as session:
        account = session.add_one(Account(name="Acme"))
        session.flush()
        session.add_one(ExternalRef(system="salesforce", record_type="account", key="001a", record_id=account.id))
        acme = account.id
    found = draft(crm.build, tmp_path)
    assert found.files[0].record == "project_sales.project"
    text = as_toml(found, "crm import mapping.toml --dry-run")
    assert REMARK_LABELS[0][:60] in text.replace("\n# ", " ")
    (tmp_path / "mapping.toml").write_text(text, encoding="utf-8")
    report = run_import(crm, tmp_path / "mapping.toml", tmp_path)
    assert (report.created, report.rejected) == (2, 2)
    reasons = " ".join(each.reason for each in report.first_rejects)
    assert "has no decision to go" in reasons and "There is no account with the key '001x'" in reasons
    with crm.system_session("test", read_only=True) as session:
        mine = select(Project).where(Project.account_id == acme).order_by(Project.name)
        first, third = session.scalars(mine).all()
        assert (third.name, third.stage, third.probability) == ("Third line", ProjectStage.QUALIFIED, Decimal("0.4"))
        assert third.budget == Money("1200000", "CNY")
        assert (first.stage, first.account.name) == (ProjectStage.WON, "Acme")


def test_the_remark_is_that_of_the_file() -> None:
    import tomllib

    import crm_project_sales

    file = Path(crm_project_sales.__file__).parent / "foreign" / "salesforce.toml"
    given = tomllib.loads(file.read_text(encoding="utf-8"))
    assert [section["remark"] for each in given["object"] for section in each["section"]] == list(REMARK_LABELS)
