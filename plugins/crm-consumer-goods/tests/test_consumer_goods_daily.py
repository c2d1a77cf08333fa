"""What the plugin adds to the beginning of a day."""

from __future__ import annotations

import datetime as dt

from crm_consumer_goods import outlets, store_checks, visits
from crm_consumer_goods.visits import Visit
from crm_core import OwnershipRole, ownership
from crm_core.testing.daily import read_news, to_do
from crm_core.views import next_actions, whats_new


def today(session):
    return session.now.astimezone(session.policy.tz).date()


def test_visits_of_others_and_empty_shelves_are_news(company) -> None:
    read_news(company.session, "li.wei")
    with company.crm.system_session("test") as session:
        kiosk = company.account(session, "Kiosk")
        ownership.assign(session, kiosk, to="zhang.min", role=OwnershipRole.COLLABORATOR, since_always=True)
    read_news(company.session, "li.wei")
    with company.session("zhang.min") as session:
        visit = visits.check_in(session, company.account(session, "Kiosk"))
        visits.check_out(session, visit, note="The owner is away")
        store_checks.note(session, visit, [{"product": "Tea", "on_shelf": False}, {"product": "Rice"}])
    news = read_news(company.session, "li.wei")
    assert news["Kiosk", "visit"] == (1, "Outlet visit: The owner is away")
    assert news["Kiosk", "store_check"] == (1, "Not on the shelf: Tea")
    assert read_news(company.session, "li.wei") == {}
    assert ("Kiosk", "visit") not in read_news(company.session, "zhang.min")


def test_visits_to_make(company) -> None:
    with company.session() as session:
        kiosk, mart = company.account(session, "Kiosk"), company.account(session, "Mart")
        day = today(session)
        for where, shift in ((kiosk, -2), (kiosk, 0), (mart, 3), (mart, 90)):
            session.add(Visit(account_id=where.id, user_id=session.user_id, planned_on=day + dt.timedelta(shift)))
    found = to_do(company.session, "li.wei", "visit")
    assert [account for account, _, _ in found] == ["Kiosk", "Kiosk", "Mart"]
    assert "was not made" in found[1][2]
    assert "It is planned for" in found[0][2]
    assert to_do(company.session, "zhang.min", "visit") == []


def test_outlets_that_are_neglected(company) -> None:
    with company.session() as session:
        day = today(session)
        for name in ("Kiosk", "Mart"):
            outlets.classify(session, company.account(session, name), "convenience", outlet_class="B")
        began = session.now - dt.timedelta(days=30)
        session.add(Visit(account_id=company.accounts["Mart"], user_id=session.user_id, checked_in_at=began,
                          planned_on=day - dt.timedelta(30)))  # fmt: skip
    assert to_do(company.session, "li.wei", "coverage") == [
        ("Kiosk", "Plan a visit to the outlet", "It was never visited; it is due every 14 days."),
        ("Mart", "Plan a visit to the outlet", "It was not visited for 30 days; it is due every 14 days."),
    ]
    with company.session() as session:
        session.add(Visit(account_id=company.accounts["Kiosk"], user_id=session.user_id, planned_on=day))
        outlets.classify(session, company.account(session, "Mart"), "convenience", visit_frequency=0)
    assert to_do(company.session, "li.wei", "coverage") == []


def test_statements_do_not_grow(company) -> None:
    counts = []
    for number in (1, 10):
        with company.session() as session:
            kiosk = company.account(session, "Kiosk")
            outlets.classify(session, kiosk, "convenience", outlet_class="B")
            for shift in range(number):
                session.add(Visit(account_id=kiosk.id, user_id=session.user_id,
                                  planned_on=today(session) + dt.timedelta(shift)))  # fmt: skip
        with company.session(read_only=True) as session:
            company.account(session, "Kiosk")
            with company.statements() as seen:
                next_actions(session)
                whats_new(session)
        counts.append(len(seen))
    assert counts[0] == counts[1]
