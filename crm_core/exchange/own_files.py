"""The mapping that reads our own exports again, into this database or another."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from crm_core.errors import ExchangeError
from crm_core.exchange.mapping import ImportMapping
from crm_core.exchange.mapping_file import PARTS, read_mapping
from crm_core.fields.field import Field
from crm_core.records import RecordType, Types

__all__ = ["mapping_of_exports", "table_of_exports"]


def mapping_of_exports(
    types: Types,
    files: Mapping[str, str],
    *,
    system: str = "crm",
    custom: Mapping[str, Mapping[str, Field]] | None = None,
    fields: Mapping[str, tuple[str, ...]] | None = None,
) -> ImportMapping:
    """A mapping for files that :func:`~crm_core.exchange.run_export` wrote, by record type.

    Ids of the other database become keys under ``system``. ``custom`` are the build's custom fields
    (``crm.build.policy.custom``), ``fields`` those that were exported, where they were not all. Records come after
    those that they refer to.
    """
    return read_mapping(table_of_exports(types, files, system=system, custom=custom, fields=fields))


def table_of_exports(
    types: Types,
    files: Mapping[str, str],
    *,
    system: str = "crm",
    custom: Mapping[str, Mapping[str, Field]] | None = None,
    fields: Mapping[str, tuple[str, ...]] | None = None,
) -> dict[str, Any]:
    """The same mapping as it would stand in a file."""
    sections = []
    for name in _in_order(types, files):
        record_type = types.find(name)
        known = {**(custom or {}).get(name, {}), **record_type.by_name}
        wanted = (fields or {}).get(name) or tuple(known)
        lossless = PurePath(files[name]).suffix.lower() in (".jsonl", ".ndjson")
        sections.append(
            {
                "record": name,
                "file": files[name],
                "key": "id",
                "fields": {each: _field(known[each], lossless) for each in wanted if each in known},
            }
        )
    return {"source": {"system": system}, "section": sections}


def _field(field: Field, lossless: bool) -> Any:
    if field.target is not None:
        missing = "empty" if field.optional else "reject"
        return {"lookup": {"record": field.target, "key": field.name, "missing": missing}}
    if field.kind.name in PARTS and not lossless:
        return {part: f"{field.name}.{part}" for part in PARTS[field.kind.name]}
    return field.name


def _in_order(types: Types, files: Mapping[str, str]) -> list[str]:
    ordered: list[str] = []

    def place(name: str, above: tuple[str, ...]) -> None:
        if name in ordered or name not in files:
            return
        if name in above:
            raise ExchangeError(
                "{names} refer to each other, so that none can be imported first.",
                mend="Import one of them without the reference.",
                names=", ".join(sorted(above)),
            )
        for target in _targets(types.find(name)):
            if target != name:
                place(target, (*above, name))
        ordered.append(name)

    for name in sorted(files):
        types.find(name)
        place(name, ())
    return ordered


def _targets(record_type: RecordType) -> list[str]:
    targets = [field.target for field in record_type.refs if field.target is not None]
    return [record_type.extends, *targets] if record_type.extends else targets
