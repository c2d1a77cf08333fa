"""Spreadsheets as what an export writes, and what comes of them when they are imported again."""

from __future__ import annotations

import datetime as dt
import tracemalloc
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import event, select

from crm_core.assembly import Crm
from crm_core.domain.accounts import Account
from crm_core.domain.activities import Activity
from crm_core.domain.contacts import ContactPoint, PointKind
from crm_core.domain.external import ExternalRef
from crm_core.domain.organisation import Unit, User
from crm_core.errors import ExchangeError
from crm_core.exchange import mapping_of_exports, run_export, run_import
from crm_core.exchange.sheets import writing
from crm_core.fields import Address, Money

# What both databases can hold; XML can hold less, which is the point.
TEXTS = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\x00\ufffe\uffff"), min_size=1, max_size=30
) | st.sampled_from(
    [
        "=1+1",
        "_x0041_",
        "_x000D_",
        "\r\n",
        "\x0b",
        "#N/A",
        "0012",
        "+86 138",
        " a ",
        "1e5",
        "TRUE",
    ]
)
DECIMALS = st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**13), max_value=10**13, places=4)
MOMENTS = st.datetimes(dt.datetime(1850, 1, 1), dt.datetime(9998, 12, 31), timezones=st.just(dt.UTC)) | st.datetimes(
    dt.datetime(2025, 10, 25, 20), dt.datetime(2025, 10, 26, 5), timezones=st.just(dt.UTC)
).map(lambda moment: moment.replace(microsecond=0))
BUILD: Any = {
    "crm": {"time_zone": "Europe/Berlin", "currency": "EUR"},
    "custom_fields": {"account": {
        "score": {"kind": "number", "scale": 2}, "since": {"kind": "day"}, "seen": {"kind": "moment"},
        "big": {"kind": "number", "scale": 0},
        "vip": {"kind": "flag"}, "size": {"kind": "choice", "choices": ["1", "2"]},
    }},
}  # fmt: skip


@pytest.fixture
def berlin(open_crm: Any) -> Any:
    return open_crm(BUILD)


def exported(crm: Crm, path: Path, name: str = "account", **options: Any) -> Any:
    with crm.system_session("test", read_only=True) as session:
        run_export(session, name, None, path, **options)
    return openpyxl.load_workbook(path)[name]


class TestWhatIsWritten:
    def test_cells_have_the_type_that_people_expect(self, open_crm: Any, tmp_path: Path) -> None:
        crm = open_crm(BUILD)
        with crm.system_session("x") as session:
            user = session.add_one(User(login="li", name="李伟"))
            evil = Account(name="=HYPERLINK()", phone="+86 10 6552 9988", employees=-5, revenue=Money("-1.5", "CNY"),
                           registration_number="00123", address=Address(street="@home", city="上海"))  # fmt: skip
            evil.custom = {"since": "2020-05-01", "big": 123456789012345678, "vip": True}
            session.add(evil)
            session.flush()
            session.add(Activity(kind="call", subject="x", account_id=evil.id, user_id=user.id,
                                 started_at=dt.datetime(2026, 7, 1, 8, 30, tzinfo=dt.UTC),
                                 ended_at=dt.datetime(2026, 10, 25, 1, 30, tzinfo=dt.UTC)))  # fmt: skip
        sheet = exported(crm, tmp_path / "a.xlsx")
        header, row = list(sheet.values)
        got = dict(zip(header, row, strict=True))
        with crm.system_session("x", read_only=True) as session:
            evil = session.scalars(select(Account)).one()
        assert got["id"] == str(evil.id) and got["registration_number"] == "00123"
        assert got["name"] == "=HYPERLINK()" and got["phone"] == "+861065529988" and got["address.street"] == "@home"
        assert (got["employees"], got["revenue.amount"], got["revenue.currency"]) == (-5, -1.5, "CNY")
        assert (got["since"], got["big"], got["vip"]) == (dt.datetime(2020, 5, 1), "123456789012345678", True)
        assert {cell.data_type for cell in sheet["2"] if isinstance(cell.value, str)} == {"s"}
        cells = {cell.value: column for column, cell in zip(sheet["2"], sheet["1"], strict=True)}
        assert cells["id"].number_format == cells["phone"].number_format == cells["name"].number_format == "@"
        assert cells["since"].number_format == "yyyy-mm-dd"
        assert sheet.freeze_panes == "A2" and sheet["A1"].font.bold and sheet.column_dimensions["A"].width == 22
        header, row = list(exported(crm, tmp_path / "b.xlsx", "activity").values)
        got = dict(zip(header, row, strict=True))
        assert got["started_at"] == dt.datetime(2026, 7, 1, 10, 30)  # as the clocks in Berlin showed
        assert got["ended_at"] == "2026-10-25T02:30:00+01:00"  # which they showed twice that night
        assert got["account_id"] == str(evil.id)

    def test_keys_and_stamps(self, crm: Crm, tmp_path: Path) -> None:
        with crm.system_session("x") as session:
            account = session.add_one(Account(name="A"))
            session.add(ExternalRef(system="old", record_type="account", key="=007", record_id=account.id))
        sheet = exported(crm, tmp_path / "a.xlsx", fields=["name", "created_at"], with_keys="old")
        assert [cell.value for cell in sheet["1"]] == ["id", "name", "created_at", "key"]
        assert sheet["D2"].value == "=007" and sheet["D2"].data_type == "s"
        assert isinstance(sheet["C2"].value, dt.datetime) and sheet["C2"].value.microsecond == 0

    def test_what_a_sheet_cannot_hold_is_told(self, crm: Crm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        with crm.system_session("x") as session:
            session.add_all([Account(name="A", note="x" * 32_768), Account(name="B")])
        (tmp_path / "a.xlsx").write_text("former")
        with pytest.raises(ExchangeError, match="cannot hold a text of 32768 characters"):
            exported(crm, tmp_path / "a.xlsx")
        monkeypatch.setattr(writing, "_MOST_ROWS", 2)
        with pytest.raises(ExchangeError, match="cannot hold more than 2 rows"):
            exported(crm, tmp_path / "a.xlsx", fields=["name"])
        assert (tmp_path / "a.xlsx").read_text() == "former" and not list(tmp_path.glob("*.part"))
        with pytest.raises(ExchangeError, match="cannot be written"):
            exported(crm, tmp_path / "no" / "a.xlsx")

    def test_only_what_the_session_sees(self, crm: Crm, tmp_path: Path) -> None:
        with crm.system_session("x") as session:
            session.add_one(Unit(name="East"))
            session.add_one(User(login="li", name="Li"))
            session.add(Account(name="Secret"))
        with crm.session("li", read_only=True) as session:
            assert run_export(session, "account", None, tmp_path / "a.xlsx") == 0
        assert [row[1] for row in openpyxl.load_workbook(tmp_path / "a.xlsx")["account"].values] == ["name"]

    def test_two_signs_that_are_no_characters(self, tmp_path: Path) -> None:
        book = writing.Workbook("a.xlsx")
        book.sheet("a", ["a"])(["x\uffffy"])
        book.save(tmp_path / "a.xlsx")
        assert openpyxl.load_workbook(tmp_path / "a.xlsx")["a"]["A2"].value == "x\ufffdy"

    def test_sheets_have_names_that_they_may_have(self) -> None:
        book = writing.Workbook("a.xlsx")
        for title in ("a/b", "A b", "x" * 40, "x" * 35, "  ", "'"):
            book.sheet(title, ["a"])
        assert book._book.sheetnames == ["a b", "A b 2", "x" * 31, "x" * 29 + " 2", "-", "- 2"]
        book.abandon()


def custom(account: Account) -> Any:
    """Values of custom fields; a spreadsheet does not know how many zeros a number ended in."""
    found = {name: str(value) for name, value in account.custom.items()}
    if "score" in found:
        found["score"] = f"{Decimal(found['score']) + Decimal('0.00'):f}"
    if "seen" in found:
        found["seen"] = str(dt.datetime.fromisoformat(found["seen"]).astimezone(dt.UTC))
    return sorted(found.items())


class TestRoundTrip:
    @settings(
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
        max_examples=25,
        deadline=None,
    )
    @given(
        rows=st.lists(
            st.fixed_dictionaries({
                "name": TEXTS, "note": st.none() | TEXTS, "employees": st.none() | st.integers(-(10**17), 10**17),
                "revenue": st.none() | st.builds(Money, DECIMALS, st.sampled_from(["EUR", "CNY"])),
                "tags": st.frozensets(st.sampled_from(["a", "=b", "1"])),
                "active": st.booleans(),
                "address": st.none() | st.builds(Address, city=TEXTS.map(str.strip).filter(bool)),
                "custom": st.fixed_dictionaries({}, optional={
                    "score": DECIMALS.map(lambda number: f"{round(number, 2):f}"),
                    "since": st.dates().map(dt.date.isoformat),
                    "seen": MOMENTS.map(dt.datetime.isoformat),
                    "vip": st.booleans(), "size": st.sampled_from(["1", "2"]),
                }),
            }),
            min_size=1, max_size=4,
        ),
        moments=st.lists(MOMENTS, max_size=4),
    )  # fmt: skip
    @example(
        rows=[],
        moments=[dt.datetime(2025, 10, 26, hour, 30, tzinfo=dt.UTC) for hour in (0, 1)],
    )
    def test_what_comes_back_is_what_went(
        self, berlin: Crm, tmp_path_factory: pytest.TempPathFactory, rows: list[Any], moments: list[dt.datetime]
    ) -> None:
        crm = berlin
        folder = tmp_path_factory.mktemp("sheets")
        with crm.system_session("x") as session:
            for cls in (Account, Activity):
                session.delete_many(cls, session.scalars(select(cls.id)).all())
            session.add_many(Account, rows)
            session.add_many(Activity, [{"kind": "call", "subject": "x", "started_at": moment} for moment in moments])
        before = self.contents(crm)
        names = ("account", "activity")
        for name in names:
            exported(crm, folder / f"{name}.xlsx", name)
        with crm.system_session("x") as session:
            for cls in (Account, Activity):
                session.delete_many(cls, session.scalars(select(cls.id)).all())
        files = {name: f"{name}.xlsx" for name in names}
        report = run_import(crm, mapping_of_exports(crm.types, files, custom=crm.build.policy.custom), folder)
        assert report.rejected == 0, report.first_rejects
        assert self.contents(crm) == before

    def contents(self, crm: Crm) -> Any:
        with crm.system_session("test", read_only=True) as session:
            accounts = Counter(
                repr(
                    [
                        a.name,
                        a.note,
                        a.employees,
                        str(a.revenue),
                        sorted(a.tags),
                        a.active,
                        a.address,
                        custom(a),
                    ]
                )
                for a in session.list(Account, limit=None)
            )
            return accounts, Counter(session.scalars(select(Activity.started_at)))


class TestCost:
    def test_statements_do_not_grow_with_the_rows_of_a_page(self, crm: Crm, tmp_path: Path) -> None:
        counts = []
        for number in (5, 300):
            with crm.system_session("x") as session:
                session.delete_many(ContactPoint, session.scalars(select(ContactPoint.id)).all())
                account = session.add_one(Account(name="A"))
                session.add_many(ContactPoint, [
                    {"account_id": account.id, "kind": PointKind.OTHER, "value": str(each)} for each in range(number)
                ])  # fmt: skip
            statements: list[str] = []

            def note(_c: Any, _u: Any, statement: str, *_: Any, said: list[str] = statements) -> None:
                said.append(statement)

            with crm.system_session("test", read_only=True) as session:
                event.listen(session.get_bind(), "before_cursor_execute", note)
                run_export(session, "contact_point", None, tmp_path / "a.xlsx")
                event.remove(session.get_bind(), "before_cursor_execute", note)
            counts.append(len(statements))
        assert counts[0] == counts[1] > 0

    def test_memory_stays_flat(self, tmp_path: Path) -> None:
        peaks = []
        for rows in (1_000, 8_000):
            book = writing.Workbook("a.xlsx")
            write = book.sheet("a", ["id", "name", "staff", "seen"])
            tracemalloc.start()
            for number in range(rows):
                write([str(number), f"Account {number}", Decimal("1.5"), dt.datetime(2026, 1, 1)])
            book.save(tmp_path / "a.xlsx")
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
        assert peaks[1] < 1.5 * peaks[0] + 500_000, peaks
