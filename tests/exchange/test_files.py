"""Files as they come: CSV in all its forms, JSON lines, encodings."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from crm_core.assembly import Crm
from crm_core.domain.accounts import Account
from crm_core.errors import ExchangeError
from crm_core.exchange import ImportReport
from crm_core.exchange.encodings import detect
from crm_core.exchange.guard import guarded, unguarded
from crm_core.exchange.sources import open_source

Load = Callable[..., ImportReport]
SPECTRUM = (
    "comma_in_quotes", "empty", "empty_crlf", "escaped_quotes", "json", "location_coordinates", "newlines",
    "newlines_crlf", "quotes_and_newlines", "simple", "simple_crlf", "utf8",
)  # fmt: skip


def rows(path: Path, encoding: str = "auto", delimiter: str = "auto") -> list[Any]:
    source = open_source(path, encoding, delimiter)
    with source.rows() as found:
        return [cells if problem is None else str(problem) for _, cells, problem in found]


class TestCsv:
    @pytest.mark.parametrize("name", SPECTRUM)
    def test_csv_spectrum(self, shared_data: Path, tmp_path: Path, name: str) -> None:
        folder = shared_data / "csv-spectrum"
        expected = json.loads((folder / "json" / f"{name}.json").read_bytes())
        data = (folder / "csvs" / f"{name}.csv").read_bytes()
        if name.endswith("_crlf"):  # some copies of the collection have lost what these two files are about
            data = data.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        if name == "location_coordinates":  # its two halves have always told of different numbers
            data = data.replace(b"2095257564", b"1234567890")
        path = tmp_path / "a.csv"
        path.write_bytes(data)
        source = open_source(path)
        assert source.header is not None
        got = [dict(zip(source.header, cells, strict=True)) for cells in rows(path)]
        assert got == (expected if isinstance(expected, list) else [expected])

    @pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
    def test_delimiters_are_detected(self, tmp_path: Path, delimiter: str) -> None:
        path = tmp_path / "a.csv"
        path.write_text(f'"a,b;c"{delimiter}d\n1{delimiter}2\n')
        assert rows(path) == [["1", "2"]]

    def test_lines_are_counted_over_quoted_newlines(self, tmp_path: Path) -> None:
        path = tmp_path / "a.csv"
        path.write_text('a,b\n"1\n2",x\n3,y\n')
        with open_source(path).rows() as found:
            assert [line for line, _, _ in found] == [2, 4]

    def test_broken_quotes_cost_a_row(self, tmp_path: Path) -> None:
        path = tmp_path / "a.csv"
        path.write_text('a,b\n"1"2,x\n3,y\n"4,z\n')
        first, second, third = rows(path)
        assert first.startswith("This is no CSV: ',' expected after '\"'")
        assert second == ["3", "y"]
        assert "unexpected end of data" in third

    def test_a_cell_may_not_be_endless(self, tmp_path: Path) -> None:
        path = tmp_path / "a.csv"
        path.write_text("a\n" + "x" * 200_000 + "\ny\n")
        assert rows(path) == ["This is no CSV: field larger than field limit (131072). Check its quotes.", ["y"]]

    def test_wrong_bytes_further_down(self, crm: Crm, load: Load) -> None:
        data = b"id,name\n" + b"1,x\n" * 5000 + b"2,\xff\n"
        with pytest.raises(ExchangeError, match="is not written in utf-8-sig"):
            load(data, {"fields": {"name": "name"}, "encoding": "utf-8", "duplicates": "first"})
        with crm.system_session("test", read_only=True) as session:
            assert session.count(Account) == 0


class TestJsonLines:
    def test_values_arrive_as_they_are(self, crm: Crm, load: Load) -> None:
        lines = [
            {"id": 1, "name": "A", "employees": 5, "revenue": {"amount": "1.50", "currency": "EUR"}, "active": False,
             "address": {"city": "上海"}, "tags": ["b", "a"], "at": {"home": {"note": "x"}}, "score": 1.5,
             "industry": ""},
            {"id": "2", "name": None},
            {"id": 3, "name": "NULL", "active": True},
        ]  # fmt: skip
        data = "\n\n".join(json.dumps(line) for line in lines) + "\n[1]\n{\n"
        fields = {
            name: name for name in ("name", "employees", "revenue", "active", "address", "tags", "score", "industry")
        }
        section = {"fields": {**fields, "note": "at.home.note"}, "skip_if": {"active": "true"}}
        report = load(data, section, file="data.jsonl", source={"null_values": ["", "NULL"]})
        assert (report.created, report.skipped, report.rejected) == (1, 1, 3)
        assert sorted(each.line for each in report.first_rejects) == [3, 6, 7]
        with crm.system_session("test", read_only=True) as session:
            account = session.scalars(select(Account)).one()
            assert (account.name, account.employees, account.active, account.note) == ("A", 5, False, "x")
            assert account.industry == "" and account.tags == {"a", "b"} and account.custom == {"score": "1.5"}
            assert str(account.revenue) == "1.5000 EUR" and str(account.address) == "上海"

    @pytest.mark.parametrize(
        "broken",
        [
            "[" * 100_000,
            '{"name":' * 100_000,
            '{"id": 1, "name": ' + "[" * 100_000,
            '{"id": 1, "name": ' + "[" * 150 + "]" * 150 + "}",
        ],
    )
    def test_a_line_that_is_nested_without_end_costs_a_row(self, crm: Crm, load: Load, broken: str) -> None:
        data = f'{{"id": 1, "name": "A"}}\n{broken}\n{{"id": 2, "name": "B"}}\n'
        report = load(data, {"fields": {"name": "name"}}, file="data.jsonl")
        assert (report.created, report.rejected) == (2, 1)
        assert "nested too deeply" in report.first_rejects[0].reason

    def test_a_number_that_nothing_could_hold_costs_a_row(self, crm: Crm, load: Load) -> None:
        data = '{"id": 1, "name": "A"}\n{"id": 2e9999999999999999999, "name": "B"}\n'
        report = load(data, {"fields": {"name": "name"}}, file="data.jsonl")
        assert (report.created, report.rejected) == (1, 1)
        assert "is too large or too small" in report.first_rejects[0].reason


class TestEncodings:
    TEXTS = {  # noqa: RUF012
        "utf-8": "名称,é\n",
        "utf-8-sig": "名称,é\n",
        "utf-16": "名称,é\n",
        "utf-32": "名称,é\n",
        "gb18030": "公司名称,城市\n北京机床厂,北京\n上海轴承有限公司,上海\n",
        "cp850": "name,city\nJosé Müller,Århus\nSøren,Köln\n",
        "cp1252": "name,city\nJosé Müller,Århus\nSøren,Köln – “x”\n",
        "big5": "公司名稱,城市\n臺北機械股份有限公司,臺北\n高雄鋼鐵,高雄\n",
        "cp1251": "имя,город\nИван Петров,Москва\nАнна Каренина,Санкт-Петербург\n",
    }

    @pytest.mark.parametrize("encoding", TEXTS)
    def test_detection(self, tmp_path: Path, encoding: str) -> None:
        path = tmp_path / "a.csv"
        text = self.TEXTS[encoding]
        path.write_bytes(text.encode(encoding))
        assert path.read_bytes().decode(detect(path)) == text

    def test_plain_ascii_is_utf_8(self, tmp_path: Path) -> None:
        path = tmp_path / "a.csv"
        path.write_text("a,b\n")
        assert detect(path) == "utf-8"

    def test_a_late_chinese_line_decides(self, tmp_path: Path) -> None:
        path = tmp_path / "a.csv"
        path.write_bytes(b"name\n" + b"x" * 80 * 30_000 + "\n北京机床厂\n".encode("gb18030"))
        assert detect(path) == "gb18030"

    @given(st.text("北京上海机床厂有限公司深圳市科技张王李伟芳", min_size=4, max_size=30))
    def test_gbk_names(self, tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
        path = tmp_path_factory.mktemp("gbk") / "a.csv"
        path.write_bytes(f"name\n{name}\n".encode("gb18030"))
        # A few short names are valid UTF-8 too; no program could know.
        assert detect(path) in ("gb18030", "utf-8")

    def test_a_gbk_file_is_imported(self, crm: Crm, load: Load) -> None:
        data = "编号,名称\n1,北京机床厂\n2,上海轴承有限公司\n".encode("gb18030")
        assert load(data, {"key": "编号", "fields": {"name": "名称"}}).created == 2
        with crm.system_session("test", read_only=True) as session:
            assert set(session.scalars(select(Account.name))) == {"北京机床厂", "上海轴承有限公司"}


class TestGuard:
    @given(st.text())
    def test_import_takes_off_what_export_put_on(self, text: str) -> None:
        assert unguarded(guarded(text)) == text
        assert guarded(text)[:1] not in ("=", "+", "-", "@", "\t", "\r")

    def test_cells(self) -> None:
        assert guarded("=1+1") == "'=1+1"
        assert guarded("'=1") == "''=1"
        assert guarded("it's") == "it's" and guarded("'quoted'") == "'quoted'"
        assert unguarded("'quoted'") == "'quoted'"
