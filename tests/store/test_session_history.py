"""``session.history``: what happened to one record, for whoever sees it."""

from __future__ import annotations

import pytest

from crm_core.domain.accounts import Account
from crm_core.errors import NotFound, ValidationError

from .conftest import Company


def test_by_the_record_by_its_type_and_by_the_name_of_that(company: Company) -> None:
    with company.session("wang", reason="a call") as session:
        session.require(Account, company.beta).grade = "B"
    with company.session("wang", read_only=True) as session:
        beta = session.require(Account, company.beta)
        created, changed = session.history(beta)
        assert session.history(Account, beta.id) == session.history("account", beta.id) == [created, changed]
    assert created.change.operation == "create"
    assert created.change.after["name"] == "Beta"
    assert (changed.principal, changed.reason, changed.version) == ("wang", "a call", 2)
    assert (changed.change.before, changed.change.after) == ({"grade": None}, {"grade": "B"})


def test_a_deleted_one_is_asked_for_by_its_id(company: Company) -> None:
    with company.session() as session:
        id_ = session.add_one(Account(name="Gone")).id
    with company.session() as session:
        session.delete_many(Account, [id_])
    with company.session(read_only=True) as session:
        assert [each.change.operation for each in session.history(Account, id_)] == ["create", "delete"]
    with company.session("wang") as session, pytest.raises(NotFound):
        session.history(Account, id_)


def test_what_one_does_not_see_has_none(company: Company) -> None:
    with company.session(read_only=True) as session:
        acme = session.require(Account, company.acme)
    with company.session("wang") as session:
        for asked in ((acme,), (Account, company.acme), ("account", company.acme), ("account", 10**9)):
            with pytest.raises(NotFound, match="There is no account"):
                session.history(*asked)


def test_it_is_of_one_record(company: Company) -> None:
    with company.session("wang") as session, pytest.raises(ValidationError, match=r"session.history\(Account, 17\)"):
        session.history(Account)
