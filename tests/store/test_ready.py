"""Kept statements that go to the driver as text from the second time on, with the same answer as at the first."""

from __future__ import annotations

import datetime as dt
import gc
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import bindparam, event, func, select, tuple_
from sqlalchemy.exc import StatementError

from crm_core.domain.accounts import Account, AccountRelation
from crm_core.domain.activities import Activity, Status
from crm_core.errors import UnsupportedStatement
from crm_core.fields import Money
from crm_core.fields.columns import BIGINT
from crm_core.records import RecordType
from crm_core.store.ready import MOST

from .conftest import Company

IDS: Any = bindparam("ids", type_=BIGINT, expanding=True)
MOMENTS = select(Activity.subject).where(
    Activity.planned_start.in_(bindparam("at", type_=Activity.planned_start.type, expanding=True))
)


@contextmanager
def texts(company: Company) -> Iterator[list[str]]:
    """The statements that reach the database meanwhile past SQLAlchemy's compiler."""
    seen: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, _given: Any, context: Any, _many: bool) -> None:
        if context.compiled is None and "\nFROM " in statement and "crm_user.login = " not in statement:
            seen.append(statement)

    event.listen(company.store.engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(company.store.engine, "before_cursor_execute", note)


def columns_of(record_type: RecordType) -> list[Any]:
    """The columns of a record that everybody may read; of money there are two."""
    restricted = {name for field in record_type.restricted for name in (*field.column_names, f"{field.name}_key")}
    mapped = record_type.cls.__mapper__.column_attrs
    return [getattr(record_type.cls, each.key) for each in mapped if each.columns[0].name not in restricted]


def filled(company: Company) -> None:
    """Values of every kind: money, days, moments, tags, choices, custom ones."""
    with company.session() as session:
        acme = session.require(Account, company.acme)
        acme.revenue = Money(Decimal("12.34"), "EUR")
        acme.tags = frozenset({"a", "b"})
        acme.employees = 7
        beta = session.require(Account, company.beta)
        beta.local_name = "100 % :x 'quoted' \\ 海尔"
        session.add(AccountRelation(account_id=acme.id, other_id=beta.id, kind="branch", share=Decimal("12.5")))
        visit = session.require(Activity, company.acme_visit)
        visit.planned_start = dt.datetime(2026, 5, 1, 8, 30, tzinfo=dt.UTC)


@pytest.mark.parametrize("login", [None, "qian", "li", "zhou"])
def test_every_column_of_every_record_comes_as_at_the_first_time(company: Company, login: str | None) -> None:
    filled(company)
    asked = 0
    for record_type in company.store.types.values():
        statement: Any = select(*columns_of(record_type)).order_by(record_type.cls.id)
        found = []
        with texts(company) as seen:
            for _ in range(3):
                with company.session(login, read_only=True) as session:
                    found.append(session.execute(statement).all())
        assert len(seen) == 2, record_type.name
        assert found[0] == found[1] == found[2]
        assert all(one._fields == other._fields for one, other in zip(found[0], found[2], strict=True))
        for one, other in zip(found[0], found[2], strict=True):
            assert [type(value) for value in one] == [type(value) for value in other]
            assert one._mapping[record_type.cls.id] == other._mapping[record_type.cls.id] == other.id
            asked += 1
    assert asked > 10


def test_lists_of_any_length_and_few_texts(company: Company) -> None:
    statement = select(Account.name).where(Account.id.in_(IDS)).order_by(Account.name)
    with company.session(read_only=True) as session:
        ids = [company.acme, company.beta, *range(10**9, 10**9 + MOST)]
        for _ in range(2):
            with texts(company) as seen:
                for length in (0, 1, 2, 3, 4, 5, MOST, MOST + 1):
                    assert list(session.scalars(statement, {"ids": ids[:length]})) == ["Acme", "Beta"][:length], length
                assert list(session.scalars(statement, {"ids": tuple(ids)})) == ["Acme", "Beta"]
                assert list(session.scalars(statement, {"ids": {company.beta}})) == ["Beta"]
        # None, too many, and what is no sequence are SQLAlchemy's; three and four look the same.
        assert len(seen) == 6
        assert len(set(seen)) == 5


def test_constants_mean_what_they_meant(company: Company) -> None:
    filled(company)
    odd = ["100 % :x 'quoted' \\ 海尔", "it's", "%(ids)s", "?"]
    for condition, expected in (
        (Account.local_name.in_(odd), ["Beta"]),
        (Account.local_name == odd[0], ["Beta"]),
        (Account.local_name.not_in(odd), []),
        (Account.local_name.in_([]), []),
        (Account.local_name.not_in([]), ["Acme", "Beta"]),
        (Account.employees.in_([7, 8]), ["Acme"]),
        (Account.employees == 7, ["Acme"]),
        (func.coalesce(Account.local_name, "nothing").like("%_thing%"), ["Acme"]),
    ):
        statement = select(Account.name).where(condition).order_by(Account.name).limit(5)
        with company.session("qian", read_only=True) as session, texts(company) as seen:
            for _ in range(3):
                assert list(session.scalars(statement)) == expected, str(condition)
        assert len(seen) == 2


def test_lists_whose_values_decide_what_stands_there_stay_with_sqlalchemy(company: Company) -> None:
    filled(company)
    moments = [dt.datetime(2026, 5, 1, 8, 30, tzinfo=dt.UTC), dt.datetime(2026, 5, 2, tzinfo=dt.UTC)]
    pairs = tuple_(Account.id, Account.name).in_(bindparam("pairs", expanding=True))
    written = Account.name == bindparam("name", "Acme", literal_execute=True)
    given = {"pairs": [(company.acme, "Acme"), (company.beta, "Acme")]}
    with company.session("qian", read_only=True) as session, texts(company) as seen:
        for _ in range(3):
            assert list(session.scalars(MOMENTS, {"at": moments})) == ["See Acme"]
            assert list(session.scalars(select(Account.name).where(pairs), given)) == ["Acme"]
        for statement, expected in (
            (select(Activity.subject).where(Activity.planned_start.in_(moments)), ["See Acme"]),
            (select(Account.name).where(pairs), ["Acme"]),
            (select(Account.name).where(written), ["Acme"]),
        ):
            for _ in range(3):
                assert list(session.scalars(statement, given)) == expected
    assert len(seen) == 2
    assert len({each for each in seen if "planned_start" in each}) == 1


def test_a_list_is_called_like_a_column(company: Company) -> None:
    statement = select(Account.id).where(
        Account.name.in_(bindparam("name", expanding=True)), Account.name != "Acme", Account.name != "Gamma"
    )
    with company.session("qian", read_only=True) as session:
        for _ in range(3):
            assert list(session.scalars(statement, {"name": ["Acme", "Beta", "Gamma"]})) == [company.beta]


def test_choices_stand_in_lists(company: Company) -> None:
    statement = select(Activity.subject).where(Activity.status.in_([Status.PLANNED, Status.HELD])).order_by(Activity.id)
    with company.session("qian", read_only=True) as session:
        found = [list(session.scalars(statement)) for _ in range(3)]
    assert found == [["See Acme", "See Beta"]] * 3


def test_a_value_that_is_missing_is_missed_each_time_and_others_are_let_be(company: Company) -> None:
    statement = select(Account.name).where(Account.name == bindparam("name"))
    with company.session("li", read_only=True) as session:
        for _ in range(3):
            assert list(session.scalars(statement, {"name": "Acme", "other": 1})) == ["Acme"]
            with pytest.raises(StatementError, match="'name'"):
                session.scalars(statement, {"other": 1})


def test_a_value_that_may_be_replaced_is(company: Company) -> None:
    statement = select(Account.name).where(Account.name == bindparam("name", "Acme", unique=False))
    with company.session("qian", read_only=True) as session:
        for _ in range(3):
            assert list(session.scalars(statement)) == ["Acme"]
            assert list(session.scalars(statement, {"name": "Beta"})) == ["Beta"]


def test_nobody_brings_the_values_of_somebody_else(company: Company) -> None:
    statement = select(Account.name)
    wang = {"crm_user": company.users["wang"]}
    with company.session("li", read_only=True) as session:
        assert [list(session.scalars(statement, wang)) for _ in range(3)] == [["Acme"]] * 3


def test_one_text_serves_many_people_each_with_what_is_theirs(company: Company) -> None:
    statement = select(Account.name).order_by(Account.name)
    with texts(company) as seen:
        for _ in range(2):
            for login, expected in (("li", ["Acme"]), ("wang", ["Beta"]), ("sun", [])):
                with company.session(login, read_only=True) as session:
                    assert list(session.scalars(statement)) == expected
    assert len(seen) == 5
    assert len(set(seen)) == 1


def test_what_asks_for_more_than_rows_stays_with_sqlalchemy(company: Company) -> None:
    plain = select(Account.name).order_by(Account.name)
    with company.session("qian", read_only=True) as session, texts(company) as seen:
        for _ in range(3):
            assert [each.name for each in session.scalars(select(Account).order_by(Account.name))] == ["Acme", "Beta"]
            assert list(session.scalars(plain.execution_options(yield_per=1))) == ["Acme", "Beta"]
        entities, money = select(Account).order_by(Account.name), select(Account.id, Account.revenue)
        streamed = plain.execution_options(yield_per=1)
        for _ in range(3):
            assert [each.name for each in session.scalars(entities)] == ["Acme", "Beta"]
            assert len(session.execute(money).all()) == 2
            assert list(session.scalars(streamed)) == ["Acme", "Beta"]
        assert list(session.scalars(plain)) == ["Acme", "Beta"]
        assert list(session.scalars(plain, execution_options={"yield_per": 1})) == ["Acme", "Beta"]
    assert seen == []


def test_whoever_listens_to_statements_hears_of_each(company: Company) -> None:
    statement = select(Account.name)
    heard: list[Any] = []

    def note(_connection: Any, executed: Any, *_rest: Any) -> None:
        heard.append(executed)

    with company.session("qian", read_only=True) as session:
        for _ in range(2):
            session.scalars(statement).all()
        event.listen(company.store.engine, "before_execute", note)
        try:
            session.scalars(statement).all()
        finally:
            event.remove(company.store.engine, "before_execute", note)
    (executed,) = heard
    assert not isinstance(executed, str)
    assert "FROM crm_account" in str(executed)


def test_what_is_pending_is_written_before(company: Company) -> None:
    statement = select(func.count()).select_from(Account)
    with company.session() as session:
        assert [session.scalar(statement) for _ in range(2)] == [2, 2]
        session.add(Account(name="Gamma"))
        with session.no_autoflush:
            assert session.scalar(statement) == 2
        assert session.scalar(statement) == 3
        session.rollback()


def test_refusals_are_repeated(company: Company) -> None:
    statement = select(Account.name)
    with company.session("qian", read_only=True) as session:
        for _ in range(2):
            session.scalars(statement).all()
    with company.session("qian", as_of=dt.datetime.now(dt.UTC)) as session, pytest.raises(UnsupportedStatement):
        session.scalars(statement)


@pytest.mark.parametrize("login", [None, "qian", "li"])
def test_a_statement_that_nobody_keeps_goes_also_where_rights_add_nothing_to_it(
    company: Company, login: str | None
) -> None:
    with company.session(login, read_only=True) as session:
        kept = session._reading._shape.statements
        before = len(kept)
        for _ in range(10):
            once = select(Account.name)
            for _ in range(2):
                session.scalars(once).all()
        assert once in kept
        del once
        gc.collect()
        # Of all that are alike SQLAlchemy keeps the first, with what it compiled of it.
        assert len(kept) <= before + 1
