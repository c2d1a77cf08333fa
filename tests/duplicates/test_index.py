"""The table of match keys follows every change of the records, whichever way it comes."""

from __future__ import annotations

import datetime as dt
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import delete, insert, select

from crm_core import Account, Affiliation, Contact, ContactPoint, Crm, PermissionDenied, PointKind, contacts, duplicates
from crm_core.store.duplicates import Reindexed
from crm_core.store.match_keys import check_keys
from crm_core.store.tables import MATCH_KEY
from crm_core.testing.statements import counted

from .support import Company, opened

NAMES = st.sampled_from(["Acme", "ACME Ltd", "海尔集团", "海爾", "x"])
PHONES = st.sampled_from([None, "+861065529988", "010-6552 9988"])
DAYS = st.sampled_from([None, dt.date(1980, 1, 2)])
POINTS = st.sampled_from(
    [(PointKind.EMAIL, "a@acme.example"), (PointKind.MOBILE, "13800138000"), (PointKind.WECHAT, "w")]
)
OPERATIONS = st.lists(
    st.one_of(
        st.tuples(st.just("account"), NAMES, PHONES),
        st.tuples(st.just("rename"), st.integers(0, 9), NAMES, PHONES),
        st.tuples(st.just("person"), NAMES, DAYS, st.integers(0, 9)),
        st.tuples(st.just("call"), st.integers(0, 9), NAMES, DAYS),
        st.tuples(st.just("point"), st.integers(0, 9), POINTS, st.booleans()),
        st.tuples(st.just("repoint"), st.integers(0, 9), POINTS),
        st.tuples(st.just("move"), st.integers(0, 9), st.integers(0, 9)),
        st.tuples(st.just("delete"), st.sampled_from([Account, Contact, ContactPoint, Affiliation]), st.integers(0, 9)),
        st.just(("commit",)),
        st.just(("rollback",)),
        st.just(("undo",)),
    ),
    max_size=14,
)


def apply(session: Any, operation: tuple[Any, ...]) -> None:
    what, *given_ = operation

    def any_of(cls: type[Any], number: int) -> Any:
        found = session.scalars(select(cls).order_by(cls.id), execution_options={"all_dates": True}).all()
        return found[number % len(found)] if found else None

    if what == "account":
        session.add(Account(name=given_[0], phone=given_[1]))
    elif what == "rename" and (account := any_of(Account, given_[0])):
        account.name, account.phone = given_[1:]
    elif what == "person":
        contact = session.add_one(Contact(name=given_[0], birthday=given_[1]))
        if account := any_of(Account, given_[2]):
            session.add(Affiliation(account_id=account.id, contact_id=contact.id))
    elif what == "call" and (contact := any_of(Contact, given_[0])):
        contact.name, contact.birthday = given_[1:]
    elif what == "point" and (owner := any_of(Contact if given_[2] else Account, given_[0])):
        side = {"contact_id" if given_[2] else "account_id": owner.id}
        session.add(ContactPoint(kind=given_[1][0], value=given_[1][1], **side))
    elif what == "repoint" and (point := any_of(ContactPoint, given_[0])):
        point.kind, point.value = given_[1]
    elif what == "move" and (row := any_of(Affiliation, given_[0])):
        row.account_id = any_of(Account, given_[1]).id
    elif what == "delete" and (gone := any_of(*given_)):
        session.delete(gone)
    elif what == "commit":
        session.commit()
    elif what == "rollback":
        session.rollback()
    elif what == "undo":
        session.commit()
        if session.last_change_set is not None:
            try:
                session.undo(session.last_change_set)
            except Exception as error:
                assert type(error).__name__ == "UndoConflict"


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with tables alone, which each example copies: to make the tables takes longer than an example."""
    path = tmp_path_factory.mktemp("keys") / "empty.db"
    opened(f"sqlite:///{path}").close()
    return path


@given(OPERATIONS)
def test_keys_are_those_of_the_records_at_every_commit(empty: Path, operations: list[tuple[Any, ...]]) -> None:
    path = shutil.copyfile(empty, empty.with_name("crm.db"))
    crm = Crm.open({"crm": {"database": f"sqlite:///{path}"}}, check=False)
    try:
        with crm.system_session("test") as session:
            for operation in operations:
                apply(session, operation)
                if operation[0] == "commit":
                    _, missing, surplus = check_keys(session)
                    assert (missing, surplus) == (0, 0)
        with crm.system_session("test") as session:
            assert duplicates.check_index(session).right
    finally:
        crm.close()


def test_the_check_finds_what_is_wrong_and_a_reindex_mends_it(company: Company) -> None:
    acme = company.account("li", name="Acme", phone="+861065529988")
    company.person(acme, "Ann", ("mobile", "13800138000"))
    with company.system() as session:
        assert duplicates.check_index(session) == Reindexed(4)
        session.core(delete(MATCH_KEY).where(MATCH_KEY.c.kind == "name"))
        session.core(
            insert(MATCH_KEY).values(record_type="account", record_id=acme, source_id=acme, kind="name", key="wrong")
        )
        assert duplicates.check_index(session) == Reindexed(4, missing=2, surplus=1)
        assert duplicates.reindex(session) == Reindexed(4, missing=2, surplus=1)
        assert duplicates.check_index(session).right


def test_it_needs_the_permission(company: Company) -> None:
    for work in (duplicates.reindex, duplicates.check_index):
        with company.session("li") as session, pytest.raises(PermissionDenied, match=r"system\.reindex"):
            work(session)
    with company.session("qian") as session:
        assert duplicates.check_index(session).right


def test_a_change_of_what_counts_needs_a_reindex(database_url: str) -> None:
    with opened(database_url) as crm, crm.system_session("test") as session:
        session.add(Account(name="Acme", email="a@shared.example", phone="010 6552 9988"))
    rules = {"public_domains": ["Shared.example"], "region": "CN"}
    with opened(database_url, duplicates=rules) as crm, crm.system_session("test") as session:
        assert duplicates.check_index(session) == Reindexed(3, missing=2, surplus=2)
        duplicates.reindex(session)
        keys = session.core(select(MATCH_KEY.c.kind, MATCH_KEY.c.key).order_by(MATCH_KEY.c.kind)).all()
        assert [tuple(row) for row in keys] == [
            ("email", "a@shared.example"), ("name", "acme"), ("phone", "+861065529988"),
        ]  # fmt: skip


def test_an_erased_person_leaves_no_key(company: Company) -> None:
    acme = company.account("li", name="Acme")
    ann = company.person(
        acme, "Ann Lee", ("email", "ann@qq.com"), ("mobile", "13800138000"), ("wechat", "ann"),
        birthday=dt.date(1980, 1, 2), local_name="安",
    )  # fmt: skip
    key = MATCH_KEY.c
    with company.system() as session:
        assert session.core(select(key.kind).where(key.record_id == ann)).all() != []
        contacts.erase(session, session.require(Contact, ann), reason="asked for it")
    with company.system() as session:
        assert session.core(select(key.kind).where(key.record_id == ann)).all() == []
        assert duplicates.check_index(session).right
        duplicates.reindex(session)
        assert session.core(select(key.kind).where(key.record_id == ann)).all() == []


def test_the_longest_values_have_keys_that_fit(company: Company) -> None:
    """PostgreSQL refuses what is too long for a column: a long name must not keep a person from being written."""
    longest = {
        field.name: getattr(field.kind, "length", None) or 0
        for field in (*Contact.crm_type.fields, *ContactPoint.crm_type.fields)
    }
    with company.system() as session:
        session.add(Account(name="長" * 200, registration_country="AQ", registration_number="9" * 40))
        one = session.add_one(Contact(name="长" * longest["name"], birthday=dt.date(1980, 1, 2)))
        session.add(ContactPoint(contact_id=one.id, kind=PointKind.WECHAT, value="长" * longest["value"]))
    with company.system() as session:
        assert duplicates.check_index(session).right


def test_bulk_changes_are_followed_in_few_statements(company: Company) -> None:
    def cost(count: int) -> int:
        with company.system() as session:
            ids = session.add_many(Account, [{"name": f"Acme {number}"} for number in range(count)])
            session.commit()
            session.update_many(Account, [{"id": id_, "name": f"Beta {id_}"} for id_ in ids])
            with counted(company.crm) as seen:
                session.commit()
            return len([each for each in seen if "crm_match_key" in each])

    assert cost(900) <= cost(5) <= 2  # many rows are copied rather than inserted on PostgreSQL
    with company.system() as session:
        assert duplicates.check_index(session).right


def test_a_person_who_is_renamed_before_the_commit_is_known_by_the_new_name(company: Company) -> None:
    acme = company.account("li", name="Acme")
    older = company.person(acme, "Cleo Old")
    with company.system() as session:
        new = session.add_one(Contact(name="Ann Buyer"))
        session.add(Affiliation(account_id=acme, contact_id=new.id))
        session.add(Affiliation(account_id=acme, contact_id=older, role="buyer"))
        session.check()  # their doubles were looked for by the names that they had
        new.name = "Berta Miller"
        session.require(Contact, older).name = "Cleo New"
    with company.system() as session:
        assert duplicates.check_index(session).right


def test_names_that_are_written_with_their_places_are_not_asked_for(company: Company) -> None:
    acme = company.account("li", name="Acme")
    with company.system() as session, counted(company.crm) as seen:
        people = session.add_many(Contact, [{"name": f"Ann {number}"} for number in range(30)])
        session.add_many(Affiliation, [{"account_id": acme, "contact_id": id_} for id_ in people])
        session.update_many(Contact, [{"id": people[0], "name": "Berta"}])
        asked = len(seen)
        session.commit()
        assert len([each for each in seen[asked:] if "crm_contact.local_name" in each]) == 1  # of Berta alone
    with company.system() as session:
        assert duplicates.check_index(session).right
