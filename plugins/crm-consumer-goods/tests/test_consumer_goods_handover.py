"""Visits that are planned go over to the successor; those that were missed stay with whoever missed them."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import select

from crm_consumer_goods.outlets import classify
from crm_consumer_goods.visits import Visit, check_in, plan_visits
from crm_core import Handover, User, handovers
from crm_core.views import open_items


def today(company):
    return dt.datetime.now(dt.UTC).astimezone(company.crm.build.policy.tz).date()


class TestOpenWork:
    def test_planned_visits_and_outlets_without_any(self, company):
        day = today(company)
        with company.session() as session:
            kiosk, mart = company.account(session, "Kiosk"), company.account(session, "Mart")
            for account in (kiosk, mart):
                classify(session, account, "convenience", outlet_class="A")
            session.add(Visit(account_id=kiosk.id, user_id=session.user_id, planned_on=day + dt.timedelta(1)))
            session.add(Visit(account_id=kiosk.id, user_id=session.user_id, planned_on=day - dt.timedelta(9)))
        with company.session(read_only=True) as session:
            found = open_items(session, [kiosk.id, mart.id])
            assert [(item.account_id, item.kind, item.reassign) for item in found] == [
                (kiosk.id, "visit", "user_id"), (mart.id, "question", None),
            ]  # fmt: skip
            assert len(open_items(session, [kiosk.id, mart.id], session.user_id)) == 1
            assert len(open_items(session, [kiosk.id, mart.id], 999)) == 0
        with company.session("zhang.min", read_only=True) as session:
            assert open_items(session, [kiosk.id, mart.id]).parts == ()

    def test_a_handover_moves_them_and_takes_them_back(self, company):
        day = today(company)
        with company.session() as session:
            kiosk = company.account(session, "Kiosk")
            classify(session, kiosk, "convenience", outlet_class="A", visit_frequency=20)
            assert plan_visits(session, [kiosk], from_=day, until=day + dt.timedelta(28))
            session.add(Visit(account_id=kiosk.id, user_id=session.user_id, planned_on=day - dt.timedelta(9)))
            li = session.user_id
        with company.session("boss") as session:
            zhang = session.scalars(select(User.id).where(User.login == "zhang.min")).one()
            handover = handovers.draft(session, "li.wei", to="zhang.min")
            handovers.offer(session, handover)
            handovers.accept(session, handovers.items(session, handover))
            deed = handovers.do(session, handover)
            assert deed.moved["consumer_goods.visit"] >= 10
        with company.session("zhang.min") as session:
            visits = session.scalars(select(Visit).order_by(Visit.planned_on)).all()
            assert [visit.user_id for visit in visits] == [li, *[zhang] * (len(visits) - 1)]
            check_in(session, visits[1])
        with company.session("boss") as session:
            taken = handovers.undo(session, session.require(Handover, handover.id))
            assert taken.kept["consumer_goods.visit"] == 1  # the visit that was held stays with who held it
            owners = session.scalars(select(Visit.user_id).order_by(Visit.planned_on)).all()
            assert owners == [li, zhang, *[li] * (len(visits) - 2)]
