"""Spreadsheets: every row is counted, and what is exported is read again as it was."""

from __future__ import annotations

import io
import random
import zipfile
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape  # it writes  # nosec B406

import attrs

from crm_core.errors import CrmError
from crm_core.exchange import run_import
from crm_core.exchange.drafting import draft
from crm_core.exchange.sources import open_source
from crm_core.exchange.templates import column_template
from torture.fuzz.scene import SceneTarget, sometimes
from torture.fuzz.target import Loss
from torture.fuzz.targets.tables import accounted_for, go_round
from torture.fuzz.texts import text

__all__ = ["Sheets"]

PARTS = b"\x01parts"
_PART = b"\n--- "
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_FIELDS = ("name", "note", "slogan", "grade", "score", "since", "seen", "keen", "employees", "phone")
_NUMBERS = (
    "1", "0", "-1", "1.5", "44000", "44000.75", "0.5", "60", "-0.1", "1E+20", "1e400", "9999999", "2958466",
    "123456789012345678", "NaN",
    "", "x", "1,5", " 1 ", "0.1", "1.2000000000000002", "0x1F", "１",
)  # fmt: skip
_FORMS = ("", ' s="1"', ' t="n"')
_ODD = (
    '<c r="ZZZ9"/>', '<c r="A0"/>', '<c r="1A"/>', '<c r="XFD1048576"><v>1</v></c>', '<c t="s"><v>99</v></c>',
    '<c t="s"><v>-1</v></c>',
    '<c t="b"><v>1</v></c>', '<c t="e"><v>#N/A</v></c>', '<c t="d"><v>2026-11-23</v></c>',
    '<c t="str"><f>A1</f><v>x</v></c>',
    "<c><f>1+1</f></c>", '<c s="1"><v>44000</v></c>', '<c s="99"><v>44000</v></c>', '<c t="n"><v>x</v></c>',
    '<row r="7"/>', '<row r="0"/>',
    '<mergeCell ref="A2:A4"/>', '<mergeCell ref="B1:A9"/>', '<mergeCell ref="A"/>', "&#x0;", "_x0000_", "_x000D_",
    "<t xml:space='preserve'> x </t>",
)  # fmt: skip


class Sheets(SceneTarget):
    """Excel files, OpenDocument now and then, and old Excel files when chance makes one of it."""

    name = "spreadsheets"
    words = tuple(
        each.encode() for each in (*_ODD, *_NUMBERS[:8], "</row>", "</c>", "<v>", "</sheetData>", 't="s"', "r=")
    )

    def seeds(self) -> list[bytes]:
        """A workbook, once by its parts and once as the file that it is, and a table of OpenDocument."""
        rows: list[list[Any]] = [["id", "name", "score"], ["1", "Acme", 1.5], ["2", "上海", ""]]
        workbook = _workbook(_rows(rows))
        table = {
            "mimetype": b"application/vnd.oasis.opendocument.spreadsheet", "content.xml": _OPEN.encode(),
            "META-INF/manifest.xml": b'<m:manifest xmlns:m="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"/>',
        }  # fmt: skip
        return [_joined(workbook), _packed(workbook), _joined(table)]

    def make(self, chance: random.Random) -> bytes:
        """A sheet with cells of every type, some of them wrong."""
        header = ["id", *chance.sample(_FIELDS, chance.randint(1, 5))]
        rows: list[list[Any]] = [header]
        for number in range(chance.choice((0, 1, 3, 8))):
            rows.append([number + 1, *(self._cell(chance) for _ in header[1:])])
        parts = _workbook(_rows(rows, chance))
        return _packed(parts) if chance.random() < 0.1 else _joined(parts)

    def _cell(self, chance: random.Random) -> Any:
        match chance.randrange(5):
            case 0:
                return _Xml(chance.choice(_ODD))
            case 1:
                return _Xml(f"<c{chance.choice(_FORMS)}><v>{chance.choice(_NUMBERS)}</v></c>")
            case 2:
                return chance.choice((1, 2.5, -3, 10**15, ""))
        return text(chance, 3)

    def attempt(self, data: bytes) -> str:
        """Import it as accounts; export these as a spreadsheet, and read that elsewhere."""
        scene = self.scene
        scene.put_back()
        path = self._file(data)
        source = open_source(path)
        columns = list(dict.fromkeys(source.header or ()))
        key = next((each for each in columns if each.strip()), "id")
        fields = {name: name for name in _FIELDS if name in columns}
        fields.setdefault("name", columns[min(1, len(columns) - 1)])
        mapping = {
            "source": {"system": "old"},
            "section": [
                {"record": "account", "file": path.name, "key": {"template": column_template(key)}, "fields": fields}
            ],
        }
        report = run_import(scene.crm, mapping, scene.folder, rejects_path=scene.folder / "rejects.csv")
        accounted_for(report)
        if report.read != sum(1 for _ in source.rows()):
            raise Loss("rows of a sheet were not read")
        if sometimes(data, 5):
            self._drafted(path)
        if report.rejected and sometimes(data, 3):
            self._rejected_rows_come_back(mapping, report.rejected)
        if report.created and sometimes(data[::-1], 3):
            go_round(scene, "xlsx")
        why = sorted({"".join(char for char in each.reason if char.isalpha())[:40] for each in report.first_rejects})
        return f"{path.suffix} {report.created > 0} {report.rejected > 0} {why[:3]}"

    def _file(self, data: bytes) -> Path:
        if data.startswith(PARTS):
            parts = _cut(data)
            suffix = "ods" if "content.xml" in parts else "xlsx"
            return self.scene.file(f"in.{suffix}", _packed(parts))
        return self.scene.file("in.xls" if data.startswith(b"\xd0\xcf") else "in.xlsx", data)

    def _drafted(self, path: Path) -> None:
        try:
            draft(self.scene.crm.build, path)
        except CrmError as error:
            error.text()

    def _rejected_rows_come_back(self, mapping: dict[str, Any], rejected: int) -> None:
        """The spreadsheet of rejected rows is one that can be mended: it has the rows, and can be read."""
        scene = self.scene
        scene.put_back()
        rejects = scene.folder / "rejects.xlsx"
        report = run_import(scene.crm, mapping, scene.folder, rejects_path=rejects)
        if report.rejected != rejected:
            raise Loss("another kind of file of rejects makes other rejects", f"{report.rejected} and {rejected}")
        if (there := sum(1 for _ in open_source(rejects).rows())) != rejected:
            raise Loss("rejected rows are not in the spreadsheet of rejects", f"{there} of {rejected}")


@attrs.frozen
class _Xml:
    """A cell as it stands in the file."""

    source: str


def _rows(rows: list[list[Any]], chance: random.Random | None = None) -> str:
    lines = []
    for number, row in enumerate(rows, 1):
        cells = []
        for column, cell in enumerate(row):
            where = f' r="{chr(65 + column)}{number}"' if chance is None or chance.random() < 0.8 else ""
            if isinstance(cell, _Xml):
                cells.append(cell.source if "r=" in cell.source else cell.source.replace("<c", f"<c{where}", 1))
            elif isinstance(cell, str):
                clean = "".join(char for char in cell if char >= " " or char in "\t\n")
                cells.append(f'<c{where} t="inlineStr"><is><t xml:space="preserve">{escape(clean)}</t></is></c>')
            else:
                cells.append(f"<c{where}><v>{cell}</v></c>")
        lines.append(f'<row r="{number}">{"".join(cells)}</row>')
    merged = ""
    if chance is not None and chance.random() < 0.2:
        merged = f'<mergeCells count="1">{chance.choice(_ODD[16:19])}</mergeCells>'
    return f'<worksheet xmlns="{_MAIN}"><sheetData>{"".join(lines)}</sheetData>{merged}</worksheet>'


def _workbook(sheet: str) -> dict[str, bytes]:
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{_PACKAGE}/content-types"><Default Extension="rels" '
        'ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" '
        'ContentType="application/xml"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{_PACKAGE}/relationships"><Relationship Id="r1" '
        f'Type="{_OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}"><sheets>'
        '<sheet name="One" sheetId="1" r:id="r1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{_PACKAGE}/relationships"><Relationship Id="r1" '
        f'Type="{_OFFICE}/worksheet" Target="worksheets/sheet1.xml"/><Relationship Id="r2" Type="{_OFFICE}/styles" '
        'Target="styles.xml"/></Relationships>',
        "xl/styles.xml": f'<styleSheet xmlns="{_MAIN}"><cellXfs count="2"><xf numFmtId="0"/>'
        '<xf numFmtId="22"/></cellXfs></styleSheet>',
        "xl/worksheets/sheet1.xml": sheet,
    }  # fmt: skip
    return {name: content.encode() for name, content in parts.items()}


_OPEN = (
    '<?xml version="1.0"?><office:document-content xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" '
    'xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0" '
    'xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0">'
    '<office:body><office:spreadsheet><table:table table:name="One"><table:table-row><table:table-cell '
    'office:value-type="string"><text:p>id</text:p></table:table-cell><table:table-cell office:value-type="string">'
    '<text:p>name</text:p></table:table-cell></table:table-row><table:table-row table:number-rows-repeated="2">'
    '<table:table-cell office:value-type="float" office:value="1"/><table:table-cell office:value-type="string">'
    "<text:p>Acme</text:p></table:table-cell></table:table-row></table:table></office:spreadsheet></office:body>"
    "</office:document-content>"
)


def _joined(parts: dict[str, bytes]) -> bytes:
    """An archive as an input whose parts can be mutated: what is packed would only be broken."""
    return PARTS + b"".join(_PART + name.encode() + b"\n" + content for name, content in parts.items())


def _cut(data: bytes) -> dict[str, bytes]:
    found = (each.partition(b"\n") for each in data.split(_PART)[1:])
    return {name.decode("utf-8", "replace")[:100] or "x": content for name, _, content in found}


def _packed(parts: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(zipfile.ZipInfo(name.replace("\x00", "0")), content)
    return out.getvalue()
