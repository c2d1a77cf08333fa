"""Databases that are filled once and copied: what a test finds there, and what it does not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa

from crm_core.testing.filling import FillDatabase, SQLiteDatabases

CALLS: list[tuple[str, ...]] = []


@contextmanager
def connected(url: str) -> Iterator[sa.Connection]:
    engine = sa.create_engine(url)
    try:
        with engine.begin() as connection:
            yield connection
    finally:
        engine.dispose()


def words(url: str) -> list[str]:
    with connected(url) as connection:
        return list(connection.scalars(sa.text("SELECT word FROM words ORDER BY word")))


def write(url: str, *given: str) -> dict[str, list[str]]:
    CALLS.append(given)
    with connected(url) as connection:
        connection.execute(sa.text("CREATE TABLE words (word VARCHAR(20))"))
        for word in given:
            connection.execute(sa.text("INSERT INTO words VALUES (:word)"), {"word": word})
    return {"written": list(given)}


@pytest.mark.parametrize("turn", range(3))
def test_each_test_begins_with_what_was_written_once(turn: int, database_url: str, fill_database: FillDatabase) -> None:
    value = fill_database(write, "a", "b")
    assert value == {"written": ["a", "b"]}
    assert words(database_url) == ["a", "b"]
    assert CALLS.count(("a", "b")) == 1
    # Neither the rows nor the value are seen by the next one.
    value["written"].append("c")
    with connected(database_url) as connection:
        connection.execute(sa.text("DELETE FROM words"))
    assert words(database_url) == []


def test_other_arguments_are_another_content(database_url: str, fill_database: FillDatabase) -> None:
    fill_database(write, "other")
    assert words(database_url) == ["other"]


def test_what_is_open_is_not_copied(tmp_path: Path) -> None:
    engines = []

    def leave_open(url: str) -> None:
        engines.append(sa.create_engine(url))
        with engines[0].connect() as connection:
            connection.exec_driver_sql("PRAGMA journal_mode=WAL")
            connection.exec_driver_sql("CREATE TABLE words (word)")
            connection.commit()

    databases = SQLiteDatabases(tmp_path)
    with pytest.raises(RuntimeError, match="still open"):
        databases.fill(tmp_path / "crm.db", leave_open)
    engines[0].dispose()


def test_what_is_there_is_not_replaced(tmp_path: Path) -> None:
    databases = SQLiteDatabases(tmp_path)
    databases.fill(tmp_path / "crm.db", write, "x")
    with pytest.raises(RuntimeError, match=r"crm\.db is there already"):
        databases.fill(tmp_path / "crm.db", write, "x")


def test_a_test_may_ask_for_the_filling_late(database_url: str, request: pytest.FixtureRequest) -> None:
    """After the empty database was made for it."""
    fill = request.getfixturevalue("fill_database")
    fill(write_late, "x")
    engine = sa.create_engine(database_url)
    try:
        with engine.connect() as connection:
            assert connection.execute(sa.text("SELECT word FROM words")).scalars().all() == ["x"]
    finally:
        engine.dispose()


def write_late(url: str, word: str) -> None:
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE words (word VARCHAR(9))"))
        connection.execute(sa.text("INSERT INTO words VALUES (:word)"), {"word": word})
    engine.dispose()
