"""The first and the last instant of what holds for a time, and what goes with it when it is handed on."""

from __future__ import annotations

import datetime as dt

import pytest
from sqlalchemy import select

from crm_core import (
    Account,
    Activity,
    Conflict,
    Crm,
    Ownership,
    OwnershipRole,
    Share,
    ValidationError,
    dated,
    ownership,
    shares,
)

JANUARY, MARCH, JUNE = dt.date(2024, 1, 1), dt.date(2024, 3, 1), dt.date(2024, 6, 1)
FUTURE, LATER = dt.date(2099, 1, 1), dt.date(2100, 1, 1)
INSTANT = dt.timedelta(microseconds=1)


def midnight(day: dt.date) -> dt.datetime:
    """Of the organisation, which is in Shanghai."""
    return dt.datetime.combine(day, dt.time(), dt.timezone(dt.timedelta(hours=8)))


def account(crm: Crm, name: str = "Acme") -> int:
    with crm.system_session("test") as session:
        return session.add_one(Account(name=name)).id


def owner_at(crm: Crm, account_id: int, moment: dt.datetime | dt.date | None = None, scope: str = "") -> str | None:
    with crm.system_session("test", read_only=True) as session:
        user = ownership.owner(session, session.require(Account, account_id), at=moment, scope=scope)
        return None if user is None else user.login


def rows(crm: Crm, account_id: int) -> list[tuple[str, str, str, dt.datetime | None, dt.datetime | None]]:
    """Every row of an account: login, role, scope, and from when to when."""
    with crm.system_session("test", read_only=True) as session:
        query = select(Ownership).where(Ownership.account_id == account_id)
        found = session.scalars(query, execution_options={"all_dates": True}).all()
        return sorted(
            (row.user.login, row.role.value, row.scope, row.valid_from, row.valid_to) for row in found
        )  # fmt: skip


def test_the_first_instant_belongs_to_whoever_comes_and_the_last_to_whoever_goes(crm: Crm) -> None:
    acme = account(crm)
    with crm.system_session("test") as session:
        record = session.require(Account, acme)
        ownership.assign(session, record, to="li.wei", from_=MARCH)
        ownership.transfer(session, record, to="wang.fang", from_=JUNE)
        ownership.release(session, record, at=FUTURE)
    assert owner_at(crm, acme, midnight(MARCH) - INSTANT) is None
    assert owner_at(crm, acme, midnight(MARCH)) == "li.wei"
    assert owner_at(crm, acme, midnight(JUNE) - INSTANT) == "li.wei"
    assert owner_at(crm, acme, midnight(JUNE)) == "wang.fang"
    assert owner_at(crm, acme, midnight(FUTURE) - INSTANT) == "wang.fang"
    assert owner_at(crm, acme, midnight(FUTURE)) is None


def test_whoever_takes_over_has_it_no_longer_than_it_was_given(crm: Crm) -> None:
    acme = account(crm)
    with crm.system_session("test") as session:
        record = session.require(Account, acme)
        ownership.assign(session, record, to="li.wei", from_=MARCH)
        ownership.release(session, record, at=FUTURE)
        ownership.transfer(session, record, to="wang.fang", from_=JUNE)
    assert rows(crm, acme) == [
        ("li.wei", "owner", "", midnight(MARCH), midnight(JUNE)),
        ("wang.fang", "owner", "", midnight(JUNE), midnight(FUTURE)),
    ]


def test_a_transfer_from_the_very_beginning_is_a_correction(crm: Crm) -> None:
    acme = account(crm)
    with crm.system_session("test") as session:
        record = session.require(Account, acme)
        ownership.assign(session, record, to="li.wei", from_=MARCH)
        row = ownership.transfer(session, record, to="wang.fang", from_=MARCH, reason="typed wrongly")
        assert row.reason == "typed wrongly"
    assert rows(crm, acme) == [("wang.fang", "owner", "", midnight(MARCH), None)]


@pytest.mark.parametrize("moment", [JANUARY, JUNE])
def test_what_did_not_hold_cannot_change_then(crm: Crm, moment: dt.date) -> None:
    acme = account(crm)
    with crm.system_session("test") as session:
        row = ownership.assign(session, session.require(Account, acme), to="li.wei", from_=MARCH)
        dated.end(session, row, at=JUNE)
        with pytest.raises(ValidationError, match="does not hold"):
            dated.change(session, row, from_=moment, reason="x")
    assert rows(crm, acme) == [("li.wei", "owner", "", midnight(MARCH), midnight(JUNE))]


def test_ending_twice_keeps_the_earlier_end_and_ending_before_it_began_takes_it_away(crm: Crm) -> None:
    acme, beta = account(crm), account(crm, "Beta")
    with crm.system_session("test") as session:
        row = ownership.assign(session, session.require(Account, acme), to="li.wei", from_=MARCH)
        dated.end(session, row, at=JUNE)
        dated.end(session, row, at=FUTURE)
        planned = ownership.assign(session, session.require(Account, beta), to="li.wei", from_=FUTURE)
        dated.end(session, planned, at=FUTURE)
    assert rows(crm, acme) == [("li.wei", "owner", "", midnight(MARCH), midnight(JUNE))]
    assert rows(crm, beta) == []


def test_an_assignment_to_nobodys_account_says_from_when_in_which_scope_and_why(crm: Crm) -> None:
    acme = account(crm)
    with crm.system_session("test") as session:
        record = session.require(Account, acme)
        row = ownership.transfer(session, record, to="li.wei", scope="pumps", from_=JUNE, reason="asked for it")
        assert row.reason == "asked for it"
        always = ownership.assign(session, record, to="wang.fang", since_always=True, reason="ever")
        assert (always.reason, always.valid_from) == ("ever", None)
    assert rows(crm, acme) == [
        ("li.wei", "owner", "pumps", midnight(JUNE), None), ("wang.fang", "owner", "", None, None)
    ]  # fmt: skip
    assert owner_at(crm, acme, JUNE, scope="valves") is None


def test_whoever_owns_it_meanwhile_is_in_the_way_at_that_moment_only(crm: Crm) -> None:
    acme = account(crm)
    with crm.system_session("test") as session:
        record = session.require(Account, acme)
        ownership.assign(session, record, to="li.wei", from_=MARCH)
        ownership.release(session, record, at=FUTURE)
        ownership.assign(session, record, to="wang.fang", role=OwnershipRole.BACKUP, from_=JUNE)
        with pytest.raises(Conflict, match="already"):
            ownership.assign(session, record, to="wang.fang", from_=JUNE)
        ownership.assign(session, record, to="wang.fang", from_=LATER)
    assert owner_at(crm, acme, LATER) == "wang.fang"
    assert owner_at(crm, acme) == "li.wei"


def test_a_release_ends_nothing_but_what_is_meant(crm: Crm) -> None:
    acme = account(crm)
    with crm.system_session("test") as session:
        record = session.require(Account, acme)
        ownership.assign(session, record, to="li.wei", from_=JANUARY)
        ownership.release(session, record, at=MARCH)
        ownership.assign(session, record, to="wang.fang", from_=MARCH)
        ownership.assign(session, record, to="li.wei", role=OwnershipRole.BACKUP, from_=MARCH)
        ownership.assign(session, record, to="li.wei", scope="pumps", from_=MARCH)
        assert ownership.release(session, record, at=JUNE) == 1  # the owner, in no scope; one has ended before
        assert ownership.release(session, record, user="wang.fang", at=JUNE) == 0
        assert ownership.release(session, record, user="li.wei", at=JUNE) == 1
    assert rows(crm, acme) == [
        ("li.wei", "backup", "", midnight(MARCH), midnight(JUNE)),
        ("li.wei", "owner", "", midnight(JANUARY), midnight(MARCH)),
        ("li.wei", "owner", "pumps", midnight(MARCH), None),
        ("wang.fang", "owner", "", midnight(MARCH), midnight(JUNE)),
    ]


def test_a_release_takes_back_what_has_not_begun(crm: Crm) -> None:
    acme = account(crm)
    with crm.system_session("test") as session:
        record = session.require(Account, acme)
        ownership.assign(session, record, to="li.wei", from_=FUTURE)
        assert ownership.release(session, record) == 1
    assert rows(crm, acme) == []


def test_who_owns_it_is_asked_at_the_time_that_the_session_looks_at(crm: Crm) -> None:
    acme = account(crm)
    with crm.system_session("test") as session:
        record = session.require(Account, acme)
        ownership.assign(session, record, to="li.wei", from_=MARCH)
        ownership.transfer(session, record, to="wang.fang", from_=JUNE)
    with crm.session("boss", at=midnight(MARCH)) as session:
        assert ownership.owner(session, session.require(Account, acme)).login == "li.wei"


def test_a_share_that_is_still_to_come_ends_with_its_reason_too(crm: Crm) -> None:
    acme = account(crm)
    with crm.system_session("test") as session:
        record = session.require(Account, acme)
        delivery = session.add_one(Activity(kind="task", subject="Delivery", account_id=acme))
        share = shares.grant(session, record, user="wang.fang", reason="delivers", because=delivery, until=LATER)
        share.valid_from = midnight(FUTURE)
        ended = shares.grant(session, record, user="li.wei", reason="delivered", because=delivery)
        dated.end(session, ended)
    with crm.system_session("test") as session:
        assert shares.close_reason(session, session.require(Activity, delivery.id)) == 1
    with crm.system_session("test") as session:
        left = session.list(Share, all_dates=True)
        assert [(each.reason, each.valid_to is not None) for each in left] == [("delivered", True)]


def test_shares_with_one_reason_end_at_one_moment(crm: Crm) -> None:
    acme = account(crm)
    with crm.system_session("test") as session:
        record = session.require(Account, acme)
        delivery = session.add_one(Activity(kind="task", subject="Delivery", account_id=acme))
        for login in ("wang.fang", "li.wei"):
            shares.grant(session, record, user=login, reason="delivers", because=delivery)
    with crm.system_session("test") as session:
        assert shares.close_reason(session, session.require(Activity, delivery.id)) == 2
        assert len({each.valid_to for each in session.list(Share, all_dates=True)}) == 1
