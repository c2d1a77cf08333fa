"""Milestones and their slip, the panel and the timeline."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import event

from crm_core import Account, Activity, Conflict, Contact, ValidationError, contacts
from crm_core.views import overview, timeline
from crm_project_sales import (
    Milestone,
    Project,
    ProjectStage,
    decide,
    decision_map,
    open_project,
    plan_milestone,
    reach_milestone,
    score,
    slip,
    slip_days,
)
from crm_stakeholders import assign

FEBRUARY, MARCH = dt.date(2026, 2, 2), dt.date(2026, 3, 2)

days = st.dates(dt.date(2020, 1, 1), dt.date(2030, 1, 1))
milestones = st.builds(
    Milestone,
    project_id=st.just(1),
    name=st.just("Tender"),
    planned_day=days,
    forecast_day=st.none() | days,
    actual_day=st.none() | days,
)


@given(milestones, days, days)
def test_slip_is_the_distance_from_the_plan(milestone, today, later):
    found = slip_days(milestone, today)
    if milestone.actual_day is not None:
        assert milestone.planned_day + dt.timedelta(days=found) == milestone.actual_day
        assert slip_days(milestone, later) == found
    else:
        assert found >= (today - milestone.planned_day).days
        assert slip_days(milestone, max(today, later)) >= found
        expected = milestone.forecast_day or milestone.planned_day
        assert found == (max(expected, today) - milestone.planned_day).days


@given(milestones, days, st.integers(0, 1000))
def test_a_later_forecast_never_lessens_the_slip(milestone, today, more):
    before = slip_days(milestone, today)
    expected = milestone.forecast_day or milestone.planned_day
    milestone.forecast_day = expected + dt.timedelta(days=more)
    assert slip_days(milestone, today) >= before


def tender(company, planned=FEBRUARY):
    with company.session("li") as session:
        return plan_milestone(session, company.project_of(session), "Tender", planned_day=planned, kind="tender").id


def test_a_slip_leaves_the_plan(company):
    id_ = tender(company)
    with company.session("li") as session:
        slip(session, session.require(Milestone, id_), to=MARCH, reason="Specification late")
    with company.session("li") as session:
        found = session.require(Milestone, id_)
        assert (found.planned_day, found.forecast_day, found.reason) == (FEBRUARY, MARCH, "Specification late")
        assert slip_days(found, FEBRUARY) == 28
        slip(session, found, to=FEBRUARY, reason="Caught up")
        assert found.forecast_day is None


def test_what_was_reached_slips_no_more(company):
    id_ = tender(company)
    with company.session("li") as session:
        reach_milestone(session, session.require(Milestone, id_), on=MARCH)
    with company.session("li") as session:
        found = session.require(Milestone, id_)
        assert slip_days(found, dt.date(2030, 1, 1)) == 28
        with pytest.raises(Conflict, match="slip no more"):
            slip(session, found, to=MARCH, reason="x")
        with pytest.raises(Conflict, match="reached on 2026-03-02 already"):
            reach_milestone(session, found)


def test_nothing_is_reached_on_a_day_to_come(company):
    id_ = tender(company)
    with company.session("li") as session:
        found = session.require(Milestone, id_)
        with pytest.raises(ValidationError, match="after today"):
            reach_milestone(session, found, on=dt.date(2999, 1, 1))
        assert reach_milestone(session, found).actual_day == session.now.date()


def test_kinds_of_milestones_and_activities_are_vocabularies(company):
    with pytest.raises(ValidationError, match="vocabulary"), company.session("li") as session:
        plan_milestone(session, company.project_of(session), "Party", planned_day=MARCH, kind="party")
    with company.session("li") as session:
        session.add(Activity(kind="site_visit", subject="Look at the hall", account_id=company.acme))


def test_a_project_has_a_decision_map_of_its_own(company):
    with company.session("li") as session:
        acme, project = company.acme_of(session), company.project_of(session)
        assign(session, company.person(session, "ann"), acme, "decider", subject=project, scopes=["final"], stance=2)
        assign(session, company.person(session, "bob"), acme, "user")
    with company.session("li") as session:
        found = decision_map(session, company.project_of(session))
    assert [person.name for person in found.stakeholders] == ["Ann"]
    assert found.support.value == 2


def panel_of(company, login="li", **options):
    with company.session(login, **options) as session:
        shown = overview(session, company.acme_of(session))
    assert shown.failed == ()
    return next((panel for panel in shown.panels if panel.plugin == "project_sales"), None)


def test_the_panel_tells_where_projects_stand(company):
    with company.session("li") as session:
        acme, project = company.acme_of(session), company.project_of(session)
        assign(session, company.person(session, "ann"), acme, "decider", subject=project, scopes=["final"])
        score(session, project, "access", 4)
        decide(session, project, "go", reason="sure")
        plan_milestone(session, project, "Award", planned_day=dt.date(2999, 6, 1))
        late = plan_milestone(session, project, "Tender", planned_day=dt.date(2999, 1, 1))
        slip(session, late, to=dt.date(2999, 1, 11), reason="late")
        session.add(Project(account_id=acme.id, name="Old hall", stage=ProjectStage.LOST))
    panel = panel_of(company)
    assert panel.title == "Projects"
    assert panel.lines == (("Open projects", "1"), ("Budgets by probability", "480000.00 CNY"))
    assert panel.rows[1:] == (
        ("Third line", "Idea", "1200000.00 CNY", "80.00", "Go", "2999-01-11 Tender", "10", "25%"),
    )
    assert panel.severity == "warning"


def test_the_panel_warns_of_what_is_not_decided_and_of_bids_against_a_decision(company):
    assert panel_of(company).severity == "warning"
    with company.session("li") as session:
        decide(session, company.project_of(session), "go", reason="sure")
    assert panel_of(company).severity == "good"
    with company.session("li") as session:
        company.project_of(session).stage = ProjectStage.BID
    with company.session("zhou") as session:
        decide(session, company.project_of(session), "no_go", reason="no capacity")
    assert panel_of(company).severity == "bad"


def test_there_is_no_panel_without_open_projects(company):
    with company.session("li") as session:
        company.project_of(session).stage = ProjectStage.WON
    assert panel_of(company) is None


def test_the_timeline_tells_decisions_and_milestones(company):
    reached, ahead = tender(company, FEBRUARY), tender(company, dt.date(2026, 12, 24))
    with company.session("li") as session:
        reach_milestone(session, session.require(Milestone, reached), on=MARCH)
        decide(session, company.project_of(session), "review", reason="wait", at=dt.date(2026, 1, 5))
    with company.session("li") as session:

        def told(**options):
            return [
                (entry.at.date(), entry.kind, entry.title, entry.text)
                for entry in timeline(session, company.acme_of(session), **options)
                if entry.record_type.startswith("project_sales")
            ]

        assert told() == [
            (dt.date(2026, 12, 24), "milestone", "Milestone expected", "Third line: Tender"),
            (MARCH, "milestone", "Milestone reached", "Third line: Tender"),
            (dt.date(2026, 1, 5), "project_decision", "Decided: review", "Third line: wait"),
        ]
        spring = dt.datetime(2026, 3, 1, tzinfo=dt.UTC), dt.datetime(2026, 3, 2, 12, tzinfo=dt.UTC)
        assert [day for day, *_ in told(since=spring[0], until=spring[1])] == [MARCH]
        assert told(since=spring[1], until=spring[1]) == []
        assert [day for day, *_ in told(until=spring[0])] == [dt.date(2026, 1, 5)]
    assert ahead != reached


def test_looking_takes_as_many_statements_for_many_accounts_as_for_one(company):
    with company.crm.system_session("test") as session:
        more = [session.add_one(Account(name=f"Account {number}")) for number in range(30)]
        for account in more:
            someone = session.add_one(Contact(name="Someone"))
            contacts.affiliate(session, someone, account, since_always=True)
            project = open_project(session, account, "Hall", probability=Decimal("0.5"))
            session.flush()
            plan_milestone(session, project, "Award", planned_day=MARCH)
            score(session, project, "access", 3)
            decide(session, project, "review", reason="new")
            assign(session, someone, account, "user", subject=project, since_always=True)
    ids = [account.id for account in more]
    counts = {}
    for wanted in (ids[:1], ids):
        with company.session("zhou", read_only=True) as session:
            session.core_connection()
        with company.crm.system_session("look", read_only=True) as session:
            seen: list[str] = []
            listen = lambda *args, seen=seen: seen.append(args[2])  # noqa: E731
            session.core_connection()
            event.listen(company.crm.store.engine, "before_cursor_execute", listen)
            try:
                shown = company.crm.build.dispatcher.gather_overview(session, wanted)
                told = company.crm.build.dispatcher.gather_timeline(session, wanted, None, None, 1000)
            finally:
                event.remove(company.crm.store.engine, "before_cursor_execute", listen)
            assert not shown.failed
            assert not told.failed
            assert len([panel for panel in shown if panel.plugin == "project_sales"]) == len(wanted)
            assert len([entry for entry in told if entry.kind == "milestone"]) == len(wanted)
            # The kernel's savepoints around plugins on PostgreSQL are counted where they are made.
            counts[len(wanted)] = len([each for each in seen if "SAVEPOINT" not in each])
    assert counts[1] == counts[30] <= 11
