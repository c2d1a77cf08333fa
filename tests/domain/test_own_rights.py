"""What a salesperson may do with what is theirs: lend no more than they hold, take back what they did."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from crm_core import (
    Account,
    Activity,
    Crm,
    ExternalRef,
    Ownership,
    PermissionDenied,
    Share,
    UndoConflict,
    ownership,
    shares,
)


def mine(crm: Crm) -> int:
    with crm.session("li.wei") as session:
        return session.add_one(Account(name="Mine")).id


@pytest.mark.parametrize("receiver", ["li.wei", "wang.fang"])
@pytest.mark.parametrize("role", ["administrator", "manager"])
def test_nobody_lends_more_than_they_hold(crm: Crm, role: str, receiver: str) -> None:
    account = mine(crm)
    with crm.session("li.wei") as session:
        with pytest.raises(PermissionDenied, match="more than they may do"):
            shares.grant(session, session.require(Account, account), user=receiver, role=role, reason="greed")
            session.flush()
        session.rollback()
        share = shares.grant(session, session.require(Account, account), user="wang.fang", reason="helps")
    with crm.session("li.wei") as session:
        held = session.require(Share, share.id)
        held.role = role
        with pytest.raises(PermissionDenied, match="more than they may do"):
            session.flush()
        session.rollback()
        with pytest.raises(PermissionDenied, match="more than they may do"):
            session.update_many(Share, [{"id": share.id, "role": role}])
        session.rollback()


def test_a_new_account_cannot_be_lent_further_than_it_will_be_held(crm: Crm) -> None:
    with crm.session("li.wei") as session:
        account = session.add_one(Account(name="New"))
        with pytest.raises(PermissionDenied, match="more than they may do"):
            shares.grant(session, account, user="li.wei", role="administrator", reason="greed")
            session.flush()
        session.rollback()


def test_ones_own_account_can_be_taken_back(crm: Crm) -> None:
    with crm.session("li.wei") as session:
        account = session.add_one(Account(name="Mistake"))
    with crm.session("li.wei") as undoing:
        undoing.undo(session.last_change_set)
    with crm.system_session("test") as after:
        assert after.get(Account, account.id) is None
        assert after.scalars(select(Ownership)).all() == []


def test_undo_tells_nothing_of_what_is_no_longer_seen(crm: Crm) -> None:
    with crm.session("li.wei") as session:
        account = session.add_one(Account(name="Mine"))
    with crm.system_session("test") as other:
        held = other.require(Account, account.id)
        ownership.transfer(other, held, to="wang.fang")
        held.name = "Renamed"
        other.add(Activity(kind="call", subject="Secret", account_id=held.id))
    with crm.session("li.wei") as undoing:
        report = undoing.undo(session.last_change_set, dry_run=True)
        assert [problem.path for problem in report.conflicts] == [""]
        assert report.total == 0
        with pytest.raises(UndoConflict) as refused:
            undoing.undo(session.last_change_set)
        assert "Secret" not in str(refused.value)
        assert "name" not in str(refused.value)
        assert "activity" not in str(refused.value)


def with_key(crm: Crm) -> tuple[int, int, int]:
    """An account of Li's that came with a key, as an import brings it: account, key, change set."""
    with crm.session("li.wei") as session:
        account = session.add_one(Account(name="Mine"))
        session.flush()
        with session.writer.as_kernel():
            key = session.add_one(ExternalRef(system="erp", record_type="account", key="4711", record_id=account.id))
            session.flush()
    return account.id, key.id, session.last_change_set or 0


def test_undo_tells_nothing_of_what_became_of_keys_in_other_systems(crm: Crm) -> None:
    account, key, change_set = with_key(crm)
    with crm.system_session("erp") as other:
        other.require(ExternalRef, key).key = "4712"
    with crm.session("li.wei") as undoing:
        assert undoing.get(ExternalRef, key) is None
        report = undoing.undo(change_set, dry_run=True)
        assert [str(each) for each in report.conflicts] == ["something stands on it that you may not see."]
        assert report.total == 0
        with pytest.raises(UndoConflict, match="cannot be undone by you"):
            undoing.undo(change_set)
    with crm.session("boss") as undoing:
        assert [each.path for each in undoing.undo(change_set, dry_run=True).conflicts] == [f"external_ref {key}"]
        assert undoing.get(Account, account) is not None


def test_undo_tells_what_of_the_conflicts_is_seen(crm: Crm) -> None:
    account, key, change_set = with_key(crm)
    with crm.system_session("erp") as other:
        other.require(ExternalRef, key).key = "4712"
        other.require(Account, account).name = "Renamed"
    with crm.session("li.wei") as undoing:
        report = undoing.undo(change_set, dry_run=True)
        assert [each.path for each in report.conflicts] == [f"account {account}"]
        with pytest.raises(UndoConflict, match=r"later changes stand on it \(1\)"):
            undoing.undo(change_set)
        assert undoing.get(Account, account) is not None
