"""Stages with their durations, relations, registration numbers."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest

from crm_core import Account, Crm, Stage, ValidationError, accounts, dated

DAYS = [dt.date(2024, month, 1) for month in (1, 3, 6, 9)]


def test_stages_are_a_log_of_durations(crm: Crm) -> None:
    with crm.system_session("test") as session:
        acme = session.add_one(Account(name="Acme"))
        for day, stage in zip(DAYS, ("prospect", "qualified", "customer", "dormant"), strict=True):
            accounts.promote(session, acme, stage, at=day)
        rows = accounts.lifecycle(session, acme)
        assert [row.stage for row in rows] == [Stage.PROSPECT, Stage.QUALIFIED, Stage.CUSTOMER, Stage.DORMANT]
        assert [row.valid_to for row in rows[:-1]] == [row.valid_from for row in rows[1:]]
        assert accounts.stage(session, acme, at=dt.date(2024, 7, 1)) is Stage.CUSTOMER
        assert accounts.stage(session, acme, at=dt.date(2023, 7, 1)) is None
        same = accounts.promote(session, acme, Stage.DORMANT, at=dt.date(2024, 10, 1))
        assert same is rows[-1]


def test_business_lines_stand_beside_each_other(crm: Crm) -> None:
    with crm.system_session("test") as session:
        acme = session.add_one(Account(name="Acme"))
        accounts.promote(session, acme, Stage.CUSTOMER, at=DAYS[0], business_line="pumps")
        accounts.promote(session, acme, Stage.PROSPECT, at=DAYS[0], business_line="valves")
        assert accounts.stage(session, acme, business_line="pumps", at=DAYS[1]) is Stage.CUSTOMER
        assert accounts.stage(session, acme, business_line="valves", at=DAYS[1]) is Stage.PROSPECT


def test_a_stage_from_before_ends_where_the_known_one_begins(crm: Crm) -> None:
    with crm.system_session("test") as session:
        acme = session.add_one(Account(name="Acme"))
        later = accounts.promote(session, acme, Stage.CUSTOMER, at=DAYS[2])
        earlier = accounts.promote(session, acme, Stage.PROSPECT, at=DAYS[0])
        session.check()
        assert earlier.valid_to == later.valid_from


def test_an_unknown_stage_is_refused(crm: Crm) -> None:
    with crm.system_session("test") as session, pytest.raises(ValueError, match="tourist"):
        accounts.promote(session, session.add_one(Account(name="Acme")), "tourist")


def test_relations_are_typed_and_dated(crm: Crm) -> None:
    with crm.system_session("test") as session:
        parent, child = session.add_one(Account(name="Group")), session.add_one(Account(name="Branch"))
        row = accounts.relate(session, child, "subsidiary", parent, from_=DAYS[0], share=Decimal("0.75"))
        assert row.other_id == parent.id
        with pytest.raises(ValidationError, match="itself"):
            accounts.relate(session, child, "branch", child)
        with pytest.raises(ValidationError, match="vocabulary"):
            accounts.relate(session, child, "cousin", parent)
            session.flush()
        session.rollback()


@pytest.mark.parametrize(
    ("country", "number", "fits"),
    [
        ("CN", "91110000600037341L", True),
        ("CN", "91110000600037341X", False),
        ("DE", "not a number", False),
        (None, "anything", True),
        ("XX", "anything", True),
    ],
)
def test_registration_numbers_follow_their_country(crm: Crm, country: str | None, number: str, fits: bool) -> None:
    with crm.system_session("test") as session:
        session.add(Account(name="Acme", registration_country=country, registration_number=number))
        if fits:
            session.check()
        else:
            with pytest.raises(ValidationError, match="no registration number"):
                session.check()
            session.rollback()


def test_a_changed_country_is_checked_with_the_number_that_stays(crm: Crm) -> None:
    with crm.system_session("test") as session:
        acme = session.add_one(Account(name="Acme", registration_number="123"))
        session.flush()
        acme.registration_country = "CN"
        with pytest.raises(ValidationError, match="no registration number"):
            session.flush()
        session.rollback()


def test_a_change_outside_of_the_rows_time_is_refused(crm: Crm) -> None:
    with crm.system_session("test") as session:
        acme = session.add_one(Account(name="Acme"))
        row = accounts.promote(session, acme, Stage.CUSTOMER, at=DAYS[2])
        with pytest.raises(ValidationError, match="does not hold"):
            dated.change(session, row, from_=DAYS[0], stage=Stage.LOST)
        assert dated.change(session, row, from_=DAYS[2], stage=Stage.LOST) is row
        with pytest.raises(ValidationError, match="time zone"):
            dated.change(session, row, from_=dt.datetime(2024, 7, 1), stage=Stage.LOST)
