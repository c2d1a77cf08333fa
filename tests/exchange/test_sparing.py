"""A wrong name after an option costs nobody's data: neither rejects nor exports replace what would be missed."""

from __future__ import annotations

import codecs
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from crm_core.assembly import Crm
from crm_core.errors import ExchangeError
from crm_core.exchange import ImportReport, contacts_moved, run_export
from crm_core.exchange.calendars import import_events
from crm_core.exchange.cards import export_cards, import_cards

Load = Callable[..., ImportReport]
SECTION = {"fields": {"name": "name", "industry": "code"}}
GOOD = "id,name,code\n1,Acme,A-1\n"
BAD = "id,name,code\n1,Acme,A-1\n2,,B-2\n"
SUFFIXES = (".csv", ".jsonl", ".xlsx")


@pytest.mark.parametrize("dry_run", [True, False])
@pytest.mark.parametrize("data", [GOOD, BAD], ids=["nothing rejected", "something rejected"])
@pytest.mark.parametrize(
    ("name", "content"),
    [("notes.txt", b"notes\n"), ("mapping.toml", b"[source]\n"), ("other.csv", b"id,name\n1,Beta\n"),
     ("other.jsonl", b'{"id": 1}\n'), ("other.xlsx", b"no spreadsheet"), ("crm.db", b"SQLite format 3\0 and more")],
)  # fmt: skip
def test_rejects_replace_no_file_that_holds_anything_else(
    load: Load, tmp_path: Path, name: str, content: bytes, data: str, dry_run: bool
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ExchangeError, match=r"holds no rejected rows of an import.* Name another file"):
        load(data, SECTION, rejects_path=path, dry_run=dry_run)
    assert path.read_bytes() == content
    assert not path.with_name(name + ".part").exists()


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_rejects_replace_those_of_an_earlier_run(load: Load, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"rejects{suffix}"
    path.touch()  # as a program that gives out names for temporary files leaves one
    for _ in range(2):
        assert load(BAD, SECTION, rejects_path=path).rejects == path
        assert path.stat().st_size
    assert load(GOOD, SECTION, rejects_path=path).rejects is None
    assert not path.exists()


def test_rejects_as_csv_are_written_like_exports_for_programs_that_know_utf_8_by_its_mark(
    load: Load, tmp_path: Path
) -> None:
    data = "id,name,code\n1,Acme,A-1\n2,,北京-2\n"
    path = tmp_path / "rejects.csv"
    load(data, SECTION, rejects_path=path)
    assert path.read_bytes().startswith(codecs.BOM_UTF8) and "北京-2" in path.read_text(encoding="utf-8-sig")
    for suffix in (".jsonl", ".ndjson"):
        load(data, SECTION, rejects_path=path.with_suffix(suffix))
        assert json.loads(path.with_suffix(suffix).read_text(encoding="utf-8"))["cells"]["code"] == "北京-2"
    # It is read again like any other file: its mark is no part of the first column's name.
    again = {"fields": {"name": "reason", "industry": "section"}, "key": {"template": "{section}/{line}"}}
    report = load(path.read_bytes(), again, file="again.csv", rejects_path=path)
    assert (report.created, report.rejected, path.exists()) == (1, 0, False)


def test_rejects_replace_those_that_an_earlier_version_wrote_without_a_mark(load: Load, tmp_path: Path) -> None:
    path = tmp_path / "rejects.csv"
    path.write_text("section,file,line,key,reason,cells\naccount,data.csv,2,1,why,[]\n", encoding="utf-8")
    assert load(BAD, SECTION, rejects_path=path).rejects == path
    assert path.read_bytes().startswith(codecs.BOM_UTF8)


def test_rejected_rows_with_too_many_or_too_few_cells_stand_in_a_sheet_cell_by_cell(load: Load, tmp_path: Path) -> None:
    path = tmp_path / "rejects.xlsx"
    data = "id,name,code\n1,,A-1\n2,Beta,Ltd,北京\n3,=Gamma\n" + "4" + ",x" * 17_000 + "\n"
    report = load(data, SECTION, rejects_path=path)
    assert report.rejected == 4
    book = openpyxl.load_workbook(path)
    (named,) = [sheet for sheet in book if sheet["A1"].value == "id"]
    assert [cell.value for cell in named[2]][:3] == ["1", None, "A-1"]
    (bare,) = [sheet for sheet in book if sheet is not named]
    header, more, less, many = bare.iter_rows(values_only=True)
    assert header[:5] == ("rejected: file", "rejected: line", "rejected: key", "rejected: reason", "cells")
    assert more[:2] == ("data.csv", 3) and more[4:8] == ("2", "Beta", "Ltd", "北京")
    assert "The line has 4 cells, the header 3." in str(more[3])
    assert less[4:7] == ("3", "=Gamma", None)
    assert many[4:6] == ("4", "x") and json.loads(str(many[4 + 16_000])) == ["x"] * 1001
    assert load(data, SECTION, rejects_path=path).rejects == path, "it is known as a file of rejects"
    with pytest.raises(ExchangeError, match="has no column 'id'"):
        # Nobody knows to which columns they belong, so that they are not taken for what they may not be.
        load(path.read_bytes(), {**SECTION, "sheet": bare.title}, file="again.xlsx")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_rejects_do_not_replace_the_rejects_that_are_read(load: Load, tmp_path: Path, suffix: str) -> None:
    """Whoever has mended them in place repeats the command with the same name."""
    path = tmp_path / f"rejects{suffix}"
    load(BAD, SECTION, rejects_path=path)
    mended = path.read_bytes()
    again = {"fields": {"name": "key"}, "key": "line"} if suffix != ".xlsx" else {"fields": {"name": "name"}}
    for named in (path, tmp_path / "elsewhere" / ".." / path.name):
        (tmp_path / "elsewhere").mkdir(exist_ok=True)
        with pytest.raises(ExchangeError, match="is what is read, and would be replaced"):
            load(mended, again, file=path.name, rejects_path=named)
        assert path.read_bytes() == mended


@pytest.mark.parametrize("dry_run", [True, False])
def test_nor_do_those_of_address_books_calendars_and_people_who_moved(crm: Crm, tmp_path: Path, dry_run: bool) -> None:
    card = tmp_path / "p.vcf"
    card.write_text("BEGIN:VCARD\nVERSION:4.0\nFN:Ann\nEND:VCARD\n")
    events = tmp_path / "c.ics"
    events.write_text("BEGIN:VCALENDAR\nVERSION:2.0\nEND:VCALENDAR\n")
    moved = tmp_path / "m.csv"
    moved.write_text("mobile,employer\n13800138000,Beta\n")
    works: tuple[tuple[Callable[..., Any], Path], ...] = (
        (import_cards, card), (import_events, events), (contacts_moved, moved),
    )  # fmt: skip
    for work, path in works:
        before = path.read_bytes()
        with pytest.raises(ExchangeError, match="is what is read"):
            work(crm, path, rejects_path=path, dry_run=dry_run)
        assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [("crm.toml", b"[crm]\n", "holds settings"), ("crm.db", b"SQLite format 3\0 and more", "is a database"),
     ("export.csv", b"SQLite format 3\0 under another name", "is a database")],
)  # fmt: skip
def test_an_export_replaces_neither_a_database_nor_settings(
    crm: Crm, tmp_path: Path, name: str, content: bytes, said: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with crm.system_session("look", read_only=True) as session:
        for write in (lambda: run_export(session, "account", None, path, format="csv"),
                      lambda: export_cards(session, None, path)):  # fmt: skip
            with pytest.raises(ExchangeError, match=said):
                write()
            assert path.read_bytes() == content


def test_an_export_replaces_that_of_the_night_before(crm: Crm, tmp_path: Path) -> None:
    path = tmp_path / "accounts.jsonl"
    path.write_text(json.dumps({"id": 1}) + "\n")
    with crm.system_session("look", read_only=True) as session:
        assert run_export(session, "account", None, path) == 0
    assert path.read_text() == ""
