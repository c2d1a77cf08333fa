"""CSV and JSON lines: every row is counted, every value comes out again, and a draft of a mapping can be read."""

from __future__ import annotations

import csv
import io
import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

from crm_core import Account
from crm_core.errors import CrmError
from crm_core.exchange import ImportReport, mapping_of_exports, read_mapping, run_export, run_import
from crm_core.exchange.drafting import as_toml, draft
from crm_core.exchange.guard import unguarded
from crm_core.exchange.sources import open_source
from crm_core.exchange.templates import column_template
from torture.fuzz.scene import CASE, Scene, SceneTarget, as_case, sometimes
from torture.fuzz.target import Loss, Refused
from torture.fuzz.targets.entries import count_rejects
from torture.fuzz.texts import encoded, text

__all__ = ["Tables", "accounted_for", "go_round"]

_COLUMNS = (
    "id", "name", "grade", "industry", "website", "phone", "employees", "revenue", "note", "city", "tags", "since", "x",
)  # fmt: skip
_VALUES = (
    "", "1", "2", "3", "NULL", "A", "Acme Bearings", "machinery", "http://acme.example", "+86 138 0000 1234", "1,234",
    "12.50", "-7", "1e3", "EUR 5", "2026-11-23", "23.11.2026", "yes", "=1+1", "'=x", "上海", "a;b", "9" * 25, "0x1F",
    "１２", "nan",
)  # fmt: skip
_FIELDS = ("name", "note", "slogan")
_PIECES = (
    *_COLUMNS, *_VALUES, '"', '""', ",", ";", "\t", "|", "\r\n", "\n", "\r", '",', ',"', '"\n"', '{"id":1}', "[]",
)  # fmt: skip


class Tables(SceneTarget):
    """CSV and JSON lines."""

    name = "csv"
    words = tuple(each.encode() for each in _PIECES)

    def seeds(self) -> list[bytes]:
        """Small tables."""
        return [
            b"id,name,grade,employees\r\n1,Acme,A,5\r\n2,\"Beta, Ltd\",B,\r\n",
            "编号;名称;城市\n1;上海轴承有限公司;上海\n2;北京机床厂;北京\n".encode("gb18030"),
            "id\tname\n1\t\"a\nb\"\n2\tMüller\n".encode("utf-16"),
            b"\xef\xbb\xbfid|name\r1|Acme\r2|Beta\r",
            b'{"id": 1, "name": "Acme", "employees": 5}\n{"id": "2", "name": null, "tags": ["a"]}\n',
        ]  # fmt: skip

    def make(self, chance: random.Random) -> bytes:
        """A table whose values are known, or one as a careless program might write it."""
        if chance.random() < 0.35:
            return self._case(chance)
        if chance.random() < 0.15:
            return self._json_lines(chance)
        header = chance.sample(_COLUMNS, chance.randint(1, 6))
        if chance.random() < 0.1:
            header.append(chance.choice([*header, text(chance, 2)]))
        delimiter = chance.choice(",,,;;\t|")
        lines = [delimiter.join(header)]
        for _ in range(chance.choice((0, 1, 2, 5, 20))):
            lines.append(delimiter.join(self._cell(chance, delimiter) for _ in header))
        return encoded(chance, "\n".join(lines) + chance.choice(("\n", "", "\n\n\n")))

    def _cell(self, chance: random.Random, delimiter: str) -> str:
        cell = chance.choice(_VALUES) if chance.random() < 0.7 else text(chance, 3)
        if chance.random() < 0.9 and any(each in cell for each in (delimiter, '"', "\n", "\r")):
            doubled = cell.replace('"', '""')
            cell = f'"{doubled}"'
        return cell

    def _json_lines(self, chance: random.Random) -> bytes:
        lines = []
        for number in range(chance.randint(1, 6)):
            row: dict[str, Any] = {"id": chance.choice((number, str(number), None, 1.5, True, 10**30))}
            for name in chance.sample(_COLUMNS, chance.randint(0, 5)):
                row[name] = chance.choice(
                    (text(chance, 2), None, 5, -0.0, 1e308, [], ["a"], {"b": {}}, False, "", "9" * 9)
                )
            lines.append(json.dumps(row, ensure_ascii=chance.random() < 0.5))
        lines.insert(
            chance.randrange(len(lines) + 1), chance.choice(("", "[1]", "{", '{"id": NaN}', "[" * 3000, '"x"', "  "))
        )
        return "\n".join(lines).encode()

    def _case(self, chance: random.Random) -> bytes:
        """Rows, and how they are written; the values must come out as they are."""
        encoding = chance.choice(("utf-8", "utf-8-sig", "gb18030", "utf-16", "utf-16-le", "utf-32"))
        end = chance.choice(("\n", "\r\n", "\r"))
        rows = [[str(number), *(text(chance, 3) for _ in _FIELDS)] for number in range(chance.choice((1, 2, 4)))]
        return as_case({
            # What has no mark at its beginning can only be guessed at, and a few words are too little for that.
            "encoding": encoding, "told": encoding in ("utf-16-le", "gb18030") or chance.random() < 0.5, "rows": rows,
            "delimiter": chance.choice(",;\t|"), "end": end, "all": chance.random() < 0.5,
            "json": chance.random() < 0.15,
        })  # fmt: skip

    def attempt(self, data: bytes) -> str:
        """Read it as it is; a case is compared with what it says."""
        self.scene.put_back()
        if data.startswith(CASE):
            return self._compared(data.removeprefix(CASE))
        lines = data.lstrip()[:1] in (b"{", b"[")
        path = self.scene.file("in.jsonl" if lines else "in.csv", data)
        answer = "" if not sometimes(data, 4) else self._drafted(path)
        source = open_source(path)
        columns = list(dict.fromkeys(source.header or ("id", "name")))
        mapping = {
            "source": {"system": "old"},
            "section": [{"record": "account",
                                     "file": path.name, "key": {"template": column_template(columns[0] or "x")},
                         "duplicates": ("reject", "first", "last")[len(data) % 3],
                         "fields": dict(zip(_FIELDS, [*columns[1:], *columns], strict=False))}],
        }  # fmt: skip
        report = run_import(self.scene.crm, mapping, self.scene.folder, rejects_path=self.scene.folder / "rejects.csv")
        accounted_for(report)
        if (known := _rows(data, source.delimiter, lines)) is not None and known != report.read:
            raise Loss("rows of the file were not read", f"{known} in the file, {report.read} read")
        if report.created and sometimes(data, 3):
            go_round(self.scene, ("csv", "jsonl")[len(data) % 2])
        return f"{source.encoding} {source.delimiter!r} {answer} {_mark(report)}"

    def _drafted(self, path: Path) -> str:
        """A draft is a mapping, which is read; the rows that it leaves out are told."""
        crm, scene = self.scene.crm, self.scene
        if sometimes(path.read_bytes(), 40):
            scene.command("import", "draft", str(path))
        try:
            found = draft(crm.build, path)
        except CrmError as error:
            return error.problem
        written = scene.file("draft.toml", as_toml(found, "crm import draft").encode())
        try:
            mapping = read_mapping(written)
            report = run_import(crm, mapping, scene.folder, dry_run=True, rejects_path=scene.folder / "rejects.csv")
        except CrmError as error:
            raise Loss("a draft is no mapping that can be used", error.text()) from None
        accounted_for(report)
        return "drafted"

    def _compared(self, case: bytes) -> str:
        try:
            given = json.loads(case)
            rows = [[str(cell) for cell in row] for row in given["rows"]]
            content, encoding = _written(given, rows), str(given["encoding"])
            data = content.encode(encoding)
        except (ValueError, KeyError, TypeError, LookupError, RecursionError, csv.Error):
            raise Refused("this is no case") from None
        path = self.scene.file("in.jsonl" if given.get("json") else "in.csv", data)
        section: dict[str, Any] = {
            "record": "account", "file": path.name, "key": "id", "fields": {name: name for name in _FIELDS},
            "delimiter": given.get("delimiter", ","),
        }  # fmt: skip
        if given.get("told"):
            section["encoding"] = encoding
        mapping = {"source": {"system": "old", "null_values": []}, "section": [section]}
        report = run_import(self.scene.crm, mapping, self.scene.folder, rejects_path=self.scene.folder / "rejects.csv")
        accounted_for(report)
        if report.read != len(rows):
            raise Loss("rows of a table were not read", f"{report.read} of {len(rows)}")
        rejected = {each.line for each in report.first_rejects}
        self._compare(rows, len(rejected))
        return f"case {encoding} {_mark(report)}"

    def _compare(self, rows: list[list[str]], rejected: int) -> None:
        with self.scene.crm.system_session("fuzz", read_only=True) as session:
            there = [
                tuple(str(each) for each in (one.name, one.note or "", (one.custom or {}).get("slogan") or ""))
                for one in session.list(Account)
            ]
        missing = [row for row in rows if not any(_alike(row[1:], one) for one in there)]
        if len(missing) > rejected:
            raise Loss("values of a table came out otherwise", f"{missing} became {there[1:]}")


def _alike(row: list[str], there: tuple[str, ...]) -> bool:
    """Whether a row became this; what guards a cell against spreadsheets is taken off once."""
    return all(_plain(other) in (_plain(one), _plain(unguarded(one))) for one, other in zip(row, there, strict=True))


def _plain(value: str) -> str:
    """Space at the ends is no part of a value, and line ends are all alike."""
    return value.replace("\r\n", "\n").replace("\r", "\n").strip()


def _written(given: dict[str, Any], rows: list[list[str]]) -> str:
    header = ["id", *_FIELDS]
    if given.get("json"):
        return "".join(json.dumps(dict(zip(header, row, strict=True)), ensure_ascii=False) + "\n" for row in rows)
    out = io.StringIO(newline="")
    # Python does not quote a line end that is not its own.
    broken = any("\n" in cell or "\r" in cell for row in rows for cell in row)
    every = given.get("all") or broken
    writer = csv.writer(
        out, delimiter=given["delimiter"], lineterminator=given["end"],
        quoting=csv.QUOTE_ALL if every else csv.QUOTE_MINIMAL,
    )  # fmt: skip
    writer.writerow(header)
    writer.writerows(rows)
    return out.getvalue()


def _rows(data: bytes, delimiter: str, lines: bool) -> int | None:
    """How many rows there are, where everybody would say the same: without quotes, one on a line."""
    try:
        content = data.decode("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    except UnicodeDecodeError:
        return None
    if lines:
        return sum(1 for each in content.replace("\r\n", "\n").split("\n") if each.strip())
    if '"' in content or "\x00" in content:
        return None
    found = content.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return max(sum(1 for each in found if each) - 1, 0) if found[0] else None


def _mark(report: ImportReport) -> str:
    why = sorted(
        {"".join(char for char in each.reason if char.isalpha() or char == " ")[:50] for each in report.first_rejects}
    )
    return f"{report.created > 0} {report.skipped > 0} {why[:2]}"


def accounted_for(report: ImportReport) -> None:
    """Every row that was read became something, and the rejected ones are in their file."""
    parts = (report.created, report.updated, report.unchanged, report.skipped, report.rejected)
    if report.read != sum(parts) + report.proposed and not (
        report.proposed and report.read <= sum(parts) + report.proposed
    ):
        raise Loss("rows that were read became nothing", f"{report.read} read, {parts}")
    if not report.dry_run and count_rejects(report.rejects) != report.rejected:
        raise Loss("rejected rows are not in the file of rejects", f"{report.rejected} rejected")


def go_round(scene: Scene, suffix: str) -> None:
    """All accounts are exported, read elsewhere, and exported again: the two files are the same but for ids."""
    crm = scene.crm
    fields = tuple(field.name for field in Account.crm_type.fields if field.target is None)
    custom = tuple(crm.build.policy.custom["account"])
    path, kept, again = (scene.folder / f"{name}.{suffix}" for name in ("out", "kept", "again"))
    with crm.system_session("fuzz", read_only=True) as session:
        count = run_export(session, "account", None, path, fields=(*fields, *custom), order="id")
    scene.put_back()
    with crm.system_session("fuzz", read_only=True) as session:
        run_export(session, "account", None, kept, fields=(*fields, *custom))
    mapping = mapping_of_exports(
        crm.types, {"account": path.name}, custom=crm.build.policy.custom, fields={"account": (*fields, *custom)}
    )
    report = run_import(crm, mapping, scene.folder)
    if (
        suffix != "jsonl"
        and report.rejected
        and all("A value is needed" in each.reason for each in report.first_rejects)
    ):
        # An empty text is an absent one there.
        return
    if report.rejected or report.read != count:
        reasons = "; ".join(each.reason for each in report.first_rejects)
        raise Loss(f"an export to .{suffix} cannot be read", f"{report.read} of {count}: {reasons}")
    with crm.system_session("fuzz", read_only=True) as session:
        run_export(session, "account", None, again, fields=(*fields, *custom))
    # Whoever was there before is there twice by now.
    before = Counter(map(repr, _records(path)))
    after = Counter(map(repr, _records(again))) - Counter(map(repr, _records(kept)))
    if before != after:
        differ = f"{[*(before - after)][:2]} became {[*(after - before)][:2]}"
        raise Loss(f"an export to .{suffix} that is read again is another one", differ)


def _records(path: Path) -> list[Any]:
    if path.suffix == ".jsonl":
        found = [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]
        return [{name: value for name, value in each.items() if name != "id"} for each in found]
    source = open_source(path)
    with source.rows() as rows:
        return [cells[1:] if problem is None else problem for _, cells, problem in rows]
