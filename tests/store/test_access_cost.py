"""What visibility costs: a constant number of statements, and conditions that an index serves, in both shapes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from shutil import copyfile
from typing import Any

import attrs
import pytest
from sqlalchemy import event, func, select
from sqlalchemy.orm import joinedload, selectinload

from crm_core.domain.accounts import Account
from crm_core.domain.activities import Activity
from crm_core.domain.contacts import Affiliation, Contact
from crm_core.domain.ownership import Ownership
from crm_core.store.session import CrmSession
from crm_core.store.store import Store
from crm_core.store.tables import CHANGE_SET
from crm_core.store.visibility import Visibility

from .access_records import POLICY, TYPES
from .conftest import Company

MANY = 600


_made: dict[Path, Company] = {}


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the crowded company is kept once it was made: on SQLite each test has a copy."""
    return tmp_path_factory.mktemp("crowded") / "crm.db"


@pytest.fixture
def crowded(original: Path, request: pytest.FixtureRequest, database_url: str) -> Iterator[Company]:
    """Li owns many accounts, each with a contact; ten times as many are Sun's."""
    if original in _made:
        copyfile(original, database_url.removeprefix("sqlite:///"))
        store = Store(database_url, TYPES, POLICY)
        yield attrs.evolve(_made[original], store=store)
        store.close()
        return
    company = request.getfixturevalue("company")
    with company.session() as session:
        for login, count in (("li", MANY), ("sun", 10 * MANY)):
            accounts = session.add_many(Account, ({"name": f"{login} {number}"} for number in range(count)))
            session.add_many(Ownership, ({"account_id": id_, "user_id": company.users[login]} for id_ in accounts))
        own = session.scalars(select(Account.id).where(Account.name.like("li %"))).all()
        people = session.add_many(Contact, ({"name": f"P{number}"} for number in range(MANY)))
        session.add_many(Affiliation, ({"account_id": a, "contact_id": c} for a, c in zip(own, people, strict=True)))
    if company.store.dialect == "sqlite":
        with closing(company.store.engine.raw_connection()) as connection:
            connection.cursor().execute("VACUUM INTO ?", (str(original),))
        _made[original] = company
    yield company


@contextmanager
def statements(store: Store) -> Iterator[list[tuple[str, Any]]]:
    seen: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if not statement.startswith("BEGIN"):
            seen.append((statement, parameters))

    event.listen(store.engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(store.engine, "before_cursor_execute", note)


WORKS: dict[str, tuple[int, Callable[[CrmSession, int], Any]]] = {
    "list": (1, lambda s, n: [a.name for a in s.list(Account, order="name", limit=n)]),
    "list by a filter": (1, lambda s, n: s.list(Account, 'owner.login == "li"', limit=n)),
    "select": (1, lambda s, n: s.scalars(select(Account).limit(n)).all()),
    "count": (1, lambda s, n: s.count(Account)),
    "joined": (1, lambda s, n: [
        a.contact.name for a in s.scalars(select(Affiliation).options(joinedload(Affiliation.contact)).limit(n))]),
    "two joined": (1, lambda s, n: [
        (a.contact.name, a.account.name) for a in s.scalars(
            select(Affiliation).options(joinedload(Affiliation.contact), joinedload(Affiliation.account)).limit(n))]),
    "select in": (2, lambda s, n: [
        a.contact.name for a in s.scalars(select(Affiliation).options(selectinload(Affiliation.contact)).limit(n))]),
}  # fmt: skip


def test_a_page_costs_the_same_number_of_statements_whatever_its_length(crowded: Company) -> None:
    for login in ("li", "zhou", "qian"):
        for name, (expected, work) in WORKS.items():
            counted = []
            for length in (50, 500):
                with crowded.session(login, read_only=True) as session:
                    assert session.visibility.wide in (True, False)  # asked once per session
                    with statements(crowded.store) as seen:
                        found = work(session, length)
                assert name == "count" or len(found) == length, (login, name)
                counted.append(len(seen))
            assert counted == [expected, expected], (login, name)


def test_explaining_costs_the_same_number_of_statements(crowded: Company) -> None:
    counted = []
    with crowded.session("zhou", read_only=True) as session:
        for record in (session.list(Account, limit=1)[0], session.require(Account, crowded.acme)):
            with statements(crowded.store) as seen:
                assert session.explain(record)
            counted.append(len(seen))
    assert counted[0] == counted[1] <= 5


@pytest.mark.parametrize("login", ["li", "wang", "zhou", "mei", "sun", "han", "wu"])
def test_both_shapes_see_the_same(crowded: Company, login: str, monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for wide in (False, True):
        monkeypatch.setattr(Visibility, "wide", wide)
        with crowded.session(login, read_only=True) as session:
            found.append({
                cls: set(session.scalars(select(cls.id), execution_options={"all_dates": True}))
                for cls in (Account, Contact, Affiliation, Ownership)
            })  # fmt: skip
    assert found[0] == found[1]


def test_the_shape_follows_from_how_much_is_seen(crowded: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crm_core.store.store.WIDE", MANY * 2)
    monkeypatch.setattr("crm_core.store.visibility.WIDE", MANY * 2)
    for login, wide in (("li", False), ("wang", False), ("zhou", False), ("sun", True), ("qian", True)):
        with crowded.session(login, read_only=True) as session:
            assert session.visibility.wide is wide, login


def plans(company: Company, login: str, statement: Any) -> str:
    with company.session(login, read_only=True) as session:
        with statements(company.store) as seen:
            session.execute(statement).all()
        sql, parameters = seen[-1]
        rows = session.core_connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", parameters).all()
    return "\n".join(row[3] for row in rows)


def test_an_index_serves_both_shapes(crowded: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    if crowded.store.dialect != "sqlite":
        pytest.skip("plans are asked of SQLite, which has no statistics of its own accord to change them")
    page = select(Account).order_by(Account.name_key, Account.id).limit(50)  # type: ignore[attr-defined]
    monkeypatch.setattr(Visibility, "wide", False)
    for login in ("li", "wang", "mei", "zhou"):
        for statement in (page, select(func.count()).select_from(Account), select(Affiliation).limit(50)):
            plan = plans(crowded, login, statement)
            assert "SEARCH crm_ownership" in plan and "INDEX ix_crm_ownership" in plan, plan
            assert "SCAN crm_ownership" not in plan, plan
            assert "SCAN crm_share" not in plan, plan
        if login in ("li", "wang"):
            plan = plans(crowded, login, select(Account).where(Account.grade.is_(None)).limit(50))
            assert "SCAN crm_account" not in plan, plan
    monkeypatch.setattr(Visibility, "wide", True)
    for login in ("sun", "zhou", "mei"):
        plan = plans(crowded, login, page)
        assert "USING INDEX ix_crm_account_name_key" in plan, plan  # along the order, and no sorting
        assert "TEMP B-TREE" not in plan, plan
        assert "SEARCH crm_ownership" in plan and "SCAN crm_ownership" not in plan, plan


def plan_of(company: Company, login: str, ask: Callable[[CrmSession], Any]) -> str:
    """How SQLite finds what the last statement of ``ask`` reads."""
    with company.session(login, read_only=True) as session:
        with statements(company.store) as seen:
            ask(session)
        sql, parameters = seen[-1]
        rows = session.core_connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", parameters).all()
    return "\n".join(row[3] for row in rows)


@pytest.mark.parametrize("login", ["li", "wang", "zhou", "mei", "sun", "han", "wu", "qian"])
def test_what_is_gathered_is_what_is_seen(crowded: Company, login: str) -> None:
    with crowded.session(login, read_only=True) as session:
        for record_type in session.types.values():
            table = record_type.table
            found = []
            for visibility in (session.visibility, session.gathered):
                criterion = visibility.criterion(record_type, table)
                query = select(table.c.id) if criterion is None else select(table.c.id).where(criterion)
                found.append(sorted(session.core(query).scalars()))
            assert found[0] == found[1], record_type.name


def test_many_accounts_are_probed_one_by_one_and_counted_all_at_once(
    crowded: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("crm_core.store.store.WIDE", 10)
    monkeypatch.setattr("crm_core.store.visibility.WIDE", 10)
    monkeypatch.setattr("crm_core.store.store.rows_known", lambda *_: 0)
    crowded.store._counts.clear()  # what was counted while the company was made
    for login in ("li", "zhou"):
        with crowded.session(login, read_only=True) as session:
            assert session.visibility.wide
            with statements(crowded.store) as seen:
                session.list(Account, order="name")
                session.count(Account)
        page, count = (sql for sql, _ in seen)
        # PostgreSQL may carry out EXISTS by reading all owners first; of a subquery with a limit it never does.
        assert "EXISTS" not in page and "LIMIT" in page.partition("IS NOT NULL")[0], page
        assert "IN (SELECT crm_ownership" in count, count


def test_a_page_of_one_grade_and_of_a_time_goes_along_an_index(crowded: Company) -> None:
    if crowded.store.dialect != "sqlite":
        pytest.skip("plans are asked of SQLite, which has no statistics of its own accord to change them")
    plan = plan_of(crowded, "qian", lambda session: session.list(Account, 'grade == "A"', order="name"))
    assert "ix_crm_account_grade_name_key_id (grade=?)" in plan and "TEMP B-TREE" not in plan, plan
    for way in ("", " desc"):
        for where in ("planned_start <= now()", 'planned_start is not None and kind == "visit"'):
            order = f"planned_start{way}"
            plan = plan_of(crowded, "qian", lambda session: session.list(Activity, where, order=order))  # noqa: B023
            assert "ix_crm_activity_planned_start_id" in plan and "TEMP B-TREE" not in plan, plan


def test_a_list_of_the_past_reads_of_the_journal_what_is_younger(crowded: Company) -> None:
    if crowded.store.dialect != "sqlite":
        pytest.skip("plans are asked of SQLite, which has no statistics of its own accord to change them")
    with crowded.store.engine.connect() as connection:
        # A journal that begins with large imports looks to SQLite as if every change set were large.
        connection.exec_driver_sql("ANALYZE")
        moment = connection.execute(select(func.max(CHANGE_SET.c.at))).scalar_one()
    for login in ("li", "qian"):
        with crowded.session(login, as_of=moment) as session:
            with statements(crowded.store) as seen:
                session.list(Account, order="name")
            for sql, parameters in seen:
                rows = session.core_connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", parameters).all()
                plan = "\n".join(row[3] for row in rows)
                assert "SCAN crm_change" not in plan and "SCAN crm_account" not in plan.replace(
                    "SCAN crm_account USING INDEX ix_crm_account_name_key_id", ""
                ), plan


def test_a_list_of_the_past_costs_no_more_statements_when_more_was_changed(crowded: Company) -> None:
    counted = []
    with crowded.store.engine.connect() as connection:
        moment = connection.execute(select(func.max(CHANGE_SET.c.at))).scalar_one()
    for number in (1, MANY * 3):
        with crowded.session() as session:
            ids = session.scalars(select(Account.id).where(Account.name.like("sun %")).order_by(Account.id)).all()
            session.update_many(Account, ({"id": id_, "employees": number} for id_ in ids[:number]))
        with crowded.session("qian", as_of=moment) as session, statements(crowded.store) as seen:
            page = session.list(Account, order="id desc", limit=50)
        assert len(page) == 50 and all(each.employees is None for each in page)
        counted.append(len(seen))
    assert counted[0] <= counted[1] <= counted[0] + 2, counted


def test_what_is_remembered_of_users_does_not_grow_without_end(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    """How much each user sees is remembered for a minute, by where they belong: users come and go for years."""
    monkeypatch.setattr("crm_core.store.store._COUNTS_KEPT", 2)
    for login in ("li", "sun", "li", "wang", "li"):
        with company.session(login) as session:
            session.list(Account, order="name", limit=1)
        assert 1 <= len(company.store._counts) <= 2


def _looked_at(plan: dict[str, Any], table: str) -> float:
    """How many rows of a table PostgreSQL read as it carried a plan out."""
    below = sum(_looked_at(each, table) for each in plan.get("Plans", ()))
    return below + (plan["Actual Rows"] * plan["Actual Loops"] if plan.get("Relation Name") == table else 0)


def test_the_newest_page_of_whoever_sees_only_what_is_old_looks_at_nothing_newer(crowded: Company) -> None:
    """PostgreSQL takes what somebody sees for spread evenly over all ids, and would begin with the newest."""
    if crowded.store.dialect == "sqlite":
        pytest.skip("SQLite begins with what somebody sees")
    with crowded.store.engine.connect() as connection:
        connection.exec_driver_sql("ANALYZE")
        connection.commit()
    crowded.store._counts.clear()  # from when the database had counted nothing
    for order in ("id desc", "id", None):
        with crowded.session("li", read_only=True) as session:
            with statements(crowded.store) as seen:
                found = session.list(Account, order=order)
            assert [each.id for each in found] == sorted((each.id for each in found), reverse=order == "id desc")
            sql, parameters = seen[-1]
            # So few accounts would be read as a whole.
            session.core_connection().exec_driver_sql("SET LOCAL enable_seqscan = off")
            session.core_connection().exec_driver_sql("SET LOCAL enable_hashjoin = off")
            told = session.core_connection().exec_driver_sql(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}", parameters)
            assert len(found) <= _looked_at(told.scalar_one()[0]["Plan"], "crm_account") <= 2 * MANY
