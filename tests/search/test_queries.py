"""Queries as people type them, each with the hit that must come first."""

from __future__ import annotations

import datetime as dt
import os

import pytest

from crm_core import (
    Account,
    Activity,
    Affiliation,
    Contact,
    ContactPoint,
    Crm,
    PointKind,
    UnsupportedStatement,
    ValidationError,
)
from crm_project_sales import Project

ACCOUNTS = (
    {"name": "海尔", "legal_name": "海尔智家股份有限公司", "registration_number": "91370200264574251E"},
    {"name": "青岛海尔物流"},
    {"name": "Hairdressers United"},
    {"name": "西安机床", "local_name": None},
    {"name": "单县化工"},
    {"name": "中国银行"},
    {"name": "重庆长安汽车"},
    {"name": "Acme Bearings", "phone": "0532-8893 8888", "email": "info@acme-bearings.example"},
    {"name": "Acme"},
    {"name": "Acmeister Tools"},
    {"name": "Big Acme"},
    {"name": "ＡＢＣ　Ｔｒａｄｉｎｇ"},
    {"name": "Müller Pumpen", "legal_name": "Müller Großpumpen GmbH"},
    {"name": "TCL 王牌电器"},
    {"name": "ООО Ромашка"},
    {"name": "臺灣積體電路"},
    # Each holds the pieces of one number, but not the number; they are older, and their titles are shorter.
    {"name": "Lu 1", "phone": "021-5000-0013", "registration_number": "913100005000003001"},
    {"name": "Lu 2", "phone": "+86 21 5000 0023", "registration_number": "91310021500000030X"},
    {"name": "Lu 3", "phone": "021-5000-00031"},
    {"name": "Lujiazui Trade", "phone": "+86 21 5000 0003"},
)
PEOPLE = (
    ("单雄信", "海尔", "采购", "采购经理", "+86 138 0000 1234"),
    ("李单", "青岛海尔物流", "仓库", None, "137 1111 2222"),
    ("欧阳修", "重庆长安汽车", "技术", "总工程师", None),
    ("Ann Baker", "Acme Bearings", "purchasing", "Head of Purchasing", "+44 20 7946 0958"),
    ("Bob Cook", "Acme", "purchasing", None, None),
    ("吕布", "中国银行", "保安", None, None),
)


@pytest.fixture(scope="module")
def filled(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory):
    """A company that all queries ask, on the database of the run."""
    # Workers share the server, and each may have some of these tests.
    name = f"search_queries_{os.environ.get('PYTEST_XDIST_WORKER', 'main')}"
    if request.config.getoption("postgresql"):
        server = request.getfixturevalue("postgresql_server")
        url = server.create_database(name)
    else:
        url = f"sqlite:///{tmp_path_factory.mktemp('queries') / 'crm.db'}"
    plugins = ["stakeholders", "project_sales"]
    with Crm.open({"crm": {"plugins": plugins}}, database=url, check=False) as crm:
        crm.migrate()
        fill(crm)
        yield crm
    if request.config.getoption("postgresql"):
        server.drop_database(name)


def fill(crm: Crm) -> None:
    with crm.system_session("test") as session:
        accounts = {row["name"]: session.add_one(Account(**row)) for row in ACCOUNTS}
        for name, account, role, title, number in PEOPLE:
            person = session.add_one(Contact(name=name))
            session.add(Affiliation(account_id=accounts[account].id, contact_id=person.id, role=role, title=title))
            if number:
                session.add(ContactPoint(contact_id=person.id, kind=PointKind.MOBILE, value=number))
        session.add(Contact(name="Li Na", local_name="曾丽娜"))
        session.add(
            Activity(kind="visit", subject="年度报价 Offer", account_id=accounts["海尔"].id, outcome="Wants a discount")
        )
        session.add(Activity(kind="call", subject="Complaint", account_id=accounts["Acme"].id))
        session.add(Project(account_id=accounts["海尔"].id, name="冰箱压缩机二期 Compressor Line"))


# Several of them come under more than one of the headings that the feature promises.
QUERIES = (
    ("海尔", "account", "海尔"),  # the whole title before a part of one
    ("海爾", "account", "海尔"),  # traditional characters
    ("股份", "account", "海尔"),
    ("物流", "account", "青岛海尔物流"),  # a word of two characters within a name
    ("压缩", "project_sales.project", "冰箱压缩机二期 Compressor Line"),  # a plugin's field
    ("haier", "account", "海尔"),  # pinyin
    ("hr", "account", "海尔"),  # initials, before Latin words that hold the letters within
    ("hezj", "account", "海尔"),  # initials of the legal name, er by its rule
    ("qdhe", "account", "青岛海尔物流"),
    ("shanxiongxin", "contact", "单雄信"),  # the surname is Shan, not Dan
    ("sxx", "contact", "单雄信"),
    ("danxian", "account", "单县化工"),  # no surname: no reading of surnames
    ("ouyang", "contact", "欧阳修"),
    ("zenglina", "contact", "Li Na"),  # 曾 as a surname is Zeng, also in the local name
    ("xian", "account", "西安机床"),  # xi an
    ("chongqing", "account", "重庆长安汽车"),  # read by the word: 重 is chong here
    ("yinhang", "account", "中国银行"),
    ("lvbu", "contact", "吕布"),
    ("acme", "account", "Acme"),  # whole title, then beginnings, then words
    ("ACME", "account", "Acme"),
    ("ａｃｍｅ bearings", "account", "Acme Bearings"),  # full-width
    ("abc trading", "account", "ＡＢＣ　Ｔｒａｄｉｎｇ"),
    ("earing", "account", "Acme Bearings"),  # within a word
    ("muller", "account", "Müller Pumpen"),  # without the accent
    ("MÜLLER grosspumpen", "account", "Müller Pumpen"),
    ("ромашка", "account", "ООО Ромашка"),  # any script
    ("台湾积体", "account", "臺灣積體電路"),
    ("tcl wangpai", "account", "TCL 王牌电器"),  # mixed scripts
    ("13800001234", "contact", "单雄信"),  # without the country's code
    ("+86 138 0000 1234", "contact", "单雄信"),
    ("0086-138-0000-1234", "contact", "单雄信"),
    ("8613800001234", "contact", "单雄信"),
    ("00001234", "contact", "单雄信"),
    ("+8613711112222", "contact", "李单"),  # kept without the code, asked with it
    ("020 7946 0958", "contact", "Ann Baker"),  # asked with the zero that the code replaces
    ("+86 532 88938888", "account", "Acme Bearings"),  # kept with the zero
    ("021 5000 0003", "account", "Lujiazui Trade"),  # the number before what holds its pieces, or more digits
    ("(021) 5000-0003", "account", "Lujiazui Trade"),
    ("02150000003", "account", "Lujiazui Trade"),
    ("5000 0003", "account", "Lujiazui Trade"),  # its end, without the code of the city
    ("acme-bearings.example", "account", "Acme Bearings"),  # signs are a part of words
    ("264574251", "account", "海尔"),  # a registration number
    ("海尔 采购", "contact", "单雄信"),  # the account and the role of a person in it
    ("haier caigou", "contact", "单雄信"),
    ("海尔 单雄信", "contact", "单雄信"),  # the account and the person
    ("acme purchasing", "contact", "Bob Cook"),  # the account that is called so before those that begin so
    ("采购经理", "contact", "单雄信"),
    ("报价", "activity", "年度报价 Offer"),
    ("海尔 discount", "activity", "年度报价 Offer"),
    ("海尔 compressor", "project_sales.project", "冰箱压缩机二期 Compressor Line"),
)


@pytest.mark.store
@pytest.mark.parametrize(("query", "record_type", "title"), QUERIES, ids=[query for query, *_ in QUERIES])
def test_the_first_hit(filled, query, record_type, title):
    with filled.system_session("test", read_only=True) as session:
        hits = session.search(query)
        assert hits, "nothing was found"
        assert (hits[0].record_type, hits[0].title) == (record_type, title), hits
        assert len({hit.record_id for hit in hits}) == len(hits)


@pytest.mark.store
def test_the_order_of_hits(filled):
    with filled.system_session("test", read_only=True) as session:
        assert [hit.title for hit in session.search("acme")] == ["Acme", "Acme Bearings", "Acmeister Tools", "Big Acme"]
        assert [hit.title for hit in session.search("shan")][:1] == ["单雄信"]
        assert "单雄信" not in [hit.title for hit in session.search("dan")]
        # One Chinese character is a word: the beginning of a title before its end, an account before a person.
        assert [hit.title for hit in session.search("单")] == ["单县化工", "单雄信", "李单"]
        ranks = [hit.rank for hit in session.search("hai")]
        assert ranks == sorted(ranks)


@pytest.mark.store
def test_what_a_hit_says(filled):
    with filled.system_session("test", read_only=True) as session:
        haier = session.scalars(session_accounts("海尔")).one()
        (hit,) = session.search("海尔 采购经理")
        assert (hit.account_id, hit.field, hit.text) == (haier, "affiliation.title", "采购经理")
        assert session.get(Contact, hit.record_id).name == hit.title == "单雄信"
        (hit,) = session.search("discount")
        assert (hit.account_id, hit.field, hit.text) == (haier, "activity.outcome", "Wants a discount")
        (hit,) = session.search("hezj")
        assert (hit.field, hit.text, hit.account_id) == ("account.legal_name", "海尔智家股份有限公司", haier)


def session_accounts(name):
    from sqlalchemy import select

    return select(Account.id).where(Account.name == name)


@pytest.mark.store
def test_types_and_limit(filled):
    with filled.system_session("test", read_only=True) as session:
        assert {hit.record_type for hit in session.search("海尔", types=["activity", "contact"])} == set()
        assert [hit.title for hit in session.search("acme", limit=2)] == ["Acme", "Acme Bearings"]
        assert {hit.record_type for hit in session.search("acme purchasing", types=[Contact])} == {"contact"}
        assert session.search("采购", types=["account"]) == []
        assert session.search("13800001234", types=["account"]) == []
        assert [hit.title for hit in session.search("13800001234", types=["contact"])] == ["单雄信"]


@pytest.mark.store
@pytest.mark.parametrize(("query", "said"), [
    ("", "'' says too little to search for. Give a word of at least two characters, or one Chinese character."),
    ("a", "'a' says too little to search for. Give a word of at least two characters, or one Chinese character."),
    ("a b 1", "'a b 1' says too little to search for. Give a word of at least two characters, or one Chinese "
              "character."),
    ("aa bb cc dd ee ff gg hh ii", "9 words are too many to search for. Give at most 8."),
])  # fmt: skip
def test_queries_that_are_refused(filled, query, said):
    with filled.system_session("test", read_only=True) as session, pytest.raises(ValidationError) as raised:
        session.search(query)
    assert str(raised.value) == said


@pytest.mark.store
def test_a_limit_out_of_bounds_and_an_unknown_type_are_refused(filled):
    from crm_core import NotFound

    with filled.system_session("test", read_only=True) as session:
        for limit in (0, 1001):
            with pytest.raises(ValidationError, match=r"A search gives 1 to 1000 hits\."):
                session.search("acme", limit=limit)
        with pytest.raises(NotFound, match="Did you mean"):
            session.search("acme", types=["acount"])
        assert session.search("acme", types=["user"]) == []


@pytest.mark.store
def test_short_words_count_beside_longer_ones(filled):
    with filled.system_session("test", read_only=True) as session:
        assert {hit.title for hit in session.search("acme k")} == {"Ann Baker", "Bob Cook"}
        assert session.search("bearings z") == []


@pytest.mark.store
def test_the_recorded_past_cannot_be_searched(filled):
    with (
        filled.system_session("test", as_of=dt.date(2025, 1, 1)) as session,
        pytest.raises(UnsupportedStatement, match="Search in a session without as_of"),
    ):
        session.search("acme")
