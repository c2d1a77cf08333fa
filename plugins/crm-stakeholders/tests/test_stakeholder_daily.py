"""What the plugin adds to the beginning of a day."""

from __future__ import annotations

from crm_core.views import looked, next_actions, overview, whats_new
from crm_stakeholders.roles import assign, end


def told(news):
    return {(each.name, one.kind): (one.count, one.text.format(**one.values)) for each in news for one in each.learned}


def read(company, login):
    """What is new for somebody, who has read it then."""
    with company.session(login) as session:
        found = whats_new(session)
        looked(session, found)
        assert found.failed == ()
        return told(found)


def to_do(company, login, kind):
    with company.session(login, read_only=True) as session:
        found = next_actions(session)
    assert found.failed == ()
    return [
        (found.accounts.get(each.account_id, ""), each.title.format(**each.values), each.reason.format(**each.values))
        for each in found
        if each.kind == kind
    ]


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
    read(company, "li")
    row = decider(company)
    with company.session("li") as session:
        found = whats_new(session)
        assert "-2" not in repr([one for each in found for one in each.learned if one.kind == "stakeholder"])
    assert read(company, "li")["Acme", "stakeholder"] == (1, "Ann has a part in a decision: Decider")
    with company.session("zhou") as session:
        end(session, session.require(type(row), row.id))
    assert read(company, "li")["Acme", "stakeholder"] == (1, "Ann has no part in a decision any more: Decider")
    assert not any(kind == "stakeholder" for _, kind in read(company, "wang"))


def test_sides_of_which_nobody_is_known(company) -> None:
    assert to_do(company, "li", "stakeholder") == []
    decider(company)
    ((account, title, reason),) = to_do(company, "li", "stakeholder")
    assert (account, title) == ("Acme", "Find out who decides")
    assert "Technical" in reason
    assert "Commercial" not in reason
    assert to_do(company, "wang", "stakeholder") == []


def test_the_one_view_asks_for_them_too(company) -> None:
    decider(company)
    with company.session("li", read_only=True) as session:
        asked = [str(each) for each in overview(session, company.acme_of(session)).quality.ask]
    assert "Who decides is not known (Technical)" in asked
