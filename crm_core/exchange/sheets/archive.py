"""A look into the archive that a spreadsheet is, before a reader may unpack it.

A few kilobytes can unpack to many gigabytes, and two cells at opposite corners make a sheet of seventeen thousand
million cells. Here everything is read as a stream; the reader gets only what is known to fit into memory. On the way
cells are found that the reader would show as empty: errors, and formulas that no program has worked out yet.
"""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, TypeVar
from xml.parsers import expat

import attrs

from crm_core.errors import ExchangeError

__all__ = ["Oddities", "check_archive", "inspected"]

T = TypeVar("T")

MOST_BYTES = 1 << 30
MOST_CELLS = 20_000_000
MOST_RATIO = 300
_SMALL = 10 << 20
_MOST_PARTS = 10_000
_BLOCK = 1 << 20
_REFERENCE = re.compile(r"([A-Za-z]*)([0-9]{1,10})")


@attrs.frozen
class Oddities:
    """Rows with a cell that the reader would show as empty although it is not, each with its first such cell."""

    errors: dict[int, str] = attrs.field(factory=dict)
    formulas: dict[int, str] = attrs.field(factory=dict)


def check_archive(path: Path) -> None:
    """Refuse what must not be unpacked; raises :class:`ExchangeError`.

    That is what unpacks to more than a gigabyte, or three hundredfold, or to something else than it declares; of
    OpenDocument also a table of more than twenty million cells.
    """

    def check(archive: zipfile.ZipFile) -> None:
        _check_sizes(path, archive)
        for info in archive.infolist():
            if info.filename.endswith((".xml", ".rels", ".rdf")):
                # To its end, where lengths and checksums are compared.
                with archive.open(info) as file:
                    while file.read(_BLOCK):
                        pass
        if path.suffix.lower() == ".ods":
            # Its reader unpacks every table as soon as it opens the file.
            _check_tables(path, archive)

    _opened(path, check)


def inspected(path: Path, sheet: int) -> Oddities:
    """What is odd in the sheet of an Excel file with this number (from 0), before the reader loads it.

    Raises :class:`ExchangeError` for a sheet of more than twenty million cells.
    """

    def inspect(archive: zipfile.ZipFile) -> Oddities:
        with archive.open(_part_of(archive, sheet)) as file:
            return _scan(path, file)

    return _opened(path, inspect)


def _opened(path: Path, work: Callable[[zipfile.ZipFile], T]) -> T:
    try:
        with zipfile.ZipFile(path) as archive:
            return work(archive)
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError, LookupError) as error:
        raise ExchangeError(
            "{file} is no spreadsheet, whatever its name says: {reason}.",
            mend="Open it in a spreadsheet program and save it as .xlsx; if it is text, let its name end in .csv.",
            file=str(path),
            reason=str(error).rstrip("."),
        ) from None
    except (OSError, expat.ExpatError, ValueError, StopIteration) as error:
        raise ExchangeError(
            "{file} cannot be read: {reason}.", mend="Save it anew from a spreadsheet program.",
            file=str(path), reason=getattr(error, "strerror", None) or str(error),
        ) from None  # fmt: skip


def _check_sizes(path: Path, archive: zipfile.ZipFile) -> None:
    parts = archive.infolist()
    if len({info.filename.lower() for info in parts}) < len(parts):
        # What is looked into here and what the reader loads could be two things.
        raise ValueError("it has several parts of the same name")
    size = sum(info.file_size for info in parts)
    packed = sum(info.compress_size for info in parts)
    if size > MOST_BYTES or len(parts) > _MOST_PARTS or (size > _SMALL and size > MOST_RATIO * max(packed, 1)):
        raise ExchangeError(
            "{file} is refused: it unpacks from {packed} to {size} bytes in {parts} parts.",
            mend="Divide it, or export it as CSV, if it is honest.",
            file=str(path),
            packed=packed,
            size=size,
            parts=len(parts),
        )


def _too_many(path: Path, rows: int, columns: int) -> ExchangeError:
    return ExchangeError(
        "{file} is refused: its sheet has {rows} rows and {columns} columns.",
        mend="Delete the cells that stand far away from the others, or export it as CSV.",
        file=str(path),
        rows=rows,
        columns=columns,
    )


# -- Excel ---------------------------------------------------------------------------------------------------------


def _part_of(archive: zipfile.ZipFile, sheet: int) -> str:
    """The part that holds a sheet, as the workbook says."""
    root = _only(_attributes(archive, "_rels/.rels", "Relationship"), "Type", "/officeDocument")["Target"].lstrip("/")
    folder, _, name = root.rpartition("/")
    sheets = _attributes(archive, root, "sheet")
    targets = {
        each["Id"]: each["Target"]
        for each in _attributes(archive, f"{folder}/_rels/{name}.rels".lstrip("/"), "Relationship")
    }
    target = targets[sheets[sheet]["id"]]
    # As the reader looks for it: what is looked into here must be what is loaded.
    return target.lstrip("/") if target.startswith(("/", f"{folder}/")) else f"{folder}/{target}".lstrip("/")


def _only(found: list[dict[str, str]], name: str, ending: str) -> dict[str, str]:
    those = [each for each in found if each.get(name, "").endswith(ending)]
    if len(those) > 1:
        raise ValueError("it has several workbooks")
    return next(iter(those))


def _attributes(archive: zipfile.ZipFile, part: str, element: str) -> list[dict[str, str]]:
    """The attributes of all elements of one name, all by their local names."""
    found: list[dict[str, str]] = []

    def start(name: str, attributes: dict[str, str]) -> None:
        if _local(name) == element:
            found.append({_local(each): value for each, value in attributes.items()})

    with archive.open(part) as file:
        _parse(file, start)
    return found


@attrs.define
class _Cells:
    """Where the XML of a sheet is, while it goes by."""

    odd: Oddities = attrs.field(factory=Oddities)
    row: int = 0
    column: int = 0
    height: int = 0
    width: int = 0
    kind: str = ""
    formula: bool = False
    value: bool = False


def _scan(path: Path, file: IO[bytes]) -> Oddities:
    """One pass over the XML of a sheet."""
    parser = _parser()
    at = _Cells()

    def start(element: str, attributes: dict[str, str]) -> None:
        name = _local(element)
        if name == "c":
            column, row = _place(attributes)
            at.column = at.column + 1 if column is None else column
            at.row = at.row if row is None else row
            at.kind, at.formula, at.value = attributes.get("t", ""), False, False
            at.height, at.width = max(at.height, at.row), max(at.width, at.column)
            if at.height * at.width > MOST_CELLS:
                raise _too_many(path, at.height, at.width)
        elif name == "row":
            row = _place(attributes)[1]
            at.row, at.column = (at.row + 1 if row is None else row), 0
        elif name == "f":
            at.formula = True
        elif name in ("v", "t"):
            parser.CharacterDataHandler = text

    def text(data: str) -> None:
        at.value = at.value or bool(data.strip())

    def end(element: str) -> None:
        name = _local(element)
        if name in ("v", "t"):
            parser.CharacterDataHandler = None
        elif name == "c":
            if at.kind == "e":
                at.odd.errors.setdefault(at.row, f"{_letters(at.column)}{at.row}")
            elif at.formula and not at.value and at.kind != "str":
                # A text that was worked out may be empty, all else that is has a value.
                at.odd.formulas.setdefault(at.row, f"{_letters(at.column)}{at.row}")

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.ParseFile(file)
    return at.odd


def _place(attributes: dict[str, str]) -> tuple[int | None, int | None]:
    """The column and the row that ``r`` says; ``None`` for what comes after the one before."""
    if (text := attributes.get("r")) is None:
        return None, None
    if (found := _REFERENCE.fullmatch(text)) is None:
        raise ValueError(f"{text!r} is no place of a cell")
    return _column(found[1].upper()), int(found[2])


def _column(letters: str) -> int:
    number = 0
    for letter in letters[:4]:
        number = number * 26 + ord(letter) - 64
    return number


def _letters(column: int) -> str:
    letters = ""
    while column:
        column, rest = divmod(column - 1, 26)
        letters = chr(65 + rest) + letters
    return letters


# -- OpenDocument --------------------------------------------------------------------------------------------------


@attrs.define
class _Table:
    """What is counted while the content of an OpenDocument file goes by."""

    height: int = 0
    row: int = 0
    rows: int = 1
    column: int = 0
    width: int = 0
    filled: bool = False


def _check_tables(path: Path, archive: zipfile.ZipFile) -> None:
    table = _Table()

    def start(element: str, attributes: dict[str, str]) -> None:
        name = _local(element)
        if name == "table":
            table.height = table.row = table.width = 0
        elif name == "table-row":
            table.rows, table.column, table.filled = _repeated(attributes, "number-rows-repeated"), 0, False
        elif name in ("table-cell", "covered-table-cell"):
            table.column += _repeated(attributes, "number-columns-repeated")
            if any(_local(each) == "value-type" for each in attributes):
                table.width, table.filled = max(table.width, table.column), True

    def end(element: str) -> None:
        if _local(element) == "table-row":
            table.row += table.rows
            if table.filled:
                table.height = table.row
            if table.height * table.width > MOST_CELLS:
                raise _too_many(path, table.height, table.width)

    with archive.open("content.xml") as file:
        _parse(file, start, end)


def _repeated(attributes: dict[str, str], name: str) -> int:
    return max(next((int(value) for each, value in attributes.items() if _local(each) == name), 1), 1)


def _parse(file: IO[bytes], start: Any, end: Any = None) -> None:
    parser = _parser()
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.ParseFile(file)


def _parser() -> expat.XMLParserType:
    parser = expat.ParserCreate(namespace_separator=" ")

    def refuse(*_: Any) -> None:
        raise ValueError("its XML has a document type or entities, which are not read")

    parser.StartDoctypeDeclHandler = refuse
    parser.EntityDeclHandler = refuse
    parser.buffer_text = True
    return parser


def _local(name: str) -> str:
    return name.rpartition(" ")[2]
