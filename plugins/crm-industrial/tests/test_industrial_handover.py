"""Touches to come go over to the successor, programmes go with the account."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import select

from crm_core import Handover, Money, User, handovers
from crm_core.views import open_items
from crm_industrial.programmes import Programme
from crm_industrial.touches import NurtureTouch, note


class TestOpenWork:
    def test_touches_to_come_and_running_programmes(self, company):
        now = dt.datetime.now(dt.UTC)
        with company.session("boss") as session:
            running = session.add_one(
                Programme(name="Presses", budget=Money(5000, "CNY"), last_day=dt.date(2099, 1, 1))
            )
            over = session.add_one(Programme(name="Over", last_day=dt.date(2020, 1, 1)))
        with company.session() as session:
            press = company.account(session, "Press")
            note(session, press, "visit", programme=running.id)
            note(session, press, "call", programme=over.id, at=dt.date(2019, 1, 1))
            session.add(
                NurtureTouch(account_id=press.id, kind="seminar", at=now + dt.timedelta(9), user_id=session.user_id)
            )
        with company.session(read_only=True) as session:
            found = open_items(session, [press.id, company.accounts["Mill"]])
            assert found.failed == ()
            assert [(item.kind, item.title, item.text, item.reassign) for item in found] == [
                ("nurture_touch", "Seminar", "", "user_id"), ("nurture_programme", "Presses", "5000.00 CNY", None),
            ]  # fmt: skip
            assert [item.kind for item in open_items(session, [press.id], session.user_id)] == ["nurture_touch"]
            assert open_items(session, [press.id], 999).parts == ()
        with company.session("zhang.min", read_only=True) as session:
            assert open_items(session, [press.id]).parts == ()

    def test_a_handover_moves_touches_to_come_and_takes_them_back(self, company):
        now = dt.datetime.now(dt.UTC)
        days = (-9, 3, 9)
        with company.session() as session:
            press = company.account(session, "Press")
            for days_ahead in days:
                note(session, press, "visit", at=now + dt.timedelta(days_ahead))
            li = session.user_id
        with company.session("boss") as session:
            zhang = session.scalars(select(User.id).where(User.login == "zhang.min")).one()
            handover = handovers.draft(session, "li.wei", to="zhang.min")
            handovers.offer(session, handover)
            handovers.accept(session, handovers.items(session, handover))
            assert dict(handovers.do(session, handover).moved) == {"industrial.touch": 2}
        with company.session("zhang.min") as session:
            touches = session.scalars(select(NurtureTouch).order_by(NurtureTouch.at)).all()
            assert [touch.user_id for touch in touches] == [li, zhang, zhang]  # who touched them then does not change
            touches[1].at = now - dt.timedelta(1)  # it was made earlier than planned
        with company.session("boss") as session:
            taken = handovers.undo(session, session.require(Handover, handover.id))
            assert (taken.records["industrial.touch"], taken.kept["industrial.touch"]) == (1, 1)
        with company.session("boss", read_only=True) as session:
            users = session.scalars(select(NurtureTouch.user_id).order_by(NurtureTouch.at)).all()
            assert users == [li, zhang, li]
