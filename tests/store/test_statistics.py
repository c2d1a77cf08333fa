"""After very much has come in, the database has counted its tables."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import text
from structlog.testing import capture_logs

from crm_core import Account, Crm, duplicates
from crm_core.exchange import run_import
from crm_core.store import statistics
from crm_core.store.search.reindex import reindex


@pytest.fixture
def crm(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Crm]:
    monkeypatch.setattr(statistics, "LARGE", 50)
    crm = Crm.open({"crm": {"database": database_url}}, check=False)
    crm.migrate()
    yield crm
    crm.close()


def counted(crm: Crm) -> dict[str, int]:
    """How many rows the database believes to be in a table, of the tables that it has counted."""
    query = "SELECT tbl, max(CAST(stat AS INTEGER)) FROM sqlite_stat1 GROUP BY tbl"
    if crm.store.dialect == "postgresql":
        query = (
            "SELECT c.relname, c.reltuples FROM pg_class c JOIN pg_stats s ON s.tablename = c.relname AND s.attname = "
            "'id' OR s.tablename = c.relname AND s.attname = 'kind' WHERE c.relname LIKE 'crm%'"
        )
    with crm.store.engine.connect() as connection:
        if (
            crm.store.dialect == "sqlite"
            and not connection.execute(text("SELECT 1 FROM sqlite_master WHERE name = 'sqlite_stat1'")).first()
        ):
            return {}
        return {name: int(rows) for name, rows in connection.execute(text(query))}


def rows(count: int) -> list[dict[str, Any]]:
    return [{"name": f"Acme {number}", "website": f"https://w{number}.example"} for number in range(count)]


def test_only_what_is_large_and_committed(crm: Crm) -> None:
    with crm.system_session("test") as session:
        session.add_many(Account, rows(49))
        session.commit()
        session.add_many(Account, rows(49))
        session.rollback()
        session.add_many(Account, rows(2))
    assert "crm_account" not in counted(crm)
    with crm.system_session("test") as session:
        session.add_many(Account, rows(40))
        with session.begin_nested():
            session.add_many(Account, rows(10))
    found = counted(crm)
    assert found["crm_account"] == 101
    assert found["crm_match_key"] == 202


def test_what_comes_by_objects_counts(crm: Crm) -> None:
    with crm.system_session("test") as session:
        session.add_all(Account(**each) for each in rows(60))
    assert counted(crm)["crm_account"] == 60


def test_a_streaming_import(crm: Crm, tmp_path: Any) -> None:
    (tmp_path / "data.csv").write_text("id,name\n" + "".join(f"{number},A{number}\n" for number in range(60)))
    section = {"record": "account", "file": "data.csv", "key": "id", "fields": {"name": "name"}}
    run_import(crm, {"source": {"system": "old"}, "section": [section]}, tmp_path)
    found = counted(crm)
    assert (found["crm_account"], found["crm_external_ref"]) == (60, 60)


def test_after_a_reindex(crm: Crm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statistics, "LARGE", 1000)
    with crm.system_session("test") as session:
        session.add_many(Account, rows(500))
    assert "crm_account" not in counted(crm)
    with crm.system_session("test") as session:
        duplicates.reindex(session)
    reindex(crm.store)
    found = counted(crm)
    assert (found["crm_match_key"], found["crm_search_document"]) == (1000, 500)


def test_open_connections_plan_by_the_new_figures(crm: Crm) -> None:
    """On SQLite a connection goes on by what it read when it was opened."""
    if crm.store.dialect != "sqlite":
        pytest.skip("PostgreSQL's connections share them")
    with crm.system_session("test") as session:
        session.add_many(Account, [{"name": f"Acme {number}", "grade": "A"} for number in range(60)])
    before = crm.store.engine.raw_connection()
    opened = before.dbapi_connection
    before.close()
    with crm.system_session("test") as session:
        session.add_many(Account, rows(60))
    after = crm.store.engine.raw_connection()
    assert after.dbapi_connection is not opened
    after.close()


def test_nobody_waits_for_a_lock(crm: Crm) -> None:
    """Somebody else writes: what was imported stands, and the figures stay as they were."""
    if crm.store.dialect != "sqlite":
        pytest.skip("on PostgreSQL a table that is locked is left out")
    with crm.store.engine.begin(), capture_logs() as logs:
        statistics.refresh(crm.store.engine, ["crm_account"])
    assert [each["event"] for each in logs] == ["statistics left out"]
    with crm.store.engine.connect() as connection:
        assert connection.execute(text("PRAGMA busy_timeout")).scalar() == 30000
