"""A mapping made ready to run: each section as functions over the cells of a row."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import attrs

from crm_core.errors import CrmError, ValidationError
from crm_core.exchange.conditions import Cell, all_hold
from crm_core.exchange.guard import unguarded
from crm_core.exchange.mapping import FieldMapping, PartMapping, SectionMapping, Transform
from crm_core.exchange.sheets.cells import exact
from crm_core.exchange.sources import Source
from crm_core.exchange.templates import Template
from crm_core.exchange.transforms import Context
from crm_core.exchange.transforms.refusal import Refusal
from crm_core.exchange.values import composed, converter
from crm_core.fields.field import Field
from crm_core.fields.kinds import TextKind
from crm_core.records import RecordType, Types

__all__ = ["FieldPlan", "LookupPlan", "SectionPlan", "Transforms", "bound", "make_plan"]

Transforms: TypeAlias = Mapping[str, Callable[..., Any]]


@attrs.frozen(eq=False)
class LookupPlan:
    """How the id behind a field is found; ``own`` says that rows of this very section may be meant."""

    record_type: RecordType
    system: str
    by: Field | None
    take: Field | None
    optional: bool
    own: bool


@attrs.frozen(eq=False)
class FieldPlan:
    """How a field gets its value: ``get`` gives the text to look up, or what ``convert`` makes a value of."""

    field: Field
    custom: bool
    get: Cell
    convert: Callable[[Any], Any]
    lookup: LookupPlan | None = None


@attrs.frozen(eq=False, kw_only=True)
class SectionPlan:
    """A section that can be run. The conditions are ``None`` where the mapping has none."""

    mapping: SectionMapping
    name: str
    record_type: RecordType
    system: str
    source: Source
    key: Cell
    fields: tuple[FieldPlan, ...]
    match: Field | None
    only_if: Callable[[Any], bool] | None
    skip_if: Callable[[Any], bool] | None
    require: Callable[[Any], bool] | None
    texts: tuple[tuple[int, str], ...]
    """Columns whose cells stand for texts (keys, references, text fields), with their places in a row."""


def make_plan(
    section: SectionMapping,
    source: Source,
    types: Types,
    custom: Mapping[str, Field],
    transforms: Transforms,
    context: Context,
    *,
    system: str,
    null_values: Sequence[str],
) -> SectionPlan:
    """Compile a section that was checked before."""
    record_type = types[section.record]
    if source.typed:
        context = attrs.evolve(context, typed=True)
    cell = functools.partial(_typed_cell if source.typed else _cell, source.header, frozenset(null_values))

    def field_plan(name: str, mapping: FieldMapping) -> FieldPlan:
        field = record_type.by_name.get(name) or custom[name]
        convert = converter(field, name not in record_type.by_name, context, from_json=source.header is None)
        if mapping.lookup is None:
            if mapping.parts:
                parts = {part: _getter(each, cell, transforms, context) for part, each in mapping.parts.items()}
                return FieldPlan(field, name not in record_type.by_name, composed(field, parts, context), convert)
            return FieldPlan(
                field, name not in record_type.by_name, _getter(mapping, cell, transforms, context), convert
            )
        lookup = mapping.lookup
        target = types[lookup.record]
        plan = LookupPlan(
            record_type=target,
            system=lookup.system or system,
            by=target.by_name[lookup.by] if lookup.by else None,
            take=target.by_name[lookup.take] if lookup.take else None,
            optional=lookup.missing == "empty",
            own=target is record_type and not lookup.by and not lookup.take and (lookup.system or system) == system,
        )
        get = _rendered(lookup.key, cell) if lookup.key else _text(_getter(mapping, cell, transforms, context))
        return FieldPlan(field, name not in record_type.by_name, get, convert, plan)

    return SectionPlan(
        mapping=section,
        name=section.name or section.record,
        record_type=record_type,
        system=system,
        source=source,
        key=_rendered(section.key, cell),
        fields=tuple(field_plan(name, mapping) for name, mapping in section.fields.items()),
        match=record_type.by_name[section.match] if section.match else None,
        only_if=all_hold(section.only_if, cell),
        skip_if=all_hold(section.skip_if, cell),
        require=all_hold(section.require, cell),
        texts=tuple(_texts(section, source, {**custom, **record_type.by_name})),
    )


def _texts(section: SectionMapping, source: Source, fields: Mapping[str, Field]) -> Iterator[tuple[int, str]]:
    if source.header is None:
        return
    columns = list(Template.parse(section.key).columns)
    for name, mapping in section.fields.items():
        if mapping.lookup is not None and mapping.lookup.key:
            columns += Template.parse(mapping.lookup.key).columns
        elif mapping.column and (mapping.lookup is not None or isinstance(fields[name].kind, TextKind)):
            columns.append(mapping.column)
    for column in dict.fromkeys(columns):
        yield source.header.index(column), column


def _cell(header: tuple[str, ...] | None, nulls: frozenset[str], column: str) -> Cell:
    if header is not None:
        index = header.index(column)

        def from_list(row: Any) -> Any:
            text = row[index]
            if text in nulls:
                return None
            return unguarded(text) if text[:1] == "'" else text

        return from_list
    steps = column.split(".")

    def from_object(row: Any) -> Any:
        value = row.get(column)
        if value is None and len(steps) > 1:
            value = row
            for step in steps:
                value = value.get(step) if isinstance(value, dict) else None
        # JSON has a null of its own, so that an empty text is a text there.
        return None if value and isinstance(value, str) and value in nulls else value

    return from_object


def _typed_cell(header: tuple[str, ...] | None, nulls: frozenset[str], column: str) -> Cell:
    index = (header or ()).index(column)

    def from_sheet(row: Any) -> Any:
        value = row[index]
        if isinstance(value, str):
            return None if value in nulls else value
        value = exact(value)
        return None if str(value) in nulls else value

    return from_sheet


def _rendered(source: str, cell: Callable[[str], Cell]) -> Cell:
    parts = [(text, cell(column) if column is not None else None) for text, column in Template.parse(source).parts]
    if len(parts) == 1 and parts[0][0] == "" and parts[0][1] is not None:
        return _text(parts[0][1])

    def render(row: Any) -> str | None:
        pieces = []
        for text, get in parts:
            pieces.append(text)
            if get is not None:
                value = get(row)
                if value is None:
                    return None
                pieces.append(str(value).strip())
        return "".join(pieces)

    return render


def _text(get: Cell) -> Cell:
    def text(row: Any) -> str | None:
        value = get(row)
        return None if value is None else str(value).strip() or None

    return text


def _getter(mapping: PartMapping, cell: Callable[[str], Cell], transforms: Transforms, context: Context) -> Cell:
    get: Cell
    if mapping.column:
        get = cell(mapping.column)
    elif mapping.template:
        get = _rendered(mapping.template, cell)
    elif mapping.columns:
        cells = [cell(column) for column in mapping.columns]

        def get(row: Any) -> Any:
            values = [each(row) for each in cells]
            return None if all(value is None for value in values) else values
    else:
        constant = mapping.value

        def get(row: Any) -> Any:
            return constant

    steps = [(step.name, bound(step, transforms, context)) for step in mapping.transform]
    default = mapping.default
    if not steps and default is None:
        return get

    def transformed(row: Any) -> Any:
        value = get(row)
        for name, step in steps:
            if value is None:
                break
            value = _apply(name, step, value)
        return default if value is None else value

    return transformed


def _apply(name: str, step: Callable[[Any], Any], value: Any) -> Any:
    try:
        return step(value)
    except CrmError:
        raise
    except Refusal as error:
        raise ValidationError(error.template, transform=name, **error.values) from None
    except ValueError as error:
        raise ValidationError("{reason}.", transform=name, reason=str(error)) from None
    except Exception as error:
        # A transform of a plugin that fails costs the row, not the import.
        raise ValidationError(
            "The transform {transform} failed: {kind}: {reason}.",
            transform=name,
            kind=type(error).__name__,
            reason=str(error),
        ) from error


def bound(step: Transform, transforms: Transforms, context: Context) -> Callable[[Any], Any]:
    """A transform with its options; raises :class:`TypeError` when it does not take them."""
    function = transforms[step.name]
    options = dict(step.options)
    signature = inspect.signature(function)
    if "context" in signature.parameters:
        options["context"] = context
    signature.bind(None, **options)
    return functools.partial(function, **options)
