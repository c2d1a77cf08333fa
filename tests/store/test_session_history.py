"""``session.history``: what happened to one record, for whoever sees it."""

from __future__ import annotations

import pytest

from crm_core.domain.accounts import Account
from crm_core.domain.activities import Activity
from crm_core.domain.contacts import Contact
from crm_core.errors import NotFound, ValidationError
from crm_core.store.history import change_sets, makers, pending_counts

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


def test_what_one_may_not_read_is_left_out_of_both_sides(company: Company) -> None:
    with company.session() as session:
        session.update_many(Contact, [{"id": company.bob, "note": "worse", "language": "en"}])
    with company.session("wang", read_only=True) as session:
        created, changed = session.history(Contact, company.bob)
        assert (changed.change.before, changed.change.after) == ({"language": None}, {"language": "en"})
        assert created.change.after["name"] == "Bob"
        assert "note" not in created.change.after
    with company.session("qian", read_only=True) as session:
        created, changed = session.history(Contact, company.bob)
        assert (changed.change.before["note"], changed.change.after["note"]) == ("Bob is in debt", "worse")


def test_change_sets_are_ones_own_or_everybodys_the_latest_first(company: Company) -> None:
    made = []
    for login, source in (("wang", "session"), ("li", "import"), ("wang", "import"), (None, "session")):
        with company.session(login, source=source) as session:
            session.add(Activity(kind="note", subject="x"))
        made.append(session.last_change_set)
    first, second, third, fourth = made
    with company.session("wang", read_only=True) as session:
        own = [each.id for each in change_sets(session)]
        assert own[:2] == [third, first]
        assert {each.principal for each in change_sets(session)} == {"wang"}
        assert [each.id for each in change_sets(session, 1)] == [third]
        assert [each.id for each in change_sets(session, source="import")] == [third]
    with company.session("qian", read_only=True) as session:
        assert [each.id for each in change_sets(session, 4)] == [fourth, third, second, first]
        assert [each.id for each in change_sets(session, source="import")] == [third, second]
        assert len(change_sets(session)) <= 20
        found = change_sets(session, 2)[1]
        assert (found.user_id, found.source, found.reason, found.undoes) == (
            company.users["wang"],
            "import",
            None,
            None,
        )


def test_what_is_not_committed_yet_is_counted_by_type_and_operation(company: Company) -> None:
    with company.session() as session:
        assert pending_counts(session) == {}
        added = session.add_many(Activity, [{"kind": "note", "subject": "x"}, {"kind": "note", "subject": "y"}])
        session.require(Account, company.beta).grade = "B"
        session.delete_many(Activity, [company.beta_visit])
        assert pending_counts(session) == {
            ("activity", "create"): 2, ("account", "update"): 1, ("activity", "delete"): 1,
        }  # fmt: skip
        session.rollback()
    with company.session() as session:
        assert pending_counts(session) == {}
        assert session.get(Activity, company.beta_visit) is not None, added


def test_who_made_a_record_what_it_is(company: Company) -> None:
    """By the change sets that changed it, for rules that ask whose work it was."""
    with company.session("wang") as session:
        session.require(Account, company.beta).grade = "B"
    changed = session.last_change_set
    with company.session("qian") as session:
        session.require(Account, company.beta).grade = "C"
        session.require(Account, company.acme).grade = "C"
    other = session.last_change_set
    with company.session() as session:
        session.require(Account, company.acme).grade = "D"
    last = session.last_change_set
    with company.session(read_only=True) as session:
        found = makers(session, Account.crm_type, [company.beta, company.acme, 10**9])
        assert set(found) == {company.beta, company.acme, 10**9}
        assert found[10**9] == {}
        beta, acme = found[company.beta], found[company.acme]
        assert {changed: company.users["wang"], other: company.users["qian"]}.items() <= beta.items()
        assert {other: company.users["qian"], last: None}.items() <= acme.items()
        assert len(beta) == len(acme) == 3
        assert makers(session, Account.crm_type, []) == {}
