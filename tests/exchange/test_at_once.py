"""An import beside another, and beside whoever changes the same records: nobody waits for each other in a ring."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs
import pytest
from sqlalchemy import event, select

from crm_core import Account, User, handovers, merging, ownership
from crm_core.assembly import Crm
from crm_core.domain.accounts import AccountAddress
from crm_core.errors import Contention
from crm_core.exchange import ImportReport, Progress, run_import

COUNT, BATCH = 20, 5
NUMBERS = list(range(1, COUNT + 1))
ACCOUNTS: Mapping[str, Any] = {
    "record": "account", "file": "data.csv", "key": "id", "fields": {"name": "name"}
}  # fmt: skip
ADDRESSES: Mapping[str, Any] = {
    "record": "account_address",
    "file": "data.csv",
    "key": "id",
    "fields": {"account_id": {"column": "id", "lookup": "account"}, "address": {"city": "city"}},
}
OWNERS: Mapping[str, Any] = {
    "record": "ownership",
    "file": "data.csv",
    "key": "id",
    "fields": {
        "account_id": {"column": "id", "lookup": "account"},
        "user_id": {"column": "owner", "lookup": {"record": "user", "by": "login"}},
        "reason": "name",
    },
}


@pytest.fixture(autouse=True)
def several_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crm_core.exchange.sections._BATCH", BATCH)


@attrs.define
class Company:
    """Accounts from another system, whose import can be held up after its first batch."""

    crm: Crm
    folder: Path
    ids: list[int] = attrs.field(factory=list)
    failures: list[BaseException] = attrs.field(factory=list)

    def load(
        self,
        name: str,
        numbers: list[int],
        *sections: Mapping[str, Any],
        progress: Callable[[Progress], None] | None = None,
        waiting: Callable[[str], None] | None = None,
    ) -> ImportReport:
        """Import accounts in this order, all with the same name and city."""
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        rows = [f"{number},{name} {number},{name},li" for number in numbers]
        (folder / "data.csv").write_text("\n".join(["id,name,city,owner", *rows, ""]))
        mapping = {"source": {"system": "old"}, "section": [*sections]}
        return run_import(self.crm, mapping, folder, progress=progress, waiting=waiting)

    def thread(self, work: Callable[[], Any]) -> threading.Thread:
        def run() -> None:
            try:
                work()
            except BaseException as error:
                self.failures.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        return thread

    def beside(self, work: Callable[[], Any], *sections: Mapping[str, Any]) -> ImportReport:
        """Import the last accounts first; when they are written, let ``work`` begin, and go on when it must wait."""
        threads: list[threading.Thread] = []

        def pause(told: Progress) -> None:
            if not threads:
                threads.append(self.thread(work))
                self.until_waiting(threads[0])

        report = self.load("new", NUMBERS[::-1], *sections, progress=pause)
        threads[0].join()
        return report

    def until_waiting(self, thread: threading.Thread) -> None:
        """Until somebody waits for a lock, or the thread has ended; SQLite does not tell who waits for whom."""
        end = time.monotonic() + (10 if self.crm.store.dialect == "postgresql" else 0.2)
        while thread.is_alive() and time.monotonic() < end and not self.waiting():
            time.sleep(0.01)

    def waiting(self) -> bool:
        if self.crm.store.dialect == "sqlite":
            return False
        with self.crm.store.reading() as connection:
            return bool(connection.exec_driver_sql("SELECT count(*) FROM pg_locks WHERE NOT granted").scalar())

    def require_peace(self) -> None:
        """Nobody failed, and PostgreSQL had to end nobody."""
        assert not self.failures
        store = self.crm.store
        if store.dialect == "sqlite":
            return
        store.engine.dispose()
        end = time.monotonic() + 10
        # A server counts what a connection did when that has ended.
        with store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            while True:
                others = connection.exec_driver_sql(
                    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
                    "AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
                ).scalar()
                if not others or time.monotonic() > end:
                    break
                time.sleep(0.01)
            rings = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
            assert connection.exec_driver_sql(rings).scalar() == 0

    def names(self) -> set[str]:
        with self.crm.system_session("test", read_only=True) as session:
            return {each.split()[0] for each in session.scalars(select(Account.name))}


@pytest.fixture
def company(crm: Crm, tmp_path: Path) -> Iterator[Company]:
    company = Company(crm, tmp_path)
    with crm.system_session("test") as session:
        for login in ("li", "wang"):
            session.add(User(login=login, name=login))
    assert company.load("old", NUMBERS, ACCOUNTS, ADDRESSES, OWNERS).rejected == 0
    with crm.system_session("test", read_only=True) as session:
        company.ids = list(session.scalars(select(Account.id).order_by(Account.id)))
    assert len(company.ids) == COUNT
    yield company
    for each in company.failures:
        print(repr(each))


@pytest.mark.parametrize("batch", [BATCH, 1000], ids=["batches", "one batch"])
def test_imports_of_the_same_accounts_in_opposite_orders(
    company: Company, monkeypatch: pytest.MonkeyPatch, batch: int
) -> None:
    monkeypatch.setattr("crm_core.exchange.sections._BATCH", batch)
    met = threading.Barrier(2)
    reports: list[ImportReport] = []

    def load(name: str, numbers: list[int]) -> None:
        told: list[Progress] = []

        def pause(progress: Progress) -> None:
            told.append(progress)
            if len(told) == 1:
                # Where both could have come so far, each has now what the other wants.
                with contextlib.suppress(threading.BrokenBarrierError):
                    met.wait(0.5)

        sections = (ACCOUNTS, ADDRESSES) if name == "up" else (ADDRESSES, ACCOUNTS)
        for turn in range(3):
            reports.append(company.load(name, numbers, *sections, progress=pause if turn == 0 else None))

    threads = [company.thread(lambda: load("up", NUMBERS)), company.thread(lambda: load("down", NUMBERS[::-1]))]
    for thread in threads:
        thread.join()
    company.require_peace()
    # Nobody is refused because somebody else was writing, and one of both had the last word about all.
    assert [report.rejected for report in reports] == [0] * 6
    assert len(company.names()) == 1
    with company.crm.system_session("test", read_only=True) as session:
        cities = {each.address.city for each in session.scalars(select(AccountAddress))}
    assert cities == company.names()


def test_an_import_says_what_it_waits_for(company: Company) -> None:
    waited: list[str] = []

    def other() -> None:
        assert company.load("other", NUMBERS, ACCOUNTS, waiting=waited.append).rejected == 0

    assert company.beside(other, ADDRESSES, ACCOUNTS).rejected == 0
    company.require_peace()
    assert waited == (["account"] if company.crm.store.dialect == "postgresql" else [])
    # Where nobody is in its way it says nothing.
    waited.clear()
    other()
    assert waited == []


def test_imports_that_only_add_go_on_together(company: Company) -> None:
    adding = {**ACCOUNTS, "on_update": "skip"}
    ended: list[ImportReport] = []

    def other() -> None:
        ended.append(company.load("other", [101, 102], adding))

    def begin(_told: Progress) -> None:
        if company.crm.store.dialect == "postgresql" and not ended:
            company.thread(other).join(10)
            assert ended

    assert company.load("first", [201, 202], adding, progress=begin).rejected == 0
    company.require_peace()


def test_an_undo_of_the_same_accounts_waits_with_nothing_in_its_hands(company: Company) -> None:
    with company.crm.system_session("test") as session:
        session.update_many(Account, [{"id": id_, "industry": "steel"} for id_ in company.ids])
    made = session.last_change_set
    assert made is not None

    def undo() -> None:
        with company.crm.system_session("test") as session:
            session.undo(made)

    assert company.beside(undo, ACCOUNTS).updated == COUNT
    company.require_peace()
    with company.crm.system_session("test", read_only=True) as session:
        assert session.count(Account, "industry == None and startswith(name, 'new')") == COUNT


@pytest.mark.parametrize("large", [False, True])
def test_an_undo_of_an_import_beside_the_next(company: Company, monkeypatch: pytest.MonkeyPatch, large: bool) -> None:
    if large:
        monkeypatch.setattr("crm_core.store.undo._LARGE", 1)
    made = company.load("again", NUMBERS, ADDRESSES, ACCOUNTS).change_set
    assert made is not None
    refused: list[Exception] = []

    def undo() -> None:
        try:
            with company.crm.system_session("test") as session:
                session.undo(made)
        except Exception as error:
            refused.append(error)

    company.beside(undo, ACCOUNTS, ADDRESSES)
    company.require_peace()
    # What was changed since stands in its way.
    assert [type(each).__name__ for each in refused] == ["UndoConflict"]
    assert company.names() == {"new"}


def test_a_merge_of_the_same_accounts_waits_with_nothing_in_its_hands(company: Company) -> None:
    first, last = company.ids[0], company.ids[-1]

    def merge() -> None:
        with company.crm.system_session("test") as session:
            merging.merge(session, session.require(Account, first), session.require(Account, last))

    assert company.beside(merge, ACCOUNTS, ADDRESSES).rejected == 0
    company.require_peace()
    with company.crm.system_session("test", read_only=True) as session:
        assert session.count(Account) == COUNT - 1


def test_a_handover_of_the_same_accounts_waits_with_nothing_in_its_hands(company: Company) -> None:
    with company.crm.system_session("test") as session:
        handover = handovers.draft(session, "li", to="wang", reason="leaves")
        handovers.offer(session, handover)
        handovers.accept(session, handovers.items(session, handover, handovers.ItemState.OFFERED))

    def do() -> None:
        with company.crm.system_session("test") as session:
            handovers.do(session, session.require(type(handover), handover.id))

    report = company.beside(do, ACCOUNTS, OWNERS)
    company.require_peace()
    assert report.rejected == 0
    with company.crm.system_session("test", read_only=True) as session:
        owners = {ownership.owner(session, account) for account in session.list(Account, limit=None)}
        assert {user.login for user in owners if user is not None} == {"wang"}


def test_a_transfer_waits_for_its_account_before_it_changes_who_owns_it(company: Company) -> None:
    last = company.ids[-1]

    quicker: list[Contention] = []

    def transfer() -> None:
        while True:
            try:
                with company.crm.system_session("test") as session:
                    ownership.transfer(session, session.require(Account, last), to="wang")
                return
            except Contention as error:  # the import changed the row of the ownership, as a user may be told
                quicker.append(error)

    report = company.beside(transfer, ACCOUNTS, OWNERS)
    company.require_peace()
    assert len(quicker) <= 1
    assert report.rejected == 0
    with company.crm.system_session("test", read_only=True) as session:
        owner = ownership.owner(session, session.require(Account, last))
        assert owner is not None
        assert owner.login == "wang"


def test_users_are_locked_before_accounts_and_accounts_before_who_owns_them(company: Company) -> None:
    said: list[str] = []
    event.listen(company.crm.store.engine, "before_cursor_execute", lambda *given: said.append(given[2]))
    with company.crm.system_session("test") as session:
        ownership.transfer(session, session.require(Account, company.ids[0]), to="wang")
    locked: list[str] = []
    for each in said:
        words = each.split()
        if words[0] == "UPDATE":
            locked.append(words[1])
        elif "SHARE" in words or each.endswith("FOR NO KEY UPDATE"):
            locked.append(words[words.index("FROM") + 1])
    if company.crm.store.dialect == "postgresql":
        assert locked[:3] == ["crm_user", "crm_account", "crm_ownership"]
    else:
        assert locked[:1] == ["crm_ownership"]


def test_a_row_that_others_are_writing_is_tried_again(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    from crm_core.exchange.batches import Batch

    tried: list[int] = []
    write = Batch._write_together

    def once_in_vain(self: Batch, rows: Any) -> None:
        tried.append(len(rows))
        if len(tried) <= failing:
            raise Contention("Another writer holds the database.", mend="Repeat the change.")
        write(self, rows)

    monkeypatch.setattr(Batch, "_write_together", once_in_vain)
    failing = 2
    assert company.load("new", NUMBERS[:BATCH], ACCOUNTS).updated == BATCH
    assert tried == [BATCH] * 3
    # In the end it is given up, without trying each row by itself.
    tried.clear()
    failing = 1000
    report = company.load("newer", NUMBERS[:BATCH], ACCOUNTS)
    assert report.rejected == BATCH
    assert "Another writer" in report.first_rejects[0].reason
    assert tried == [BATCH] * 4
