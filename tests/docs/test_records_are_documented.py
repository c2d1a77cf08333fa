"""The reference of records has every field of the records about customers, as they are declared."""

from __future__ import annotations

from make_records import PAGE, RECORDS, page


def test_the_tables_are_those_of_the_declarations() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run: .venv/bin/python tests/docs/make_records.py"


def test_the_reference_names_every_field() -> None:
    written = PAGE.read_text(encoding="utf-8")
    sections = {part.partition("`")[0]: part for part in written.split("\n## `")[1:]}
    missing = [
        f"{cls.crm_type.name}.{field.name}"
        for cls in RECORDS
        for field in cls.crm_type.fields
        if f"| `{field.name}` |" not in sections[cls.crm_type.name]
    ]
    assert missing == []
