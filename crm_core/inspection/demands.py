"""Which fields people must fill, who says so, and which roles write the record."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Literal

import attrs

from crm_core.fields import Field
from crm_core.records import RecordType
from crm_core.store.policy import Role

if TYPE_CHECKING:
    from crm_core.assembly import Build

__all__ = ["Demand", "DemandKind", "demands", "writing_roles"]

DemandKind = Literal["required", "custom", "duty", "completeness"]
"""A declared field without a default; a required custom field; asked for by a duty; a part of completeness."""


@attrs.frozen
class Demand:
    """Why a field must be filled; ``where`` is the place in the build file, or the plugin that declares it."""

    kind: DemandKind
    where: str


def writing_roles(build: Build, record_type: RecordType) -> tuple[str, ...]:
    """The roles that create or change records of a type by hand: those that grant it by name, not by ``*`` alone."""
    permissions = (record_type.permission("create"), record_type.permission("update"))
    return tuple(
        sorted(
            name
            for name, role in build.policy.roles.items()
            if any(_by_name(role).scope(permission) is not None for permission in permissions)
        )
    )


def _by_name(role: Role) -> Role:
    return attrs.evolve(role, grants=tuple(grant for grant in role.grants if grant[0] != "*"))


def demands(build: Build) -> Mapping[tuple[str, str], list[Demand]]:
    """The demands by record and field, for records that some role writes."""
    found: dict[tuple[str, str], list[Demand]] = {}
    for name, field, demand in _all(build):
        record_type = build.types[name]
        if writing_roles(build, record_type) or demand.kind == "duty":
            found.setdefault((name, field), []).append(demand)
    return found


def _all(build: Build) -> Iterator[tuple[str, str, Demand]]:
    for name, record_type in build.types.items():
        for field in record_type.fields:
            if field.required:
                yield name, field.name, Demand("required", record_type.plugin)
    for name, fields in build.policy.custom.items():
        for field_name, custom in fields.items():
            if _is_required(custom):
                yield name, field_name, Demand("custom", f"custom_fields.{_key(name)}.{field_name}.required")
    for duty in build.policy.duties.values():
        for field_name in duty.fields:
            yield duty.record, field_name, Demand("duty", f"duties.{duty.name}.fields")
    account = build.types["account"]
    known = account.by_name.keys() | build.policy.custom.get("account", {}).keys()
    for field_name, weight in build.file.views.weights.items():
        if weight and field_name in known:
            yield "account", field_name, Demand("completeness", "views.weights")


def _is_required(field: Field) -> bool:
    return not field.optional


def _key(record: str) -> str:
    return f'"{record}"' if "." in record else record
