"""Finding records by the keys of a source system: one query per batch, and a bounded memory of what was found."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import attrs
from sqlalchemy import select

from crm_core.domain.external import ExternalRef
from crm_core.exchange.plan import LookupPlan
from crm_core.fields.field import Field
from crm_core.records import RecordType
from crm_core.store.engine import recount
from crm_core.store.erasure import ERASED, erased_key
from crm_core.store.parts import in_parts
from crm_core.store.session import CrmSession

__all__ = ["AMBIGUOUS", "Resolver", "Target"]

_REMEMBERED = 5_000
_FIRST_MEASURE = 1_000
_OPTIONS = {"all_dates": True}

AMBIGUOUS: Any = object()
"""Stands for several records where one was looked for."""


@attrs.frozen
class Target:
    """What a key stands for: the row that keeps the key, the record's id, and whether the session finds that record.

    ``erased`` says that the record's person was erased, so that nothing may bring them back.
    """

    ref_id: int
    record_id: int
    found: bool
    erased: bool = False


class Resolver:
    """The look-ups of one import. It sees what its session sees."""

    def __init__(self, session: CrmSession) -> None:
        self.session = session
        self._known: dict[tuple[Any, ...], dict[str, Any]] = {}
        self._grown = 0
        self._any_erased: dict[str, bool] = {}
        self._measure_at = _FIRST_MEASURE
        self._measure()

    def grew(self, keys: int) -> None:
        """So many keys were added."""
        self._grown += keys
        if self._grown >= self._measure_at:
            self._measure_at *= 4
            self._measure()

    def _measure(self) -> None:
        """With the numbers of an empty table, a database reads all keys for each batch."""
        recount(self.session, ExternalRef.crm_type.table.name)

    def find(self, lookup: LookupPlan, keys: set[str]) -> dict[str, Any]:
        """Ids (or taken values) by key; keys without a record are absent, unclear ones :data:`AMBIGUOUS`."""
        identity = (lookup.record_type.name, lookup.system, lookup.by, lookup.take)
        known = self._known.setdefault(identity, {})
        if len(known) > _REMEMBERED:
            known.clear()
        result = {key: known[key] for key in keys if key in known}
        wanted = keys - result.keys()
        if wanted:
            fresh = dict(self._by_field(lookup, lookup.by, wanted) if lookup.by else self._by_key(lookup, wanted))
            known.update(fresh)
            result.update(fresh)
        return result

    def _by_key(self, lookup: LookupPlan, keys: set[str]) -> Iterator[tuple[str, Any]]:
        cls = _attributes(lookup.record_type)
        value = getattr(cls, lookup.take.name) if lookup.take else cls.id
        # An extension is known by the key of the record that it extends.
        owner = lookup.record_type.extends or lookup.record_type.name
        for part in in_parts(sorted(keys)):
            statement = (
                select(ExternalRef.key, value)
                .join(cls, cls.id == ExternalRef.record_id)
                .where(
                    ExternalRef.system == lookup.system,
                    ExternalRef.record_type == owner,
                    ExternalRef.key.in_(part),
                )
            )
            yield from self._rows(statement)

    def _by_field(self, lookup: LookupPlan, field: Field, keys: set[str]) -> Iterator[tuple[str, Any]]:
        cls = _attributes(lookup.record_type)
        value = getattr(cls, lookup.take.name) if lookup.take else cls.id
        yield from self._by_value(cls, field, value, keys)

    def matching(self, record_type: RecordType, field: Field, values: set[str]) -> dict[str, Any]:
        """Ids of the records that have one of ``values`` in ``field``."""
        cls = _attributes(record_type)
        return dict(self._by_value(cls, field, cls.id, values))

    def _by_value(self, cls: Any, field: Field, value: Any, keys: set[str]) -> Iterator[tuple[str, Any]]:
        column = getattr(cls, field.name)
        for part in in_parts(sorted(keys)):
            found: dict[str, Any] = {}
            for key, each in self._rows(select(column, value).where(column.in_(part))):
                found[key] = each if key not in found else AMBIGUOUS
            yield from found.items()

    def targets(self, record_type: RecordType, system: str, keys: set[str]) -> dict[str, Target]:
        """What each key stands for; keys that nobody has used are absent."""
        cls = _attributes(record_type)
        found: dict[str, Target] = {}
        for part in in_parts(sorted(keys)):
            statement = (
                select(ExternalRef.key, ExternalRef.id, ExternalRef.record_id, cls.id)
                .join(cls, cls.id == ExternalRef.record_id, isouter=True)
                .where(
                    ExternalRef.system == system,
                    ExternalRef.record_type == record_type.name,
                    ExternalRef.key.in_(part),
                )
            )
            for key, ref_id, record_id, present in self._rows(statement):
                found[key] = Target(ref_id, record_id, present is not None)
        return found | self._erased(record_type, system, keys - found.keys())

    def _erased(self, record_type: RecordType, system: str, keys: set[str]) -> dict[str, Target]:
        """Keys whose record was erased: only a digest of them is left."""
        if not keys or not self._erasures(system):
            return {}
        names = {erased_key(system, record_type.name, key): key for key in keys}
        found: dict[str, Target] = {}
        for part in in_parts(sorted(names)):
            statement = select(ExternalRef.key, ExternalRef.id, ExternalRef.record_id).where(
                ExternalRef.system == system,
                ExternalRef.record_type == record_type.name,
                ExternalRef.key.in_(part),
            )
            for name, ref_id, record_id in self._rows(statement):
                found[names[name]] = Target(ref_id, record_id, found=False, erased=True)
        return found

    def _erasures(self, system: str) -> bool:
        """Whether anything of this system was ever erased; asked once."""
        if system not in self._any_erased:
            statement = (
                select(ExternalRef.id).where(ExternalRef.system == system, ExternalRef.key.startswith(ERASED)).limit(1)
            )
            self._any_erased[system] = bool(self._rows(statement))
        return self._any_erased[system]

    def keyed(self, record_type: RecordType, system: str, ids: Iterable[int]) -> set[int]:
        """Those records that have a key in ``system``."""
        found: set[int] = set()
        for part in in_parts(sorted(ids)):
            statement = select(ExternalRef.record_id).where(
                ExternalRef.system == system,
                ExternalRef.record_type == record_type.name,
                ExternalRef.record_id.in_(part),
            )
            found.update(row[0] for row in self._rows(statement))
        return found

    def present(self, record_type: RecordType, ids: Iterable[int]) -> set[int]:
        """Those ids that are records of this type."""
        cls = _attributes(record_type)
        return {row[0] for part in in_parts(sorted(ids)) for row in self._rows(select(cls.id).where(cls.id.in_(part)))}

    def _rows(self, statement: Any) -> Sequence[Any]:
        return self.session.execute(statement, execution_options=_OPTIONS).all()


def _attributes(record_type: RecordType) -> Any:
    """The class; its attributes are known by name only here."""
    return record_type.cls
