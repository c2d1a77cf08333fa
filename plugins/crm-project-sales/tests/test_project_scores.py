"""Scores, decisions, and who may bid."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_core import Account, Crm, NotFound, Objection, PermissionDenied, ValidationError
from crm_core.views import check_contact
from crm_project_sales import (
    Criterion,
    Decision,
    Project,
    ProjectStage,
    Score,
    Settings,
    Verdict,
    decide,
    decision,
    open_project,
    score,
    scorecard,
)
from crm_project_sales.scores import rated

MARCH, MAY = dt.date(2026, 3, 1), dt.date(2026, 5, 1)
APRIL, JUNE = dt.date(2026, 4, 1), dt.date(2026, 6, 1)
ORDER = [Verdict.NO_GO, Verdict.REVIEW, Verdict.GO]
CRITERIA = tuple(Settings().criteria)

weights = st.decimals("0.1", "10", places=1)
criteria = st.dictionaries(
    st.sampled_from("abcdef"),
    st.builds(Criterion, label=st.just("x"), weight=weights, knock_out_below=st.integers(0, 3)),
    min_size=1,
)
values = st.dictionaries(st.sampled_from("abcdefg"), st.integers(0, 5))


@given(criteria, values)
def test_a_score_lies_within_its_bounds(known, judged):
    card = rated(judged, Settings(criteria=known))
    counted = [judged[name] for name in known if name in judged]
    assert 0 <= card.complete <= 1
    assert (card.score is None) == (not counted)
    if card.score is not None:
        assert 20 * min(counted) - Decimal("0.01") <= card.score <= 20 * max(counted) + Decimal("0.01")
        assert 0 <= card.score <= 100


@given(criteria, values, st.data())
def test_a_better_score_never_makes_it_worse(known, judged, data):
    raisable = [name for name in known if judged.get(name, 5) < 5]
    if raisable:
        name = data.draw(st.sampled_from(raisable))
        settings = Settings(criteria=known)
        before, after = rated(judged, settings), rated({**judged, name: judged[name] + 1}, settings)
        assert after.score >= before.score
        assert ORDER.index(after.recommendation) >= ORDER.index(before.recommendation)
        assert set(after.knocked_out) <= set(before.knocked_out)


@given(criteria, values)
def test_a_knock_out_decides_alone_and_an_incomplete_card_never_says_go(known, judged):
    card = rated(judged, Settings(criteria=known))
    if card.knocked_out:
        assert card.recommendation is Verdict.NO_GO
    elif not set(known) <= set(judged):
        assert card.recommendation is Verdict.REVIEW


@pytest.mark.parametrize(
    ("each", "expected"),
    [
        (5, Verdict.GO),
        (4, Verdict.GO),
        (3, Verdict.REVIEW),
        (2, Verdict.REVIEW),
        (1, Verdict.NO_GO),
        (0, Verdict.NO_GO),
    ],
)
def test_thresholds_decide_about_a_complete_card(each, expected):
    card = rated(dict.fromkeys(CRITERIA, each), Settings())
    assert (card.score, card.complete, card.recommendation) == (20 * each, 1, Verdict(expected))


def judged(company, value=5, login="li", at=MARCH):
    with company.session(login) as session:
        for criterion in CRITERIA:
            score(session, company.project_of(session), criterion, value, at=at)


def test_scores_are_those_of_their_day(company):
    judged(company, 4)
    with company.session("li") as session:
        score(session, company.project_of(session), "access", 0, reason="Our coach left", at=MAY)
    with company.session("li") as session:
        project = company.project_of(session)
        assert scorecard(session, project, at=dt.date(2026, 2, 1)).score is None
        assert scorecard(session, project, at=APRIL).score == 80
        assert scorecard(session, project, at=JUNE).score == 60
    with company.session("li", at=dt.datetime(2026, 4, 1, tzinfo=dt.UTC)) as session:
        assert scorecard(session, company.project_of(session)).recommendation is Verdict.GO
        (row,) = session.list(Score, 'criterion == "access"')
        assert (row.value, row.user.login) == (4, "li")


def test_a_score_noted_late_leaves_the_later_one(company):
    with company.session("li") as session:
        score(session, company.project_of(session), "access", 5, at=MAY)
        score(session, company.project_of(session), "access", 1, at=MARCH)
        score(session, company.project_of(session), "access", 2, at=MARCH)
    with company.session("li") as session:
        cards = [scorecard(session, company.project_of(session), at=day) for day in (APRIL, JUNE)]
        rows = session.list(Score, all_dates=True)
    assert [[line.value for line in card.lines if line.value is not None] for card in cards] == [[2], [5]]
    assert len(rows) == 2


@pytest.mark.parametrize(
    ("criterion", "value", "complaint"),
    [("access", 6, "6 is no score"), ("access", -1, "-1 is no score"), ("luck", 3, "no criterion 'luck'")],
)
def test_a_score_that_makes_no_sense_is_refused(company, criterion, value, complaint):
    with pytest.raises(Objection, match=complaint), company.session("li") as session:
        score(session, company.project_of(session), criterion, value)


def test_a_decision_keeps_what_was_recommended(company):
    judged(company)
    with company.session("li") as session:
        decide(session, company.project_of(session), "go", at=APRIL)
    with company.session("zhou") as session:
        decide(session, company.project_of(session), Verdict.NO_GO, reason="Capacity is sold", at=MAY)
    with company.session("li") as session:
        project = company.project_of(session)
        assert decision(session, project, at=MARCH) is None
        first, second = decision(session, project, at=APRIL), decision(session, project)
        assert (first.verdict, first.score, first.recommendation, first.reason) == (Verdict.GO, 100, Verdict.GO, None)
        assert (second.verdict, second.recommendation, second.user.login) == (Verdict.NO_GO, Verdict.GO, "zhou")
        assert session.count(Project, 'any(decisions, verdict == "no_go")') == 1


def test_whoever_decides_otherwise_says_why(company):
    with pytest.raises(ValidationError, match="recommends review, not go"), company.session("li") as session:
        decide(session, company.project_of(session), "go")


def bid(company, login="li", **values):
    with company.session(login) as session:
        company.project_of(session).stage = ProjectStage.BID


def test_nobody_bids_without_a_decision_to_go(company):
    for verdict in (None, "review", "no_go"):
        if verdict:
            with company.session("li") as session:
                decide(session, company.project_of(session), verdict, reason="for the test")
        with pytest.raises(Objection, match="no decision to go"):
            bid(company)
    with pytest.raises(Objection, match="no decision to go"), company.session("li") as session:
        session.add_many(Project, [{"account_id": company.acme, "name": "Other", "stage": ProjectStage.NEGOTIATION}])


@pytest.mark.parametrize("closed", ["dropped", "lost", "won"])
def test_nobody_bids_without_a_decision_by_way_of_a_closed_project(company, closed):
    with company.session("li") as session:
        company.project_of(session).stage = ProjectStage(closed)
    with pytest.raises(Objection, match="no decision to go"):
        bid(company)


def test_a_decision_of_the_same_change_set_counts(company):
    with company.session("li") as session:
        project = company.project_of(session)
        decide(session, project, "go", reason="the board wants it")
        project.stage = ProjectStage.BID
    with company.session("li") as session:
        assert company.project_of(session).stage is ProjectStage.BID
        company.project_of(session).stage = ProjectStage.NEGOTIATION


def test_a_decision_to_come_does_not_count_yet(company):
    with company.session("li") as session:
        decide(session, company.project_of(session), "go", reason="next year", at=dt.date(2999, 1, 1))
    with pytest.raises(Objection, match="no decision to go"):
        bid(company)


def test_a_build_may_bid_freely(company, database_url):
    config = {
        "crm": {"plugins": ["stakeholders", "project_sales"]},
        "plugins": {"project_sales": {"bid_needs_go": False}},
    }
    with Crm.open(config, database=database_url) as crm:
        with crm.session("li") as session:
            company.project_of(session).stage = ProjectStage.BID
        with crm.session("li") as session:
            assert company.project_of(session).stage is ProjectStage.BID


@pytest.mark.parametrize("probability", [Decimal("1.1"), Decimal("-0.1")])
def test_a_probability_is_a_share(company, probability):
    with pytest.raises(Objection, match="no probability"), company.session("li") as session:
        company.project_of(session).probability = probability


def test_a_touch_is_warned_of_after_a_no_go(company):
    def findings():
        with company.session("li") as session:
            return [f.text for f in check_contact(session, company.acme_of(session), purpose="visit")]

    assert findings() == []
    with company.session("li") as session:
        decide(session, company.project_of(session), "no_go", reason="No funding.")
    assert findings() == ["The project Third line was decided no-go. No funding."]
    with company.session("li") as session:
        company.project_of(session).stage = ProjectStage.DROPPED
    assert findings() == []


def test_what_hangs_on_an_invisible_account_is_invisible(company):
    judged(company)
    with company.session("li") as session:
        decide(session, company.project_of(session), "go")
    with company.session("wang") as session:
        for cls in (Project, Score, Decision):
            assert session.count(cls) == 0
            assert session.list(cls, all_dates=True) == []
        assert session.get(Project, company.project) is None
        assert session.count(Account, 'any(project_sales.projects, name == "Third line")') == 0
    with pytest.raises(NotFound), company.session("wang") as session:
        session.add(Score(project_id=company.project, criterion="access", value=1))
    with company.session("zhou") as session:
        assert session.count(Score) == len(CRITERIA)


def test_a_salesperson_deletes_no_project_but_the_manager_does(company):
    judged(company)
    with pytest.raises(PermissionDenied), company.session("li") as session:
        session.delete(company.project_of(session))
    with company.session("zhou") as session:
        session.delete(company.project_of(session))
    with company.crm.system_session("test", read_only=True) as session:
        assert (session.count(Project), session.count(Score)) == (0, 0)


def test_a_change_set_of_scores_and_decision_is_undone_as_a_whole(company):
    with company.session("li") as session:
        project = company.project_of(session)
        score(session, project, "access", 5)
        decide(session, project, "go", reason="sure")
        session.commit()
        done = session.last_change_set
    with company.session("li") as session:
        session.undo(done)
    with company.session("li") as session:
        assert scorecard(session, company.project_of(session)).score is None
        assert decision(session, company.project_of(session)) is None


def test_filters_reach_projects_and_from_projects(company):
    with company.session("li") as session:
        acme = company.acme_of(session)
        acme.industry = "machinery"
        open_project(session, acme, "Fourth line")
    with company.session("zhou") as session:
        found = session.list(
            Account, 'any(project_sales.projects, probability > 0.3 and budget > money("1000000", "CNY"))'
        )
        assert [account.id for account in found] == [company.acme]
        assert session.count(Account, "count(project_sales.projects) == 2") == 1
        assert session.count(Project, 'account.industry == "machinery" and stage == "idea"') == 2
        assert session.count(Project, 'account.owner.login == "wang"') == 0
