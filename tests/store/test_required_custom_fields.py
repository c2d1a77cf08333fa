"""What a build says must be filled is filled at creation and is not emptied; what was there before stays writable."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import update

from crm_core import Account, Contact, Crm, ValidationError, contacts, merging
from crm_core.errors import ExchangeError
from crm_core.exchange import run_import
from crm_core.store.session import CrmSession

FIELDS = {
    "account": {
        "score": {"kind": "number", "scale": 0, "required": True},
        "club": {"kind": "text", "required": True},
        "colour": {"kind": "text"},
    },
    "contact": {"hobby": {"kind": "text", "required": True, "personal": True}},
}
BEFORE = {record: {name: {**one, "required": False} for name, one in some.items()} for record, some in FIELDS.items()}
BOTH = {"score": 5, "club": "gold"}


@pytest.fixture
def opened(database_url: str) -> Iterator[Callable[..., Crm]]:
    """Opens a build with these custom fields on the test's database."""
    crms: list[Crm] = []

    def make(fields: Any = FIELDS) -> Crm:
        crms.append(Crm.open({"crm": {"database": database_url}, "custom_fields": fields}, check=False))
        if len(crms) == 1:
            crms[0].migrate()
        return crms[-1]

    yield make
    for crm in crms:
        crm.close()


@pytest.fixture
def crm(opened: Callable[..., Crm]) -> Crm:
    return opened()


@pytest.fixture
def old(opened: Callable[..., Crm]) -> tuple[Crm, int]:
    """An account that is older than the rule."""
    with opened(BEFORE).system_session("test") as session:
        id_ = session.add_one(Account(name="Old")).id
    return opened(), id_


def made(cls: type[Any], custom: dict[str, Any] | None = None, **values: Any) -> Any:
    record = cls(**values)
    record.custom = custom or {}
    return record


def refused(crm: Crm, work: Callable[[CrmSession], Any]) -> ValidationError:
    with crm.system_session("test") as session:
        with pytest.raises(ValidationError) as raised:
            work(session)
            session.check()
        session.rollback()
    return raised.value


def texts(error: ValidationError) -> list[str]:
    return [problem.text() for problem in error.problems]


def test_a_new_record_must_have_them(crm: Crm) -> None:
    for work in (
        lambda session: session.add(made(Account, {"club": "gold"}, name="A")),
        lambda session: session.add_many(Account, [{"name": "A", "custom": {"club": "gold", "score": None}}]),
    ):
        error = refused(crm, work)
        assert texts(error) == ["custom.score: A value is needed. Give one."]
        assert (error.record, error.field) == ("account", "score")
        assert str(error).startswith("account cannot be written.")
    both = refused(crm, lambda session: session.add(Account(name="A")))
    assert [problem.path for problem in both.problems] == ["custom.score", "custom.club"]
    with crm.system_session("test") as session:
        session.add(made(Account, BOTH, name="A"))
        session.add_many(Account, [{"name": "B", "custom": {**BOTH, "score": 0}}])


def test_no_change_may_empty_one(crm: Crm) -> None:
    with crm.system_session("test") as session:
        id_ = session.add_one(made(Account, {**BOTH, "colour": "red"}, name="A")).id

    def emptied(session: CrmSession) -> None:
        session.require(Account, id_).custom = {"score": 5, "colour": "red"}

    for work in (
        emptied,
        lambda session: session.update_many(Account, [{"id": id_, "custom": {"club": None}}]),
        lambda session: session.execute(update(Account).values(custom={"club": None})),
    ):
        assert texts(refused(crm, work)) == ["custom.club: A value is needed. Give one."]
    with crm.system_session("test") as session:
        session.require(Account, id_).custom = {"score": 6, "club": "tin"}
        session.update_many(Account, [{"id": id_, "custom": {"score": 7}}])
    with crm.system_session("test") as session:
        assert session.require(Account, id_).custom == {"score": 7, "club": "tin"}


def test_what_is_older_than_the_rule_stays_writable(old: tuple[Crm, int]) -> None:
    crm, id_ = old
    with crm.system_session("test") as session:
        session.require(Account, id_).name = "Older"
        session.commit()
        session.require(Account, id_).custom = {"colour": "red"}
        session.commit()
        session.update_many(Account, [{"id": id_, "industry": "it", "custom": {"score": 3, "club": None}}])
    with crm.system_session("test") as session:
        account = session.require(Account, id_)
        assert (account.name, account.industry, account.custom) == ("Older", "it", {"colour": "red", "score": 3})


def test_an_undo_brings_back_what_there_was(old: tuple[Crm, int]) -> None:
    crm, id_ = old
    with crm.system_session("test") as session:
        session.require(Account, id_).custom = BOTH
    filled = session.last_change_set
    with crm.system_session("test") as session:
        session.delete(session.require(Account, id_))
    deleted = session.last_change_set
    for change_set in (deleted, filled):
        assert change_set is not None
        with crm.system_session("test") as session:
            assert session.undo(change_set).conflicts == []
    with crm.system_session("test") as session:
        assert session.require(Account, id_).custom == {}


def test_a_merge_fills_what_was_empty_and_is_taken_apart_again(old: tuple[Crm, int]) -> None:
    crm, id_ = old
    with crm.system_session("test") as session:
        twin = session.add_one(made(Account, BOTH, name="Twin")).id
    with crm.system_session("test") as session:
        merging.merge(session, session.require(Account, id_), session.require(Account, twin))
    merged = session.last_change_set
    with crm.system_session("test") as session:
        assert session.require(Account, id_).custom == BOTH
    assert merged is not None
    with crm.system_session("test") as session:
        assert session.undo(merged).conflicts == []
    with crm.system_session("test") as session:
        assert session.require(Account, id_).custom == {}
        assert session.require(Account, twin).custom == BOTH


def test_an_erasure_is_not_hindered(crm: Crm) -> None:
    with crm.system_session("test") as session:
        id_ = session.add_one(made(Contact, {"hobby": "chess"}, name="Ann")).id
        session.commit()
        contacts.erase(session, session.require(Contact, id_), reason="asked for it")
    with crm.system_session("test") as session:
        person = session.require(Contact, id_)
        assert person.custom == {}
        person.language = "de"


class TestImports:
    def load(self, crm: Crm, folder: Any, data: str, fields: Any, **options: Any) -> Any:
        (folder / "data.csv").write_text(data)
        section = {"record": "account", "file": "data.csv", "key": "id", "fields": {"name": "name", **fields}}
        return run_import(crm, {"source": {"system": "old"}, "section": [section]}, folder, **options)

    def test_rows_without_one_are_rejected(self, crm: Crm, tmp_path: Any) -> None:
        data = "id,name,score,club\n1,A,5,gold\n2,B,,gold\n3,C,5,\n"
        report = self.load(crm, tmp_path, data, {"score": "score", "club": "club"})
        assert (report.created, report.rejected) == (1, 2)
        assert {each.line: each.reason for each in report.first_rejects} == {
            3: "custom.score: A value is needed. Give one.",
            4: "custom.club: A value is needed. Give one.",
        }
        # A row of a record that is there keeps what it does not say.
        report = self.load(crm, tmp_path, "id,name,score,club\n1,A2,,tin\n", {"score": "score", "club": "club"})
        assert (report.updated, report.rejected) == (1, 0)
        with crm.system_session("test") as session:
            (account,) = session.list(Account)
            assert (account.name, account.custom) == ("A2", {"score": 5, "club": "tin"})

    def test_a_mapping_that_creates_must_have_them(self, crm: Crm, tmp_path: Any) -> None:
        with pytest.raises(ExchangeError, match=r"A new account needs club\."):
            self.load(crm, tmp_path, "id,name,score\n1,A,5\n", {"score": "score"})
