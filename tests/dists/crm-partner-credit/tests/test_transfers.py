"""Who is over the limit does not change hands."""

from __future__ import annotations

import datetime as dt

import pytest

from crm_core import Account, Crm, Money, Objection, Unit, User, organisation, ownership
from crm_partner_credit.lines import CreditLine

ROLES = {"head": {"permissions": {"*": "all"}}, "clerk": {"permissions": {
    "account.read": "all", "ownership.*": "all", "partner_credit.line.read": "all", "user.read": "all",
}}}  # fmt: skip


@pytest.fixture
def crm(database_url):
    build = {"crm": {"plugins": ["partner_credit"]}, "roles": ROLES}
    with Crm.open(build, database=database_url, check=False) as crm:
        crm.migrate()
        with crm.system_session("init") as session:
            unit = session.add_one(Unit(name="Sales"))
            for login, role in (("li", "clerk"), ("wang", "clerk"), ("zhou", "head")):
                session.add(User(login=login, name=login.capitalize()))
                session.flush()
                organisation.join(session, login, unit, role=role, since_always=True)
        yield crm


def account(crm, **line):
    with crm.system_session("init") as session:
        acme = session.add_one(Account(name="Acme"))
        session.flush()
        ownership.assign(session, acme, to="li", from_=dt.date(2025, 1, 1))
        row = CreditLine(**line)
        row.id = acme.id
        session.add(row)
    return acme.id


def transfer(crm, account_id, *, by="li"):
    with crm.session(by, reason="leaves") as session:
        ownership.transfer(session, session.require(Account, account_id), to="wang")


def owner_of(crm, account_id):
    with crm.system_session("look", read_only=True) as session:
        return ownership.owner(session, session.require(Account, account_id)).login


def test_an_account_over_its_limit_is_not_transferred(crm):
    acme = account(crm, limit=Money("1000", "CNY"), outstanding=Money("1000.01", "CNY"))
    with pytest.raises(Objection) as caught:
        transfer(crm, acme)
    (problem,) = caught.value.problems
    assert "Credit control holds the account" in str(caught.value)
    assert "1000" not in str(problem)  # who may not know the amounts is not told them
    assert owner_of(crm, acme) == "li"


@pytest.mark.parametrize("line", [
    {"limit": Money("1000", "CNY"), "outstanding": Money("1000", "CNY")},
    {"limit": Money("1", "CNY"), "outstanding": Money("1000", "EUR")},
    {"limit": None, "outstanding": Money("1000", "CNY")},
])  # fmt: skip
def test_an_account_within_its_limit_is(crm, line):
    acme = account(crm, **line)
    transfer(crm, acme)
    assert owner_of(crm, acme) == "wang"


def test_a_blocked_account_is_not_whatever_it_owes(crm):
    acme = account(crm, blocked=True)
    with pytest.raises(Objection):
        transfer(crm, acme)


def test_who_may_release_it_transfers_it(crm):
    acme = account(crm, blocked=True)
    transfer(crm, acme, by="zhou")
    assert owner_of(crm, acme) == "wang"


def test_a_row_that_is_given_another_owner_by_hand_is_a_transfer_too(crm):
    acme = account(crm, blocked=True)
    with crm.session("li") as session:
        (wang,) = session.list(User, 'login == "wang"')
        (row,) = session.list(ownership.Ownership, f"account_id == {acme}")
        row.user_id = wang.id
        with pytest.raises(Objection):
            session.commit()
        session.rollback()
    assert owner_of(crm, acme) == "li"


def test_its_first_owner_and_a_collaborator_are_no_transfer(crm):
    with crm.system_session("init") as session:
        acme = session.add_one(Account(name="Acme"))
        session.flush()
        line = CreditLine(blocked=True)
        line.id = acme.id
        session.add(line)
    with crm.session("li") as session:
        ownership.assign(session, session.require(Account, acme.id), to="li")
    with crm.session("li") as session:
        ownership.assign(
            session, session.require(Account, acme.id), to="wang", role=ownership.OwnershipRole.COLLABORATOR
        )


def test_amounts_below_zero_are_refused(crm):
    with pytest.raises(Objection, match="below zero"):
        account(crm, limit=Money("-1", "CNY"))


def test_amounts_are_shown_to_those_who_may_know_them(crm):
    acme = account(crm, limit=Money("1000", "CNY"), outstanding=Money("900", "CNY"))
    seen = {}
    for login in ("li", "zhou"):
        with crm.session(login, read_only=True) as session:
            (panel,) = crm.build.dispatcher.gather_overview(session, [acme]).parts
            seen[login] = (dict(panel.lines), panel.severity)
    assert set(seen["li"][0]) == {"Days to pay", "Blocked"}
    assert seen["li"][1] == "good"
    assert seen["zhou"][0]["Outstanding"] == "900.00 CNY"
    assert seen["zhou"][1] == "warning"
