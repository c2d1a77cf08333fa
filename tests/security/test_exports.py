"""What leaves as a file carries no formula, no line and no command of somebody else's."""

from __future__ import annotations

import csv
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

import openpyxl
import pytest

from crm_core.cli.running import run
from crm_core.exchange.guard import guarded, unguarded

from .hostile import Hostile, company

RUNS = re.compile(r"\s*[=+\-@\uff1d\uff0b\uff0d\uff20]")
BREAKS = "\r\nX-EVIL:1\r\nEND:VCARD\r\nBEGIN:VEVENT\r\n=1\x1b[2J"
FIRST = ("=1+1", "+1", "-1", "@A1", "\t=1", "\r=1", "\n=1", "＝1", "＋1", "－1", "＠A1", "'=1", "''=1")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hostile]:
    with company(tmp_path_factory.mktemp("breaks"), raw=BREAKS, first=FIRST) as found:
        yield found


def exported(made: Hostile, name: str, ending: str) -> Path:
    file = made.build.parent / f"{name}.{ending}"
    assert run(["--build", str(made.build), "export", name, "--to", str(file)]) == 0
    return file


@pytest.mark.parametrize("text", FIRST)
def test_the_guard_is_put_on_and_taken_off(text: str) -> None:
    assert guarded(text) == "'" + text
    assert unguarded(guarded(text)) == text


def test_no_cell_of_csv_is_a_formula(made: Hostile) -> None:
    seen = 0
    for name in made.ids:
        with exported(made, name, "csv").open(encoding="utf-8-sig", newline="") as file:
            for row in csv.reader(file):
                for cell in row:
                    assert not RUNS.match(cell) or re.fullmatch(r"-?\d+(\.\d+)?", cell), (name, cell)
                    seen += cell.startswith("'")
    assert seen > 50


def test_no_cell_of_a_spreadsheet_is_a_formula(made: Hostile) -> None:
    seen = 0
    for name in ("account", "contact", "activity", "contact_point", "handover", "unit"):
        file = exported(made, name, "xlsx")
        with zipfile.ZipFile(file) as archive:
            for part in archive.namelist():
                content = archive.read(part)
                assert b"<f>" not in content and b"<f " not in content, part
                assert b"hyperlink" not in content.lower() or part.endswith(("theme1.xml", "styles.xml")), part
        for sheet in openpyxl.load_workbook(file):
            for row in sheet.iter_rows():
                for cell in row:
                    assert cell.data_type != "f"
                    seen += isinstance(cell.value, str) and bool(RUNS.match(cell.value))
    assert seen > 20


@pytest.mark.parametrize(
    ("name", "ending", "known"),
    [
        ("contact", "vcf", "BEGIN|VERSION|UID|FN|N|BDAY|LANG|TEL|EMAIL|URL|ADR|IMPP|X-[A-Za-z-]+|ORG|TITLE|ROLE|NOTE"
                           "|REV|END"),
        ("activity", "ics", "BEGIN|VERSION|PRODID|UID|DTSTAMP|DTSTART|DTEND|LAST-MODIFIED|SEQUENCE|SUMMARY|CATEGORIES"
                            "|STATUS|LOCATION|DESCRIPTION|X-CRM-[A-Z]+|ORGANIZER|ATTENDEE|RECURRENCE-ID|END"),
    ],
)  # fmt: skip
def test_no_line_of_an_address_book_or_calendar_comes_from_a_value(
    made: Hostile, name: str, ending: str, known: str
) -> None:
    text = exported(made, name, ending).read_bytes().decode()
    assert "\r" not in text.replace("\r\n", "") and "\n" not in text.replace("\r\n", "")
    lines = text.replace("\r\n ", "").removesuffix("\r\n").split("\r\n")
    for line in lines:
        assert re.match(rf"(?:(?:way|place)\d+\.)?(?:{known})[;:]", line), line
        assert not line.startswith("X-EVIL")
    kind = {"vcf": "VCARD", "ics": "VEVENT"}[ending]
    assert lines.count(f"BEGIN:{kind}") == lines.count(f"END:{kind}") > 3
    assert sum("X-EVIL" in line for line in lines) > 5  # there, as part of a text


# -- the terminal ----------------------------------------------------------------------------------------------

STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def test_what_commands_print_does_not_steer_a_terminal(made: Hostile, capsys: pytest.CaptureFixture[str]) -> None:
    account, handover = str(made.ids["account"][0]), str(made.ids["handover"][0])
    for arguments in (
        ["list", "account"], ["list", "contact", "--json"], ["show", "account", account],
        ["show", "account", account, "--json"], ["history", "account", account],
        ["history", "account", account, "--json"],
        ["search", "ran"], ["search", "ran", "--json"], ["quality"], ["duties"], ["duties", "--json"],
        ["--user", "user1", "today"], ["--user", "user1", "today", "--json"], ["handover", "list"],
        ["handover", "show", handover], ["handover", "briefing", handover, "--all"], ["show", "account", "\x1b[2J\x9b"],
        ["list", "account", "--where", "\x1b[2J == 1"], ["\x1b[2J"], ["list", "\x9b2J"], ["pool", "list"],
    ):  # fmt: skip
        run(["--build", str(made.build), *arguments])
        printed = capsys.readouterr()
        for text in printed:
            assert STEERING.findall(text) == [], (arguments, STEERING.search(text))
        assert printed.out or printed.err, arguments


def test_a_traceback_does_not_steer_it_either(
    made: Hostile, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import crm_core.store.session

    def fail(*_: object, **__: object) -> None:
        import structlog

        try:
            raise ValueError("inner \x1b[2J\x9b")
        except ValueError as error:
            structlog.get_logger().error("told \x1b[2J", value="\x1b[2J\u202e", exc_info=error)
            raise ValueError("outer \x1b[2J\x9b\u202e") from error

    monkeypatch.setattr(crm_core.store.session.CrmSession, "list", fail)
    assert run(["--build", str(made.build), "--debug", "list", "account"]) == 70
    printed = capsys.readouterr().err
    assert STEERING.findall(printed) == []
    for told in ("inner \\x1b[2J\\x9b", "outer \\x1b[2J\\x9b\\u202e", "told \\x1b[2J", "Traceback"):
        assert told in printed
