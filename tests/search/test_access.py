"""Nobody finds, or learns by searching, what they do not see."""

from __future__ import annotations

import datetime as dt
import re
from typing import NamedTuple

import pytest
from sqlalchemy import event

from crm_core.domain.accounts import Account
from crm_core.domain.activities import Activity
from crm_core.domain.contacts import Affiliation, Contact, ContactPoint, PointKind
from crm_core.domain.organisation import Membership, Unit, User
from crm_core.domain.ownership import Ownership, Share
from crm_core.store import visibility
from crm_core.store.search import asking
from crm_core.store.store import Store
from crm_core.testing.statements import counted

from .search_records import Device, Memo, Nickname, Norm, Part, Rate, Site

PAST, FUTURE = dt.datetime(2020, 1, 1, tzinfo=dt.UTC), dt.datetime(2090, 1, 1, tzinfo=dt.UTC)
PLACES = (("li", "East", "sales"), ("wang", "East", "sales"), ("zhou", "East", "manager"), ("sun", "West", "sales"),
          ("wu", "Root", "director"), ("qian", "Root", "admin"), ("xu", "East", "engineer"),
          ("lu", "East", "lopsided"), ("bao", "East", "deputy"), ("nan", "East", "stranger"))  # fmt: skip


class Of(NamedTuple):
    """What has a store, as an application has."""

    store: Store


@pytest.fixture
def company(store):
    """Li owns Acme, Wang owns Beta, Sun in the West owns Gamma; each account has everything below it."""
    with store.session(principal="init") as session:
        root = session.add_one(Unit(name="Root"))
        units = {"Root": root.id, **{name: session.add_one(Unit(name=name, parent_id=root.id)).id
                                     for name in ("East", "West")}}  # fmt: skip
        users = {}
        for login, unit, role in PLACES:
            users[login] = session.add_one(User(login=login, name=login)).id
            session.add(Membership(user_id=users[login], unit_id=units[unit], role=role))
        for login, name in (("li", "Acme"), ("wang", "Beta"), ("sun", "Gamma")):
            account = session.add_one(Account(name=f"{name} Works"))
            session.add(Ownership(account_id=account.id, user_id=users[login]))
            person = session.add_one(Contact(name=f"Person of {name}"))
            session.add(Affiliation(account_id=account.id, contact_id=person.id, role="buyer"))
            session.add(ContactPoint(contact_id=person.id, kind=PointKind.EMAIL, value=f"someone@{name.lower()}.test"))
            session.add(ContactPoint(account_id=account.id, kind=PointKind.EMAIL, value=f"office@{name.lower()}.test"))
            session.add(Activity(kind="visit", subject=f"See the plant of {name}", account_id=account.id))
            site = session.add_one(Site(account_id=account.id))
            device = session.add_one(Device(site_id=site.id, name=f"Press at {name}", flaw=f"cracked {name} frame"))
            session.add(Part(device_id=device.id, label=f"Valve at {name}"))
            session.add(Rate(account_id=account.id, name=f"Old discount {name}", valid_to=PAST))
            session.add(Rate(account_id=account.id, name=f"New discount {name}", valid_from=PAST))
            session.add(Memo(user_id=users[login], text=f"Memo on {name}"))
            nickname = Nickname(nickname=f"Nick {name}")
            nickname.id = account.id
            session.add(nickname)
        session.add(Norm(name="Norm for everybody"))
        session.add(Contact(name="Person of nobody"))
    return store


WORDS = ("works", "person", "buyer", "someone", "office", "plant", "press", "cracked", "valve", "discount", "memo",
         "nick", "norm")  # fmt: skip


def found(store, login, query, **options):
    session_options = {name: options.pop(name) for name in ("at",) if name in options}
    with store.session(login, read_only=True, **session_options) as session:
        return session.search(query, limit=1000, **options)


def titles(store, login, query, **options):
    return [hit.title for hit in found(store, login, query, **options)]


def test_each_sees_their_own(company):
    for login, name in (("li", "Acme"), ("wang", "Beta"), ("sun", "Gamma")):
        for word in WORDS:
            hits = found(company, login, word)
            if word == "cracked":
                assert hits == []  # nobody of them may read flaws
            elif word == "norm":
                assert [hit.title for hit in hits] == ["Norm for everybody"]
            else:
                assert hits, (login, word)
                assert all(name in hit.title for hit in hits), (login, word, hits)


def test_wider_roles_see_more(company):
    assert sorted(titles(company, "zhou", "works")) == ["Acme Works", "Beta Works"]
    assert sorted(titles(company, "bao", "works")) == ["Acme Works", "Beta Works"]
    assert sorted(titles(company, "wu", "works")) == ["Acme Works", "Beta Works", "Gamma Works"]
    assert len(titles(company, "qian", "person")) == 4  # nobody's person, too
    assert sorted(titles(company, "wu", "valve")) == ["Valve at Acme", "Valve at Beta", "Valve at Gamma"]


@pytest.mark.parametrize("border", [5000, 0])
def test_a_hit_of_everything_that_is_seen_and_of_nothing_else(company, monkeypatch, border):
    """Every hit can be read in the same session, and whatever can be read is found by its own words.

    In both shapes of visibility: for those who see few accounts, and for those who see very many.
    """
    monkeypatch.setattr(visibility, "WIDE", border)
    for login, *_ in PLACES:
        with company.session(login, read_only=True) as session:
            for cls, word in ((Account, "works"), (Contact, "person"), (Activity, "plant"), (Device, "press"),
                              (Part, "valve"), (Memo, "memo"), (Rate, "discount"), (Norm, "norm")):  # fmt: skip
                hits = session.search(word, limit=1000, types=[cls])
                assert {hit.record_id for hit in hits} == {record.id for record in session.list(cls, limit=None)}
                for hit in hits:
                    assert session.get(cls, hit.record_id) is not None


def test_others_leave_no_trace_in_counts_ranks_or_places(company):
    """What somebody sees does not depend on what they do not see."""
    before = {(login, word): found(company, login, word)
              for login in ("li", "zhou") for word in WORDS}  # fmt: skip
    with company.session(principal="init") as session:
        # Better matches than all others, at an account that neither of them sees.
        for word in WORDS:
            hidden = session.add_one(Account(name=word))
            session.add(Activity(kind="visit", subject=word, account_id=hidden.id))
            person = session.add_one(Contact(name=word))
            session.add(Affiliation(account_id=hidden.id, contact_id=person.id, role=word))
    after = {key: found(company, *key) for key in before}
    assert after == before
    with company.session("li", read_only=True) as session:
        for word in WORDS:
            assert session.search(word, limit=1) == before["li", word][:1]


def test_a_word_of_an_account_that_is_not_seen_finds_nothing_beneath_it(company):
    """The account of something that is seen otherwise: no word of its name may be guessed."""
    with company.session(principal="init") as session:
        gamma = session.search("gamma works", types=["account"])[0].record_id
        user = session.scalar(select_user("li"))
        session.add(Activity(kind="visit", subject="Odd one out", account_id=gamma, user_id=user))
        person = session.search("Person of Acme")[0].record_id
        session.add(Affiliation(account_id=gamma, contact_id=person, role="consultant"))
    assert titles(company, "li", "gamma") == []
    assert titles(company, "li", "gamma person") == []
    assert titles(company, "li", "gamma odd") == []
    assert titles(company, "li", "consultant") == []
    assert titles(company, "sun", "gamma consultant") == ["Person of Acme"]
    assert titles(company, "sun", "acme consultant") == ["Person of Acme"]
    assert titles(company, "sun", "acme plant") == []


def select_user(login):
    from sqlalchemy import select

    return select(User.id).where(User.login == login)


def test_people_are_shown_only_to_those_who_see_them(company):
    """Sight of all affiliations, but of nobody in them."""
    assert titles(company, "lu", "buyer") == []
    assert titles(company, "lu", "someone") == []
    assert titles(company, "lu", "office") == []


def test_restricted_fields_are_searched_by_their_readers_only(company):
    with company.session(principal="init") as session:
        acme = session.search("acme works", types=["account"])[0].record_id
        user = session.scalar(select_user("xu"))
        session.add(Ownership(account_id=acme, user_id=user, role="collaborator"))
    assert titles(company, "li", "cracked") == []
    assert titles(company, "li", "press cracked") == []
    hits = found(company, "xu", "cracked")
    assert [(hit.title, hit.field, hit.text) for hit in hits] == [
        ("Press at Acme", "search_probe.device.flaw", "cracked Acme frame")
    ]
    # Words in both parts of one record, the open one and the restricted one.
    assert titles(company, "xu", "press cracked") == ["Press at Acme"]
    assert titles(company, "xu", "works cracked") == ["Press at Acme"]


def test_dated_records_at_the_moment_that_is_looked_at(company):
    assert titles(company, "li", "discount") == ["New discount Acme"]
    assert titles(company, "li", "discount", at=dt.datetime(2019, 1, 1, tzinfo=dt.UTC)) == ["Old discount Acme"]
    with company.session(principal="init") as session:
        person = session.search("Person of Acme")[0].record_id
        beta = session.search("beta works", types=["account"])[0].record_id
        session.add(Affiliation(account_id=beta, contact_id=person, role="welder", valid_from=FUTURE))
    assert titles(company, "wang", "welder") == []
    assert titles(company, "wang", "welder", at=FUTURE) == ["Person of Acme"]
    assert titles(company, "wang", "beta welder", at=FUTURE) == ["Person of Acme"]


def test_a_share_lends_sight_of_what_hangs_on_the_account(company):
    with company.session(principal="init") as session:
        gamma = session.search("gamma works", types=["account"])[0].record_id
        user = session.scalar(select_user("li"))
        session.add(Share(account_id=gamma, user_id=user, role="reader", reason="trade fair"))
    assert sorted(titles(company, "li", "valve")) == ["Valve at Acme", "Valve at Gamma"]
    assert titles(company, "wang", "valve") == ["Valve at Beta"]


def test_an_extension_is_found_as_the_record_it_extends(company):
    (hit,) = found(company, "li", "nick")
    assert (hit.record_type, hit.title, hit.text, hit.field) == (
        "account", "Acme Works", "Nick Acme", "search_probe.nickname.nickname",
    )  # fmt: skip
    assert hit.account_id == hit.record_id
    assert titles(company, "li", "nick works") == ["Acme Works"]


def test_words_of_the_whole_way_to_the_account(company):
    (hit,) = found(company, "li", "acme valve")
    assert hit.title == "Valve at Acme"
    assert titles(company, "qian", "gamma works valve") == ["Valve at Gamma"]
    assert hit.account_id == found(company, "li", "works")[0].record_id


@pytest.mark.parametrize("login", ["li", "zhou", "wu", "qian"])
@pytest.mark.parametrize("query", ["works", "valve acme", "no such thing", "haier 13800001234 works"])
def test_the_number_of_statements_does_not_grow(company, login, query):
    with company.session(login, read_only=True) as session:
        session.search("warm")  # how much one sees is counted once
        statements = []
        listener = lambda _c, _cursor, statement, *_: statements.append(statement)  # noqa: E731
        event.listen(company.engine, "before_cursor_execute", listener)
        try:
            session.search(query)
        finally:
            event.remove(company.engine, "before_cursor_execute", listener)
    settings = [statement for statement in statements if statement.startswith("SET LOCAL plan_cache_mode")]
    assert len(settings) in (0, 2), settings
    assert len(statements) - len(settings) <= 4, statements


@pytest.mark.parametrize("query", ["works", "valve acme"])
def test_a_search_for_what_is_rare_is_planned_once_and_looks_at_the_owners_of_hits_alone(company, monkeypatch, query):
    """PostgreSQL would gather the owners of all accounts for a plan that does not know how few are hit."""
    if company.dialect == "sqlite":
        pytest.skip("SQLite has one plan for all values, and asks EXISTS of each row")
    monkeypatch.setattr(visibility, "WIDE", 0)
    with company.session("zhou", read_only=True) as session:
        session.search("warm")  # how much one sees is counted once
        with counted(Of(company)) as statements:
            assert session.search(query)
    finding = next(statement for statement in statements if statement.startswith("WITH"))
    before, after = statements[: statements.index(finding)], statements[statements.index(finding) :]
    assert before[-1].endswith("force_generic_plan") and any(each.endswith("TO DEFAULT") for each in after), statements
    assert "FROM crm_ownership" in finding
    assert not re.search(r"EXISTS \(SELECT .*\s+FROM crm_ownership", finding), finding


def test_a_search_for_two_words_that_are_in_very_much_is_planned_for_its_values(company, monkeypatch):
    monkeypatch.setattr(asking, "_FEW", 1)
    with company.session("wu", read_only=True) as session, counted(Of(company)) as statements:
        assert session.search("valve acme")
    assert not any(each.startswith("SET LOCAL plan_cache_mode") for each in statements)
