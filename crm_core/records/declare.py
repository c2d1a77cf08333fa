"""From an annotated class to a record type: attrs class, table, mapping, registry entry."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeVar, dataclass_transform

import attrs
from sqlalchemy import Column, Index, Integer, Table
from sqlalchemy.orm import Mapped

from crm_core import fields as f
from crm_core.errors import DeclarationError
from crm_core.fields import columns
from crm_core.fields.field import Field
from crm_core.fields.kinds import ChoiceKind
from crm_core.records.access import Access, Via
from crm_core.records.checking import Options, check_declaration, check_field
from crm_core.records.making import refuse_unknown
from crm_core.records.mapping import map_record
from crm_core.records.types import (
    KERNEL,
    Exclusive,
    ParentField,
    Record,
    RecordType,
    declared,
    mapper_registry,
    short_name,
)

if TYPE_CHECKING:
    import datetime as dt

__all__ = ["Dated", "extends", "one_at_a_time", "parent", "record"]

C = TypeVar("C", bound=type)
_NAME = re.compile(r"(?:([a-z][a-z0-9]*(?:_[a-z0-9]+)*)\.)?([a-z][a-z0-9]*(?:_[a-z0-9]+)*)")
_POOLED = "account"
_SYSTEM = ("id", "version", "created_at", "created_by", "updated_at", "custom", "crm_type")


@attrs.frozen
class _Parent:
    field: str


def parent(field: str, *, init: Literal[False] = False) -> Any:
    """Read-only navigation along the reference in ``field``; it is no constructor argument.

    What the actor may not see reads as ``None``.
    """
    return _Parent(field)


def one_at_a_time(*fields: str, **when: Any) -> Exclusive:
    """At any instant at most one row per ``fields`` is valid among those where ``when`` holds."""
    return Exclusive(fields, tuple(when.items()))


@dataclass_transform(
    kw_only_default=True,
    eq_default=False,
    field_specifiers=(
        f.text, f.choice, f.number, f.money, f.day, f.moment, f.flag, f.ref, f.tags, f.json, f.email, f.phone, f.url,
        f.address, parent,
    ),
)  # fmt: skip
def _dated_base(cls: C) -> C:
    return attrs.define(cls, slots=False, eq=False, kw_only=True, repr=False)


@_dated_base
class Dated(Record):
    """Base of records that hold for a time: at most the rows valid at the session's ``at`` are read.

    ``valid_from`` is inclusive (``None``: since always), ``valid_to`` exclusive (``None``: still).
    """

    valid_from: Mapped[dt.datetime | None] = f.moment(default=None, label="Valid from")
    valid_to: Mapped[dt.datetime | None] = f.moment(default=None, label="Valid to")


@dataclass_transform(
    kw_only_default=True,
    eq_default=False,
    field_specifiers=(
        f.text, f.choice, f.number, f.money, f.day, f.moment, f.flag, f.ref, f.tags, f.json, f.email, f.phone, f.url,
        f.address, parent,
    ),
)  # fmt: skip
def record(
    name: str,
    *,
    access: Access,
    label: str = "",
    title: str | None = None,
    exclusive: Sequence[Exclusive] = (),
    indexes: Sequence[tuple[str, ...]] = (),
    technical_key: tuple[str, ...] = (),
    poolable: bool = False,
    found_as: tuple[str, ...] = (),
) -> Callable[[C], C]:
    """Declare a record type.

    ``name`` is ``<plugin>.<noun>`` (the kernel's have no plugin part). ``access`` says who may see it. ``title`` is
    the field that people know it by (``name`` or ``subject`` where there is one). ``exclusive`` forbids overlapping
    dated rows, ``indexes`` adds database indexes over several fields. ``technical_key`` is unique in the database;
    never put business values there, because a refusal would tell of records that one may not see. ``poolable`` says
    that records without an owner wait in pools for somebody to claim them: the kernel's accounts do, and no other type.
    ``found_as`` names references: a search that finds a record shows what the first filled one points to, as a person
    is shown who was found by their role. Raises :class:`~crm_core.errors.DeclarationError` with the class and field at
    fault.
    """

    def declare(cls: C) -> C:
        declared_class: C = _declare(
            cls, name, access, label, title, exclusive, indexes, None, technical_key, poolable, found_as
        )
        return declared_class

    return declare


@dataclass_transform(
    kw_only_default=True,
    eq_default=False,
    field_specifiers=(
        f.text, f.choice, f.number, f.money, f.day, f.moment, f.flag, f.ref, f.tags, f.json, f.email, f.phone, f.url,
        f.address, parent,
    ),
)  # fmt: skip
def extends(target: str, name: str, *, label: str = "", access: Access | None = None) -> Callable[[C], C]:
    """Declare a one-to-one extension of another plugin's record.

    The extension ``name`` (``<plugin>.<noun>``) has its own table keyed by the record's id, its own permissions, and
    is deleted with its record. Filters on the record reach it by the plugin's name: ``key_accounts.tier``.
    """

    def declare(cls: C) -> C:
        declared_class: C = _declare(cls, name, access or Via(("id",)), label, None, (), (), target, (), False, ("id",))
        return declared_class

    return declare


def _declare(
    cls: Any,
    name: str,
    access: Access,
    label: str,
    title: str | None,
    exclusive: Sequence[Exclusive],
    indexes: Sequence[tuple[str, ...]],
    target: str | None,
    technical_key: tuple[str, ...] = (),
    poolable: bool = False,
    found_as: tuple[str, ...] = (),
) -> Any:
    match = _NAME.fullmatch(name)
    where = f"{cls.__module__}.{cls.__qualname__}"
    if match is None:
        raise DeclarationError(
            "{where}: {record!r} is no record name.",
            mend="Write it in snake_case as <plugin>.<noun>.",
            where=where,
            record=name,
        )
    if not issubclass(cls, Record):
        raise DeclarationError("{where} is no Record.", mend="Derive it from Record or Dated.", where=where)
    plugin, noun = match.group(1) or KERNEL, match.group(2)
    if match.group(1) == KERNEL:
        raise DeclarationError(
            "{where}: {record!r} would be a record of the kernel.",
            mend="Write your plugin's name before the dot.",
            where=where,
            record=name,
        )
    table_name = f"crm_{noun}" if plugin == KERNEL else f"{plugin}__{noun}"
    if len(table_name.encode()) > 63:
        raise DeclarationError(
            "The table name {table} is longer than 63 bytes.", mend="Shorten the noun.", table=table_name, record=name
        )
    if poolable and name != _POOLED:
        # Ownership, claims and the conditions of pools are about accounts; a flag without effect would mislead.
        raise DeclarationError(
            "{where} cannot be poolable: only records of the type account lie in pools as yet.",
            mend="Leave poolable out, and let your records refer to an account: whoever claims that sees them.",
            where=where,
            record=name,
        )
    parents = _take_parents(cls)
    cls = attrs.define(cls, slots=False, eq=False, kw_only=True, repr=False, field_transformer=_checked(name, where))
    fields = tuple(field for attribute in attrs.fields(cls) if (field := f.field_of(attribute)) is not None)
    refuse_unknown(cls, name, {field.name: field for field in fields})
    for parent_field in parents:
        if not any(field.name == parent_field.field and field.target for field in fields):
            raise DeclarationError(
                "{record}.{field}: there is no reference {ref!r} to navigate along.",
                mend="Declare {ref} with ref(...).",
                record=name,
                field=parent_field.name,
                ref=parent_field.field,
            )
    options = Options(title, exclusive, indexes, technical_key, found_as)
    metadata = mapper_registry(plugin).metadata
    check_declaration(where, name, table_name, metadata, fields, issubclass(cls, Dated), options)
    table = _table(plugin, table_name, fields, indexes)
    if technical_key:
        Index(short_name(f"uq_{table_name}"), *(table.c[column] for column in technical_key), unique=True)
    names = {field.name for field in fields}
    title = title or next((guess for guess in ("name", "subject", "title") if guess in names), None)
    record_type = RecordType(
        name=name,
        plugin=plugin,
        cls=cls,
        table=table,
        fields=fields,
        parents=parents,
        access=access,
        dated=issubclass(cls, Dated),
        label=label or noun.replace("_", " ").capitalize(),
        doc=(cls.__doc__ or "").strip(),
        title=title,
        extends=target,
        exclusive=tuple(exclusive),
        poolable=poolable,
        found_as=tuple(found_as),
    )
    cls.crm_type = record_type
    declared.add(record_type)
    map_record(record_type)
    return cls


def _take_parents(cls: Any) -> tuple[ParentField, ...]:
    found = []
    for attribute, value in list(vars(cls).items()):
        if isinstance(value, _Parent):
            found.append(ParentField(attribute, value.field))
            delattr(cls, attribute)
            cls.__annotations__.pop(attribute, None)
    return tuple(found)


def _checked(record_name: str, where: str) -> Callable[[type, list[attrs.Attribute[Any]]], list[attrs.Attribute[Any]]]:
    """Complete the fields with name and label, compare them with their annotations, and install the checks."""

    def transform(cls: type, attributes: list[attrs.Attribute[Any]]) -> list[attrs.Attribute[Any]]:
        result = []
        for attribute in attributes:
            field = f.field_of(attribute)
            if field is None:
                raise DeclarationError(
                    "{where}.{field} is not declared by a field function.",
                    mend="Write it as {field}: Mapped[str] = text(200), or drop the annotation.",
                    where=where,
                    record=record_name,
                    field=attribute.name,
                )
            if attribute.name in _SYSTEM or attribute.name.startswith("_"):
                raise DeclarationError(
                    "{where}: the name {field!r} is the store's own.",
                    mend="Choose another name.",
                    where=where,
                    record=record_name,
                    field=attribute.name,
                )
            _compare(where, record_name, attribute, field)
            named = attrs.evolve(field, name=attribute.name, label=field.label or _words(attribute.name))
            check_field(where, record_name, named)
            check = _checker(named, record_name)
            result.append(
                attribute.evolve(
                    converter=check,
                    on_setattr=attrs.setters.convert,
                    metadata={"crm_core.field": named},
                )
            )
        return result

    return transform


def _words(name: str) -> str:
    return name.removesuffix("_id").replace("_", " ").capitalize()


def _checker(field: Field, record_name: str) -> Callable[[Any], Any]:
    def check(value: Any) -> Any:
        return field.check(value, record_name)

    return check


_ANNOTATION = re.compile(r"(?:\w+\.)*Mapped\[(.*)\]", re.DOTALL)


def _compare(where: str, record_name: str, attribute: attrs.Attribute[Any], field: Field) -> None:
    """Refuse an annotation that says something else than the field: the type checker would believe it."""
    annotation: object = attribute.type
    written = annotation if isinstance(annotation, str) else str(annotation).replace("typing.", "")
    match = _ANNOTATION.fullmatch(written.strip())
    if match is None:
        raise DeclarationError(
            "{where}.{field} is annotated {written}.",
            mend="Write Mapped[...] around the type.",
            where=where,
            record=record_name,
            field=attribute.name,
            written=written,
        )
    parts = [part.strip() for part in match.group(1).split("|")]
    if ("None" in parts) != field.optional:
        raise DeclarationError(
            "{where}.{field}: the annotation and the default disagree about None.",
            mend="An optional field says both '| None' and 'default=None'.",
            where=where,
            record=record_name,
            field=attribute.name,
        )
    python: str = field.kind.enum.__name__ if isinstance(field.kind, ChoiceKind) else field.kind.python
    if python == "Decimal" and getattr(field.kind, "scale", 1) == 0:
        python = "int"
    base = re.sub(r"\[.*", "", parts[0], flags=re.DOTALL).rpartition(".")[2].strip("'\" ")
    if python not in {"Any", base}:
        raise DeclarationError(
            "{where}.{field} is annotated {base} but holds {python}.",
            mend="Write Mapped[{python}].",
            where=where,
            record=record_name,
            field=attribute.name,
            base=base,
            python=python,
        )


def _table(plugin: str, table_name: str, fields: Sequence[Field], indexes: Sequence[tuple[str, ...]]) -> Table:
    parts: list[Any] = [Column("id", columns.BIGINT, primary_key=True, autoincrement=False)]
    for field in fields:
        for suffix, column_type in field.kind.columns():
            parts.append(Column(field.name + suffix, column_type, nullable=field.optional or suffix != ""))
        if field.folded:
            parts.append(Column(f"{field.name}_key", columns.stored_text(None), nullable=field.optional))
    parts += [
        Column("custom", columns.Custom(), nullable=True),
        Column("version", Integer, nullable=False),
        Column("created_at", columns.Moment(), nullable=False),
        Column("created_by", columns.BIGINT, nullable=True),
        Column("updated_at", columns.Moment(), nullable=False),
    ]
    wanted: list[tuple[str, ...]] = [(field.name,) for field in fields if field.index]
    wanted += [(f"{field.name}_key", "id") for field in fields if field.folded]
    for names in [*wanted, *indexes]:
        parts.append(Index(short_name(f"ix_{table_name}_{'_'.join(names)}"), *names))
    return Table(table_name, mapper_registry(plugin).metadata, *parts)
