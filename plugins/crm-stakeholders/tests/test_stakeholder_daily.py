"""What the plugin adds to the beginning of a day."""

from __future__ import annotations

from crm_core.testing.daily import read_news, to_do
from crm_core.views import overview, whats_new
from crm_stakeholders.roles import assign, end


def decider(company, login="zhou"):
    with company.session(login) as session:
        return assign(
            session,
            company.person(session, "ann"),
            company.acme_of(session),
            "decider",
            scopes=["commercial"],
            stance=-2,
        )


def test_who_comes_into_a_decision_is_news_and_what_they_think_is_not(company) -> None:
    read_news(company.session, "li")
    row = decider(company)
    with company.session("li") as session:
        found = whats_new(session)
        assert "-2" not in repr([one for each in found for one in each.learned if one.kind == "stakeholder"])
    assert read_news(company.session, "li")["Acme", "stakeholder"] == (1, "Ann has a part in a decision: Decider")
    with company.session("zhou") as session:
        end(session, session.require(type(row), row.id))
    assert read_news(company.session, "li")["Acme", "stakeholder"] == (
        1,
        "Ann has no part in a decision any more: Decider",
    )
    assert not any(kind == "stakeholder" for _, kind in read_news(company.session, "wang"))


def test_sides_of_which_nobody_is_known(company) -> None:
    assert to_do(company.session, "li", "stakeholder") == []
    decider(company)
    ((account, title, reason),) = to_do(company.session, "li", "stakeholder")
    assert (account, title) == ("Acme", "Find out who decides")
    assert "Technical" in reason
    assert "Commercial" not in reason
    assert to_do(company.session, "wang", "stakeholder") == []


def test_the_one_view_asks_for_them_too(company) -> None:
    decider(company)
    with company.session("li", read_only=True) as session:
        asked = [str(each) for each in overview(session, company.acme_of(session)).quality.ask]
    assert "Who decides is not known (Technical)" in asked
