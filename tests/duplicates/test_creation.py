"""At creation: who is told what of records that may be there already."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import event

from crm_core import Account, Affiliation, Contact, ContactPoint, PointKind, ownership
from crm_core.errors import BuildError
from crm_core.testing.statements import counted

from .support import Company, opened, populate

SAME = {"name": "Acme Bearings", "registration_country": "CN", "registration_number": "91110000600037341L"}


def told(company: Company, login: str, **values: Any) -> tuple[list[Any], list[Any], int]:
    """What a creation tells; ids are given as their distance to the new record's."""
    with company.session(login) as session:
        account = session.add_one(Account(**values))
        session.check()
        found = [(each.other_id, each.keys, each.score) for each in session.duplicates]
        served = [(each.id == account.id, each.ask) for each in session.served]
        count = session.noted.count
        session.rollback()
    return found, served, count


def test_a_visible_candidate_is_told_whole(company: Company) -> None:
    there = company.account("li", name="Acme Bearings", phone="+861065529988")
    with company.session("li") as session:
        new = session.add_one(Account(name="ACME Bearings Co., Ltd."))
        session.check()
        (found,) = session.duplicates
        assert (found.id, found.other_id, found.record_type) == (new.id, there, "account")
        assert [key.kind for key in found.keys] == ["name"]
    assert session.duplicates == [found]  # also after the commit
    with session:
        session.add(Contact(name="Nobody like that"))
    assert session.duplicates == []


def test_new_records_among_themselves_and_in_bulk(company: Company) -> None:
    with company.session("li") as session:
        first, second = session.add_many(Account, [{"name": "Acme"}, {"name": "ACME Ltd"}])
    assert [(each.id, each.other_id) for each in session.duplicates] == [(second, first)]


def test_a_contact_that_gets_its_points_later_in_the_session(company: Company) -> None:
    acme = company.account("li", name="Acme")
    there = company.person(acme, "Ann", ("email", "ann@acme.example"))
    with company.session("li") as session:
        new = session.add_one(Contact(name="Ann"))
        session.check()
        assert session.duplicates == []
        session.add(Affiliation(account_id=acme, contact_id=new.id))
        session.check()
        assert [key.kind for key in session.duplicates[0].keys] == ["name"]
        session.add(ContactPoint(contact_id=new.id, kind=PointKind.EMAIL, value="ann@acme.example"))
        session.check()
        (found,) = session.duplicates
        assert (found.other_id, [key.kind for key in found.keys]) == (there, ["email", "name"])
        assert session.noted.count == 1


def test_what_is_known_already_hides_nothing_that_comes_with_it(company: Company) -> None:
    """One more key of a pair that was told, another pair, and a key that nobody has: all in one writing."""
    acme = company.account("li", name="Acme")
    ann = company.person(acme, "Ann", ("email", "ann@acme.example"))
    eve = company.person(acme, "Eve")
    with company.session("li") as session:
        first = session.add_one(Contact(name="Ann"))
        session.add(Affiliation(account_id=acme, contact_id=first.id))
        session.check()
        second = session.add_one(Contact(name="Eve"))
        session.add(ContactPoint(contact_id=first.id, kind=PointKind.EMAIL, value="nobody@acme.example"))
        session.add(ContactPoint(contact_id=first.id, kind=PointKind.EMAIL, value="ann@acme.example"))
        session.add(Affiliation(account_id=acme, contact_id=second.id))
        session.check()
        told = [(each.id, each.other_id, [key.kind for key in each.keys]) for each in session.duplicates]
        assert told == [(first.id, ann, ["email", "name"]), (second.id, eve, ["name"])]
        assert session.noted.count == 2


def test_what_is_rolled_back_was_never_found(company: Company) -> None:
    company.account("li", name="Acme")
    with company.session("li") as session:
        with pytest.raises(RuntimeError), session.begin_nested():
            session.add(Account(name="Acme"))
            session.check()
            assert len(session.duplicates) == 1
            raise RuntimeError
        assert (session.duplicates, session.noted.count) == ([], 0)
        session.add(Account(name="Acme"))
        session.check()
        assert len(session.duplicates) == 1
        session.rollback()
        assert session.duplicates == []


@pytest.mark.parametrize("tell", ["nothing", "served", "whom"])
def test_nothing_differs_however_many_are_out_of_sight(database_url: str, tell: str) -> None:
    with opened(database_url, duplicates={"tell": tell}) as crm:
        company = populate(crm)
        nobody = told(company, "li", **SAME)
        company.account("sun", **SAME)
        one = told(company, "li", **SAME)
        by_registration = told(company, "li", **{**SAME, "name": "Quite another"})
        for _ in range(2):
            company.account("sun", **SAME)
        three = told(company, "li", **SAME)
    assert nobody == ([], [], 0)
    expected: list[Any] = {"nothing": [], "served": [(True, None)], "whom": [(True, "Sun")]}[tell]
    assert one == three == by_registration == ([], expected, 0)


def test_by_default_a_registration_number_is_no_oracle(company: Company) -> None:
    """Neither the answer nor what is asked of the records themselves shows that somebody has the number."""
    free = told(company, "li", **SAME)
    company.account("sun", **SAME)
    assert told(company, "li", **SAME) == free == ([], [], 0)


def test_what_is_rolled_back_is_served_by_nobody(database_url: str) -> None:
    with opened(database_url, duplicates={"tell": "whom"}) as crm:
        company = populate(crm)
        company.account("sun", **SAME)
        with company.session("li") as session:
            kept = session.add_one(Account(**SAME)).id
            with pytest.raises(RuntimeError), session.begin_nested():
                session.add(Account(**SAME))
                session.check()
                assert len(session.served) == 2
                raise RuntimeError
            assert [(each.id, each.ask) for each in session.served] == [(kept, "Sun")]
            session.rollback()
            assert session.served == []


def test_a_person_is_looked_for_by_the_latest_name(company: Company) -> None:
    acme = company.account("li", name="Acme")
    ann, eve = company.person(acme, "Ann"), company.person(acme, "Eve")
    with company.session("li") as session:
        new = session.add_one(Contact(name="Eve"))
        session.flush()
        new.name = "Ann"
        session.add(Affiliation(account_id=acme, contact_id=new.id))
        session.check()
        assert [each.other_id for each in session.duplicates] == [ann], eve
        session.rollback()


def test_an_unowned_customer_is_served_by_nobody(database_url: str) -> None:
    with opened(database_url, duplicates={"tell": "whom"}) as crm:
        company = populate(crm)
        company.account(None, **SAME)
        assert told(company, "li", **SAME) == ([], [], 0)
        company.account("sun", **SAME)
        company.account("wang", **SAME)
        assert told(company, "li", **SAME)[1] == [(True, "Sun")]  # one colleague, whoever was first


def test_what_is_seen_is_not_served_by_somebody_else(database_url: str) -> None:
    with opened(database_url, duplicates={"tell": "whom"}) as crm:
        company = populate(crm)
        mine = company.account("li", **SAME)
        found, served, count = told(company, "li", **SAME)
        assert ([each[0] for each in found], served, count) == ([mine], [], 1)
        with company.system() as session:
            ownership.transfer(session, session.require(Account, mine), to="sun")
        assert told(company, "li", **SAME) == ([], [(True, "Sun")], 0)


def test_contacts_out_of_sight_are_never_told(database_url: str) -> None:
    with opened(database_url, duplicates={"tell": "whom"}) as crm:
        company = populate(crm)
        company.person(company.account("sun", name="Far"), "Ann", ("email", "ann@qq.com"))
        with company.session("li") as session:
            new = session.add_one(Contact(name="Ann"))
            session.add(ContactPoint(contact_id=new.id, kind=PointKind.EMAIL, value="ann@qq.com"))
            session.check()
            assert (session.duplicates, session.served) == ([], [])


def test_it_can_be_switched_off(database_url: str) -> None:
    with opened(database_url, duplicates={"at_creation": False}) as crm:
        company = populate(crm)
        company.account("li", name="Acme")
        assert told(company, "li", name="Acme") == ([], [], 0)


def test_few_statements_for_many_records(company: Company) -> None:
    def cost(count: int) -> int:
        with company.system() as session:
            session.add_many(Account, [{"name": f"Acme {count} {number}"} for number in range(count)])
            with counted(company.crm) as seen:
                session.check()
            return len([each for each in seen if "crm_match_key" in each])

    assert cost(1) == cost(900) == 1


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"tell": "all"}, "duplicates.tell.*Choose one of"),
        ({"region": "China"}, "two capital letters"),
        ({"most": 1}, "most.* must be >= 2"),
        ({"at_creations": True}, "Did you mean at_creation"),
    ],
)
def test_mistakes_in_the_build_file(database_url: str, section: dict[str, Any], message: str) -> None:
    with pytest.raises(BuildError, match=message):
        opened(database_url, duplicates=section)


def test_each_key_is_looked_up_by_the_index_also_before_there_are_statistics(company: Company) -> None:
    """On PostgreSQL a table that was just filled was compared with every new key, row by row."""
    sent: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if "crm_match_key n" in statement:
            sent.append((statement, parameters))

    event.listen(company.crm.store.engine, "before_cursor_execute", note)
    with company.system() as session:
        session.add_many(Account, [{"name": f"Acme {number}"} for number in range(1500)])
        session.commit()
        session.add_many(Account, [{"name": f"Acme {number}"} for number in range(1000, 1500)])
        session.commit()
        assert len(session.duplicates) == 500
        (statement, parameters) = sent[-1]
        how = "EXPLAIN" if session.dialect == "postgresql" else "EXPLAIN QUERY PLAN"
        plan = [str(row) for row in session.core_connection().exec_driver_sql(f"{how} {statement}", parameters)]
    event.remove(company.crm.store.engine, "before_cursor_execute", note)
    reads = [line for line in plan if "crm_match_key" in line or "SEARCH" in line or "SCAN" in line]
    assert sum("ix_crm_match_key_key" in line for line in reads) == 3, plan
    assert not [line for line in plan if "Seq Scan on crm_match_key" in line or "SCAN m" in line], plan
