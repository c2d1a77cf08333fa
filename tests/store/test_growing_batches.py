"""What a batch costs grows with its records, and no faster: counted in the steps of SQLite, not in seconds."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import event

from crm_core import Account, Contact, Crm, User
from crm_core.store.looks import present_look
from crm_core.store.removed import removed

STEPS = 100  # of SQLite's machine between two calls


@pytest.fixture
def crm(tmp_path):
    crm = Crm.open({"crm": {"name": "batches", "database": f"sqlite:///{tmp_path}/crm.db", "plugins": []}}, check=False)
    crm.store.create_all()
    yield crm
    crm.close()


def steps(crm: Crm, work: Callable[[], object]) -> int:
    """How many hundreds of steps SQLite takes for what ``work`` does."""
    count = 0

    def tick() -> int:
        nonlocal count
        count += 1
        return 0

    def watch(connection, *_) -> None:
        connection.set_progress_handler(tick, STEPS)

    event.listen(crm.store.engine, "checkout", watch)
    try:
        work()
    finally:
        event.remove(crm.store.engine, "checkout", watch)
    return count


def made(crm: Crm, record: type, count: int) -> list[int]:
    with crm.system_session("import") as session:
        rows = [{"name": f"{record.__name__} {number}", "email": f"x{number}@example.com"} for number in range(count)]
        if record is Contact:
            rows = [{"name": row["name"]} for row in rows]
        return list(session.add_many(record, rows))


def rename(crm: Crm, record: type, ids: list[int], mark: str) -> None:
    with crm.system_session("import") as session:
        session.update_many(record, [{"id": id_, "name": f"{mark} {id_}"} for id_ in ids])


def delete(crm: Crm, record: type, ids: list[int]) -> None:
    with crm.system_session("clean") as session:
        session.delete_many(record, ids)


@pytest.mark.parametrize("record", [Account, Contact], ids=lambda record: record.__name__)
def test_eight_times_the_records_are_eight_times_the_work(crm, record) -> None:
    few, many = made(crm, record, 100), made(crm, record, 800)
    one = steps(crm, lambda: rename(crm, record, few, "Renamed"))
    other = steps(crm, lambda: rename(crm, record, many, "Renamed"))
    assert 6 * one < other < 12 * one
    one = steps(crm, lambda: delete(crm, record, few))
    other = steps(crm, lambda: delete(crm, record, many))
    assert 5 * one < other < 12 * one


@pytest.mark.parametrize("counted", [False, True])
def test_what_was_deleted_since_a_look_costs_the_same_however_long_the_journal_is(crm, counted) -> None:
    """Also where SQLite counted the changes once, and how many of them a change set has, but not the change sets."""
    with crm.system_session("init") as session:
        reader = session.add_one(User(login="reader", name="Reader")).id

    def look() -> int:
        with crm.system_session("look") as session:
            here = present_look(session)
        made(crm, Contact, 10)

        def ask() -> None:
            with crm.system_session("look") as session:
                removed(session, reader, here, [])

        ask()  # what a store does once
        return steps(crm, ask)

    made(crm, Contact, 100)
    short = look()
    made(crm, Contact, 4000)
    if counted:
        with crm.store.engine.begin() as connection:
            connection.exec_driver_sql("ANALYZE crm_change")
    assert look() < short + 10
