"""Plans that PostgreSQL keeps: one for all values where few records are concerned, and else as the server decides."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import make_url, text
from sqlalchemy.exc import DBAPIError

from crm_core.domain.accounts import Account
from crm_core.errors import StoreError
from crm_core.store.engine import open_engine
from crm_core.store.planning import KEPT, SENT, planned_once
from crm_core.testing.statements import counted
from crm_core.views.overview import overview
from tests.store.conftest import Company


@pytest.fixture
def address(database_url: str) -> str:
    """The address of an empty database of PostgreSQL."""
    if not database_url.startswith("postgresql"):
        pytest.skip("SQLite keeps no plans for values")
    return database_url


def mode(connection) -> str:
    return connection.exec_driver_sql("SHOW plan_cache_mode").scalar_one()


def settings_of(url: str) -> tuple[int | None, int]:
    engine = open_engine(url)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT 1")).scalar_one() == 1
        driver = connection.connection.driver_connection
        found = driver.prepare_threshold, driver.prepared_max
    engine.dispose()
    return found


def test_connections_prepare_what_is_sent_again(address):
    assert settings_of(address) == (SENT, KEPT)


def test_the_address_says_otherwise(address):
    there = make_url(address)
    for given, expected in (("none", None), ("0", 0), ("7", 7)):
        url = there.update_query_dict({"prepare_threshold": given})
        assert settings_of(url.render_as_string(hide_password=False))[0] == expected


@pytest.mark.parametrize("given", ["never", "-1", "1.5", "1&prepare_threshold=2"])
def test_a_number_that_is_none(given):
    with pytest.raises(StoreError, match="which is no number"):
        open_engine(f"postgresql+psycopg://li@localhost/crm?prepare_threshold={given}")


@pytest.fixture
def engine(address) -> Iterator[object]:
    engine = open_engine(address)
    yield engine
    engine.dispose()


def test_only_what_is_read_meanwhile_is_planned_at_once(engine):
    with engine.connect() as connection:
        before = mode(connection)
        with planned_once(connection):
            assert mode(connection) == "force_generic_plan"
        assert mode(connection) == before == "auto"


def test_what_whoever_runs_the_server_has_set_comes_back(address):
    engine = open_engine(make_url(address).update_query_dict({"options": "-c plan_cache_mode=force_custom_plan"}))
    with engine.connect() as connection:
        with planned_once(connection):
            assert mode(connection) == "force_generic_plan"
        assert mode(connection) == "force_custom_plan"
    engine.dispose()


def test_a_mistake_meanwhile_leaves_nothing_behind(engine):
    with engine.connect() as connection:
        with pytest.raises(ZeroDivisionError), planned_once(connection):
            raise ZeroDivisionError
        assert mode(connection) == "auto"


def test_a_statement_that_fails_is_what_is_told(engine):
    with engine.connect() as connection:
        with pytest.raises(DBAPIError, match="nowhere"), planned_once(connection):
            connection.execute(text("SELECT 1 FROM nowhere"))
        connection.rollback()
        assert mode(connection) == "auto"


def test_a_savepoint_that_is_taken_back_takes_the_setting_with_it(engine):
    with engine.connect() as connection:
        with pytest.raises(DBAPIError), connection.begin_nested(), planned_once(connection):
            connection.execute(text("SELECT 1 FROM nowhere"))
        assert mode(connection) == "auto"


def test_who_prepares_nothing_asks_for_no_plans(address):
    engine = open_engine(make_url(address).update_query_dict({"prepare_threshold": "none"}))
    with engine.connect() as connection, planned_once(connection):
        assert mode(connection) == "auto"
    engine.dispose()


def test_it_is_asked_for_once_however_deep(company: Company):
    with company.session("li", read_only=True) as session:
        session.list(Account)
        with counted(company) as seen, session._reading.each_by_itself(), session._reading.each_by_itself():
            pass
    assert len(seen) == (2 if company.store.dialect == "postgresql" else 0)


def test_an_overview_is_planned_for_all_values_and_a_page_for_its_own(company: Company):
    if company.store.dialect != "postgresql":
        pytest.skip("SQLite keeps no plans for values")
    for _ in range(5):  # at first as SQLAlchemy writes it, and then as it is kept
        with company.session("zhou", read_only=True) as session:
            overview(session, session.list(Account, order="name", limit=1)[0])
    with company.session(read_only=True) as session:
        rows = session.core(text("SELECT statement, generic_plans, custom_plans FROM pg_prepared_statements")).all()
    events = [row for row in rows if "FROM crm_pool_event" in row.statement]
    pages = [row for row in rows if "ORDER BY crm_account.name" in row.statement]
    assert events and all(row.generic_plans >= 3 and row.custom_plans == 0 for row in events)
    assert pages and all(row.custom_plans >= 3 and row.generic_plans == 0 for row in pages)


def test_a_kept_plan_shows_each_reader_their_own(company: Company):
    """The same prepared statements serve those with the same roles, whatever they see."""
    shown: dict[str, set[str | None]] = {"li": set(), "wang": set()}
    for _ in range(4):
        for login, names in shown.items():
            with company.session(login, read_only=True) as session:
                for id_ in (company.acme, company.beta):
                    if (account := session.get(Account, id_)) is not None:
                        names.add(overview(session, account).people[0].name)
    assert shown == {"li": {"Ann"}, "wang": {"Bob"}}
