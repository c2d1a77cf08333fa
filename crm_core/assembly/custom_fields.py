"""Fields that a build adds to records.

Checked against what is declared, and turned into fields like the others.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import Enum, EnumType
from typing import Any

from crm_core.assembly.build_file import BuildFile, CustomField
from crm_core.assembly.manifest import NAME
from crm_core.assembly.verdicts import Verdicts
from crm_core.errors import Problem, nearest
from crm_core.fields import KINDS, Field, Kind
from crm_core.fields.field import NO_DEFAULT
from crm_core.fields.kinds import ChoiceKind, RefKind
from crm_core.records import RecordType, Types

__all__ = ["custom_fields"]

_SYSTEM = ("id", "version", "created_at", "created_by", "updated_at", "custom")
_LONGEST = 80
"""Characters of a name, for which the catalogue in the database has room."""
_OPTIONS = {"length": ("text",), "scale": ("number", "money"), "choices": ("choice",)}


def custom_fields(file: BuildFile, types: Types, verdicts: Verdicts) -> dict[str, dict[str, Field]]:
    """The custom fields of each record type by name."""
    for section, records in (("custom_fields", file.custom_fields), ("retired_fields", file.retired_fields)):
        for record in records:
            if record not in types:
                verdicts.doubt(
                    Problem(f"{section}.{_key(record)}", "There is no record {record!r}.", "Did you mean {near}?",
                            {"record": record, "near": nearest(record, types)}),
                    record,
                )  # fmt: skip
    result: dict[str, dict[str, Field]] = {}
    for record, declarations in file.custom_fields.items():
        if record not in types:
            continue
        taken = _taken(types[record], types)
        retired = file.retired_fields.get(record, {})
        for name, declaration in declarations.items():
            path = f"custom_fields.{_key(record)}.{name}"
            wrong = [*_name_mistakes(path, name, declaration, taken, retired), *_option_mistakes(path, declaration)]
            if not wrong:
                result.setdefault(record, {})[name] = _field(name, declaration)
            verdicts.file += wrong
    return result


def _taken(record_type: RecordType, types: Types) -> Mapping[str, str]:
    """Names that would mean two things in a filter, each with what it means already."""
    taken = dict.fromkeys(_SYSTEM, "a column of the store")
    for other, field in types.referring(record_type.name):
        if isinstance(field.kind, RefKind) and field.kind.collection:
            taken[field.kind.collection] = f"the collection of {other.name}"
    for extension in types.extensions(record_type.name):
        taken[extension.plugin] = f"the extension {extension.name}"
    taken |= {parent.name: "the way to another record" for parent in record_type.parents}
    return taken | dict.fromkeys(record_type.by_name, "a declared field")


def _name_mistakes(
    path: str, name: str, declaration: CustomField, taken: Mapping[str, str], retired: Mapping[str, str]
) -> Iterator[Problem]:
    if not NAME.fullmatch(name):
        yield Problem(path, "{name!r} is no name for a field.", "Write it in snake_case.", {"name": name})
    if len(name) > _LONGEST:
        yield Problem(path, "The name has {given} characters; at most {most} fit.", "Shorten it.",
                      {"given": len(name), "most": _LONGEST})  # fmt: skip
    if name in taken:
        yield Problem(path, "{name!r} is taken: it is {meaning}.", "Choose another name.",
                      {"name": name, "meaning": taken[name]})  # fmt: skip
    former = retired.get(name, declaration.kind)
    if former != declaration.kind:
        yield Problem(path, "{name!r} was of kind {former} before it was retired.",
                      "Choose another name: old values and the history are of the former kind.",
                      {"name": name, "former": former})  # fmt: skip


def _option_mistakes(path: str, declaration: CustomField) -> Iterator[Problem]:
    for option, kinds in _OPTIONS.items():
        if getattr(declaration, option) is not None and declaration.kind not in kinds:
            yield Problem(f"{path}.{option}", "A field of kind {kind} has no {option}.", "Remove it.",
                          {"kind": declaration.kind, "option": option})  # fmt: skip
    if declaration.kind == "choice":
        choices = declaration.choices or ()
        if not choices or len(set(choices)) < len(choices) or not all(0 < len(word) <= 40 for word in choices):
            yield Problem(f"{path}.choices", "A choice needs different words of one to 40 characters.",
                          'Write choices = ["gold", "silver"].')  # fmt: skip
    if declaration.length is not None and declaration.length < 1:
        yield Problem(f"{path}.length", "A text of this length can hold nothing.", "Give at least 1.")
    if declaration.scale is not None and not 0 <= declaration.scale <= 12:
        yield Problem(f"{path}.scale", "Give 0 to 12 decimals.")


def _field(name: str, declaration: CustomField) -> Field:
    return Field(
        _kind(name, declaration),
        name=name,
        optional=not declaration.required,
        default=NO_DEFAULT if declaration.required else None,
        label=declaration.label or name.replace("_", " ").capitalize(),
        help=declaration.help,
        personal=declaration.personal,
    )


def _kind(name: str, declaration: CustomField) -> Kind:
    if declaration.kind == "choice":
        words = declaration.choices or ()
        # Not Enum(name, ...): for mypy that is a declaration.
        members = {f"choice_{number}": word for number, word in enumerate(words)}
        enum = EnumType.__call__(Enum, name, members)
        return ChoiceKind(enum)
    options: dict[str, Any] = {
        option: value
        for option in ("length", "scale")
        if (value := getattr(declaration, option)) is not None and declaration.kind in _OPTIONS[option]
    }
    return KINDS[declaration.kind](**options)


def _key(record: str) -> str:
    return f'"{record}"' if "." in record else record
