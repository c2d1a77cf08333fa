"""Export: what a session sees, in files that spreadsheets cannot be harmed by and that import reads again."""

from __future__ import annotations

import csv
import datetime as dt
import json
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from crm_core.assembly import Crm
from crm_core.domain import ownership
from crm_core.domain.accounts import Account
from crm_core.domain.activities import Activity
from crm_core.domain.contacts import Affiliation, Contact
from crm_core.domain.external import ExternalRef
from crm_core.domain.organisation import Membership, Unit, User
from crm_core.errors import CrmError, ExchangeError, NotFound, PermissionDenied
from crm_core.exchange import Progress, mapping_of_exports, run_export, run_import
from crm_core.fields import Address, Money
from crm_core.records import RecordType

from .conftest import BUILD

# What PostgreSQL and UTF-8 can hold; a text that is only white space stays one in JSON lines.
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=40)
NAMES = st.one_of(st.text("北京机床厂=+-@'\t\r\n\",;", min_size=1, max_size=12), TEXTS.filter(bool))

# In CSV, tags stand between semicolons.
TAGS = TEXTS.map(lambda text: text.strip().replace(";", "").replace("；", "").strip()).filter(bool)


@pytest.fixture
def people(crm: Crm) -> Iterator[None]:
    with crm.system_session("init") as session:
        east = session.add_one(Unit(name="East"))
        for name in ("li", "wang"):
            user = session.add_one(User(login=name, name=name))
            session.add(Membership(user_id=user.id, unit_id=east.id, role="reader"))
        for number in range(1200):
            account = session.add_one(Account(name=f"Acme {number:04}", employees=number))
            if number < 3:
                ownership.assign(session, account, to="li")
                session.add(Activity(kind="call", subject="x", account_id=account.id, note="secret"))
            session.add(ExternalRef(system="old", record_type="account", key=f"={number}", record_id=account.id))
    yield


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


class TestWhatIsWritten:
    def test_all_pages_arrive(self, crm: Crm, people: None, tmp_path: Path) -> None:
        heard: list[Progress] = []
        with crm.system_session("test", read_only=True) as session:
            count = run_export(session, "account", None, tmp_path / "a.csv", progress=heard.append)
        rows = read_csv(tmp_path / "a.csv")
        assert count == len(rows) == 1200
        assert [row["employees"] for row in rows] == [str(number) for number in range(1200)]
        assert [(each.rows, each.share) for each in heard][-1] == (1200, 1.0)
        assert (tmp_path / "a.csv").read_bytes().startswith(b"\xef\xbb\xbfid,name,")

    def test_only_what_the_session_sees(self, crm: Crm, people: None, tmp_path: Path) -> None:
        for login, count in (("li", 3), ("wang", 0)):
            with crm.session(login, read_only=True) as session:
                assert run_export(session, "account", None, tmp_path / "a.jsonl") == count
        with crm.session("li", read_only=True) as session:
            assert run_export(session, "account", "employees > 0", tmp_path / "a.csv", order="name desc") == 2
        assert [row["name"] for row in read_csv(tmp_path / "a.csv")] == ["Acme 0002", "Acme 0001"]

    def test_restricted_fields_stay_out(self, crm: Crm, people: None, tmp_path: Path) -> None:
        with crm.session("li", read_only=True) as session:
            assert run_export(session, "activity", None, tmp_path / "a.csv") == 3
            with pytest.raises(PermissionDenied, match=r"activity.note may not be read by li"):
                run_export(session, "activity", None, tmp_path / "b.csv", fields=["subject", "note"])
        assert "note" not in read_csv(tmp_path / "a.csv")[0]
        with crm.system_session("test", read_only=True) as session:
            run_export(session, "activity", None, tmp_path / "a.csv", fields=["id", "note", "created_at"])
        assert list(read_csv(tmp_path / "a.csv")[0]) == ["id", "note", "created_at"]

    def test_keys_of_another_system(self, crm: Crm, people: None, tmp_path: Path) -> None:
        with crm.system_session("test", read_only=True) as session:
            run_export(
                session, "ownership", None, tmp_path / "o.csv", with_keys="old", fields=["account_id", "user_id"]
            )
            run_export(session, "account", "employees < 1", tmp_path / "a.jsonl", with_keys="old")
        rows = read_csv(tmp_path / "o.csv")
        assert [row["account_id.key"] for row in rows] == ["'=0", "'=1", "'=2"]
        assert {(row["key"], row["user_id.key"]) for row in rows} == {("", "")}
        assert json.loads((tmp_path / "a.jsonl").read_text())["key"] == "=0"
        with (
            crm.session("li", read_only=True) as session,
            pytest.raises(PermissionDenied, match="may not read the keys"),
        ):
            run_export(session, "account", None, tmp_path / "a.csv", with_keys="old")

    def test_a_field_called_key_stands_beside_the_key_of_another_system(
        self, crm: Crm, people: None, tmp_path: Path
    ) -> None:
        with crm.system_session("test", read_only=True) as session:
            run_export(session, "external_ref", None, tmp_path / "keys.jsonl", with_keys="old")
            run_export(session, "external_ref", None, tmp_path / "keys.csv", with_keys="old")
        first = json.loads((tmp_path / "keys.jsonl").read_text().splitlines()[0])
        assert (first["key"], first["old.key"]) == ("=0", None)
        assert {row["key"] for row in read_csv(tmp_path / "keys.csv")} >= {"'=0", "'=1"}

    def test_dated_rows(self, crm: Crm, people: None, tmp_path: Path) -> None:
        with crm.system_session("x") as session:
            ownership.transfer(session, session.scalars(select(Account).where(Account.employees == 0)).one(), to="wang")
        with crm.system_session("test", read_only=True) as session:
            assert run_export(session, "ownership", None, tmp_path / "o.csv") == 3
            assert run_export(session, "ownership", None, tmp_path / "o.csv", all_dates=True) == 4

    def test_the_recorded_past(self, crm: Crm, people: None, tmp_path: Path) -> None:
        before = dt.datetime.now(dt.UTC)
        with crm.system_session("x") as session:
            session.delete_many(Account, session.scalars(select(Account.id)).all())
        with crm.system_session("test", as_of=before) as session:
            assert run_export(session, "account", None, tmp_path / "a.csv") == 1200

    def test_cells_are_guarded_and_numbers_are_not(self, crm: Crm, tmp_path: Path) -> None:
        with crm.system_session("x") as session:
            evil = Account(name="=HYPERLINK()", phone="+86 10 6552 9988", employees=-5, revenue=Money("-1.5", "CNY"),
                           address=Address(street="@home"), tags=frozenset({"-a", "b"}))  # fmt: skip
            session.add_all([evil, Account(name="empty")])
            evil.custom = {"slogan": "+1", "score": "-2.50", "budget": {"amount": "-3", "currency": "EUR"}}
        with crm.system_session("test", read_only=True) as session:
            run_export(session, "account", None, tmp_path / "a.csv", order="name")
        row, empty = read_csv(tmp_path / "a.csv")
        expected = {
            "name": "'=HYPERLINK()", "phone": "'+861065529988", "employees": "-5", "revenue.amount": "-1.5000",
            "revenue.currency": "CNY", "address.street": "'@home", "tags": "'-a;b", "slogan": "'+1",
            "score": "-2.50", "budget.amount": "-3", "active": "true",
        }  # fmt: skip
        assert {name: row[name] for name in expected} == expected
        assert {name for name, cell in empty.items() if cell} == {"id", "name", "kind", "active"}


class TestWhatIsRefused:
    def refused(self, crm: Crm, tmp_path: Path, *args: Any, **options: Any) -> CrmError:
        with crm.system_session("test", read_only=True) as session, pytest.raises(CrmError) as error:
            run_export(session, *args, **options)
        assert [path.name for path in tmp_path.iterdir() if path.suffix == ".part"] == []
        return error.value

    def test_mistakes(self, crm: Crm, tmp_path: Path) -> None:
        with crm.system_session("x") as session:
            session.add(Account(name="A"))
        assert "Did you mean account" in str(self.refused(crm, tmp_path, "acount", None, tmp_path / "a.csv"))
        assert "in .csv, .jsonl or .xlsx" in str(self.refused(crm, tmp_path, "account", None, tmp_path / "a.xls"))
        error = self.refused(crm, tmp_path, "account", None, tmp_path / "a.csv", fields=["nam"])
        assert isinstance(error, ExchangeError) and "Did you mean name?" in str(error)
        assert "cannot be written" in str(self.refused(crm, tmp_path, "account", None, tmp_path / "no" / "a.csv"))
        self.refused(crm, tmp_path, "account", "nam == 1", tmp_path / "a.csv")

    def test_a_failure_keeps_the_former_file(self, crm: Crm, people: None, tmp_path: Path) -> None:
        path = tmp_path / "a.csv"
        path.write_text("former")

        def stop(_: Progress) -> None:
            raise KeyboardInterrupt

        with crm.system_session("test", read_only=True) as session, pytest.raises(KeyboardInterrupt):
            run_export(session, "account", None, path, progress=stop)
        assert path.read_text() == "former" and list(tmp_path.glob("*.part")) == []


class TestRoundTrip:
    def test_everything_into_another_database(self, crm: Crm, tmp_path: Path) -> None:
        with crm.system_session("init") as session:
            root = session.add_one(Unit(name="Root"))
            east = session.add_one(Unit(name="East", parent_id=root.id))
            li = session.add_one(User(login="li", name="李伟"))
            session.add(
                Membership(
                    user_id=li.id, unit_id=east.id, role="sales", valid_to=dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
                )
            )
            acme = session.add_one(Account(name="Acme", revenue=Money("1.25", "EUR"), tags=frozenset({"a;b", "c"}),
                                           address=Address(city="上海"), note=""))  # fmt: skip
            acme.custom = {"score": "1.50"}
            ownership.assign(session, acme, to="li")
            someone = session.add_one(Contact(name="单小姐", birthday=dt.date(1980, 2, 29)))
            session.add(Affiliation(account_id=acme.id, contact_id=someone.id, role="buyer"))
            session.add(Activity(kind="call", subject="Hello", account_id=acme.id, cost=Money(Decimal("3.5"), "CNY"),
                                 started_at=dt.datetime(2026, 1, 1, 1, 2, 3, 456789, dt.UTC)))  # fmt: skip
        names = ("unit", "user", "membership", "account", "ownership", "contact", "affiliation", "activity")
        files = {name: f"{name}.jsonl" for name in names}
        with crm.system_session("test", read_only=True) as session:
            for name in names:
                run_export(session, name, None, tmp_path / files[name], all_dates=True)
            before = contents(session, [crm.types[name] for name in names])
        mapping = mapping_of_exports(crm.types, files, custom=crm.store.policy.custom)
        with Crm.open(BUILD, database=f"sqlite:///{tmp_path / 'other.db'}", check=False) as other:
            other.store.create_all()
            report = run_import(other, mapping, tmp_path)
            assert (report.created, report.rejected) == (9, 0)
            assert run_import(other, mapping, tmp_path).change_set is None
            with other.system_session("test", read_only=True) as session:
                assert contents(session, [other.types[name] for name in names]) == before

    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=25)
    @given(
        rows=st.lists(st.tuples(NAMES, st.one_of(st.none(), TEXTS), st.sets(TAGS, max_size=2)), min_size=1, max_size=5),
        lossless=st.booleans(),
    )
    def test_texts(
        self,
        crm: Crm,
        tmp_path_factory: pytest.TempPathFactory,
        rows: list[tuple[str, str | None, set[str]]],
        lossless: bool,
    ) -> None:
        folder = tmp_path_factory.mktemp("texts")
        suffix = "jsonl" if lossless else "csv"
        with crm.system_session("x") as session:
            session.delete_many(Account, session.scalars(select(Account.id)).all())
            session.add_many(
                Account, [{"name": name, "note": note, "tags": frozenset(tags)} for name, note, tags in rows]
            )
        with crm.system_session("test", read_only=True) as session:
            run_export(session, "account", None, folder / f"a.{suffix}", fields=["name", "note", "tags"])
            before = [(a.name, a.note, a.tags) for a in session.list(Account, limit=None)]
        with crm.system_session("x") as session:
            session.delete_many(Account, session.scalars(select(Account.id)).all())
        mapping = mapping_of_exports(
            crm.types, {"account": f"a.{suffix}"}, fields={"account": ("name", "note", "tags")}
        )
        report = run_import(crm, mapping, folder)
        assert report.rejected == 0, report.first_rejects
        with crm.system_session("test", read_only=True) as session:
            after = [(a.name, a.note, a.tags) for a in session.list(Account, limit=None)]
        if not lossless:  # CSV cannot tell an empty text from none
            before = [(name, note or None, tags) for name, note, tags in before]
        assert Counter(after) == Counter(before)

    def test_files_that_refer_to_each_other(self, crm: Crm) -> None:
        with pytest.raises(NotFound, match="Did you mean account"):
            mapping_of_exports(crm.types, {"acount": "a.csv"})
        mapping = mapping_of_exports(crm.types, {"ownership": "o.csv", "user": "u.csv", "account": "a.csv"})
        assert [section.record for section in mapping.sections] == ["account", "user", "ownership"]


def contents(session: Any, types: list[RecordType]) -> dict[str, list[dict[str, Any]]]:
    """All values by record type, references by what they lead to."""
    found: dict[str, list[dict[str, Any]]] = {}
    places: dict[int, tuple[str, int]] = {}
    for record_type in types:
        rows = session.list(record_type.cls, limit=None, all_dates=True)
        for number, row in enumerate(rows):
            places[row.id] = (record_type.name, number)
        found[record_type.name] = [
            {**{field.name: getattr(row, field.name) for field in record_type.fields}, "custom": dict(row.custom or {})}
            for row in rows
        ]
    for record_type in types:
        for values in found[record_type.name]:
            for field in record_type.refs:
                values[field.name] = places.get(values[field.name])
    return found
