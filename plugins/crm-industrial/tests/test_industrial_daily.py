"""What the plugin adds to the beginning of a day."""

from __future__ import annotations

import datetime as dt

from crm_core.views import looked, next_actions, whats_new
from crm_industrial import touches


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


def test_touches_by_others_are_news(company) -> None:
    read(company, "li.wei")
    with company.session("boss") as session:
        touches.note(session, company.account(session, "Press"), "factory_tour", text="They saw line two")
    with company.session() as session:
        touches.note(session, company.account(session, "Press"), "call")
    assert read(company, "li.wei") == {("Press", "touch"): (1, "Factory tour: They saw line two")}
    assert read(company, "li.wei") == {}
    assert ("Press", "touch") not in read(company, "zhang.min")


def test_prospects_that_nobody_touched_for_long(company) -> None:
    with company.session() as session:
        for name, days in (("Press", 100), ("Mill", 3)):
            when = session.now - dt.timedelta(days=days)
            touches.note(session, company.account(session, name), "visit", at=when)
    assert to_do(company, "li.wei", "touch") == [
        ("Press", "Do something for the prospect", "The last touch was 100 days ago; patience is not forgetting."),
    ]  # fmt: skip
    assert to_do(company, "zhang.min", "touch") == []
