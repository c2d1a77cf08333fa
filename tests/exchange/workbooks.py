"""Spreadsheets that tests need and openpyxl does not write: old Excel files and OpenDocument, from their bytes up."""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import openpyxl

__all__ = ["write_ods", "write_xls", "write_xlsx"]


def write_xlsx(path: Path, *rows: Sequence[Any], title: str = "Sheet", merged: Sequence[str] = ()) -> Path:
    """One sheet."""
    book = openpyxl.Workbook()
    book.active.title = title
    for row in rows:
        book.active.append(row)
    for place in merged:
        book.active.merge_cells(place)
    book.save(path)
    return path


def write_ods(path: Path, *rows: Sequence[str | int], repeated: int = 0) -> Path:
    """One sheet of texts and numbers; ``repeated`` repeats the last row, as a cell far away does."""
    table = []
    for number, row in enumerate(rows):
        again = f' table:number-rows-repeated="{repeated}"' if repeated and number == len(rows) - 1 else ""
        cells = "".join(
            f'<table:table-cell office:value-type="string"><text:p>{escape(cell)}</text:p></table:table-cell>'
            if isinstance(cell, str)
            else f'<table:table-cell office:value-type="float" office:value="{cell}"/>'
            for cell in row
        )
        table.append(f"<table:table-row{again}>{cells}</table:table-row>")
    content = (
        '<?xml version="1.0" encoding="UTF-8"?><office:document-content'
        ' xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0"'
        ' xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0"'
        ' xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0" office:version="1.2"><office:body>'
        f'<office:spreadsheet><table:table table:name="One">{"".join(table)}</table:table></office:spreadsheet>'
        "</office:body></office:document-content>"
    )
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr("content.xml", content)
        archive.writestr(
            "META-INF/manifest.xml",
            '<manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"/>',
        )
    return path


def write_xls(path: Path, *rows: Sequence[str | float]) -> Path:
    """One sheet of texts and numbers, in the format of Excel 97 (BIFF 8 inside of OLE 2)."""

    def record(kind: int, data: bytes) -> bytes:
        return struct.pack("<HH", kind, len(data)) + data

    def text(value: str) -> bytes:
        return struct.pack("<HB", len(value), 1) + value.encode("utf-16-le")

    def begin(kind: int) -> bytes:
        return record(0x0809, struct.pack("<HHHHII", 0x0600, kind, 0x0DBB, 0x07CC, 0, 0x0306))

    cells = b"".join(
        record(0x0204, struct.pack("<HHH", row, column, 0) + text(value))
        if isinstance(value, str)
        else record(0x0203, struct.pack("<HHHd", row, column, 0, value))
        for row, values in enumerate(rows)
        for column, value in enumerate(values)
    )
    sheet = begin(0x0010) + cells + record(0x000A, b"")
    name = b"\x03\x00One"
    head = begin(0x0005) + record(0x0042, struct.pack("<H", 1200))
    place = len(head) + 4 + 6 + len(name) + 4
    stream = head + record(0x0085, struct.pack("<IH", place, 0) + name) + record(0x000A, b"") + sheet
    stream = stream.ljust(max(4096, -(-len(stream) // 512) * 512), b"\0")
    sectors = len(stream) // 512
    chain = [*range(1, sectors), 0xFFFFFFFE, 0xFFFFFFFE, 0xFFFFFFFD]
    table = b"".join(struct.pack("<I", each) for each in chain).ljust(512, b"\xff")

    def entry(name: str, kind: int, first: int, size: int, child: int) -> bytes:
        label = name.encode("utf-16-le") + b"\0\0"
        return (
            label.ljust(64, b"\0") + struct.pack("<HBBIII", len(label), kind, 1, 0xFFFFFFFF, 0xFFFFFFFF, child)
            + bytes(36) + struct.pack("<IQ", first, size)
        )  # fmt: skip

    directory = entry("Root Entry", 5, 0xFFFFFFFE, 0, 1) + entry("Workbook", 2, 0, len(stream), 0xFFFFFFFF)
    directory = directory.ljust(512, b"\0")
    header = (
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(16)
        + struct.pack("<HHHHH", 0x3E, 3, 0xFFFE, 9, 6) + bytes(6)
        + struct.pack("<IIIIIIIII", 0, 1, sectors, 0, 4096, 0xFFFFFFFE, 0, 0xFFFFFFFE, 0)
        + struct.pack("<I", sectors + 1)
    ).ljust(512, b"\xff")  # fmt: skip
    path.write_bytes(header + stream + directory + table)
    return path
