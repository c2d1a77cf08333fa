"""A part of a change set is taken back: the same comparison, and the rest stays."""

from __future__ import annotations

import pytest

from crm_core.domain.accounts import Account
from crm_core.domain.activities import Activity
from crm_core.domain.contacts import Affiliation, Contact, ContactPoint
from crm_core.errors import Conflict, NotFound, PermissionDenied, UndoConflict
from crm_core.store.history import change_set

from .conftest import Company


def changed(company: Company, login: str = "li") -> tuple[int, int, int]:
    """A change set that changes Acme's fields, creates a point of Ann's and deletes the visit; its id and theirs."""
    with company.session(login) as session:
        session.require(Account, company.acme).industry = "ships"
        point = session.add_one(ContactPoint(contact_id=company.ann, kind="email", value="a@x.example"))
        session.require(Contact, company.ann).salutation = "Dr"
        session.commit()
        assert session.last_change_set is not None
        return session.last_change_set, point.id, company.acme_visit


class TestAPart:
    def test_only_the_named_records_return(self, company: Company) -> None:
        id_, point, _ = changed(company)
        with company.session("li") as session:
            report = session.undo(id_, only={"account": {company.acme}, "contact_point": []})
            assert (report.reverted, report.deleted) == ({"account": 1}, {})
        with company.session("li") as session:
            assert session.require(Account, company.acme).industry == "machinery"
            assert session.require(Contact, company.ann).salutation == "Dr"
            assert session.get(ContactPoint, point) is not None
            head = change_set(session, session.last_change_set or report.undone.id)
            assert head.undoes is None

    def test_the_rest_can_be_undone_afterwards_and_all_is_as_before(self, company: Company) -> None:
        id_, point, _ = changed(company)
        with company.session("li") as session:
            session.undo(id_, only={"contact_point": {point}})
        with company.session("li") as session:
            report = session.undo(id_)
            assert (report.reverted, report.deleted) == ({"account": 1, "contact": 1}, {})
            assert session.undoes == id_
        with company.session("li") as session:
            assert session.require(Account, company.acme).industry == "machinery"
            assert session.require(Contact, company.ann).salutation is None
            assert session.get(ContactPoint, point) is None

    def test_it_is_journalled_as_an_undo_and_can_be_undone(self, company: Company) -> None:
        id_, _, _ = changed(company)
        with company.session("li") as session:
            session.undo(id_, only={"account": {company.acme}})
            session.commit()
            made = session.last_change_set
            assert made is not None
            head = change_set(session, made)
            assert (head.source, head.undoes) == ("undo", None)
            session.undo(made)
        with company.session("li") as session:
            assert session.require(Account, company.acme).industry == "ships"

    def test_several_parts_in_one_session(self, company: Company) -> None:
        id_, point, _ = changed(company)
        with company.session("li") as session:
            session.undo(id_, only={"account": {company.acme}})
            session.undo(id_, only={"contact_point": {point}})
            session.undo(id_, only={"contact": {company.ann}})
        with company.session("li") as session:
            assert session.get(ContactPoint, point) is None
            assert session.require(Contact, company.ann).salutation is None

    def test_a_rehearsal_changes_nothing(self, company: Company) -> None:
        id_, _, _ = changed(company)
        with company.session("li") as session:
            report = session.undo(id_, only={"account": {company.acme}}, dry_run=True)
            assert report.total == 1
        with company.session("li") as session:
            assert session.require(Account, company.acme).industry == "ships"

    def test_later_changes_of_the_part_stand_in_the_way_those_of_the_rest_do_not(self, company: Company) -> None:
        id_, _, _ = changed(company)
        with company.session("li") as session:
            session.require(Contact, company.ann).salutation = "Prof"
        with company.session("li") as session:
            session.undo(id_, only={"account": {company.acme}})
        with company.session("li") as session, pytest.raises(UndoConflict, match="salutation was changed since"):
            session.undo(id_, only={"contact": {company.ann}})

    def test_what_of_the_rest_hangs_on_the_part_stands_in_the_way(self, company: Company) -> None:
        with company.session("li") as session:
            eve = session.add_one(Contact(name="Eve"))
            link = session.add_one(Affiliation(account_id=company.acme, contact_id=eve.id))
            session.commit()
            id_ = session.last_change_set
        assert id_ is not None
        with company.session("li") as session, pytest.raises(UndoConflict, match="it hangs on what would go"):
            session.undo(id_, only={"contact": {eve.id}})
        with company.session("li") as session:
            report = session.undo(id_, only={"contact": {eve.id}, "affiliation": {link.id}})
            assert report.deleted == {"affiliation": 1, "contact": 1}

    def test_a_deleted_record_does_not_return_before_what_it_hung_on(self, company: Company) -> None:
        with company.session() as session:
            session.delete(session.require(Account, company.acme))
            session.commit()
            id_ = session.last_change_set
        assert id_ is not None
        with company.session() as session, pytest.raises(UndoConflict, match="is gone"):
            session.undo(id_, only={"activity": {company.acme_visit}})
        with company.session() as session:
            session.undo(id_, only={"account": {company.acme}, "activity": {company.acme_visit}})
        with company.session() as session:
            assert session.get(Activity, company.acme_visit) is not None
            assert session.list(Affiliation, f"account_id == {company.acme}") == []
        with company.session() as session:  # the rest of it
            session.undo(id_)
        with company.session() as session:
            assert len(session.list(Affiliation, f"account_id == {company.acme}")) == 1


class TestWhoMay:
    def test_ones_own_and_nobody_elses(self, company: Company) -> None:
        id_, _, _ = changed(company)
        with company.session("wang") as session, pytest.raises(NotFound):
            session.undo(id_, only={"account": {company.acme}})

    def test_a_part_that_one_no_longer_sees_is_refused(self, company: Company) -> None:
        from crm_core.domain import ownership

        id_, point, _ = changed(company)
        with company.session() as session:
            ownership.transfer(session, session.require(Account, company.acme), to="wang")
        with company.session("li") as session, pytest.raises(UndoConflict, match="cannot be undone by you"):
            session.undo(id_, only={"account": {company.acme}})
        with company.session("li") as session:  # what is named is all that is looked at
            assert session.undo(id_, only={"contact_point": set()}).total == 0
        assert point

    def test_a_rule_of_the_kernel_needs_no_right_but_tells_nothing_hidden(self, company: Company) -> None:
        id_, _, _ = changed(company)
        with company.session("wang") as session, session.writer.as_kernel():
            session.undo(id_, only={"account": {company.acme}})
        with company.session() as session:
            assert session.require(Account, company.acme).industry == "machinery"
            session.require(Contact, company.ann).salutation = "Prof"
        with company.session("wang") as session, pytest.raises(UndoConflict) as caught, session.writer.as_kernel():
            session.undo(id_, only={"contact": {company.ann}})
        assert "salutation" not in str(caught.value)

    def test_a_read_only_session_undoes_nothing(self, company: Company) -> None:
        id_, _, _ = changed(company)
        with company.session("li", read_only=True) as session, pytest.raises((PermissionDenied, Conflict)):
            session.undo(id_, only={"account": {company.acme}})


class TestOutOfSightInTheMiddle:
    def test_the_undo_of_an_undo_by_one_who_loses_sight_between(self, company: Company) -> None:
        from crm_core.domain import ownership

        def owner() -> str:
            with company.session() as session:
                found = ownership.owner(session, session.require(Account, company.acme))
                return found.login if found is not None else ""

        # Zhou is in charge of those who own it before and after, and of nobody in between.
        with company.session("zhou") as session:
            ownership.transfer(session, session.require(Account, company.acme), to="wang")
            session.commit()
            first = session.last_change_set
        assert first is not None and owner() == "wang"
        with company.session("zhou") as session:
            session.undo(first)
            session.commit()
            second = session.last_change_set
        assert second is not None and owner() == "li"
        with company.session("zhou") as session:
            session.undo(second)
        assert owner() == "wang"
