"""What one may not read of a dated record goes on when one changes it: not read, not lost, not overwritten."""

from __future__ import annotations

import datetime as dt

import pytest
from sqlalchemy import select

from crm_core.domain import dated
from crm_core.fields import Money
from crm_core.store.session import CrmSession

from .access_records import Term
from .conftest import Company

BEGIN, THEN, END = (dt.datetime(year, 1, 1, tzinfo=dt.UTC) for year in (2024, 2025, 2099))


@pytest.fixture
def term(company: Company) -> int:
    """At Li's account, with a price that Li may not read."""
    with company.session() as session:
        return session.add_one(
            Term(account_id=company.acme, name="old", price=Money(5, "EUR"), valid_from=BEGIN, valid_to=END)
        ).id


def told(session: CrmSession) -> list[tuple[str, Money | None, dt.datetime | None, dt.datetime | None]]:
    """All rows in their order, as whoever sees everything sees them."""
    query = select(Term).order_by(Term.valid_from)
    rows = session.scalars(query, execution_options={"all_dates": True})
    return [(row.name, row.price, row.valid_from, row.valid_to) for row in rows]


def test_it_goes_on(company: Company, term: int) -> None:
    with company.session("li") as session:
        successor = dated.change(session, session.require(Term, term), from_=THEN, name="new")
        assert (successor.name, successor.valid_from, successor.valid_to) == ("new", THEN, END)
    with company.session() as session:
        assert told(session) == [("old", Money(5, "EUR"), BEGIN, THEN), ("new", Money(5, "EUR"), THEN, END)]


def test_what_one_writes_without_reading_it_is_written(company: Company, term: int) -> None:
    with company.session("li") as session:
        dated.change(session, session.require(Term, term), from_=THEN, name="new", price=Money(7, "EUR"))
    with company.session() as session:
        assert told(session) == [("old", Money(5, "EUR"), BEGIN, THEN), ("new", Money(7, "EUR"), THEN, END)]


@pytest.mark.parametrize("login", ["li", None])
def test_custom_fields_go_on_and_are_not_shared_by_both_rows(company: Company, term: int, login: str | None) -> None:
    with company.session() as session:
        session.require(Term, term).custom = {"colour": "red"}
    with company.session(login) as session:
        successor = dated.change(session, session.require(Term, term), from_=THEN, name="new")
        successor.custom = {**successor.custom, "colour": successor.custom["colour"] + " and blue"}
    with company.session() as session:
        query = select(Term.custom).order_by(Term.valid_from)
        found = session.scalars(query, execution_options={"all_dates": True}).all()
        assert found == [{"colour": "red"}, {"colour": "red and blue"}]


def test_another_end_may_be_given(company: Company, term: int) -> None:
    until = dt.datetime(2030, 1, 1, tzinfo=dt.UTC)
    for login in ("li", None):
        with company.session(login) as session:
            row = session.scalars(select(Term).where(Term.valid_to > until)).one()
            successor = dated.change(session, row, from_=THEN + dt.timedelta(days=bool(login)), valid_to=until)
            assert successor.valid_to == until
            session.rollback()
