"""Two customers that are one: the parts that people play in their decisions."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import select

from crm_core import Account, contacts, merging
from crm_stakeholders import StakeholderRole, roles

MARCH = dt.date(2025, 3, 1)


def held(company: Any) -> list[tuple[int, int, str, dt.datetime | None, dt.datetime | None, int]]:
    with company.crm.system_session("look") as session:
        rows = session.scalars(
            select(StakeholderRole).order_by(StakeholderRole.valid_from.nulls_first(), StakeholderRole.id),
            execution_options={"all_dates": True},
        )
        return [
            (row.account_id, row.contact_id, row.role, row.valid_from, row.valid_to, row.influence) for row in rows
        ]  # fmt: skip


def test_what_was_said_of_the_surviving_account_stays_and_the_rest_fills_the_gaps(company: Any) -> None:
    with company.crm.system_session("init") as session:
        acme, beta = session.require(Account, company.acme), session.require(Account, company.beta)
        ann, eve = company.person(session, "ann"), company.person(session, "eve")
        contacts.affiliate(session, ann, beta, since_always=True)
        roles.assign(session, ann, acme, "decider", influence=5, from_=MARCH)
        roles.assign(session, ann, beta, "decider", influence=1, since_always=True)
        roles.assign(session, eve, beta, "blocker", since_always=True)
    before = held(company)
    with company.session("zhou") as session:
        report = merging.merge(session, session.require(Account, company.acme), session.require(Account, company.beta))
        assert report.moved["stakeholders.role.account_id"] == 2
        assert [each.path.partition(" ")[0] for each in report.resolved].count("stakeholders.role") == 1
    march = dt.datetime(2025, 3, 1, tzinfo=dt.UTC)
    assert sorted(held(company), key=repr) == sorted(
        [
            (company.acme, company.ann, "decider", None, march, 1),
            (company.acme, company.ann, "decider", march, None, 5),
            (company.acme, company.eve, "blocker", None, None, 3),
        ],
        key=repr,
    )
    with company.session("zhou") as session:
        merging.split(session, company.beta)
    assert held(company) == before
