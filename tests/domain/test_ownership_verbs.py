"""Who owns what, since when: assigning, handing over, releasing, lending sight."""

from __future__ import annotations

import datetime as dt

import pytest
from sqlalchemy import select

from crm_core import (
    Account,
    Activity,
    Conflict,
    Crm,
    NotFound,
    Ownership,
    OwnershipRole,
    Share,
    User,
    ValidationError,
    ownership,
    shares,
)

MARCH, JUNE, FUTURE = dt.date(2024, 3, 1), dt.date(2024, 6, 1), dt.date(2099, 1, 1)


def account(crm: Crm, name: str = "Acme") -> int:
    with crm.system_session("test") as session:
        return session.add_one(Account(name=name)).id


def owner_at(crm: Crm, account_id: int, day: dt.date | None = None, scope: str = "") -> str | None:
    with crm.system_session("test", read_only=True) as session:
        user = ownership.owner(session, session.require(Account, account_id), at=day, scope=scope)
        return None if user is None else user.login


def test_a_transfer_closes_and_opens_and_the_past_stays(crm: Crm) -> None:
    acme = account(crm)
    with crm.system_session("test") as session:
        ownership.assign(session, session.require(Account, acme), to="li.wei", since_always=True)
    with crm.system_session("test", reason="li.wei leaves") as session:
        row = ownership.transfer(session, session.require(Account, acme), to="wang.fang", from_=JUNE, reason="leaves")
        assert row.reason == "leaves"
    assert owner_at(crm, acme, MARCH) == "li.wei"
    assert owner_at(crm, acme, JUNE) == "wang.fang"
    assert owner_at(crm, acme) == "wang.fang"


def test_a_day_begins_at_midnight_of_the_organisation(crm: Crm) -> None:
    acme = account(crm)
    with crm.system_session("test") as session:
        row = ownership.assign(session, session.require(Account, acme), to="li.wei", from_=JUNE)
        assert row.valid_from == dt.datetime(2024, 5, 31, 16, tzinfo=dt.UTC)


def test_a_second_owner_is_refused_now_and_in_the_future(crm: Crm) -> None:
    acme = account(crm)
    with crm.system_session("test") as session:
        ownership.assign(session, session.require(Account, acme), to="li.wei", from_=FUTURE)
    with pytest.raises(Conflict, match="same time"), crm.system_session("test") as session:
        session.add(Ownership(account_id=acme, user_id=ownership.find_user(session, "boss").id))
    with crm.system_session("test") as session:
        session.rollback()
        with pytest.raises(Conflict, match="already"):
            ownership.assign(session, session.require(Account, acme), to="boss", from_=dt.date(2100, 1, 1))


def test_other_scopes_and_roles_hold_beside_the_owner(crm: Crm) -> None:
    acme = account(crm)
    with crm.system_session("test") as session:
        record = session.require(Account, acme)
        ownership.assign(session, record, to="li.wei", since_always=True)
        ownership.assign(session, record, to="wang.fang", scope="pumps", since_always=True)
        ownership.assign(session, record, to="wang.fang", role=OwnershipRole.MENTOR, since_always=True)
    assert owner_at(crm, acme) == "li.wei"
    assert owner_at(crm, acme, scope="pumps") == "wang.fang"


def test_transferring_to_the_owner_is_a_conflict_and_to_nobodys_account_an_assignment(crm: Crm) -> None:
    acme = account(crm)
    with crm.system_session("test") as session:
        record = session.require(Account, acme)
        ownership.transfer(session, record, to="li.wei", from_=MARCH)
        with pytest.raises(Conflict, match="already"):
            ownership.transfer(session, record, to="li.wei", from_=JUNE)
    assert owner_at(crm, acme, JUNE) == "li.wei"


def test_release_ends_the_owner_or_every_role_of_one(crm: Crm) -> None:
    acme = account(crm)
    with crm.system_session("test") as session:
        record = session.require(Account, acme)
        ownership.assign(session, record, to="li.wei", since_always=True)
        ownership.assign(session, record, to="wang.fang", role=OwnershipRole.BACKUP, since_always=True)
        assert ownership.release(session, record, at=JUNE) == 1
        assert ownership.release(session, record, user="wang.fang", at=JUNE) == 1
    assert owner_at(crm, acme, MARCH) == "li.wei"
    assert owner_at(crm, acme, JUNE) is None


def test_an_unknown_user_is_named(crm: Crm) -> None:
    acme = account(crm)
    with crm.system_session("test") as session, pytest.raises(NotFound, match=r"nobody"):
        ownership.assign(session, session.require(Account, acme), to="nobody")


def test_a_share_lends_sight_until_its_reason_is_gone(crm: Crm) -> None:
    acme = account(crm)
    with crm.system_session("test") as session:
        record = session.require(Account, acme)
        delivery = session.add_one(Activity(kind="task", subject="Delivery", account_id=acme))
        share = shares.grant(session, record, user="wang.fang", reason="delivers", because=delivery)
        assert share.because_type == "activity"
    with crm.session("wang.fang") as session:
        found = session.get(Account, acme)
        assert found is not None
        assert [str(ground) for ground in session.explain(found)] == [
            "it is shared with you as reader, because: delivers"
        ]
    with crm.system_session("test") as session:
        assert shares.close_reason(session, session.require(Activity, delivery.id)) == 1
    with crm.session("wang.fang") as session:
        assert session.get(Account, acme) is None


def test_a_share_goes_to_a_unit_and_can_be_revoked(crm: Crm) -> None:
    acme = account(crm)
    with crm.system_session("test") as session:
        record = session.require(Account, acme)
        with pytest.raises(ValidationError, match="one user or one unit"):
            shares.grant(session, record, reason="both", user="li.wei", unit="EAST")
        shares.grant(session, record, reason="campaign", unit="EAST", until=FUTURE)
    with crm.session("li.wei") as session:
        assert session.get(Account, acme) is not None
    with crm.system_session("test") as session:
        shares.revoke(session, session.scalars(select(Share)).one())
    with crm.session("li.wei") as session:
        assert session.get(Account, acme) is None


def test_who_creates_an_account_owns_it(crm: Crm) -> None:
    with crm.session("li.wei") as session:
        mine = session.add_one(Account(name="Mine")).id
    with crm.session("li.wei") as session:
        found = session.require(Account, mine)
        assert ownership.owner(session, found).login == "li.wei"
    with crm.session("wang.fang") as session:
        assert session.get(Account, mine) is None


def test_nobody_who_left_becomes_responsible(crm: Crm) -> None:
    with crm.system_session("test") as session:
        session.add_one(User(login="gone", name="Gone", active=False))
        account = session.add_one(Account(name="Acme")).id
    for work in (
        lambda session, row: ownership.assign(session, row, to="gone"),
        lambda session, row: ownership.assign(session, row, to="gone", from_=dt.date(2099, 1, 1)),
        lambda session, row: ownership.assign(session, row, to="gone", role=OwnershipRole.BACKUP),
    ):
        with pytest.raises(Conflict, match="gone is not active"), crm.system_session("test") as session:
            work(session, session.require(Account, account))


def test_what_somebody_was_responsible_for_before_they_left_is_history(crm: Crm) -> None:
    with crm.system_session("test") as session:
        gone = session.add_one(User(login="gone", name="Gone", active=False))
        account = session.add_one(Account(name="Acme"))
        session.add(Ownership(account_id=account.id, user_id=gone.id, valid_to=dt.datetime(2020, 1, 1, tzinfo=dt.UTC)))
    with pytest.raises(Conflict, match="gone is not active"), crm.system_session("test") as session:
        row = session.list(Ownership, all_dates=True)[0]
        row.valid_to = None


def test_what_an_undo_brings_back_has_the_owner_that_it_had(crm: Crm) -> None:
    with crm.system_session("test") as session:
        account = session.add_one(Account(name="Acme"))
    with crm.session("boss") as session:
        session.delete(session.require(Account, account.id))
        session.commit()
        deleted = session.last_change_set
    with crm.session("boss") as session:
        session.undo(deleted)
    with crm.session("boss") as session:
        assert ownership.owner(session, session.require(Account, account.id)) is None
