"""What the plugin adds to the beginning of a day."""

from __future__ import annotations

import datetime as dt

from crm_core.testing.daily import read_news, to_do
from crm_project_sales.decisions import decide
from crm_project_sales.milestones import plan_milestone, reach_milestone, slip
from crm_project_sales.projects import ProjectStage


def day(session, days):
    return session.now.date() + dt.timedelta(days)


def test_decisions_and_milestones_are_news(company) -> None:
    with company.session("li") as session:
        tender = plan_milestone(session, company.project_of(session), "Tender", planned_day=day(session, 30))
        award = plan_milestone(session, company.project_of(session), "Award", planned_day=day(session, -3))
    read_news(company.session, "li")
    with company.session("zhou") as session:
        decide(session, company.project_of(session), "go", reason="a reference for the region")
        slip(session, session.require(type(tender), tender.id), to=day(session, 60), reason="drawings late")
        reach_milestone(session, session.require(type(award), award.id))
        expected = day(session, 60).isoformat()
    news = read_news(company.session, "li")
    assert news["Acme", "project_decision"] == (1, "Third line: decided to go")
    assert news["Acme", "milestone"][0] == 2
    assert expected in news["Acme", "milestone"][1] or "was reached on" in news["Acme", "milestone"][1]
    assert read_news(company.session, "li") == {}
    assert read_news(company.session, "zhou") == {}
    assert not any(kind in ("milestone", "project_decision") for _, kind in read_news(company.session, "wang"))


def test_milestones_that_are_due(company) -> None:
    with company.session("li") as session:
        for name, days in (("Late", -4), ("Soon", 3), ("Far", 40)):
            plan_milestone(session, company.project_of(session), name, planned_day=day(session, days))
    found = to_do(company.session, "li", "milestone")
    assert [title for _, title, _ in found] == ["Third line: Late", "Third line: Soon"]
    assert "say when it will be" in found[0][2]
    assert to_do(company.session, "wang", "milestone") == []
    with company.session("li") as session:
        company.project_of(session).stage = ProjectStage.LOST
    assert to_do(company.session, "li", "milestone") == []


def test_projects_that_want_a_decision(company) -> None:
    assert to_do(company.session, "li", "project_decision") == []
    with company.session("li") as session:
        decide(session, company.project_of(session), "review", reason="wait for the drawings")
    ((account, title, reason),) = to_do(company.session, "li", "project_decision")
    assert (account, title) == ("Acme", "Decide whether to go on with Third line")
    assert reason == "It was decided to review it."
    with company.session("li") as session:
        decide(session, company.project_of(session), "go", reason="now")
        session.check()
        company.project_of(session).stage = ProjectStage.BID
    assert to_do(company.session, "li", "project_decision") == []
    with company.session("li") as session:
        decide(session, company.project_of(session), "no_go", reason="too dear")
    assert to_do(company.session, "li", "project_decision")[0][2] == "We bid without a decision to go."
