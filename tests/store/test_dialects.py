from __future__ import annotations

import gc
import weakref

import pytest
from sqlalchemy import event, select
from sqlalchemy.engine.interfaces import CacheStats

from crm_core.domain.accounts import Account
from crm_core.store.dialects import KEPT, STATEMENTS, create_shared_engine
from crm_core.store.engine import open_engine, parse_url
from crm_core.store.store import Store
from tests.store import journal_support as support


def work(store) -> None:
    with store.session(principal="test") as session:
        added = session.add_one(Account(name="Nordmilch"))
        session.commit()
        assert session.scalars(select(Account.name).where(Account.id == added.id)).all() == ["Nordmilch"]
        added.name = "Nordmilch AG"


def compiled_anew(store) -> list[str]:
    """The statements that had to be compiled for what ``work`` does."""
    seen: list[str] = []

    def look(_connection, _cursor, statement, _parameters, context, _many):
        if context.cache_hit is CacheStats.CACHE_MISS:
            seen.append(statement)

    event.listen(store.engine, "before_cursor_execute", look)
    work(store)
    event.remove(store.engine, "before_cursor_execute", look)
    return seen


def test_what_one_store_has_compiled_another_one_need_not(tmp_path, database_url):
    STATEMENTS.clear()
    with support.opened(database_url) as first:
        assert compiled_anew(first) != []
        work(first)
        if first.dialect == "sqlite":
            # Not even the same database.
            database_url = f"sqlite:///{tmp_path / 'other.db'}"
            support.make_tables(database_url)
        second = Store(database_url, first.types)
        assert compiled_anew(second) == []
        second.close()


@pytest.mark.parametrize("options", [{"paramstyle": "named"}, {"json_serializer": str, "label_length": 20}])
def test_engines_that_were_set_up_otherwise_share_nothing(tmp_path, options):
    plain = open_engine(f"sqlite:///{tmp_path / 'crm.db'}")
    other = create_shared_engine(parse_url(f"sqlite:///{tmp_path / 'crm.db'}"), **options)
    for engine in (plain, other):
        with engine.connect() as connection:
            Account.crm_type.table.create(connection, checkfirst=True)
            connection.commit()
    assert plain.dialect != other.dialect
    table = Account.crm_type.table
    query = select(table.c.name.label("a_rather_long_name_for_a_column")).where(table.c.id == 1)
    for engine in (plain, other, plain):
        with engine.connect() as connection:
            assert connection.execute(query).all() == []


def test_before_they_have_met_their_server_no_two_are_alike(tmp_path):
    one, other = (open_engine(f"sqlite:///{tmp_path / 'crm.db'}") for _ in range(2))
    assert one.dialect != other.dialect
    for engine in (one, other):
        engine.connect().close()
    assert one.dialect == other.dialect
    assert hash(one.dialect) == hash(other.dialect)


def test_an_engine_says_the_address_that_it_was_given(database_url):
    engine = open_engine(database_url)
    assert engine.url == parse_url(database_url)
    assert engine.dialect.driver in ("pysqlite", "psycopg")


def test_what_is_remembered_holds_no_store(tmp_path):
    with support.opened(f"sqlite:///{tmp_path / 'crm.db'}") as store:
        work(store)
        gone = [weakref.ref(store), weakref.ref(store.engine), weakref.ref(store.engine.pool)]
    del store
    gc.collect()
    assert [each() for each in gone] == [None] * len(gone)


def test_not_everything_is_remembered_for_good(tmp_path):
    engine = open_engine(f"sqlite:///{tmp_path / 'crm.db'}")
    with engine.connect() as connection:
        Account.crm_type.table.create(connection)
        for number in range(2 * KEPT):
            connection.execute(select(Account.crm_type.table.c.id.label(f"c{number}")).limit(1))
    assert KEPT <= len(STATEMENTS) < 2 * KEPT
