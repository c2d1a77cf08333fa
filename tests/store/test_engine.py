from __future__ import annotations

import builtins
import threading

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import OperationalError

from crm_core.domain.accounts import Account
from crm_core.domain.organisation import User
from crm_core.errors import PermissionDenied, StoreError
from crm_core.store.actor import load_actor
from crm_core.store.engine import BEGIN, open_engine, parse_url
from tests.store import journal_support as support


def begun(store, **options) -> list[str]:
    """The statements by which the transaction of a session began."""
    seen: list[str] = []
    with store.session(principal="test", **options) as session:
        raw = session.core_connection().connection.driver_connection
        session.rollback()
        raw.set_trace_callback(seen.append)
        session.scalars(select(Account)).all()
        raw.set_trace_callback(None)
    return [statement for statement in seen if statement.startswith("BEGIN")]


@pytest.fixture
def file(tmp_path):
    return f"sqlite:///{tmp_path / 'crm.db'}"


def test_writers_begin_immediate_and_readers_deferred(file):
    with support.opened(file) as store:
        assert begun(store) == ["BEGIN IMMEDIATE"]
        assert begun(store, read_only=True) == ["BEGIN"]
        assert begun(store, at=support.EPOCH) == ["BEGIN"]


def test_reading_first_and_writing_then_never_meets_busy_snapshot(file):
    """With a deferred transaction the second writer would fail at once, whatever the timeout."""
    with support.opened(file) as store:
        with store.session(principal="test") as session:
            id_ = session.add_one(Account(name="0", employees=0)).id

        def work() -> None:
            for _ in range(10):
                with store.session(principal="test") as session:
                    account = session.get(Account, id_)
                    account.employees += 1

        threads = [threading.Thread(target=work) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert support.state(store)["account", id_]["employees"] == 30


def test_the_trap_itself(file):
    with support.opened(file) as store:
        deferred = store.engine.execution_options(**{BEGIN: "BEGIN"})
        with deferred.connect() as reader, store.engine.connect() as writer:
            reader.execute(text("SELECT count(*) FROM crm_account"))
            writer.execute(text("UPDATE crm_id_block SET next = next"))
            writer.execute(text("INSERT INTO crm_id_block VALUES ('x', 1)"))
            writer.commit()
            with pytest.raises(OperationalError, match="locked"):
                reader.execute(text("INSERT INTO crm_id_block VALUES ('y', 1)"))


def test_readers_do_not_wait_for_a_writer(file):
    with support.opened(file) as store:
        writer = store.session(principal="test")
        writer.add(Account(name="a"))
        writer.flush()
        with store.session(principal="test", read_only=True) as reader:
            assert reader.scalars(select(Account)).all() == []
        writer.commit()
        writer.close()


def test_settings_of_every_sqlite_connection(file):
    engine = open_engine(file)
    with engine.connect() as connection:
        values = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "foreign_keys", "secure_delete", "synchronous", "busy_timeout")
        }
    engine.dispose()
    assert values == {
        "journal_mode": "wal", "foreign_keys": 1, "secure_delete": 1, "synchronous": 1, "busy_timeout": 30000,
    }  # fmt: skip


@pytest.mark.parametrize(
    "url", ["", "crm.db", "mysql://localhost/x", "oracle://x", "http://example.com", "sqlite+nothing:///x", ":::"]
)
def test_an_address_that_is_none(url):
    with pytest.raises(StoreError, match="no database address") as caught:
        open_engine(url)
    assert "sqlite:///crm.db" in str(caught.value)
    assert caught.value.exit_code == 10


def test_an_address_says_nothing_of_its_password():
    with pytest.raises(StoreError) as caught:
        parse_url("mysql://li:secret@localhost/x")
    assert "secret" not in str(caught.value)


def test_a_missing_folder(tmp_path):
    with pytest.raises(StoreError, match="does not exist"):
        open_engine(f"sqlite:///{tmp_path / 'nowhere' / 'crm.db'}")


def test_a_missing_driver(monkeypatch):
    real = builtins.__import__

    def missing(name, *args, **kwargs):
        if name.split(".")[0] == "psycopg":
            raise ModuleNotFoundError("No module named 'psycopg'", name="psycopg")
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(StoreError, match="pip install") as caught:
        open_engine("postgresql://localhost/crm")
    assert "psycopg" in str(caught.value)


def test_postgresql_means_psycopg():
    assert parse_url("postgresql://localhost/crm").drivername == "postgresql+psycopg"
    assert parse_url("postgresql+psycopg://localhost/crm").drivername == "postgresql+psycopg"


def test_a_read_only_session_writes_nothing(database_url):
    with support.opened(database_url) as store, store.session(principal="test", read_only=True) as session:
        with pytest.raises(PermissionDenied, match="read-only"):
            session.add_many(Account, [{"name": "x"}])
        session.rollback()


def test_a_savepoint_works_on_both(database_url):
    """The SQLite driver's own transactions would have ended the outer one."""
    with support.opened(database_url) as store:
        with store.session(principal="test") as session:
            session.add(Account(name="kept"))
            savepoint = session.begin_nested()
            session.add(Account(name="lost"))
            session.flush()
            savepoint.rollback()
        assert [values["name"] for values in support.state(store).values()] == ["kept"]


def test_postgresql_compiles_no_statements(database_url):
    """It would take a tenth of a second for each, because conditions of visibility look expensive."""
    with support.opened(database_url) as store, store.engine.connect() as connection:
        if connection.dialect.name == "postgresql":
            assert connection.exec_driver_sql("SHOW jit").scalar_one() == "off"
            assert connection.connection.driver_connection.autocommit is False


@pytest.fixture
def resting(database_url, monkeypatch):
    """An engine of PostgreSQL, and how often it has asked connections whether they are there."""
    engine = open_engine(database_url)
    if engine.dialect.name != "postgresql":
        pytest.skip("SQLite has no connections that could be cut")
    asked: list[object] = []
    ask = engine.dialect.do_ping

    def counted(connection):
        asked.append(connection)
        return ask(connection)

    monkeypatch.setattr(engine.dialect, "do_ping", counted)
    yield engine, asked
    engine.dispose()


def number(engine) -> int:
    with engine.connect() as connection:
        return connection.execute(text("SELECT pg_backend_pid()")).scalar_one()


def test_a_connection_that_rested_shortly_is_not_asked_whether_it_is_there(resting, monkeypatch):
    engine, asked = resting
    first = number(engine)
    assert number(engine) == first and asked == []
    monkeypatch.setattr("crm_core.store.resting.LONG", 0.0)
    assert number(engine) == first and len(asked) == 1


def test_a_connection_that_the_server_has_ended_is_replaced_at_once(resting):
    engine, asked = resting
    with engine.connect() as one, engine.connect() as two:
        ended = [each.execute(text("SELECT pg_backend_pid()")).scalar_one() for each in (one, two)]
    other = open_engine(engine.url)
    with other.begin() as connection:
        for each in ended:
            connection.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": each})
    other.dispose()
    assert {number(engine) for _ in range(3)}.isdisjoint(ended)
    assert len(asked) == 1  # the other is as old, and was not asked


def test_a_connection_that_was_closed_here_is_replaced(resting):
    engine, _ = resting
    with engine.connect() as connection:
        raw = connection.connection.driver_connection
    raw.close()
    assert number(engine)


def test_who_acts_is_asked_without_a_transaction(database_url, monkeypatch):
    """To begin and end one are two more ways to the server and back, at each request."""
    with support.opened(database_url) as store:
        if store.dialect != "postgresql":
            pytest.skip("SQLite is not far away")
        with store.session(principal="init") as session:
            session.add(User(login="li", name="Li"))
        open_then: list[bool] = []

        def noted(connection, login, now):
            actor = load_actor(connection, login, now)
            open_then.append(connection.connection.driver_connection.info.transaction_status.name != "IDLE")
            return actor

        monkeypatch.setattr("crm_core.store.store.load_actor", noted)
        with store.session("li") as session:
            session.list(Account)
            assert session.core_connection().connection.driver_connection.info.transaction_status.name == "INTRANS"
        assert open_then == [False]
