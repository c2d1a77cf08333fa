"""What comes in beside a statement's own records: along navigations, by reloads."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from sqlalchemy import (
    delete,
    select,
)
from sqlalchemy.orm import (
    contains_eager,
    immediateload,
    joinedload,
    make_transient_to_detached,
    selectinload,
)
from sqlalchemy.orm.exc import ObjectDeletedError

from crm_core.domain.accounts import Account
from crm_core.domain.activities import Activity, Participant
from crm_core.domain.contacts import Affiliation, Contact
from crm_core.domain.ownership import Ownership
from crm_core.errors import NotFound

from .access_records import Clause, Term
from .conftest import Company


@pytest.mark.parametrize("load", [None, joinedload, selectinload, immediateload])
def test_a_reference_leads_to_its_row_whatever_the_time(company: Company, load: Any) -> None:
    """Dated rows are chosen by the session's time; a reference to one never loses it, and no invisible one is seen."""
    now = dt.datetime.now(dt.UTC)
    with company.session() as session:
        for account in (company.acme, company.beta):
            term = session.add_one(Term(account_id=account, name="over", valid_to=now - dt.timedelta(days=1)))
            session.add(Clause(term_id=term.id, name="c"))
    options = [] if load is None else [load(Clause.term)]
    with company.session("wang") as session:
        clause = session.scalars(select(Clause).options(*options)).one()
        assert clause.term.name == "over"
        assert session.scalars(select(Term)).all() == []
        session.expunge_all()
        assert session.require(Term, clause.term_id).name == "over", "so does whoever names it by its id"
        session.expunge_all()
        affiliation = session.scalars(select(Affiliation).options(*([load(Affiliation.account)] if load else []))).one()
        assert affiliation.account.name == "Beta"


def test_what_is_loaded_beside_is_hidden_too(company: Company) -> None:
    """Wang may see an activity whose contact and whose series are not hers to see."""
    with company.session() as session:
        session.update_many(Activity, [{"id": company.beta_visit, "contact_id": company.ann}])
        session.add(Participant(activity_id=company.beta_visit, contact_id=None, user_id=company.users["li"]))
    forms: dict[str, Any] = {
        "lazy": select(Activity),
        "joined": select(Activity).options(joinedload(Activity.contact)),
        "select in": select(Activity).options(selectinload(Activity.contact)),
        "every navigation": select(Activity).options(joinedload("*")),
        "contains_eager": select(Activity).outerjoin(Activity.contact).options(contains_eager(Activity.contact)),
    }
    for name, statement in forms.items():
        with company.session("wang") as session:
            assert session.scalars(statement).unique().one().contact is None, name
    with company.session("wang") as session:
        participant = session.scalars(
            select(Participant).options(joinedload(Participant.activity).selectinload(Activity.contact))
        ).one()
        assert participant.activity.id == company.beta_visit
        assert participant.activity.contact is None


def test_an_object_that_is_made_up_is_not_loaded(company: Company) -> None:
    """Not even where something was created in the same transaction."""
    with company.session("wang") as session:
        session.add(Contact(name="New"))
        session.flush()
        made_up = Account(name="x")
        made_up.id = company.acme
        make_transient_to_detached(made_up)
        session.add(made_up)
        with pytest.raises(ObjectDeletedError):
            session.expire(made_up)
            made_up.name
        session.expunge(made_up)


def test_held_records_are_not_reloaded_when_they_are_no_longer_seen(company: Company) -> None:
    with company.session("wang") as session:
        account = session.require(Account, company.beta)
        session.commit()
        with company.session() as other:
            other.execute(delete(Ownership).where(Ownership.account_id == company.beta))
        with pytest.raises(NotFound):
            session.refresh(account)
        session.expire(account)
        with pytest.raises(ObjectDeletedError):
            account.name
        assert session.get(Account, company.beta, populate_existing=True) is None
