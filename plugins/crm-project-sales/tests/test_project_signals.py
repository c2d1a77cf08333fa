"""Signs of life for the rules of pools."""

from __future__ import annotations

import datetime as dt

from crm_project_sales.milestones import plan_milestone, reach_milestone


def test_milestones_that_were_reached(company):
    day = dt.date(2026, 3, 4)
    with company.session("li") as session:
        project = company.project_of(session)
        for name, kind in (("Tender", "tender"), ("Handed over", "acceptance"), ("Delivered", "delivery")):
            milestone = plan_milestone(session, project, name, planned_day=day, kind=kind)
            if kind != "delivery":
                reach_milestone(session, milestone, on=day)
    with company.crm.system_session("test") as session:

        def told(*kinds, since=None, until=None):
            until = until or session.now
            found = company.crm.build.dispatcher.gather_signals(
                session, [company.acme, company.beta], set(kinds), since, until
            )
            assert found.failed == ()
            return sorted((each.account_id, each.kind, each.at.date()) for each in found)

        ended, reached = (company.acme, "project_acceptance", day), (company.acme, "milestone", day)
        assert told("milestone", "project_acceptance") == [reached, reached, ended]
        assert told("project_acceptance") == [ended]
        assert told("milestone", since=dt.datetime(2026, 3, 5, tzinfo=dt.UTC)) == []
        assert told("milestone", until=dt.datetime(2026, 3, 4, tzinfo=dt.UTC)) == []
        assert told("order") == []
    assert {"milestone", "project_acceptance"} <= company.crm.build.policy.vocabularies["account.signal"].keys()
