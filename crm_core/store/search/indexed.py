"""Which record types of a build can be searched, and what the index keeps of their records."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping
from typing import Any, NamedTuple

import attrs
from sqlalchemy import ColumnElement, FromClause, func, literal, null, select

from crm_core.errors import DeclarationError
from crm_core.fields.field import Field
from crm_core.fields.kinds import PhoneKind, TextKind
from crm_core.records import Owned, RecordType, Through, Types, Via
from crm_core.store.marks import ERASED
from crm_core.store.search.texts import FORMAT, Form, body_of
from crm_core.store.visibility import bare

__all__ = ["Document", "Indexed", "Plan", "Step"]

_SOUND_LENGTH = 200
_SIZE = 255


class Document(NamedTuple):
    """A row of the index, without its id: what is kept of a record, or of its fields that need a permission."""

    record_id: int
    type: str
    permission: str | None
    account_id: int | None
    shown_id: int
    size: int
    body: str

    @property
    def key(self) -> tuple[int, str | None]:
        """What tells it from the others of its type."""
        return self.record_id, self.permission


@attrs.frozen
class Step:
    """A reference on the way from a record to its account; ``through`` is where it goes on, if not at the account."""

    field: str
    through: RecordType | None


@attrs.frozen(eq=False)
class Indexed:
    """A record type that can be searched.

    ``parts`` are its fields by the permission that they need, first those that need none. ``steps`` lead to the
    account. ``shown`` are the references that name what a search shows instead, each with its type.
    """

    type: RecordType
    parts: tuple[tuple[str | None, tuple[Field, ...]], ...]
    steps: tuple[Step, ...]
    shown: tuple[tuple[str, RecordType], ...]

    @property
    def touched_by(self) -> frozenset[str]:
        """The fields whose change concerns the index."""
        fields = {field.name for _, fields in self.parts for field in fields}
        return frozenset(fields | {step.field for step in self.steps} | {name for name, _ in self.shown})

    @property
    def is_account(self) -> bool:
        """Whether other records hang on it."""
        return isinstance(self.type.access, Owned)

    @property
    def rank(self) -> int:
        """Its place among hits that match as well: accounts, people, the rest."""
        shown = self.shown[0][1] if self.shown else self.type
        return 0 if isinstance(shown.access, Owned) else 1 if isinstance(shown.access, Through) else 2

    def documents(self, id_: int, values: Mapping[str, Any], account_id: int | None) -> list[Document]:
        """What the index keeps of a record with these values; the first always, those of restricted fields if any."""
        shown_id, name = id_, self.type.name
        for reference, _ in self.shown:
            if reference != "id" and values.get(reference) is not None:
                shown_id = values[reference]
                break
        found = []
        for permission, forms in self.forms:
            texts = [
                (value, form)
                for field, form, personal in forms
                if (value := values.get(field)) and not (personal and value == ERASED)
            ]
            if texts or permission is None:
                size = min(len(texts[0][0]), _SIZE) if texts else _SIZE
                body = _repeated(tuple(texts)) if self.shown else body_of(texts)
                found.append(Document(id_, name, permission, account_id, shown_id, size, body))
        return found

    @functools.cached_property
    def forms(self) -> tuple[tuple[str | None, tuple[tuple[str, Form, bool], ...]], ...]:
        """By permission the names of fields, how each goes into the index, and whether it is personal."""
        return tuple(
            (permission, tuple((field.name, self.form(field), field.personal) for field in fields))
            for permission, fields in self.parts
        )

    def form(self, field: Field) -> Form:
        """How a field goes into the index."""
        title = not self.shown and (field.name == self.type.title or field.name.endswith("name"))
        length = field.kind.length if isinstance(field.kind, TextKind) else None
        sound = length is not None and length <= _SOUND_LENGTH
        return Form(title, sound, field.surname, isinstance(field.kind, PhoneKind))

    def is_main(self, document: Document) -> bool:
        """Whether a document has the id of its record."""
        return document.permission is None and not self.type.extends

    @property
    def has_others(self) -> bool:
        """Whether records have documents with ids of their own."""
        return self.type.extends is not None or len(self.parts) > 1

    def signature(self, driver: str) -> str:
        """What the documents follow from; others are of no use."""
        parts = [
            str(FORMAT),
            driver,
            *(f"{permission}:{','.join(map(_described, fields))}" for permission, fields in self.parts),
            *(f"{step.field}>{step.through and step.through.name}" for step in self.steps),
            *(f"{name}={target.name}" for name, target in self.shown),
        ]
        return hashlib.sha256("|".join(parts).encode()).hexdigest()[:40]


@functools.lru_cache(maxsize=4096)
def _repeated(texts: tuple[tuple[str, Form], ...]) -> str:
    """The same roles and departments are everywhere."""
    return body_of(texts)


def _described(field: Field) -> str:
    length = field.kind.length if isinstance(field.kind, TextKind) else None
    return f"{field.name}/{field.kind.name}/{length}/{field.surname}"


class Plan:
    """The types of a build that can be searched, by name, and the ways from records to their accounts."""

    def __init__(self, types: Types) -> None:
        self.types = types
        self.steps: dict[str, tuple[Step, ...]] = {}
        for record_type in types.values():
            self._steps_of(record_type)
        self.indexed: dict[str, Indexed] = {}
        for name in sorted(types):
            parts = _parts(types[name])
            if parts:
                self.indexed[name] = Indexed(types[name], parts, self.steps[name], self._shown(types[name]))
        self._check_shown()
        self.beneath: dict[str, list[tuple[RecordType, str]]] = {}
        """By type the records whose way to the account leads over it, with the field that refers to it."""
        for name, steps in self.steps.items():
            for step in steps:
                if step.through is not None:
                    self.beneath.setdefault(step.through.name, []).append((types[name], step.field))

    def _steps_of(self, record_type: RecordType, above: frozenset[str] = frozenset()) -> tuple[Step, ...]:
        known = self.steps.get(record_type.name)
        if known is not None:
            return known
        found: list[Step] = []
        fields = record_type.access.fields if isinstance(record_type.access, Via) else ()
        for name in fields:
            target_name = record_type.extends if name == "id" else record_type.by_name[name].target
            target = self.types.get(target_name or "")
            if target is None or target.name in above | {record_type.name}:
                continue
            if isinstance(target.access, Owned):
                found.append(Step(name, None))
            elif self._steps_of(target, above | {record_type.name}):
                found.append(Step(name, target))
        if not above:
            self.steps[record_type.name] = tuple(found)
        return tuple(found)

    def _shown(self, record_type: RecordType) -> tuple[tuple[str, RecordType], ...]:
        found = []
        for name in record_type.found_as:
            target_name = record_type.extends if name == "id" else record_type.by_name[name].target
            assert target_name is not None
            found.append((name, self.types[target_name]))
        return tuple(found)

    def _check_shown(self) -> None:
        for each in self.indexed.values():
            for name, target in each.shown:
                if target.name not in self.indexed or self.indexed[target.name].shown:
                    raise DeclarationError(
                        "{record}: found_as={field!r} leads to {target}, which a search does not show.",
                        mend="Name a reference to a record with a searchable field of its own.",
                        plugin=each.type.plugin,
                        record=each.type.name,
                        field=name,
                        target=target.name,
                    )

    def account_of(self, record_type: RecordType, rows: FromClause) -> ColumnElement[Any]:
        """The account of ``rows``, as SQL; null where there is none."""
        if isinstance(record_type.access, Owned):
            return rows.c.id
        parts: list[ColumnElement[Any]] = []
        for step in self.steps[record_type.name]:
            if step.through is None:
                parts.append(rows.c[step.field])
            else:
                inner = bare(step.through.table).alias()
                account = self.account_of(step.through, inner)
                parts.append(select(account).where(inner.c.id == rows.c[step.field]).scalar_subquery())
        if not parts:
            return null()
        return func.coalesce(*parts, literal(None)) if len(parts) > 1 else parts[0]


def _parts(record_type: RecordType) -> tuple[tuple[str | None, tuple[Field, ...]], ...]:
    searched = [field for field in record_type.fields if field.search]
    if not searched:
        return ()
    # What people know the record by stands first in its body.
    searched.sort(key=lambda field: (field.name != record_type.title, not field.name.endswith("name")))
    permissions = sorted({field.restricted for field in searched if field.restricted})
    return tuple(
        (permission, tuple(field for field in searched if field.restricted == permission))
        for permission in (None, *permissions)
    )
