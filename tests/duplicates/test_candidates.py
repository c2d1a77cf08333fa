"""Candidates: pairs of records that share keys, of which the actor sees both."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest
from sqlalchemy import select

from crm_core import Account, Candidate, Contact, CrmSession, RecordType, User, ValidationError, duplicates, ownership
from crm_core.errors import BuildError
from crm_core.exchange import run_import
from crm_core.testing.statements import counted

from .support import Company, opened, populate


def pairs(found: Iterable[Candidate]) -> set[frozenset[int]]:
    return {frozenset((each.id, each.other_id)) for each in found}


def test_pairs_with_what_they_have_in_common(company: Company) -> None:
    one = company.account("li", name="海尔集团有限公司", website="https://www.haier.example", phone="+861065529988")
    other = company.account("li", name="海爾集團", email="info@haier.example", phone="+86 10 6552 9988")
    third = company.account("li", name="Haier Europe", website="https://haier.example")
    company.account("li", name="Somebody else", email="someone@qq.com")
    company.account("li", name="Another", email="another@qq.com")
    with company.session("li") as session:
        found = duplicates.candidates(session)
        assert pairs(found) == {frozenset((one, other)), frozenset((one, third)), frozenset((other, third))}
        best = found[0]
        assert (best.id, best.other_id) == (one, other)
        assert [(key.kind, key.key) for key in best.keys] == [
            ("domain", "haier.example"), ("name", "海尔"), ("phone", "+861065529988"),
        ]  # fmt: skip
        assert best.score > found[1].score == found[2].score == 0.4
        assert duplicates.candidates(session, least=0.5) == [best]
        assert duplicates.candidates(session, limit=1) == [best]
        assert duplicates.candidates(session, Account, where='name == "Haier Europe"') == found[1:]
        assert duplicates.candidates(session, session.require(Account, third)) == found[1:]
        assert duplicates.candidates(session, Account.crm_type, where='name == "nobody"') == []
        assert duplicates.candidates(session, [session.require(Account, third)], where="name == 'no'") == []


def test_contacts_by_points_and_by_name_at_one_account(company: Company) -> None:
    acme = company.account("li", name="Acme")
    beta = company.account("li", name="Beta")
    wang = company.person(acme, "Wang Fang", ("email", "fang@qq.com"))
    again = company.person(acme, "Fang WANG")
    moved = company.person(beta, "王芳", ("email", "Fang@QQ.com"), ("mobile", "138 0013 8000"))
    namesake = company.person(beta, "Wang Fang")
    chats = company.person(beta, "Zhao", ("wechat", "li_wei"), ("phone", "010 6552 9988 ext 1"))
    company.person(beta, "Qian", ("fax", "010 6552 9988"), ("phone", "010 6552 9988 ext 2"), ("other", "li_wei"))
    same_chat = company.person(acme, "Sun", ("wechat", "LI_WEI"))
    with company.session("zhao") as session:
        found = duplicates.candidates(session, "contact")
        expected = {frozenset((wang, again)), frozenset((wang, moved)), frozenset((chats, same_chat))}
        assert pairs(found) == expected
        assert not any(namesake in pair for pair in pairs(found))


def test_a_birthday_with_a_name(company: Company) -> None:
    import datetime as dt

    one = company.person(None, "Ann Lee", birthday=dt.date(1980, 1, 2))
    other = company.person(None, "Lee, Ann", birthday=dt.date(1980, 1, 2))
    company.person(None, "Ann Lee", birthday=dt.date(1981, 1, 2))
    with company.session("qian") as session:
        assert pairs(duplicates.candidates(session, Contact)) == {frozenset((one, other))}


def test_only_pairs_of_which_both_are_seen(company: Company) -> None:
    one = company.account("li", name="Acme", phone="+861065529988")
    other = company.account("sun", name="Acme Ltd", phone="+861065529988")
    third = company.account("wang", name="Acme Co., Ltd.")
    for login, expected in (
        ("li", set()),
        ("sun", set()),
        ("zhao", {frozenset((one, third))}),
        ("qian", {frozenset(pair) for pair in ((one, other), (one, third), (other, third))}),
    ):
        with company.session(login) as session:
            assert pairs(duplicates.candidates(session)) == expected
            account = session.get(Account, one)
            if account is not None:
                assert pairs(duplicates.candidates(session, account)) == {pair for pair in expected if one in pair}


def test_what_many_share_is_no_sign_and_nobody_learns_how_many_do(database_url: str) -> None:
    with opened(database_url, duplicates={"most": 3}) as crm:
        company = populate(crm)
        mine = [company.account("li", name="Seven Eleven") for _ in range(2)]
        with company.session("li") as session:
            before = duplicates.candidates(session)
            assert pairs(before) == {frozenset(mine)}
        for _ in range(5):
            company.account("sun", name="Seven-Eleven")
        with company.session("li") as session:
            assert duplicates.candidates(session) == before
            session.add(Account(name="seven eleven"))
            session.check()
            assert {each.other_id for each in session.duplicates} == set(mine)
        with company.session("qian") as session:
            assert duplicates.candidates(session) == []


def test_a_constant_number_of_statements(company: Company) -> None:
    def cost() -> int:
        with company.session("zhao") as session:
            session.list(Account)
            with counted(company.crm) as seen:
                duplicates.candidates(session)
            return len(seen)

    for number in range(2):
        company.account("li", name=f"Acme {number % 2}")
    few = cost()
    for number in range(30):
        company.account("li", name=f"Acme {number % 10}", phone="+861065529988")
    assert cost() == few <= 2


def test_candidates_among_what_is_not_committed(company: Company) -> None:
    with company.session("li") as session:
        for _ in range(2):
            session.add(Account(name="Acme"))
        assert len(duplicates.candidates(session)) == 1


def test_what_it_does_not_know_is_refused(company: Company) -> None:
    with company.session("qian") as session:
        with pytest.raises(ValidationError, match="no match keys of user"):
            duplicates.candidates(session, User)
        with pytest.raises(ValidationError, match="records of one type"):
            duplicates.candidates(session, [])


class Everything:
    """An engine that takes every two records for the same, whoever asks."""

    def candidates(
        self, session: CrmSession, record_type: RecordType, ids: Iterable[int] | None = None
    ) -> Iterable[Candidate]:
        every: list[int] = list(session.as_system("matching").scalars(select(record_type.cls.id)))  # type: ignore[arg-type]
        for first in every:
            for second in every:
                if first < second and (ids is None or first in ids or second in ids):
                    yield Candidate(record_type.name, first, second, (), 0.5)


def test_another_engine_tells_nothing_that_is_not_seen(company: Company) -> None:
    one, other = company.account("li", name="One"), company.account("li", name="Other")
    company.account("sun", name="Third")
    company.crm.store.matcher = Everything()
    with company.session("li") as session:
        assert pairs(duplicates.candidates(session)) == {frozenset((one, other))}
        assert len(duplicates.candidates(session, User)) == 10  # everybody sees users


def test_at_creation_and_at_import_keys_are_compared_whichever_engine_is_chosen(
    company: Company, tmp_path: Path
) -> None:
    """An engine may be slow, or fail: nobody's work waits for it, or is lost by it."""
    one = company.account("qian", name="Acme")

    class Failing:
        def candidates(self, *_: object) -> Iterable[Candidate]:
            raise RuntimeError("no answer")

    company.crm.store.matcher = Failing()
    with company.session("qian") as session:
        same = session.add_one(Account(name="ACME")).id
        session.add(Account(name="Acme of another name"))
    assert [(each.id, each.other_id) for each in session.duplicates] == [(same, one)]

    (tmp_path / "data.csv").write_text("id,name\n1,Acme\n2,Something else\n", encoding="utf-8")
    section = {"record": "account", "file": "data.csv", "key": "id", "fields": {"name": "name"}}
    report = run_import(company.crm, {"source": {"system": "old"}, "section": [section]}, tmp_path)
    assert (report.duplicates, {each.other_id for each in report.first_duplicates}) == (2, {one, same})

    company.crm.store.matcher = Everything()
    with company.session("qian") as session:
        assert len(duplicates.candidates(session, session.require(Account, one))) == 4


def test_the_engine_is_chosen_in_the_build_file(database_url: str) -> None:
    with opened(database_url, drivers={"matching": "exact"}) as crm:
        assert isinstance(crm.store.matcher, duplicates.Exact)
    with pytest.raises(BuildError, match="Did you mean exact"):
        opened(database_url, drivers={"matching": "exakt"})


def test_handing_over_changes_who_sees_a_pair(company: Company) -> None:
    one, other = company.account("li", name="Acme"), company.account("sun", name="Acme")
    with company.system() as session:
        ownership.transfer(session, session.require(Account, other), to="li")
    with company.session("li") as session:
        assert pairs(duplicates.candidates(session)) == {frozenset((one, other))}
