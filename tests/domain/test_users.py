"""A login names one user; sessions look at days and moments and refuse the rest."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from crm_core import Account, Conflict, Contact, ContactPoint, Crm, PointKind, User, ValidationError, ownership


def test_rights_of_two_users_with_one_login_never_mix(crm: Crm) -> None:
    with crm.system_session("test") as session:
        session.add(User(login="li.wei", name="Another"))
        session.flush()
        with pytest.raises(Conflict, match="Several users"):
            ownership.find_user(session, "li.wei")
    with pytest.raises(Conflict, match="Several users"):
        crm.session("li.wei")


def test_a_login_is_not_empty(crm: Crm) -> None:
    with pytest.raises(ValidationError, match="login is needed"), crm.system_session("test") as session:
        session.add(User(login=" ", name="Nobody"))


def test_a_session_looks_at_a_day_of_the_organisation(crm: Crm) -> None:
    with crm.system_session("test", at=dt.date(2025, 3, 1)) as session:
        assert session.at == dt.datetime(2025, 2, 28, 16, tzinfo=dt.UTC)


@pytest.mark.parametrize("given", ["2025-03-01", dt.datetime(2025, 3, 1), 5])
@pytest.mark.parametrize("name", ["at", "as_of"])
def test_a_session_refuses_what_is_no_moment(crm: Crm, name: str, given: Any) -> None:
    with pytest.raises(ValidationError, match="is no moment"):
        crm.system_session("test", **{name: given})


def test_an_address_at_an_email_point_is_checked(crm: Crm) -> None:
    with pytest.raises(ValidationError, match="e-mail"), crm.system_session("test") as session:
        person = session.add_one(Contact(name="Ann"))
        session.add(ContactPoint(contact_id=person.id, kind=PointKind.EMAIL, value="abc@"))


def test_explain_tells_the_day_of_the_organisation(crm: Crm) -> None:
    with crm.system_session("test") as session:
        account = session.add_one(Account(name="Acme"))
        ownership.assign(session, account, to="li.wei", from_=dt.date(2025, 4, 1))
    with crm.session("li.wei") as session:
        assert "since 2025-04-01" in str(session.explain(session.require(Account, account.id))[0])
