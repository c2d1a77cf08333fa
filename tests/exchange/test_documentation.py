"""The reference of mappings tells of every key and every transform with every option."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any

import attrs
import pytest

from crm_core.exchange import BUILT_IN
from crm_core.exchange.mapping import FieldMapping, Lookup, SectionMapping, SourceMapping

ROOT = Path(__file__).parents[2]
REFERENCE = (ROOT / "docs" / "reference" / "mapping.md").read_text(encoding="utf-8")


def chapter(title: str) -> str:
    match = re.search(rf"^##+ {re.escape(title)}$(.*?)(?=^##|\Z)", REFERENCE, re.DOTALL | re.MULTILINE)
    assert match is not None, title
    return match[1]


@pytest.mark.parametrize(
    ("title", "cls"),
    [("`[source]`", SourceMapping), ("`[[section]]`", SectionMapping), ("Fields", FieldMapping), ("`lookup`", Lookup)],
)
def test_every_key_is_documented(title: str, cls: Any) -> None:
    told = chapter(title)
    keys = {attribute.name for attribute in attrs.fields(cls)} - {"parts"}
    assert {key for key in keys if f"`{key}`" not in told} == set()


def test_every_transform_and_its_options_are_documented() -> None:
    rows = {}
    for line in chapter("Transforms").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| `"):
            for name in re.findall(r"`(\w+)`", cells[0]):
                rows[name] = set(re.findall(r"`(\w+)`", cells[1]))
    for name, function in BUILT_IN.items():
        options = set(list(inspect.signature(function).parameters)[1:]) - {"context"}
        assert rows.get(name) == options, name


@pytest.mark.parametrize("name", ["adventureworks", "northwind", "salesforce"])
def test_each_example_says_how_to_run_it(name: str) -> None:
    readme = (ROOT / "examples" / "imports" / name / "README.md").read_text(encoding="utf-8")
    assert "crm import mapping.toml" in readme
