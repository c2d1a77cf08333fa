"""What an undo tells and does for whoever may not read, or may not delete."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import pytest
from sqlalchemy import func, select

from crm_core.domain.accounts import Account
from crm_core.domain.activities import Activity
from crm_core.domain.contacts import Contact
from crm_core.domain.organisation import Membership
from crm_core.errors import NotFound, PermissionDenied, UndoConflict
from crm_core.store.history import change_set
from crm_core.store.policy import Policy, Role, Scope
from crm_core.store.store import Store
from crm_core.store.tables import CHANGE, CHANGE_SET

from .access_records import POLICY, TYPES, Secret
from .conftest import Company

UNSEEN = "something stands on it that you may not see."


def latest(company: Company, cls: type[Any], id_: int) -> int:
    """The change set that changed a record last."""
    with company.session() as session:
        return session.history(cls, id_)[-1].change_set_id


@pytest.fixture
def overwritten(company: Company) -> int:
    """Li wrote a note that Li may not read, and somebody wrote another one since."""
    with company.session("li") as session:
        session.update_many(Contact, [{"id": company.ann, "note": "first"}])
        session.update_many(Account, [{"id": company.acme, "grade": "A"}])
    made = latest(company, Contact, company.ann)
    with company.session() as session:
        session.require(Contact, company.ann).note = "second"
    return made


def test_a_conflict_about_a_field_that_one_may_not_read_is_not_told(company: Company, overwritten: int) -> None:
    with company.session("li") as session:
        report = session.undo(overwritten, dry_run=True)
        assert [(each.path, each.problem) for each in report.conflicts] == [("", UNSEEN)]
        assert report.total == 0
    with company.session("li") as session, pytest.raises(UndoConflict) as caught:
        session.undo(overwritten)
    assert "note" not in str(caught.value)
    with company.session() as session, pytest.raises(UndoConflict, match="note was changed since"):
        session.undo(overwritten)


def test_the_head_of_a_change_set_is_for_whoever_made_it_and_whoever_may_undo_all(
    company: Company, overwritten: int
) -> None:
    for login, may in (("li", True), ("wang", False), ("zhou", False), ("qian", True), (None, True)):
        with company.session(login) as session:
            if may:
                assert change_set(session, overwritten).id == overwritten
            else:
                with pytest.raises(NotFound, match=f"no change set {overwritten}"):
                    change_set(session, overwritten)


def test_an_extension_that_came_later_stands_in_the_way(company: Company) -> None:
    """It has the id of the record that it extends, and was made by somebody else all the same."""
    with company.session() as session:
        made = session.add_one(Account(name="New")).id
    creation = latest(company, Account, made)
    with company.session() as session:
        session.add_many(Secret, [{"id": made, "nick": "Goldmine"}])
    with company.session() as session, pytest.raises(UndoConflict, match="it hangs on what would go"):
        session.undo(creation)
    extension = latest(company, Secret, made)
    with company.session() as session:
        assert session.require(Secret, made).nick == "Goldmine"
        assert session.undo(extension).deleted == {"access_probe.secret": 1}
    with company.session() as session:
        assert session.undo(creation).deleted == {"account": 1}


def test_what_is_restored_was_made_by_whoever_made_it(company: Company) -> None:
    """Rights follow from it: what hangs on nothing is its maker's."""
    with company.session("li") as session:
        call = session.add_one(Activity(kind="call", subject="x")).id
    with company.session() as session:
        at = session.require(Activity, call).created_at
        session.delete_many(Activity, [call])
    with company.session() as session:
        deletion = session.core(select(func.max(CHANGE_SET.c.id))).scalar_one()
        session.undo(deletion)
    with company.session("li") as session:
        found = session.require(Activity, call)
        assert (found.created_by, found.created_at, found.version) == (company.users["li"], at, 3)


def test_a_record_that_a_long_change_set_changed_again_and_again_goes_back_step_by_step(company: Company) -> None:
    with company.session() as session:
        session.streaming = True
        for grade in ("A", "B", "C"):
            session.update_many(Account, [{"id": company.acme, "grade": grade}])
            session.writer.flush_journal()
    changed = latest(company, Account, company.acme)
    with company.session() as session:
        steps = session.core(select(func.count()).where(CHANGE.c.change_set_id == changed)).scalar_one()
        assert steps == 3
        assert session.undo(changed).reverted["account"] == 3
    with company.session() as session:
        assert session.require(Account, company.acme).grade is None


def test_undoing_for_others_deletes_only_what_one_may_delete(company: Company, database_url: str) -> None:
    """Who may undo everything takes back what others did by their own rights to change and delete."""
    undoer = Role("undoer", (("*.read", Scope.ALL), ("account.update", Scope.ALL), ("system.undo", Scope.ALL)))
    policy = Policy(roles={**POLICY.roles, "undoer": undoer}, custom=POLICY.custom)
    with company.session("li") as session:
        made = session.add_one(Account(name="New")).id
    creation = latest(company, Account, made)
    with company.session() as session:
        session.add(Membership(user_id=company.users["ned"], unit_id=company.units["East"], role="undoer"))
    store = Store(database_url, TYPES, policy)
    try:
        with store.session("ned") as session, pytest.raises(PermissionDenied):
            session.undo(creation)
    finally:
        store.close()
    with company.session() as session:
        assert session.get(Account, made) is not None
    may = Role("undoer", (*undoer.grants, ("account.delete", Scope.ALL), ("ownership.delete", Scope.ALL)))
    with closing(Store(database_url, TYPES, Policy(roles={**POLICY.roles, "undoer": may}))) as store:
        with store.session("ned") as session:
            assert session.undo(creation).deleted["account"] == 1
        with store.session("ned") as session:
            assert session.get(Account, made) is None


def test_a_dry_run_tells_nothing_of_what_would_have_gone_well(company: Company) -> None:
    """Where something unseen stands in the way of one of three records."""
    with company.session("li") as session:
        call = session.add_one(Activity(kind="call", subject="x", account_id=company.acme)).id
    with company.session("li") as session:
        session.update_many(Contact, [{"id": company.ann, "note": "first"}])
        session.delete_many(Activity, [call])
        session.add(Activity(kind="call", subject="y", account_id=company.acme))
    made = session.last_change_set
    assert made is not None
    with company.session() as session:
        session.require(Contact, company.ann).note = "second"
    with company.session("li") as session:
        report = session.undo(made, dry_run=True)
        assert [each.problem for each in report.conflicts] == [UNSEEN]
        assert (report.deleted, report.restored, report.reverted) == ({}, {}, {})
    with company.session() as session:
        report = session.undo(made, dry_run=True)
        assert (report.deleted, report.restored) != ({}, {})
