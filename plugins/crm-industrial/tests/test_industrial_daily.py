"""What the plugin adds to the beginning of a day."""

from __future__ import annotations

import datetime as dt

from crm_core.testing.daily import read_news, to_do
from crm_industrial import touches


def test_touches_by_others_are_news(company) -> None:
    read_news(company.session, "li.wei")
    with company.session("boss") as session:
        touches.note(session, company.account(session, "Press"), "factory_tour", text="They saw line two")
    with company.session() as session:
        touches.note(session, company.account(session, "Press"), "call")
    assert read_news(company.session, "li.wei") == {("Press", "touch"): (1, "Factory tour: They saw line two")}
    assert read_news(company.session, "li.wei") == {}
    assert ("Press", "touch") not in read_news(company.session, "zhang.min")


def test_prospects_that_nobody_touched_for_long(company) -> None:
    with company.session() as session:
        for name, days in (("Press", 100), ("Mill", 3)):
            when = session.now - dt.timedelta(days=days)
            touches.note(session, company.account(session, name), "visit", at=when)
    assert to_do(company.session, "li.wei", "touch") == [
        ("Press", "Do something for the prospect", "The last touch was 100 days ago; patience is not forgetting."),
    ]  # fmt: skip
    assert to_do(company.session, "zhang.min", "touch") == []
