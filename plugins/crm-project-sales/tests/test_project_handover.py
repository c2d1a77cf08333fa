"""What of projects a handover and the overview tell as open."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import event

from crm_core import Account
from crm_core.views import open_items
from crm_project_sales import ProjectStage, decide, open_project, plan_milestone, reach_milestone


def kinds(session, accounts, user_id=None):
    found = open_items(session, accounts, user_id)
    assert found.failed == ()
    return [(item.kind, item.title, item.text) for item in found]


class TestOpenWork:
    def test_projects_bids_and_milestones(self, company):
        with company.session("li") as session:
            project = company.project_of(session)
            decide(session, project, "go", reason="worth it")
            project.stage, project.expected_close = ProjectStage.BID, dt.date(2030, 5, 1)
            plan_milestone(session, project, "Tender", planned_day=dt.date(2030, 1, 2))
            reached = plan_milestone(session, project, "Talk", planned_day=dt.date(2020, 1, 2))
            reach_milestone(session, reached, on=dt.date(2020, 1, 2))
            lost = open_project(session, company.acme_of(session), "Lost")
            lost.stage = ProjectStage.LOST
        with company.session("li") as session:
            decide(session, company.project_of(session), "no_go", reason="too late")
        with company.session("li", read_only=True) as session:
            assert kinds(session, [company.acme, company.beta]) == [
                ("milestone", "Tender", "Third line"),
                ("project", "Third line", "Bid"),
                ("question", "We bid without a decision to go", "Third line"),
            ]
            assert kinds(session, [company.acme], session.user_id) == []
        with company.session("wang", read_only=True) as session:
            assert kinds(session, [company.acme, company.beta]) == []

    def test_a_decision_to_be_reviewed_is_a_question(self, company):
        with company.session("li") as session:
            decide(session, company.project_of(session), "review", reason="too early")
        with company.session("li", read_only=True) as session:
            assert sorted(kind for kind, *_ in kinds(session, [company.acme])) == ["project", "question"]

    def test_the_number_of_statements_does_not_grow(self, company):
        counts = []
        for _ in range(2):
            with company.crm.system_session("test") as session:
                for number in range(3):
                    for account in (company.acme, company.beta):
                        project = open_project(session, session.require(Account, account), f"P{number}")
                        plan_milestone(session, project, "Tender", planned_day=dt.date(2030, 1, 2))
            seen = []

            def note(_conn, _cursor, statement, *_rest, into=seen):
                into.append(statement)

            with company.session("zhou", read_only=True) as session:
                session.visibility.wide  # the count of accounts is asked once
                event.listen(company.crm.store.engine, "before_cursor_execute", note)
                assert len(open_items(session, [company.acme, company.beta])) > 6
                event.remove(company.crm.store.engine, "before_cursor_execute", note)
            counts.append(sum(statement.startswith("SELECT") for statement in seen))
        assert counts[0] == counts[1] < 12
