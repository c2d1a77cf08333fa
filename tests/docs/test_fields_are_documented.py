"""The reference of fields names every kind with its options, and says how it is stored."""

from __future__ import annotations

import inspect
import re

import attrs
import pytest
from sqlalchemy.dialects import postgresql, sqlite

from crm_core import fields
from crm_core.fields import KINDS, Field
from crm_core.fields.kinds import ChoiceKind, RefKind
from examples import ROOT

REFERENCE = (ROOT / "docs/reference/fields.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## (.*?)\n(.*?)(?=^## |\Z)", REFERENCE, re.MULTILINE | re.DOTALL))
COMMON = SECTIONS["Options of all kinds"]
# What the decorator or the kernel fills in, and no author writes.
FILLED_IN = {"kind", "name", "optional", "system"}


def kind_of(name: str):
    match KINDS[name]:
        case kind if kind is ChoiceKind:
            from crm_core import Stage

            return ChoiceKind(Stage)
        case kind if kind is RefKind:
            return RefKind("account")
        case kind:
            return kind()


def row_of(section: str, name: str) -> str:
    (row,) = [line for line in SECTIONS[section].splitlines() if line.startswith(f"| `{name}` |")]
    return row


def own_options(name: str) -> set[str]:
    parameters = inspect.signature(getattr(fields, name)).parameters
    return set(parameters) - {"default", "factory", "options", "index"}


@pytest.mark.parametrize("name", KINDS)
def test_the_reference_describes_the_kind_with_its_options(name: str) -> None:
    section = SECTIONS[f"`{name}`"]

    for option in own_options(name):
        assert f"| `{option}` |" in section, option
    assert bool(own_options(name)) != ("only the options of all\nkinds" in section or "only the options of all kinds"
                                       in section.replace("\n", " "))  # fmt: skip


@pytest.mark.parametrize("option", sorted(each.name for each in attrs.fields(Field) if each.name not in FILLED_IN))
def test_the_reference_describes_every_option(option: str) -> None:
    everywhere = {name for kind in KINDS for name in own_options(kind)}

    assert f"`{option}`" in COMMON or option in everywhere


def test_the_reference_describes_no_kind_and_option_that_is_gone() -> None:
    assert {name.strip("`") for name in SECTIONS if name.startswith("`")} == set(KINDS)
    written = set(re.findall(r"^\| `(\w+)` \|", COMMON, re.MULTILINE))
    assert written <= {each.name for each in attrs.fields(Field)}


@pytest.mark.parametrize("name", KINDS)
def test_the_reference_says_how_the_kind_is_stored(name: str) -> None:
    kind = kind_of(name)
    _, _, python, on_sqlite, on_postgresql, _ = (cell.strip() for cell in row_of("Storage", name).split("|"))

    assert kind.python in python or kind.python == "Enum"
    for _, column_type in kind.columns():
        for written, dialect in ((on_sqlite, sqlite.dialect()), (on_postgresql, postgresql.dialect())):
            spelled = column_type.compile(dialect=dialect)
            base = spelled.split("(")[0] if kind.name in ("text", "number", "money", "address") else spelled
            assert base in written, spelled


@pytest.mark.parametrize("name", [name for name in KINDS if name not in ("choice",)])
def test_the_forms_in_the_reference_are_those_that_one_gets(name: str) -> None:
    import msgspec

    kind = attrs.evolve(kind_of(name), **({"scale": 2} if name == "number" else {}))
    text_form, json_form = (cell.strip() for cell in row_of("Forms outside the database", name).split("|")[2:4])
    value = kind.parse(text_form.strip("`"))
    encoded = msgspec.json.decode(msgspec.json.encode(kind.encode(value)))

    assert encoded == msgspec.json.decode(json_form.partition(";")[0].strip("`").encode())
    assert kind.parse(kind.format(value)) == value
