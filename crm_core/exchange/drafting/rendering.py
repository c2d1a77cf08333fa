"""A draft as TOML: what ``crm import`` reads, and in comments why, how sure, and what was left."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from crm_core.exchange.drafting.model import Draft, FieldDraft, FileDraft, Said, SectionDraft, Unmapped, word_of
from crm_core.exchange.drafting.toml_values import toml_key, toml_value
from crm_core.exchange.templates import Template

__all__ = ["as_json", "as_toml"]

_WIDTH = 110
_OTHER_LABELS = ("; or else {others}", "; perhaps {others}")


class _Writer:
    """Writes in a language; ``say`` puts templates into it."""

    def __init__(self, say: Callable[[str], str]) -> None:
        self._say = say

    def said(self, said: Said) -> str:
        template, values = said
        return self._say(template).format(**{
            name: self._say(value) if isinstance(value, str) and name == "what" else value
            for name, value in values.items()
        })  # fmt: skip

    def comment(self, template: str, /, **values: Any) -> Iterator[str]:
        """A remark, over several lines where it is long."""
        text = self._say(template).format(**values)
        line = "#"
        for word in _printable(text).split(" "):
            if len(line) + len(word) >= _WIDTH and line != "#":
                yield line
                line = "#"
            line += f" {word}"
        yield line

    # -- the whole ---------------------------------------------------------------------------------------------

    def draft(self, draft: Draft, command: str) -> Iterator[str]:
        yield from self.comment(
            "A draft of a mapping, made from headers and values. Read it, mend it, and rehearse it: '{command}'.",
            command=command,
        )
        yield from self.comment(
            "Behind each field stands how sure it is (0 to 1) and why. Values are not shown, only how they look."
        )
        yield ""
        yield "[source]"
        yield from self.comment("Keys are remembered under this name: call it as you call the system.")
        yield f"system = {toml_value(draft.system)}"
        if draft.nothing:
            yield f"null_values = {toml_value(['', *draft.nothing])}"
        if draft.time_zone:
            yield f"time_zone = {toml_value(draft.time_zone)}"
        for file in draft.files:
            yield from self.file(file)
        if draft.left_out:
            yield ""
            yield from self.comment("Left out:")
            for name, said in draft.left_out:
                yield from self.comment("{file}: {reason}", file=name, reason=self.said(said))
        yield ""

    def file(self, file: FileDraft) -> Iterator[str]:
        table = file.table
        yield ""
        title = f"{table.path.name}, {table.sheet}" if table.sheet else table.path.name
        yield f"# -- {_printable(title)} ".ljust(_WIDTH, "-")
        yield from self.comment(
            "Rows: {rows}. They are taken for {record}: {word} ({number}), {reason}.",
            rows=len(table.rows), record=file.record, word=self._say(word_of(file.certainty)),
            number=f"{file.certainty:.2f}", reason=self.said(file.because),
        )  # fmt: skip
        for said in file.remarks:
            yield from self.comment("{text}", text=self.said(said))
        for section in file.sections:
            yield ""
            yield from self.section(section, file)
        yield from self.unmapped(file)

    def section(self, section: SectionDraft, file: FileDraft) -> Iterator[str]:
        for said in section.remarks:
            yield from self.comment("{text}", text=self.said(said))
        yield "[[section]]"
        yield f"name = {toml_value(section.name)}"
        yield f"record = {toml_value(section.record)}"
        yield f"file = {toml_value(file.table.path.name)}"
        if file.table.sheet:
            yield f"sheet = {toml_value(file.table.sheet)}"
        yield f"key = {toml_value(_short(section.key))}"
        for name, value in section.options.items():
            yield f"{name} = {toml_value(value)}"
        plain = [each for each in section.fields if "." not in each.name]
        parted = [each for each in section.fields if "." in each.name]
        yield "[section.fields]"
        for field in plain:
            yield from self.field(field, field.name)
        for owner in dict.fromkeys(each.name.partition(".")[0] for each in parted):
            yield f"[section.fields.{toml_key(owner)}]"
            for field in parted:
                whole, _, part = field.name.partition(".")
                if whole == owner:
                    yield from self.field(field, part)

    def field(self, field: FieldDraft, name: str) -> Iterator[str]:
        because = self.said(field.because)
        reason = "; ".join([because, *map(self.said, field.remarks)])
        if field.alternatives:
            others = ", ".join(f"{other} ({certainty:.2f})" for other, certainty in field.alternatives)
            reason += self._say(_OTHER_LABELS[0]).format(others=others)
        yield from self.comment(
            "{word} ({number}): {reason}",
            word=self._say(word_of(field.certainty)), number=f"{field.certainty:.2f}", reason=reason,
        )  # fmt: skip
        yield f"{toml_key(name)} = {toml_value(field.value)}"

    def unmapped(self, file: FileDraft) -> Iterator[str]:
        empty = [each.column for each in file.unmapped if each.shape[0] == "empty"]
        other = [each for each in file.unmapped if each.shape[0] != "empty"]
        if other:
            yield ""
            yield from self.comment("Columns without a place:")
        for each in other:
            yield from self.comment("{column}: {shape}{others}", column=toml_value(each.column),
                                    shape=self.said(each.shape), others=self._others(each))  # fmt: skip
        if empty:
            yield ""
            yield from self.comment("These columns have neither a place nor values: {columns}.",
                                    columns=", ".join(map(toml_value, empty)))  # fmt: skip

    def _others(self, each: Unmapped) -> str:
        if not each.alternatives:
            return ""
        others = ", ".join(f"{name} ({certainty:.2f})" for name, certainty in each.alternatives)
        return self._say(_OTHER_LABELS[1]).format(others=others)


def _printable(text: str) -> str:
    """A text for a comment: a control character would end it, or make the whole file unreadable."""
    return "".join(char if char.isprintable() else " " for char in text)


def _short(key: str) -> str:
    """A template of one column as its name."""
    try:
        parts = Template.parse(key).parts
    except ValueError:
        return key
    return parts[0][1] if len(parts) == 1 and not parts[0][0] and parts[0][1] else key


def as_toml(draft: Draft, command: str, say: Callable[[str], str] = str) -> str:
    """The draft as a mapping with comments. ``command`` is what rehearses it; ``say`` puts texts into a language."""
    return "\n".join(_Writer(say).draft(draft, command))


def as_json(draft: Draft, say: Callable[[str], str] = str) -> dict[str, Any]:
    """The draft as JSON has it."""
    writer = _Writer(say)
    return {
        "system": draft.system,
        "files": [_file(each, writer) for each in draft.files],
        "left_out": [{"file": name, "reason": writer.said(said)} for name, said in draft.left_out],
    }


def _file(file: FileDraft, writer: _Writer) -> dict[str, Any]:
    return {
        "file": file.table.path.name,
        "sheet": file.table.sheet or None,
        "rows": len(file.table.rows),
        "record": file.record,
        "certainty": round(file.certainty, 2),
        "because": writer.said(file.because),
        "foreign_system": file.system or None,
        "remarks": list(map(writer.said, file.remarks)),
        "sections": [_section(each, writer) for each in file.sections],
        "unmapped": [
            {
                "column": each.column,
                "shape": writer.said(each.shape),
                "alternatives": [name for name, _ in each.alternatives],
            }
            for each in file.unmapped
        ],
    }


def _section(section: SectionDraft, writer: _Writer) -> dict[str, Any]:
    return {
        "name": section.name,
        "record": section.record,
        "key": section.key,
        **section.options,
        "remarks": list(map(writer.said, section.remarks)),
        "fields": [
            {
                "field": each.name,
                "value": each.value,
                "columns": list(each.columns),
                "certainty": round(each.certainty, 2),
                "because": writer.said(each.because),
                "remarks": list(map(writer.said, each.remarks)),
                "alternatives": [name for name, _ in each.alternatives],
            }
            for each in section.fields
        ],
    }
