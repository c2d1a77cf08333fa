"""What the plugin adds to the beginning of a day."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import select

from crm_core.views import looked, next_actions, whats_new
from crm_key_accounts import alerts, snapshots
from crm_key_accounts.alerts import Alert

EVEN = {"revenue": 50, "growth": 50, "margin": 50, "strategic_fit": 50, "share_of_wallet": 50}
BEFORE = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


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


def fall(company, name="Acme"):
    with company.session("boss") as session:
        snapshots.assess(session, company.account(session, name), EVEN, at=BEFORE)
    with company.session("boss") as session:
        snapshots.assess(session, company.account(session, name), {"share_of_wallet": 0, "revenue": 0})


def test_a_value_that_fell_is_news_and_something_to_do(company) -> None:
    read(company, "li.wei")
    fall(company)
    news = read(company, "li.wei")
    assert news["Acme", "alert"][0] == 1
    assert news["Acme", "alert"][1].startswith("The value score moved from 50.00 to ")
    assert ("Acme", "alert") not in read(company, "li.wei")
    ((account, title, reason),) = to_do(company, "li.wei", "alert")
    assert (account, title) == ("Acme", "Take note of the value alert, and say what is done")
    assert reason.startswith("The value score fell by ")
    with company.session() as session:
        alerts.acknowledge(session, session.scalars(select(Alert)).one(), note="seen")
    assert to_do(company, "li.wei", "alert") == []


def test_nobody_is_told_of_others_accounts(company) -> None:
    read(company, "zhang.min")
    fall(company)
    assert read(company, "zhang.min") == {}
    assert to_do(company, "zhang.min", "alert") == []
    assert read(company, "boss") == {}


def test_a_rise_is_less_urgent(company) -> None:
    with company.session("boss") as session:
        snapshots.assess(session, company.account(session, "Acme"), EVEN, at=BEFORE)
    with company.session("boss") as session:
        snapshots.assess(session, company.account(session, "Acme"), dict.fromkeys(EVEN, 100))
    with company.session(read_only=True) as session:
        (alert,) = [each for each in next_actions(session) if each.kind == "alert"]
    assert alert.urgency == 35
    assert alert.reason.startswith("The value score rose by")
