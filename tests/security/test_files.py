"""Files that somebody sends: they reach nothing beside them, unpack to nothing that fills the machine, run nothing."""

from __future__ import annotations

import hashlib
import json
import zipfile
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from crm_core import Crm
from crm_core.assembly import assemble
from crm_core.builds import archives
from crm_core.builds.restoring import check_backup
from crm_core.cli.handover_reports import _write_all
from crm_core.errors import BuildError, CrmError, ExchangeError, StoreError
from crm_core.exchange import run_import
from crm_core.exchange.cards import import_cards
from crm_core.exchange.mapping_file import read_mapping
from crm_core.exchange.sheets.archive import check_archive
from crm_core.exchange.sources import open_source
from crm_core.exchange.transforms.refusal import Refusal
from crm_core.exchange.transforms.xml import xml

LAUGHS = (
    '<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY a "lol">'
    + "".join(f'<!ENTITY {b} "{f"&{a};" * 10}">' for a, b in zip("abcdefgh", "bcdefghi", strict=True))
    + "]><r><v>&i;</v></r>"
)
OUTSIDE = '<?xml version="1.0"?><!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]><r><v>&x;</v></r>'
PARAMETER = '<?xml version="1.0"?><!DOCTYPE r SYSTEM "http://127.0.0.1:9/evil.dtd"><r><v>a</v></r>'


@pytest.fixture
def crm(database_url: str) -> Any:
    with Crm.open({}, database=database_url, check=False) as opened:
        opened.migrate()
        yield opened


# -- paths -----------------------------------------------------------------------------------------------------


def mapping(file: str) -> dict[str, Any]:
    return {
        "source": {"system": "old"},
        "section": [{"record": "account", "file": file, "key": "id", "fields": {"name": "name"}}],
    }


@pytest.mark.parametrize(
    "file", ["../other.csv", "{}/other.csv", "link.csv", "sub/../../other.csv", "folder/other.csv"]
)
def test_a_mapping_reads_no_file_beside_its_folder(crm: Any, tmp_path: Path, file: str) -> None:
    data = tmp_path / "data"
    (data / "sub").mkdir(parents=True)
    (tmp_path / "other.csv").write_text("id,name\n1,Secret\n", encoding="utf-8")
    (data / "link.csv").symlink_to(tmp_path / "other.csv")
    (data / "folder").symlink_to(tmp_path)
    with pytest.raises(ExchangeError, match="lies outside of"):
        run_import(crm, mapping(file.format(tmp_path)), data)


@pytest.mark.parametrize("file", ["\x00", "con\x00.csv", "", ".", "..", "x" * 300, "\n"])
def test_a_mapping_with_a_name_that_is_none_says_so(crm: Any, tmp_path: Path, file: str) -> None:
    with pytest.raises(ExchangeError):
        run_import(crm, mapping(file), tmp_path)


def test_a_mapping_reads_files_below_its_folder_and_beside_itself(crm: Any, tmp_path: Path) -> None:
    (tmp_path / "data" / "sub").mkdir(parents=True)
    (tmp_path / "data" / "sub" / "a.csv").write_text("id,name\n1,Acme\n", encoding="utf-8")
    assert run_import(crm, mapping("sub/a.csv"), tmp_path / "data").created == 1


@pytest.mark.parametrize("name", ["../../../etc/cron.d/x", "C:\\x", "con", "a/b", "..", "\x00", "", "。.名", "x" * 200,
                                  "javascript:alert(1)", "-rf", "a\nb"])  # fmt: skip
def test_files_named_after_accounts_stay_in_their_folder(tmp_path: Path, name: str, monkeypatch: Any) -> None:
    import contextlib
    import types

    from crm_core.translation import Translator

    written: list[Path] = []
    monkeypatch.setattr("crm_core.cli.handover_reports._write", lambda _a, _b, file, *_: written.append(file))
    progress = types.SimpleNamespace(add_task=lambda *_, **__: 0, advance=lambda _: None)
    output = types.SimpleNamespace(progress=lambda: contextlib.nullcontext(progress), note=lambda *_, **__: None)
    application: Any = types.SimpleNamespace(translator=Translator(), output=output)
    briefing: Any = types.SimpleNamespace(account_id=7, name=name, promises=(), open=())
    _write_all(application, [briefing], tmp_path / "out", {}, {}, types.SimpleNamespace(id=1))  # type: ignore[arg-type]
    [file] = written
    assert file.parent == tmp_path / "out"
    assert file.name.startswith("7-") and file.name.endswith(".html") and len(file.name) < 80
    assert not set(file.name) & set('/\\:*?"<>|\x00\n')


# -- archives --------------------------------------------------------------------------------------------------


def backup(file: Path, members: dict[str, bytes], *, sums: bytes | None = None) -> Path:
    listed = "".join(f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in members.items())
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
        archive.writestr("SHA256SUMS", listed.encode() if sums is None else sums)
    return file


def manifest(**changed: Any) -> bytes:
    return json.dumps(
        {
            "format": 1, "name": "x", "made_at": "2026-01-01T00:00:00+00:00", "crm_core": "0", "contract": "1",
            "database": {"dialect": "sqlite", "version": "3", "place": "x"}, "plugins": {}, "disabled": [],
            "revisions": {}, "tables": {},
        } | changed
    ).encode()  # fmt: skip


@pytest.mark.parametrize(
    ("members", "sums"),
    [
        ({"manifest.json": b" " * (archives._MOST + 1)}, None),
        ({"manifest.json": manifest()}, b"0" * (archives._MOST + 1)),
        ({"manifest.json": manifest(), "../evil": b"x"}, None),
        ({"manifest.json": manifest(tables={"a": {"rows": "1; DROP", "sha256": "0" * 64, "columns": []}})}, None),
        ({"manifest.json": manifest(tables={"a": {"rows": 1, "sha256": "'; DROP", "columns": []}})}, None),
        ({"manifest.json": manifest(database={"dialect": "../../x"})}, None),
        ({"manifest.json": b"[" * 100_000}, None),
        ({"manifest.json": b"[]"}, None),
        ({"manifest.json": manifest(plugins=[1])}, None),
    ],
)
def test_a_hostile_backup_is_refused(tmp_path: Path, members: dict[str, bytes], sums: bytes | None) -> None:
    file = backup(tmp_path / "a.zip", members, sums=sums)
    with pytest.raises(StoreError):
        check_backup(file)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["a.zip"]
    assert not (tmp_path.parent / "evil").exists()


def workbook(file: Path, **parts: bytes) -> Path:
    """A spreadsheet with some of its parts exchanged, by the last part of their names."""
    book = openpyxl.Workbook()
    book.active.append(["id", "name"])
    book.active.append([1, "Acme"])
    whole = file.with_name("whole.xlsx")
    book.save(whole)
    with zipfile.ZipFile(whole) as source, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as target:
        for name in source.namelist():
            key = Path(name).stem.replace("[", "").replace("]", "")
            target.writestr(name, parts.get(key, source.read(name)))
    return file


@pytest.mark.parametrize("content", [LAUGHS, OUTSIDE, PARAMETER])
@pytest.mark.parametrize("part", ["sheet1", "workbook"])
def test_entities_in_the_parts_of_a_spreadsheet_are_refused(tmp_path: Path, part: str, content: str) -> None:
    file = workbook(tmp_path / "a.xlsx", **{part: content.encode()})
    with pytest.raises(ExchangeError), open_source(file).rows() as rows:
        list(rows)


def test_bombs_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ExchangeError, match="unpacks from"):
        check_archive(workbook(tmp_path / "a.xlsx", sheet1=b"<r>" + b" " * (64 << 20) + b"</r>"))
    with pytest.raises(ExchangeError, match="unpacks from"):
        check_archive(workbook(tmp_path / "b.xlsx", theme1=b"0" * (64 << 20)))


@pytest.mark.parametrize("content", [LAUGHS, OUTSIDE, PARAMETER])
def test_entities_in_a_column_are_refused(content: str) -> None:
    with pytest.raises(Refusal, match="document type or entities"):
        xml(content, path="v")


# -- depth -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["a = " + "[" * 20_000, "a = " + "{b = " * 20_000, "[" + "a." * 20_000 + "a]\n",
                                  "a = '" + "x" * 200_000, "[[" * 10_000, "a" * 100_000])  # fmt: skip
def test_deep_and_long_files_are_refused_and_do_not_end_the_process(tmp_path: Path, text: str) -> None:
    file = tmp_path / "crm.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(BuildError):
        assemble(file)
    with pytest.raises(ExchangeError):
        read_mapping(file)


def test_deep_json_is_a_row_that_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text('{"a": ' + "[" * 50_000 + "\n" + '{"a": 1}\n', encoding="utf-8")
    with open_source(file).rows() as rows:
        found = list(rows)
    assert [problem is None for _, _, problem in found] == [False, True]


def test_a_deep_or_long_filter_is_refused(crm: Any) -> None:
    with crm.system_session("test", read_only=True) as session:
        for where in ("(" * 50_000, "not " * 50_000 + "active", "name == 'a' and " * 20_000 + "active", "a." * 50_000,
                      "name == '" + "x" * 2_000_000, "-" * 50_000 + "1 == 1"):  # fmt: skip
            with pytest.raises(CrmError):
                session.list(crm.types["account"].cls, where)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("line", ["N" + ";" * 5_000, "N" + ';"' * 5_000, "N;" + "a=b;" * 5_000, "a." * 5_000])
def test_an_endless_line_of_a_card_is_refused_at_once(crm: Any, tmp_path: Path, line: str) -> None:
    file = tmp_path / "a.vcf"
    file.write_text(f"BEGIN:VCARD\nVERSION:4.0\nFN:Acme\n{line}\nEND:VCARD\n", encoding="utf-8")
    report = import_cards(crm, file, dry_run=True)
    assert report is not None
