"""The stores of AdventureWorks, imported by the mapping among the examples, and what can be asked of them then."""

from __future__ import annotations

import datetime as dt
import json
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import func, select

from crm_core.assembly import Crm
from crm_core.domain import ownership
from crm_core.domain.accounts import Account
from crm_core.domain.contacts import Affiliation, Contact, ContactPoint
from crm_core.domain.external import ExternalRef
from crm_core.domain.organisation import Membership, Unit, User
from crm_core.domain.ownership import Ownership
from crm_core.exchange import ImportReport, run_import
from crm_core.store.session import CrmSession
from crm_core.store.tables import CHANGE, CHANGE_SET

EXAMPLE = Path(__file__).parents[2] / "examples" / "imports" / "adventureworks"
EXPECTED: dict[str, Any] = json.loads((Path(__file__).parent / "expected" / "adventureworks.json").read_text("utf-8"))
HOME = ZoneInfo("America/Los_Angeles")


def key_id(session: CrmSession, record: str, key: str) -> int:
    """The id of the record that AdventureWorks knows by ``key``."""
    refs = select(ExternalRef.record_id).where(ExternalRef.record_type == record, ExternalRef.key == key)
    found = session.scalar(refs)
    assert found is not None
    return found


def person(session: CrmSession, user_id: int) -> str:
    """The number under which AdventureWorks knows one of ours."""
    refs = select(ExternalRef.key).where(ExternalRef.record_type == "user", ExternalRef.record_id == user_id)
    found = session.scalar(refs)
    assert found is not None
    return found


def login(session: CrmSession, key: str) -> str:
    return session.require(User, key_id(session, "user", key)).login


@pytest.fixture(scope="session")
def imported(tmp_path_factory: pytest.TempPathFactory, shared_data: Path) -> tuple[Path, ImportReport]:
    """A SQLite file with everything imported, to be copied: one import serves all tests."""
    path = tmp_path_factory.mktemp("adventureworks") / "crm.db"
    with Crm.open(EXAMPLE / "crm.toml", database=f"sqlite:///{path}", check=False) as crm:
        crm.store.create_all()
        report = run_import(crm, EXAMPLE / "mapping.toml", shared_data / "adventureworks")
    return path, report


class TestAdventureWorks:
    @pytest.fixture
    def report(self, request: pytest.FixtureRequest, database_url: str, shared_data: Path) -> ImportReport:
        if database_url.startswith("sqlite"):
            path, report = request.getfixturevalue("imported")
            shutil.copyfile(path, database_url.removeprefix("sqlite:///"))
            return report
        with Crm.open(EXAMPLE / "crm.toml", database=database_url, check=False) as crm:
            crm.store.create_all()
            return run_import(crm, EXAMPLE / "mapping.toml", shared_data / "adventureworks")

    @pytest.fixture
    def crm(self, report: ImportReport, database_url: str) -> Iterator[Crm]:
        with Crm.open(EXAMPLE / "crm.toml", database=database_url, check=False) as crm:
            yield crm

    @pytest.fixture
    def system(self, crm: Crm, report: ImportReport) -> Iterator[CrmSession]:
        with crm.system_session("test", read_only=True) as session:
            yield session

    def test_every_row_arrives(self, crm: Crm, report: ImportReport, system: CrmSession) -> None:
        got = {each.name: {"read": each.read, "created": each.created, "skipped": each.skipped}
               for each in report.sections}  # fmt: skip
        assert got == EXPECTED["sections"]
        assert report.rejected == 0
        assert report.section("main offices").updated == 701
        for name, count in EXPECTED["records"].items():
            statement = select(func.count()).select_from(crm.types[name].cls)
            assert system.scalar(statement, execution_options={"all_dates": True}) == count, name

    def test_the_survey_becomes_fields(self, system: CrmSession) -> None:
        store = system.require(Account, key_id(system, "account", "292"))
        expected = dict(EXPECTED["store_292"])
        own = {
            "name": store.name, "kind": store.kind, "employees": store.employees,
            "revenue": str(store.revenue), "address": str(store.address),
            "owner": person(system, ownership.owner(system, store).id),
        }  # fmt: skip
        assert {**own, **store.custom} == expected
        assert system.count(Account, "specialty == 'Mountain' and address.country == 'US'") > 0

    def test_contacts_have_their_roles_and_points(self, system: CrmSession) -> None:
        roles = Counter(system.scalars(select(Affiliation.role)))
        assert dict(roles) == EXPECTED["roles"]
        kinds = Counter(kind.value for kind in system.scalars(select(ContactPoint.kind)))
        assert kinds == {"email": 753, "mobile": 395, "phone": 358}
        gustavo = system.scalars(select(Contact).where(Contact.name == "Gustavo Achong")).one()
        assert (gustavo.given_name, gustavo.family_name, gustavo.salutation) == ("Gustavo", "Achong", "Mr.")

    def test_each_store_is_owned_since_always(self, system: CrmSession) -> None:
        rows = system.scalars(select(Ownership)).all()
        assert {(row.valid_from, row.valid_to) for row in rows} == {(None, None)}
        assert Counter(person(system, row.user_id) for row in rows) == EXPECTED["stores_per_owner"]

    def test_units_are_a_tree(self, system: CrmSession) -> None:
        northeast = system.scalars(select(Unit).where(Unit.code == "T2")).one()
        assert northeast.parent is not None and northeast.parent.name == "North America"
        assert northeast.parent.parent is not None and northeast.parent.parent.code == "AW"
        members: dict[str, list[str]] = {}
        for row in system.scalars(select(Membership).where(Membership.role == "sales")):
            assert row.unit is not None and row.user is not None
            members.setdefault(row.unit.name, []).append(row.user.name)
        assert {unit: sorted(names) for unit, names in members.items()} == EXPECTED["territories"]

    def test_who_sat_in_territory_2(self, crm: Crm, report: ImportReport) -> None:
        for day, people in EXPECTED["territory_2"].items():
            noon = dt.datetime.fromisoformat(f"{day} 12:00").replace(tzinfo=HOME)
            with crm.system_session("test", at=noon) as session:
                unit = key_id(session, "unit", "territory 2")
                rows = session.scalars(select(Membership).where(Membership.unit_id == unit)).all()
                assert [person(session, row.user_id) for row in rows] == people

    def test_managers_join_the_root_undated(self, system: CrmSession) -> None:
        root = key_id(system, "unit", "AW")
        rows = system.scalars(select(Membership).where(Membership.unit_id == root)).all()
        assert {person(system, row.user_id) for row in rows} == {"274", "285", "287"}
        assert {(row.role, row.valid_from, row.valid_to) for row in rows} == {("manager", None, None)}

    def test_why_one_sees_store_292_and_another_does_not(self, crm: Crm, system: CrmSession) -> None:
        store = key_id(system, "account", "292")
        with crm.session(login(system, "279")) as session:
            grounds = session.explain(session.require(Account, store))
            assert [ground.kind for ground in grounds] == ["own"]
            assert "owner" in str(grounds[0])
        with crm.session(login(system, "276")) as session:
            assert session.get(Account, store) is None
            assert session.count(Account) == EXPECTED["stores_per_owner"]["276"]
        with crm.session(login(system, "274")) as session:  # a manager at the root sees it through the unit
            assert session.explain(session.require(Account, store))
            # Person 280 owns 38 stores, but has been in no territory since September 2012.
            assert session.count(Account) == 701 - EXPECTED["stores_per_owner"]["280"]

    def test_what_the_manager_of_territory_4_sees(self, crm: Crm, report: ImportReport) -> None:
        with crm.system_session("init") as session:
            mary = session.add_one(User(login="mary", name="Mary"))
            unit = key_id(session, "unit", "territory 4")
            session.add(Membership(user_id=mary.id, unit_id=unit, role="manager"))
        expected = EXPECTED["manager_of_territory_4"]
        with crm.session("mary", read_only=True) as session:
            counts = {name: session.count(crm.types[name].cls) for name in expected}
        assert counts == expected

    def test_a_transfer_and_the_question_before_it(self, crm: Crm, report: ImportReport) -> None:
        before = dt.datetime.now(dt.UTC)
        with crm.system_session("handover", reason="Tsvi retires") as session:
            store = session.require(Account, key_id(session, "account", "292"))
            ownership.transfer(session, store, to=login(session, "276"))
        with crm.system_session("test", read_only=True) as session:
            store = session.require(Account, key_id(session, "account", "292"))
            assert person(session, ownership.owner(session, store).id) == "276"
            assert person(session, ownership.owner(session, store, at=before).id) == "279"
            keys = {user.id: user.login for user in session.scalars(select(User))}
        with crm.system_session("test", as_of=before) as session:
            rows = session.list(Ownership, f"account_id == {store.id}")
            assert [keys[row.user_id] for row in rows] == ["tsvi0"]
        with crm.session("linda3", read_only=True) as session:
            assert session.get(Account, store.id) is not None

    def test_a_second_import_changes_nothing(self, crm: Crm, report: ImportReport, shared_data: Path) -> None:
        with crm.system_session("count", read_only=True) as session:
            before = session.core(select(func.count()).select_from(CHANGE)).scalar_one()
        again = run_import(crm, EXAMPLE / "mapping.toml", shared_data / "adventureworks")
        assert (again.created, again.updated, again.rejected, again.change_set) == (0, 0, 0, None)
        assert again.unchanged == report.created + report.updated
        with crm.system_session("count", read_only=True) as session:
            assert session.core(select(func.count()).select_from(CHANGE)).scalar_one() == before

    def test_an_import_after_a_transfer_leaves_the_transfer(
        self, crm: Crm, report: ImportReport, shared_data: Path
    ) -> None:
        with crm.system_session("handover") as session:
            store = session.require(Account, key_id(session, "account", "292"))
            ownership.transfer(session, store, to="linda3")
        again = run_import(crm, EXAMPLE / "mapping.toml", shared_data / "adventureworks")
        assert again.change_set is None

    def test_undo_leaves_nothing_but_the_journal(self, crm: Crm, report: ImportReport) -> None:
        assert report.change_set is not None
        with crm.system_session("undo") as session:
            session.undo(report.change_set)
        with crm.system_session("test", read_only=True) as session:
            for record_type in crm.types.values():
                assert session.core(select(func.count()).select_from(record_type.table)).scalar_one() == 0
            heads = session.core(select(CHANGE_SET.c.source).order_by(CHANGE_SET.c.id)).scalars().all()
        assert heads == ["import", "undo"]
