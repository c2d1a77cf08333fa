"""Spreadsheets as a source of an import."""

from __future__ import annotations

import datetime as dt
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from sqlalchemy import select

from crm_core.assembly import Crm
from crm_core.domain.accounts import Account
from crm_core.domain.activities import Activity
from crm_core.domain.contacts import Contact, ContactPoint
from crm_core.errors import ExchangeError
from crm_core.exchange import ImportReport, contacts_moved, run_import
from crm_core.exchange.sheets import archive, reading
from crm_core.exchange.sources import open_source

from .workbooks import write_ods, write_xls, write_xlsx

Take = Callable[..., ImportReport]


def rows(path: Path, sheet: str = "", header_row: int = 0) -> list[Any]:
    source = open_source(path, sheet=sheet, header_row=header_row)
    with source.rows() as found:
        return [(line, cells if problem is None else problem.text(lambda text: text)) for line, cells, problem in found]


def rewritten(path: Path, change: Callable[[bytes], bytes]) -> Path:
    """The workbook with the XML of its first sheet changed."""
    with zipfile.ZipFile(path) as found:
        parts = {name: found.read(name) for name in found.namelist()}
    changed = change(parts["xl/worksheets/sheet1.xml"])
    assert changed != parts["xl/worksheets/sheet1.xml"]
    parts["xl/worksheets/sheet1.xml"] = changed
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as written:
        for name, data in parts.items():
            written.writestr(name, data)
    return path


@pytest.fixture
def take(crm: Crm, tmp_path: Path) -> Take:
    """Import sheets as a mapping of accounts (or another section) says."""

    def take_(*written: Any, section: Any = None, source: Any = None, **options: Any) -> ImportReport:
        write_xlsx(tmp_path / "a.xlsx", *written)
        mapping = {
            "source": {"system": "old", **(source or {})},
            "section": [{"record": "account", "file": "a.xlsx", "key": "id", **(section or {})}],
        }
        return run_import(crm, mapping, tmp_path, **options)

    return take_


class TestCells:
    def test_each_kind_of_cell(self, tmp_path: Path) -> None:
        path = write_xlsx(
            tmp_path / "a.xlsx",
            ["text", "number", "day", "moment", "time", "flag"],
            ["  北京 ", 42, dt.date(2026, 3, 1), dt.datetime(2026, 3, 1, 9, 30, 15), dt.time(9, 30), True],
            ["'=x", 1 / 8, dt.datetime(2026, 3, 1), dt.datetime(1999, 12, 31, 23, 59, 59), None, False],
            [None, None, None, None, None, None],
            ["1.23E+17", 123456789012345678, "1.3.2026", None, dt.timedelta(hours=30), "x"],
        )
        assert rows(path) == [
            (2, ["  北京 ", 42, "2026-03-01", "2026-03-01T09:30:15", "09:30:00", "true"]),
            (3, ["'=x", 1 / 8, "2026-03-01", "1999-12-31T23:59:59", "", "false"]),
            (5, ["1.23E+17", 123456789012345696, "1.3.2026", "", "30:00:00", "x"]),
        ]

    def test_merged_downwards_counts_for_each_row(self, tmp_path: Path) -> None:
        path = write_xlsx(
            tmp_path / "a.xlsx",
            ["company", "person", "note"], ["Acme", "Li", "a"], [None, "Wang", "b"], [None, "Zhao", None],
            ["B", "Qi", None], [None, None, None],
            merged=["A2:A4", "C3:C4", "A5:A6"],
        )  # fmt: skip
        assert [cells for _, cells in rows(path)] == [
            ["Acme", "Li", "a"], ["Acme", "Wang", "b"], ["Acme", "Zhao", "b"], ["B", "Qi", ""],
        ]  # fmt: skip

    def test_errors_and_formulas_without_a_value_are_told(self, tmp_path: Path) -> None:
        book = openpyxl.Workbook()
        book.active.append(["a", "b"])
        book.active.append([1, "=A2+1"])
        book.active.append([2, "#N/A"])
        book.active.append([3, "fine"])
        book.save(tmp_path / "a.xlsx")
        mend = "Open the file in a spreadsheet program and save it."
        assert rows(tmp_path / "a.xlsx") == [
            (2, "The cell B2 holds a formula that was never worked out. " + mend),
            (3, "The cell B3 holds an error of the spreadsheet. Mend its formula, or empty it."),
            (4, [3, "fine"]),
        ]  # fmt: skip

    @pytest.mark.parametrize("rest", ["<!-- x -->", "<v/>", "<v> </v>", "<v><![CDATA[]]></v>", "<?x y?>"])
    def test_a_formula_without_a_value_however_it_ends(self, tmp_path: Path, rest: str) -> None:
        def change(sheet: bytes) -> bytes:
            return sheet.replace(b'<c r="B2" t="n"><v>1</v></c>', f'<c r="B2"><f>A2</f>{rest}</c>'.encode())

        path = rewritten(write_xlsx(tmp_path / "a.xlsx", ["a", "b"], ["x", 1]), change)
        assert "The cell B2 holds a formula that was never worked out" in rows(path)[0][1]

    def test_values_of_formulas_count(self, tmp_path: Path) -> None:
        path = write_xlsx(tmp_path / "a.xlsx", ["a", "b", "c"], [1, "=A2+1", "=A2&B2"])

        def worked_out(sheet: bytes) -> bytes:
            sheet = sheet.replace(b'<c r="B2"><f>A2+1</f><v /></c>', b'<c r="B2"><f>A2+1</f><v>2</v></c>')
            return sheet.replace(
                b'<c r="C2"><f>A2&amp;B2</f><v /></c>', b'<c r="C2" t="str"><f>A2&amp;B2</f><v></v></c>'
            )

        rewritten(path, worked_out)
        assert rows(path) == [(2, [1, 2, ""])]

    def test_the_table_may_stand_anywhere(self, tmp_path: Path) -> None:
        book = openpyxl.Workbook()
        for place, value in {"B1": "Our customers", "C4": "na\nme", "D4": 2026, "C5": "Acme", "D5": 1, "D7": 2}.items():
            book.active[place] = value
        book.active.merge_cells("C5:C7")
        book.save(tmp_path / "a.xlsx")
        assert open_source(tmp_path / "a.xlsx", header_row=4).header == ("", "na me", "2026")
        assert rows(tmp_path / "a.xlsx", header_row=4) == [(5, ["", "Acme", 1]), (7, ["", "Acme", 2])]
        with pytest.raises(ExchangeError, match="no names of columns in row 3"):
            open_source(tmp_path / "a.xlsx", header_row=3)

    def test_old_and_open_formats(self, tmp_path: Path) -> None:
        table = (["id", "名称"], [1, "北京机床厂"], [2.5, "x"])
        assert rows(write_xls(tmp_path / "a.xls", *table)) == [(2, [1, "北京机床厂"]), (3, [2.5, "x"])]
        assert rows(write_ods(tmp_path / "a.ods", *table)) == [(2, [1, "北京机床厂"]), (3, [2.5, "x"])]  # type: ignore[arg-type]


class TestSheets:
    @pytest.fixture
    def book(self, tmp_path: Path) -> Path:
        book = openpyxl.Workbook()
        book.active.title = "hidden"
        book.active.sheet_state = "hidden"
        for title in ("客户", "3", "last"):
            sheet = book.create_sheet(title)
            sheet.append(["sheet"])
            sheet.append([title])
        book.save(tmp_path / "a.xlsx")
        return tmp_path / "a.xlsx"

    @pytest.mark.parametrize(
        ("wanted", "found"),
        [("", "客户"), ("客户", "客户"), ("2", "客户"), ("3", "3"), ("4", "last"), ("last", "last")],
    )
    def test_by_name_or_number(self, book: Path, wanted: str, found: str) -> None:
        assert [cells for _, cells in rows(book, wanted)] == [[found]]

    def test_no_such_sheet(self, book: Path) -> None:
        with pytest.raises(ExchangeError, match=r"no sheet '客戶'\. Its sheets: hidden, 客户, 3, last"):
            open_source(book, sheet="客戶")
        with pytest.raises(ExchangeError, match="is empty"):
            open_source(book, sheet="hidden")
        assert reading.sheet_names(book) == ["客户", "3", "last"]


class TestImport:
    def test_numbers_become_what_the_field_is(self, crm: Crm, take: Take) -> None:
        report = take(
            ["id", "name", "phone", "staff", "score", "since", "turnover", "seen"],
            [1, 4711, 13800001234, "1.200", 2.5, dt.date(2020, 5, 1), 1234.5, dt.datetime(2026, 1, 1, 8)],
            ["2", "Acme", "+86 138 0000 1234", 1200, "2,5", "1.5.2020", "1.234,50", "2026-01-01 08:00"],
            section={"fields": {
                "name": "name", "phone": "phone",
                "employees": {"column": "staff", "transform": {"name": "decimal", "comma": True}},
                "score": {"column": "score", "transform": {"name": "decimal", "comma": True}},
                "since": {"column": "since", "transform": {"name": "day", "format": "%d.%m.%Y"}},
                "revenue": {"column": "turnover", "transform": {"name": "money", "comma": True, "currency": "EUR"}},
                "seen": "seen",
            }},
        )  # fmt: skip
        assert (report.created, report.rejected) == (2, 0), report.first_rejects
        with crm.system_session("test", read_only=True) as session:
            one, two = session.scalars(select(Account).order_by(Account.name)).all()
        assert (one.name, two.name) == ("4711", "Acme")
        assert one.phone == "13800001234"
        assert (one.employees, two.employees) == (1200, 1200)
        assert str(one.revenue) == str(two.revenue) == "1234.5000 EUR"
        assert {name: one.custom[name] for name in ("score", "since", "seen")} == {
            "score": "2.50", "since": "2020-05-01", "seen": "2026-01-01T00:00:00+00:00",
        } or one.custom["seen"] == two.custom["seen"]  # fmt: skip
        assert one.custom["since"] == two.custom["since"] == "2020-05-01"

    def test_lost_digits_are_told(self, take: Take, load: Take) -> None:
        report = take(
            ["id", "name", "registration"],
            [1, "A", 911100001234567890], [2, "B", "911100001234567890"], [3, "C", "9.11E+17"], [10**17, "D", 5],
            section={"fields": {"name": "name", "registration_number": "registration"}},
        )  # fmt: skip
        assert (report.created, report.warned) == (4, 3)
        first = report.first_warnings[0]
        assert (first.line, first.column) == (2, "registration")
        assert "911100001234567936 was taken" in first.warning and "may have lost digits" in first.warning
        assert [each.line for each in report.first_warnings] == [2, 4, 5]
        assert report.as_json()["first_warnings"][2]["column"] == "id"
        report = load(
            "id,name,registration\n9,E,9.11E+17\n8,F,E+1\n",
            {"fields": {"name": "name", "registration_number": "registration"}},
        )
        assert [(each.line, each.column) for each in report.first_warnings] == [(2, "registration")]

    def test_sheets_of_one_file(self, crm: Crm, tmp_path: Path) -> None:
        book = openpyxl.Workbook()
        book.active.append(["id", "name"])
        book.active.append(["1", "Acme"])
        calls = book.create_sheet("calls")
        calls.append(["no", "account", "when"])
        calls.append([1, 1, dt.datetime(2026, 3, 1, 9, 30)])
        calls.append([2, 7, "=NOW()"])
        book.save(tmp_path / "a.xlsx")
        mapping = {
            "source": {"system": "old"},
            "section": [
                {"record": "account", "file": "a.xlsx", "key": "id", "fields": {"name": "name"}},
                {"record": "activity", "file": "a.xlsx", "sheet": 2, "key": "no",
                 "fields": {"kind": {"value": "call"}, "subject": {"value": "x"}, "started_at": "when",
                            "account_id": {"column": "account", "lookup": "account"}}},
            ],
        }  # fmt: skip
        rejects = tmp_path / "rejects.jsonl"
        report = run_import(crm, mapping, tmp_path, rejects_path=rejects)
        assert [(each.created, each.rejected) for each in report.sections] == [(1, 0), (1, 1)]
        assert json.loads(rejects.read_text())["cells"] == {"no": 2, "account": 7, "when": ""}
        with crm.system_session("test", read_only=True) as session:
            started = session.scalars(select(Activity.started_at)).one()
        assert started == dt.datetime(2026, 3, 1, 1, 30, tzinfo=dt.UTC)  # of the organisation, in Shanghai
        again = run_import(crm, mapping, tmp_path)
        assert again.change_set is None

    def test_the_command_may_name_the_sheet(self, crm: Crm, tmp_path: Path) -> None:
        book = openpyxl.Workbook()
        book.active.append(["nothing"])
        book.create_sheet("2026").append(["id", "name"])
        book["2026"].append(["1", "Acme"])
        book.save(tmp_path / "a.xlsx")
        section = {"record": "account", "file": "a.xlsx", "key": "id", "fields": {"name": "name"}}
        mapping = {"source": {"system": "old"}, "section": [section]}
        with pytest.raises(ExchangeError, match="has no column 'id'"):
            run_import(crm, mapping, tmp_path)
        assert run_import(crm, mapping, tmp_path, sheet="2026").created == 1
        (tmp_path / "a.csv").write_text("id,name\n2,Beta\n")
        section = {"record": "account", "file": "a.csv", "key": "id", "fields": {"name": "name"}}
        beside = {**mapping, "section": [*mapping["section"], section]}
        assert run_import(crm, beside, tmp_path, sheet="2026").created == 1
        with pytest.raises(ExchangeError, match=r"a\.csv has no sheets: it is no spreadsheet"):
            run_import(crm, {**mapping, "section": [section]}, tmp_path, sheet="2026")

    def test_sheets_that_were_not_read_are_told(self, crm: Crm, tmp_path: Path) -> None:
        book = openpyxl.Workbook()
        book.active.title = "2024"
        for title in ("2025", "2026", "hidden"):
            book.create_sheet(title)
        book["hidden"].sheet_state = "hidden"
        for number, title in enumerate(("2024", "2025")):
            book[title].append(["id", "name"])
            book[title].append([str(number), f"Acme {number}"])
        book.save(tmp_path / "a.xlsx")
        section = {"record": "account", "file": "a.xlsx", "key": "id", "fields": {"name": "name"}}
        report = run_import(crm, {"source": {"system": "old"}, "section": [section]}, tmp_path)
        path = str(tmp_path / "a.xlsx")
        assert report.unread_sheets == ((path, "2025"), (path, "2026"))
        assert report.as_json()["unread_sheets"][0] == {"file": path, "sheet": "2025"}
        both = {"source": {"system": "old"}, "section": [section, {**section, "sheet": "2025"}]}
        assert run_import(crm, both, tmp_path).unread_sheets == ((path, "2026"),)

    def test_rejects_can_be_mended_and_imported(self, take: Take, crm: Crm, tmp_path: Path) -> None:
        rejects = tmp_path / "rejects.xlsx"
        section = {"fields": {"name": "name", "employees": "staff", "registration_number": "number"}}
        table = (
            ["id", "name", "staff", "number"],
            ["1", "A", "many", "0012"],
            ["2", "B", 5, None],
            ["3", None, 1.5, 8],
        )
        report = take(*table, section=section, rejects_path=rejects)
        assert (report.created, report.rejected) == (1, 2)
        assert rejects.stat().st_mode & 0o077 == 0
        book = openpyxl.load_workbook(rejects)
        assert book.sheetnames == ["account"]
        header, first, second = book["account"].values
        assert header == ("id", "name", "staff", "number", "rejected: file", "rejected: line", "rejected: key",
                          "rejected: reason")  # fmt: skip
        assert first[:7] == ("1", "A", "many", "0012", "a.xlsx", 2, "1") and "no number" in str(first[7])
        assert second[:6] == ("3", None, 1.5, 8, "a.xlsx", 4)
        book["account"]["C2"], book["account"]["B3"], book["account"]["C3"] = 7, "C", 1
        book.save(tmp_path / "a.xlsx")
        mapping = {
            "source": {"system": "old"},
            "section": [{"record": "account", "file": "a.xlsx", "key": "id", **section}],
        }
        report = run_import(crm, mapping, tmp_path, rejects_path=rejects)
        assert (report.created, report.rejected) == (2, 0)
        assert not rejects.exists()

    def test_people_who_moved(self, crm: Crm, tmp_path: Path) -> None:
        path = write_xlsx(tmp_path / "moved.xlsx", ["姓名", "手机", "新单位"], ["李伟", 13800001234, "Acme"])
        report = contacts_moved(crm, path)
        assert (report.read, report.rejected) == (1, 1)
        assert "Nobody has one of these contact points" in report.first_rejects[0].reason

    def test_the_sheet_of_people_who_moved_may_be_named(self, crm: Crm, tmp_path: Path) -> None:
        with crm.system_session("test") as session:
            person, employer = session.add_one(Contact(name="李伟")), session.add_one(Account(name="Acme"))
            session.add_one(ContactPoint(contact_id=person.id, kind="mobile", value="+8613800001234"))
            names = {person.id: employer.id}
        path = write_xlsx(
            tmp_path / "moved.xlsx", ["姓名", "手机", "新单位"], ["Nobody", 13900001234, "Acme"], title="2025"
        )
        book = openpyxl.load_workbook(path)
        for row in (["姓名", "手机", "新单位"], ["李伟", 13800001234, "Acme"]):
            (book["2026"] if "2026" in book.sheetnames else book.create_sheet("2026")).append(row)
        book.save(path)
        rejects = tmp_path / "rejects.xlsx"
        first = contacts_moved(crm, path, rejects_path=rejects, dry_run=True)
        assert (first.rejected, first.unread_sheets) == (1, ((str(path), "2026"),))
        assert first.as_json()["unread_sheets"] == [{"file": str(path), "sheet": "2026"}]
        assert [row[:3] for row in openpyxl.load_workbook(rejects).active.values][1] == ("Nobody", 13900001234, "Acme")
        for sheet in ("2026", "2"):
            report = contacts_moved(crm, path, sheet=sheet, dry_run=True)
            assert {move.contact_id: move.account_id for move in report.moves} == names
            assert report.unread_sheets == ((str(path), "2025"),)
        with pytest.raises(ExchangeError, match=r"no sheet '2024'\. Its sheets: 2025, 2026"):
            contacts_moved(crm, path, sheet="2024")


class TestRefused:
    def refused(self, path: Path) -> str:
        with pytest.raises(ExchangeError) as error:
            open_source(path)
        return str(error.value)

    def test_other_files(self, tmp_path: Path) -> None:
        (tmp_path / "a.xlsx").write_text("id,name\n1,x\n")
        assert "is no spreadsheet, whatever its name says" in self.refused(tmp_path / "a.xlsx")
        (tmp_path / "a.xls").write_text("<html><table><tr><td>1</td></tr></table></html>")
        assert "cannot be read" in self.refused(tmp_path / "a.xls")
        with zipfile.ZipFile(tmp_path / "b.xlsx", "w") as archive_:
            archive_.writestr("x", "y")
        assert "cannot be read: File not found" in self.refused(tmp_path / "b.xlsx")
        (tmp_path / "c.xls").write_bytes(write_xls(tmp_path / "d.xls", ["a"]).read_bytes()[:700])
        assert "cannot be read" in self.refused(tmp_path / "c.xls")
        assert "No such file" in self.refused(tmp_path / "none.xlsx")
        assert "is empty" in self.refused(write_xlsx(tmp_path / "e.xlsx", []))

    def test_what_unpacks_to_very_much(self, tmp_path: Path) -> None:
        path = write_xlsx(tmp_path / "a.xlsx", ["a"])
        with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive_, archive_.open("xl/bomb", "w") as part:
            for _ in range(64):
                part.write(bytes(1 << 20))
        assert "it unpacks from" in self.refused(path)

    def test_what_declares_less_than_it_unpacks_to(self, tmp_path: Path) -> None:
        path = write_xlsx(tmp_path / "a.xlsx", ["a"] * 500)
        data = path.read_bytes()
        with zipfile.ZipFile(path) as archive_:
            size = archive_.getinfo("xl/worksheets/sheet1.xml").file_size.to_bytes(4, "little")
        assert data.count(size) == 2
        path.write_bytes(data.replace(size, (100).to_bytes(4, "little")))
        assert "is no spreadsheet" in self.refused(path)

    def test_two_cells_in_opposite_corners(self, tmp_path: Path) -> None:
        book = openpyxl.Workbook()
        book.active["A1"], book.active["XFD1048576"] = "a", "b"
        book.save(tmp_path / "a.xlsx")
        assert "its sheet has 1048576 rows and 16384 columns" in self.refused(tmp_path / "a.xlsx")
        path = write_ods(tmp_path / "a.ods", ["a"] * 100, ["b"], repeated=1_000_000)
        assert "its sheet has 1000001 rows and 100 columns" in self.refused(path)

    @pytest.mark.parametrize(
        "cell", ['<c q=">" r="XFD1048576">', '<c r="xfd1048576">', '<c r="XFD104857&#54;">', "<c\nr='XFD1048576'>"]
    )
    def test_a_cell_far_away_however_it_is_written(self, tmp_path: Path, cell: str) -> None:
        def far(sheet: bytes) -> bytes:
            row = f'<row r="1048576">{cell}<v>1</v></c></row></sheetData>'
            return sheet.replace(b"</sheetData>", row.encode())

        path = rewritten(write_xlsx(tmp_path / "a.xlsx", ["a"]), far)
        assert "its sheet has 1048576 rows and 16384 columns" in self.refused(path)

    def test_cells_that_are_none(self, tmp_path: Path) -> None:
        far = b'<!-- <c r="XFD1048576"/> --></sheetData>'
        path = write_xlsx(tmp_path / "a.xlsx", ["a"], ["b"])
        assert rows(rewritten(path, lambda sheet: sheet.replace(b"</sheetData>", far))) == [(2, ["b"])]
        path = rewritten(path, lambda sheet: sheet.replace(b'r="A2"', b'r="#2"'))
        assert "is no place of a cell" in self.refused(path)

    def test_what_the_reader_could_take_for_another_part(self, tmp_path: Path) -> None:
        path = write_xlsx(tmp_path / "a.xlsx", ["a"])
        with zipfile.ZipFile(path, "a") as archive_:
            archive_.writestr("xl/worksheets/SHEET1.xml", "<worksheet/>")
        assert "several parts of the same name" in self.refused(path)
        path = write_xlsx(tmp_path / "b.xlsx", ["a"])
        with zipfile.ZipFile(path) as archive_:
            parts = {name: archive_.read(name) for name in archive_.namelist()}
        another = b'<Relationship Id="x" Type="x/officeDocument" Target="xm/workbook.xml"/></Relationships>'
        parts["_rels/.rels"] = parts["_rels/.rels"].replace(b"</Relationships>", another)
        with zipfile.ZipFile(path, "w") as archive_:
            for name, data in parts.items():
                archive_.writestr(name, data)
        assert "several workbooks" in self.refused(path)

    def test_documents_that_define_entities(self, tmp_path: Path) -> None:
        path = write_ods(tmp_path / "a.ods", ["a"])
        with zipfile.ZipFile(path) as archive_:
            content = archive_.read("content.xml").decode()
        evil = content.replace("?>", '?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">]>', 1)
        with zipfile.ZipFile(tmp_path / "b.ods", "w") as archive_:
            archive_.writestr("content.xml", evil)
        assert "which are not read" in self.refused(tmp_path / "b.ods")

    def test_cells_without_places_and_with_prefixes(self) -> None:
        import io

        sheet = (b"<x:d xmlns:x='x'><x:row><x:c t=\"e\"><x:v>#N/A</x:v></x:c></x:row>"
                 b"<x:row r='9'><x:c/><x:c><x:f>1</x:f></x:c></x:row></x:d>")  # fmt: skip
        odd = archive._scan(Path("a.xlsx"), io.BytesIO(sheet))
        assert (odd.errors, odd.formulas) == ({1: "A1"}, {9: "B9"})
