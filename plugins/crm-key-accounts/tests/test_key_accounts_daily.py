"""What the plugin adds to the beginning of a day."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import select

from crm_core.testing.daily import read_news, to_do
from crm_core.views import next_actions
from crm_key_accounts import alerts, snapshots
from crm_key_accounts.alerts import Alert

EVEN = {"revenue": 50, "growth": 50, "margin": 50, "strategic_fit": 50, "share_of_wallet": 50}
BEFORE = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


def fall(company, name="Acme"):
    with company.session("boss") as session:
        snapshots.assess(session, company.account(session, name), EVEN, at=BEFORE)
    with company.session("boss") as session:
        snapshots.assess(session, company.account(session, name), {"share_of_wallet": 0, "revenue": 0})


def test_a_value_that_fell_is_news_and_something_to_do(company) -> None:
    read_news(company.session, "li.wei")
    fall(company)
    news = read_news(company.session, "li.wei")
    assert news["Acme", "alert"][0] == 1
    assert news["Acme", "alert"][1].startswith("The value score moved from 50.00 to ")
    assert ("Acme", "alert") not in read_news(company.session, "li.wei")
    ((account, title, reason),) = to_do(company.session, "li.wei", "alert")
    assert (account, title) == ("Acme", "Take note of the value alert, and say what is done")
    assert reason.startswith("The value score fell by ")
    with company.session() as session:
        alerts.acknowledge(session, session.scalars(select(Alert)).one(), note="seen")
    assert to_do(company.session, "li.wei", "alert") == []


def test_nobody_is_told_of_others_accounts(company) -> None:
    read_news(company.session, "zhang.min")
    fall(company)
    assert read_news(company.session, "zhang.min") == {}
    assert to_do(company.session, "zhang.min", "alert") == []
    assert read_news(company.session, "boss") == {}


def test_a_rise_is_less_urgent(company) -> None:
    with company.session("boss") as session:
        snapshots.assess(session, company.account(session, "Acme"), EVEN, at=BEFORE)
    with company.session("boss") as session:
        snapshots.assess(session, company.account(session, "Acme"), dict.fromkeys(EVEN, 100))
    with company.session(read_only=True) as session:
        (alert,) = [each for each in next_actions(session) if each.kind == "alert"]
    assert alert.urgency == 35
    assert alert.reason.startswith("The value score rose by")
