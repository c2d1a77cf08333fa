"""Alerts that nobody has taken note of are open."""

from __future__ import annotations

import datetime as dt

from crm_core.views import open_items
from crm_key_accounts.alerts import acknowledge, unsettled
from crm_key_accounts.snapshots import assess


class TestOpenWork:
    def test_an_alert_is_open_until_it_is_acknowledged(self, company):
        with company.session() as session:
            acme = company.account(session, "Acme")
            for day, score in ((1, 80), (2, 20)):
                scores = dict.fromkeys(("revenue", "growth", "margin", "strategic_fit", "share_of_wallet"), score)
                assess(session, acme, scores, at=dt.date(2026, 5, day))
        with company.session(read_only=True) as session:
            (item,) = open_items(session, [acme.id, company.accounts["Beta"]])
            assert (item.kind, item.title, item.account_id) == ("value_alert", "Value fell", acme.id)
            assert item.text.endswith(" -60.00")
            assert open_items(session, [acme.id], session.user_id).parts == ()
        with company.session("zhang.min", read_only=True) as session:
            assert open_items(session, [acme.id]).parts == ()
        with company.session() as session:
            for alert in unsettled(session, company.account(session, "Acme")):
                acknowledge(session, alert)
        with company.session(read_only=True) as session:
            assert open_items(session, [acme.id]).parts == ()
