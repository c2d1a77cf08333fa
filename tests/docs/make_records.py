"""Writes the tables of the reference of records, from the declarations.

Run it after a change of one of these records: ``.venv/bin/python tests/docs/make_records.py``.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Any

from crm_core import Account, Affiliation, Contact, ContactPoint
from crm_core.assembly import assemble
from crm_core.fields import Field
from crm_core.fields.composites import ADDRESS_PARTS
from crm_core.fields.kinds import ChoiceKind
from crm_core.records import Dated, Record, RecordType

PAGE = Path(__file__).parents[2] / "docs/reference/records.md"
BEGIN = "<!-- The rest is written by tests/docs/make_records.py. -->\n"
RECORDS: tuple[type[Record], ...] = (Account, Contact, Affiliation, ContactPoint)


def page() -> str:
    """The whole page as it should be."""
    vocabularies = assemble({"crm": {"plugins": []}}).policy.vocabularies
    lines = [line for cls in RECORDS for line in _section(cls, vocabularies)]
    return PAGE.read_text(encoding="utf-8").partition(BEGIN)[0] + BEGIN + "\n" + "\n".join(lines).rstrip("\n") + "\n"


def _section(cls: type[Record], vocabularies: Any) -> Iterator[str]:
    record_type = cls.crm_type
    yield f"## `{record_type.name}`"
    yield ""
    summary = (cls.__doc__ or "").split("\n\n")[0]
    dated = " Dated." if issubclass(cls, Dated) else ""
    poolable = " Poolable." if record_type.poolable else ""
    yield f"{record_type.label}: {' '.join(summary.split())}{dated}{poolable}".replace("``", "`")
    yield ""
    yield "| field | label | kind | begins with | remarks |"
    yield "| --- | --- | --- | --- | --- |"
    for field in record_type.fields:
        yield (
            f"| `{field.name}` | {field.label} | {_kind(field)} | {_default(field)} "
            f"| {'; '.join(_remarks(record_type, field, vocabularies))} |"
        )
    yield ""


def _kind(field: Field) -> str:
    if field.target is not None:
        return f"reference to `{field.target}`"
    length = getattr(field.kind, "length", None)
    return f"{field.kind.name}, at most {length} characters" if length else field.kind.name


def _default(field: Field) -> str:
    if field.required:
        return "**required**"
    value = field.initial()
    if value in (None, frozenset()) or value == {}:
        return ""
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{value.value if isinstance(value, Enum) else value}`"


def _remarks(record_type: RecordType, field: Field, vocabularies: Any) -> Iterator[str]:
    if isinstance(field.kind, ChoiceKind):
        yield "one of " + ", ".join(f"`{each.value}`" for each in field.kind.enum)
    if field.vocabulary is not None:
        words = ", ".join(f"`{word}`" for word in vocabularies.get(field.vocabulary, ()))
        yield f"a word of `{field.vocabulary}`: {words}"
    if field.kind.name == "address":
        yield "parts: " + ", ".join(f"`{part}`" for part, _ in ADDRESS_PARTS)
    if field.search:
        yield "found by a search"
    if field.restricted is not None:
        yield f"to read it needs `{field.restricted}`"
    if field.personal:
        yield "personal: removed when the person is erased"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
