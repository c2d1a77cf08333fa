"""Reading a mapping: short forms are written out, then every mistake is told at once with its path."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from crm_core.assembly.structuring import structure
from crm_core.assembly.toml_text import exact, read_toml
from crm_core.errors import ExchangeError, Problem, nearest
from crm_core.exchange.mapping import ImportMapping, SectionMapping, SourceMapping
from crm_core.exchange.templates import column_template
from crm_core.fields.composites import ADDRESS_PARTS

__all__ = ["PARTS", "given_by_parts", "key_template", "mistakes", "read_mapping", "section_mapping"]

PARTS = {"address": tuple(part for part, _ in ADDRESS_PARTS), "money": ("amount", "currency")}
"""The parts of kinds that one cell cannot hold."""

_ALL_PARTS = frozenset(part for parts in PARTS.values() for part in parts)
_TOP = ("source", "section")


def read_mapping(given: str | Path | Mapping[str, Any]) -> ImportMapping:
    """A mapping file (or its content). Raises :class:`~crm_core.errors.ExchangeError` with everything wrong in it."""
    path = None
    if not isinstance(given, Mapping):
        path = Path(given)
        given = _parsed(path)
    problems = [
        Problem(str(name), "There is no table [{name}] in a mapping.", "Did you mean {near}?",
                {"name": name, "near": nearest(str(name), _TOP)})
        for name in given
        if name not in _TOP
    ]  # fmt: skip
    source, wrong = structure(_sheet_named(given.get("source", {})), SourceMapping, "source")
    problems += wrong
    sections = given.get("section", [])
    if not isinstance(sections, list) or not sections:
        problems.append(Problem("section", "The mapping has no sections.", "Write [[section]] for each record type."))
        sections = []
    read = []
    for number, section in enumerate(sections):
        found, wrong = section_mapping(section, f"section[{number}]")
        problems += wrong
        if found is not None:
            read.append(found)
    if problems or source is None:
        raise mistakes(str(path or "the mapping"), problems)
    return ImportMapping(source=source, sections=tuple(read), path=path)


def section_mapping(given: Any, path: str) -> tuple[SectionMapping | None, list[Problem]]:
    """A section as people write it, or everything that is wrong with it; ``path`` says where it stands."""
    return structure(_written_out(given), SectionMapping, path)


def mistakes(where: str, problems: list[Problem]) -> ExchangeError:
    """The error that tells all of them."""
    return ExchangeError(
        "{where} cannot be used: {count} mistakes." if len(problems) > 1 else "{where} cannot be used.",
        problems,
        mend="Nothing was imported.",
        where=where,
        count=len(problems),
    )


def _parsed(path: Path) -> dict[str, Any]:
    try:
        return read_toml(path.read_text(encoding="utf-8-sig"), exact)
    except FileNotFoundError:
        raise ExchangeError("There is no mapping {file}.", mend="Check the name.", file=str(path)) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ExchangeError(
            "{file} cannot be read: {reason}.",
            mend="A mapping is a text file in UTF-8.",
            file=str(path),
            reason=str(error),
        ) from None
    except tomllib.TOMLDecodeError as error:
        raise ExchangeError(
            "{file} is no TOML: {reason}.",
            mend="Texts stand in quotes, lists in brackets.",
            file=str(path),
            reason=str(error),
        ) from None


def _written_out(section: Any) -> Any:
    """A section without short forms; what has another shape is left for the check to name."""
    if not isinstance(section, Mapping):
        return section
    result = dict(_sheet_named(section))
    if "key" in result:
        result["key"] = key_template(result["key"])
    fields = result.get("fields")
    if isinstance(fields, Mapping):
        # Custom fields may stand in a table of their own, as they do in a record.
        custom = fields.get("custom")
        if isinstance(custom, Mapping) and not custom.keys() & {"column", "columns", "value", "template", "lookup"}:
            fields = {**{name: value for name, value in fields.items() if name != "custom"}, **custom}
        result["fields"] = {name: _field(value) for name, value in fields.items()}
    return result


def _sheet_named(table: Any) -> Any:
    """A sheet may be named by a number."""
    if isinstance(table, Mapping) and type(table.get("sheet")) is int:
        return {**table, "sheet": str(table["sheet"])}
    return table


def key_template(key: Any) -> Any:
    """The template that a key is short for: a column, or a list of columns."""
    if isinstance(key, str):
        return key if "{" in key else column_template(key)
    if isinstance(key, list) and key and all(isinstance(column, str) for column in key):
        return column_template(*key)
    if isinstance(key, Mapping) and key.keys() == {"template"}:
        return key["template"]
    return key


def given_by_parts(value: Any) -> bool:
    """Whether what is said of a field is said of its parts, one by one."""
    return isinstance(value, Mapping) and bool(value) and value.keys() <= _ALL_PARTS


def _field(value: Any) -> Any:
    if given_by_parts(value):
        return {"parts": {part: _part(each) for part, each in value.items()}}
    result = _part(value)
    if isinstance(result, dict) and "lookup" in result:
        lookup = result["lookup"]
        lookup = {"record": lookup} if isinstance(lookup, str) else lookup
        if isinstance(lookup, Mapping) and "key" in lookup:
            lookup = {**lookup, "key": key_template(lookup["key"])}
        result["lookup"] = lookup
    return result


def _part(value: Any) -> Any:
    if isinstance(value, str):
        return {"column": value}
    if not isinstance(value, Mapping):
        return value
    result = dict(value)
    if "transform" in result:
        steps = result["transform"]
        result["transform"] = [_transform(step) for step in (steps if isinstance(steps, list) else [steps])]
    return result


def _transform(step: Any) -> Any:
    if isinstance(step, str):
        return {"name": step}
    if not isinstance(step, Mapping):
        return step
    options = {name: value for name, value in step.items() if name != "name"}
    return {**({"name": step["name"]} if "name" in step else {}), "options": options}
