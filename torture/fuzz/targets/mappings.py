"""Mappings: refused in words, or every row of the table becomes something; the same when they are written anew."""

from __future__ import annotations

import random
import tomllib
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs

from crm_core.exchange import read_mapping, run_import
from crm_core.exchange.transforms import BUILT_IN
from crm_core.testing.conformance.commanding import toml
from crm_core.testing.postgresql import PostgreSQLServer
from torture.fuzz.scene import SceneTarget, sometimes
from torture.fuzz.target import Loss
from torture.fuzz.targets.documents import as_toml, mostly
from torture.fuzz.targets.tables import accounted_for

__all__ = ["Mappings"]

_COLUMNS = ("id", "name", "kind", "date", "number", "city", "xml", "parent", "flag", "mail", "empty")
_ROWS = (
    ("1", "Acme Bearings", "A", "2026-11-23", "1,234.50", "上海", "<a><b>5</b></a>", "", "yes", "a@b.cn", ""),
    ("2", "=cmd", "B", "23.11.2026 10:00", "-7", "Ulm", "<a>", "1", "0", "nobody", ""),
    ("3", "  李 伟 ", "", "9999-12-31", "1e400", "x" * 300, "<!DOCTYPE a><a/>", "3", "否", "A@B.CN", ""),
    ("4", "", "C", "never", "NaN", "a/b", "&", "99", "maybe", "", ""),
    ("1", "Twice", "A", "0001-01-01", "１２", "Ünal", "<a b='c'/>", "2", "true", "x@y", ""),
)  # fmt: skip
_OPTIONS: Mapping[str, tuple[Any, ...]] = {
    "path": ("b", "a/b", "@b", "", "/"),
    "values": ({"A": "x", "B": ""}, {}, {"A": 1}),
    "separator": (",", " ", ""),
    "index": (0, 1, -5, 99),
    "format": ("%d.%m.%Y", "%Y-%m-%d", "%Q", "", "%", "%d" * 99, "\x00"),
    "length": (1, 5, -1, 10**9),
    "scale": (0, 2, -1, 999999),
    "characters": ("x", "", None),
    "text": ("x", ""),
    "old": ("A", ""),
    "new": ("", "x" * 999),
    "currency": ("EUR", "x", None),
    "comma": (True, False, 1),
    "time_zone": ("Asia/Shanghai", "x", "", None),
    "otherwise": ("keep", "reject", 5, None),
    "locale": ("zh", "x", "en"),
}

_SEEDS = (
    """\
[source]
system = "old"
[[section]]
record = "account"
file = "data.csv"
key = "id"
[section.fields]
name = "name"
grade = {column = "kind", default = "C"}
address.city = "city"
revenue = {amount = "number"}
""",
    """\
[source]
system = "old"
null_values = ["", "NaN"]
[[section]]
name = "firms"
record = "account"
file = "data.csv"
key = "{id}"
duplicates = "last"
skip_if = {kind = "B"}
require = {name = true}
[section.fields]
name = {columns = ["name", "city"], transform = [{name = "join", separator = " "}]}
employees = {value = 5}
[[section]]
record = "contact"
file = "data.csv"
key = ["id", "kind"]
[section.fields]
name = {template = "{name} {id}"}
[[section]]
record = "affiliation"
file = "data.csv"
key = "id"
[section.fields]
account_id = {lookup = {record = "account", key = "id"}}
contact_id = {lookup = {record = "contact", key = ["id", "kind"]}}
""",
)
_PIECES = (
    "[source]\n", "[[section]]\n", "[section.fields]\n", 'record = "account"\n', 'file = "data.csv"\n', 'key = "id"\n',
    "transform = [", '"{id}/{name}"', '"{"', "lookup = {", "parts", 'on_update = "date"', "only_if = {",
    "skip_if.kind = ", 'match = "name"', "columns = [", "template = ", "value = ", "default = ", "sheet = 1",
    "header_row = 2", "null_values = []", 'encoding = "utf-16"', 'delimiter = ";"', "[" * 200, "9" * 5000, "{a=" * 80,
    "1e99999999999999999999", *(f'"{name}"' for name in (*_COLUMNS, *sorted(BUILT_IN))),
)  # fmt: skip


class Mappings(SceneTarget):
    """Mappings of a small table to any record."""

    name = "mappings"
    words = tuple(each.encode() for each in _PIECES)
    most = 16 << 10

    def __init__(self, folder: Path, server: PostgreSQLServer | None = None) -> None:
        super().__init__(folder, server)
        lines = [",".join(_COLUMNS)]
        for row in _ROWS:
            doubled = (cell.replace('"', '""') for cell in row)
            lines.append(",".join(f'"{cell}"' for cell in doubled))
        self.scene.file("data.csv", "\r\n".join([*lines, ""]).encode())
        self.scene.file(
            "more.jsonl", b'{"id": 1, "name": "A", "number": 5, "city": {"x": [1]}}\n{"id": "2", "name": null}\n'
        )

    def seeds(self) -> list[bytes]:
        """Short forms, long forms, look-ups."""
        return [each.encode() for each in _SEEDS]

    def make(self, chance: random.Random) -> bytes:
        """Sections for records of the build, fields from columns by transforms."""
        content: dict[str, Any] = {"source": {"system": chance.choice(mostly(("old", "crm"), ("", "x" * 99)))}}
        if chance.random() < 0.05:
            content["source"][chance.choice(("null_values", "time_zone", "encoding", "delimiter", "sheet", "x"))] = (
                chance.choice((["", "0"], "Asia/Shanghai", "utf-8", ",", "|", 1, []))
            )
        content["section"] = [self._section(chance) for _ in range(chance.choice((1, 1, 1, 2, 3)))]
        return as_toml(chance, content).encode("utf-8", "replace")

    def _section(self, chance: random.Random) -> dict[str, Any]:
        name = chance.choice(
            ("account", "account", "contact", "activity", "affiliation", chance.choice(sorted(self.scene.crm.types)))
        )
        record_type = self.scene.crm.types[name]
        section: dict[str, Any] = {
            "record": name,
            "file": chance.choice(mostly(("data.csv", "data.csv", "data.csv", "more.jsonl"), ("../data.csv", "none"))),
            "key": chance.choice(mostly(("id", ["id", "kind"], "{id}-{name}", {"template": "{id}"}), ("{", 5))),
        }
        possible: dict[str, tuple[Any, ...]] = {
            "duplicates": mostly(("reject", "first", "last"), ("x",)),
            "on_create": ("write", "skip", "reject"),
            "on_update": mostly(("write", "skip"), ("date",)),
            "match": mostly(("name",), ("login",)),
            "name": ("x",),
            "only_if": mostly(({"kind": ["A", "B"]}, {"empty": False}), ({"x": 1},)),
            "skip_if": ({"name": ""}, {"kind": True}),
            "require": ({"mail": True},),
            "time_zone": mostly(("UTC",), ("x",)),
            "delimiter": mostly((",",), (";;", ";")),
            "encoding": mostly(
                ("utf-8", "utf-8-sig"), ("gb18030", "utf-16", "x", "base64", "idna", "rot13", "punycode")
            ),
            "null_values": ([], ["1"]),
            "header_row": (1, 99),
        }
        section |= {key: chance.choice(values) for key, values in possible.items() if chance.random() < 0.08}
        fields = [*record_type.fields, *self.scene.crm.build.policy.custom.get(name, {}).values()]
        chosen = [each for each in fields if each.required or chance.random() < 0.25]
        section["fields"] = {each.name: self._field(chance, each) for each in chosen}
        if chance.random() < 0.03:
            section["fields"]["nothing"] = "name"
        return section

    def _field(self, chance: random.Random, field: Any) -> Any:
        if field.target is not None and chance.random() < 0.8:
            lookup = {
                "record": chance.choice(mostly((field.target,), ("account", "x"))),
                "key": chance.choice(("parent", "id", "{id}")),
            }
            if chance.random() < 0.05:
                lookup[chance.choice(("by", "take", "missing", "system"))] = chance.choice(
                    ("name", "id", "empty", "grade")
                )
            return {"lookup": lookup if chance.random() < 0.9 else field.target}
        if field.kind.name == "address" and chance.random() < 0.8:
            return {part: self._part(chance) for part in chance.sample(("street", "city", "country"), 2)}
        if field.kind.name == "money" and chance.random() < 0.8:
            return {part: self._part(chance) for part in ("amount", "currency")[: chance.randint(1, 2)]}
        return self._part(chance)

    def _part(self, chance: random.Random) -> Any:
        column = chance.choice(_COLUMNS)
        if chance.random() < 0.4:
            return column
        part: dict[str, Any] = chance.choice((
            {"column": column}, {"column": column}, {"value": chance.choice(("x", 5, True, Decimal("1.5"), [],
                {"a": 1}))},
            {"template": chance.choice(mostly(("{id} {name}", "{{x}}", "{city}"), ("{", "")))},
                {"columns": [column, column]},
        ))  # fmt: skip
        part = dict(part)
        if chance.random() < 0.7:
            part["transform"] = [self._transform(chance) for _ in range(chance.choice((1, 1, 2, 3)))]
        if chance.random() < 0.2:
            part["default"] = chance.choice(("x", 5, "", False, [1]))
        return part

    def _transform(self, chance: random.Random) -> Any:
        import inspect

        name = chance.choice(sorted(BUILT_IN))
        wanted = [each for each in inspect.signature(BUILT_IN[name]).parameters if each not in ("value", "context")]
        if not wanted and chance.random() < 0.9:
            return name
        given = {
            each: chance.choice(_OPTIONS.get(each, ("x", "1", 1, ""))) for each in wanted if chance.random() < 0.97
        }
        return {"name": name, **{key: value for key, value in given.items() if value is not None}}

    def attempt(self, data: bytes) -> str:
        """Import by it; then by what it says when it is written anew."""
        scene = self.scene
        scene.put_back()
        path = scene.file("mapping.toml", data)
        if sometimes(data, 40):
            scene.command("import", str(path), "--data", str(scene.folder), "--dry-run")
        mapping = read_mapping(path)
        report = run_import(scene.crm, mapping, scene.folder, rejects_path=scene.folder / "rejects.csv")
        accounted_for(report)
        for section in report.sections:
            rows = {"data.csv": len(_ROWS), "more.jsonl": 2}.get(section.file)
            if rows is not None and section.read != rows and not any(each.header_row for each in mapping.sections):
                raise Loss("rows of a table were not read", f"{section.read} of {rows}")
        again = scene.file(
            "again.toml", toml(tomllib.loads(path.read_text(encoding="utf-8-sig"), parse_float=Decimal)).encode()
        )
        other = read_mapping(again)
        if attrs.evolve(other, path=None) != attrs.evolve(mapping, path=None):
            raise Loss("a mapping that is written anew says something else")
        if sometimes(data[::-1], 4):
            second = run_import(scene.crm, other, scene.folder, dry_run=True, rejects_path=scene.folder / "rejects.csv")
            if second.created and not any(each.on_update == "date" for each in mapping.sections):
                raise Loss("the same table makes new records when it comes again", f"{second.created}")
        why = sorted({"".join(char for char in each.reason if char.isalpha())[:30] for each in report.first_rejects})
        return f"{report.created > 0} {report.rejected > 0} {report.skipped > 0} {why[:2]}"
