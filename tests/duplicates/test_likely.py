"""A page of the likeliest duplicates holds what a comparison of all finds, and costs what it holds."""

from __future__ import annotations

import itertools
import random
from typing import Any

import pytest

from crm_core import Account, Affiliation, Contact, ContactPoint, PointKind, duplicates, ownership, quality
from crm_core.store import visibility
from crm_core.store.likely import likeliest
from crm_core.testing.statements import counted

from .support import Company, opened, populate

NAMES = ("Acme", "ACME Ltd", "Beta", "海尔集团", "海爾", "Cave", "Delta Foods", "Other")
SITES = (None, "https://acme.example", "https://beta.example", "https://group.example")
PHONES = (None, None, "+861065529988", "+861065529989", "+861065529990")


@pytest.fixture
def crowd(company: Company) -> Company:
    """Sixty accounts and people, of three owners or none, with much in common."""
    chance = random.Random(7)
    with company.system() as session:
        for number in range(60):
            account = session.add_one(
                Account(name=chance.choice(NAMES), website=chance.choice(SITES), phone=chance.choice(PHONES))
            )
            person = session.add_one(Contact(name=chance.choice(NAMES)))
            session.add(Affiliation(account_id=account.id, contact_id=person.id))
            session.add(
                ContactPoint(contact_id=person.id, kind=PointKind.MOBILE, value=f"+86138001380{number % 20:02d}")
            )
            session.add(ContactPoint(account_id=account.id, kind=PointKind.EMAIL, value=f"a{number % 25}@qq.com"))
            owner = (None, "li", "wang", "sun")[number % 4]
            if owner:
                session.flush()
                ownership.assign(session, account, to=owner, since_always=True)
    return company


def test_a_page_that_has_room_for_all_holds_what_a_comparison_of_all_finds(
    crowd: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = 0
    for border, login, most in itertools.product((0, 10**6), (None, "li", "zhao"), (50, 4)):
        monkeypatch.setattr(visibility, "WIDE", border)
        object.__setattr__(crowd.crm.build.policy.duplicates, "most", most)
        with crowd.session(login) if login else crowd.system() as session:
            for cls, where in itertools.product((Account, Contact), (None, 'contains(name, "Acme")')):
                expected = [each for each in duplicates.candidates(session, cls, where=where, least=0.6)
                            if any(duplicates.KINDS[key.kind] >= 0.6 for key in each.keys)]  # fmt: skip
                assert likeliest(session, cls, least=0.6, where=where, limit=5000) == expected
                part = likeliest(session, cls, least=0.6, where=where, limit=3)
                assert len(part) == min(3, len(expected))
                assert {(each.id, each.other_id) for each in part} <= {(each.id, each.other_id) for each in expected}
                told += bool(expected)
    assert told > 30


def test_a_full_page_holds_what_says_most(company: Company) -> None:
    for number in range(8):
        company.account("li", name=f"Firm {number // 2}")
    for number in range(4):
        company.account("li", name=f"Number {number}", registration_number=f"1234{number // 2}")
    with company.system() as session:
        found = likeliest(session, Account, least=0.6, limit=3)
        assert [[key.kind for key in each.keys] for each in found] == [["registration"], ["registration"], ["name"]]
        assert likeliest(session, Account, least=0.6, limit=100, where='name == "Firm 3"')[0].keys[0].key == "firm3"


def test_another_engine_is_asked_for_all(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with opened(database_url) as crm:
        company = populate(crm)
        one, other = company.account("li", name="A"), company.account("li", name="B")

        class Engine:
            def candidates(self, session: Any, record_type: Any, ids: Any = None) -> Any:
                return [duplicates.Candidate(record_type.name, one, other, (), 0.9)]

        monkeypatch.setattr(crm.store, "matcher", Engine())
        with company.system() as session:
            assert [each.other_id for each in likeliest(session, Account, least=0.6, limit=5)] == [other]


@pytest.mark.parametrize("login", [None, "li"])
def test_what_there_is_beyond_the_page_costs_no_statement_and_is_not_fetched(
    company: Company, login: str | None
) -> None:
    def cost() -> tuple[int, int]:
        with company.session(login) if login else company.system() as session:
            session.get(Account, 1)
            with counted(company.crm) as seen:
                found = quality.queue(session, kinds=["duplicate", "shared_point"], limit=5)
            return len(seen), len(found)

    def grow(count: int) -> None:
        with company.system() as session:
            names = [{"name": f"Acme {number // 2}"} for number in range(count)]
            accounts = session.add_many(Account, names)
            session.commit()
            people = session.add_many(Contact, names)
            session.add_many(Affiliation, [{"account_id": accounts[0], "contact_id": each} for each in people])
            session.add_many(
                ContactPoint,
                [{"contact_id": each, "kind": PointKind.MOBILE, "value": f"+8613{number // 2:09d}"}
                 for number, each in enumerate(people)],
            )  # fmt: skip
            session.commit()
            for each in accounts:
                ownership.assign(session, session.require(Account, each), to="li", since_always=True)

    grow(20)
    few = cost()
    grow(100)
    assert cost() == few
    assert few[1] == 15
