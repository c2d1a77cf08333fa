"""A row that went while its plugin was off is kept as it lay in its table: its restricted values stay restricted."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from crm_core import Crm, Money, organisation
from crm_core.domain.accounts import Account
from crm_core.domain.organisation import Unit, User
from crm_core.store.history import history
from crm_partner_credit.lines import CreditLine
from crm_partner_dunning.notices import Notice

BUILD: dict[str, Any] = {
    "crm": {"name": "Dunning", "plugins": ["partner_credit", "partner_dunning"]},
    "roles": {"clerk": {"permissions": {"*.read": "all"}}},
}
OFF = BUILD | {"crm": BUILD["crm"] | {"disabled": ["partner_dunning"]}}


@pytest.fixture
def gone(database_url: str) -> tuple[int, int]:
    """A customer with a notice of an amount, deleted while nobody loads the notices."""
    with Crm.open(BUILD, database=database_url, check=False) as crm:
        crm.migrate()
        with crm.system_session("test") as session:
            unit = session.add_one(Unit(name="HQ"))
            for login, role in (("boss", "administrator"), ("clerk", "clerk")):
                user = session.add_one(User(login=login, name=login))
                organisation.join(session, user, unit, role=role, since_always=True)
            account = session.add_one(Account(name="Acme")).id
            line = CreditLine()
            line.id = account
            session.add(line)
            session.flush()
            notice = session.add_one(
                Notice(line_id=account, claim=Money("987654.32", "CNY"), sent_on=dt.date(2026, 1, 1))
            ).id
    with Crm.open(OFF, database=database_url) as crm, crm.session("boss") as session:
        session.delete(session.require(Account, account))
    return account, notice


@pytest.mark.parametrize("build", [BUILD, OFF], ids=["on again", "still off"])
@pytest.mark.parametrize("login", ["boss", "clerk"])
def test_only_who_may_read_the_amount_finds_it_in_the_history(
    database_url: str, gone: tuple[int, int], build: dict[str, Any], login: str
) -> None:
    with (
        Crm.open(build, database=database_url, check=False) as crm,
        crm.session(login, read_only=True) as session,
    ):
        events = history(session, "partner_dunning.notice", gone[1])
    assert [event.change.operation for event in events] == ["create", "delete"]
    told = [str(event.change.before) + str(event.change.after) for event in events]
    assert ["987654" in each.replace("_", "") for each in told] == [login == "boss"] * 2
