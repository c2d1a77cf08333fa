"""Whose an erasure is: the person under every id they had, and the records that refer or referred to them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import attrs
from sqlalchemy import and_, or_, select

from crm_core.domain.redirects import Redirect
from crm_core.records import RecordType
from crm_core.store.absent import Absent, absent
from crm_core.store.catalogue import SOFT
from crm_core.store.dependants import reflect
from crm_core.store.parts import in_parts
from crm_core.store.tables import CHANGE, REFERENCE

if TYPE_CHECKING:
    from crm_core.store.session import CrmSession

__all__ = ["Anchor", "Anchors", "Kept", "anchors", "identities", "mentioned", "present"]


@attrs.frozen
class Anchor:
    """A column with the id of a person; where ``type_column`` is given, it must name one of ``types``."""

    column: str
    type_column: str | None = None
    types: frozenset[str] = frozenset()

    def holds(self, values: Mapping[str, Any], persons: Collection[int]) -> bool:
        """Whether a record with these values refers to one of ``persons``."""
        return values.get(self.column) in persons and (
            self.type_column is None or values.get(self.type_column) in self.types
        )


Kept: TypeAlias = "RecordType | Absent"
"""A record type of the build, or one of a plugin that is not loaded, by what the catalogue knows of it."""

Anchors: TypeAlias = "Mapping[Kept, Sequence[Anchor]]"


def anchors(session: CrmSession, record_type: RecordType) -> Anchors:
    """How records refer to those of a type, or to extensions of them: declared references, soft ones, extensions.

    Those of the same type are left out: whoever refers to a person is somebody else. Also those of plugins that are not
    loaded, as the catalogue knows them.
    """
    targets = frozenset({record_type.name, *(each.name for each in session.types.extensions(record_type.name))})
    found: dict[Kept, list[Anchor]] = {}
    for other in session.types.values():
        if other is record_type:
            continue
        if other.extends == record_type.name:
            found.setdefault(other, []).append(Anchor("id"))
        for field in other.refs:
            if field.target in targets:
                found.setdefault(other, []).append(Anchor(field.name))
    for soft in session.policy.references:
        owner = session.types.get(soft.record)
        if owner is not None and (soft.type_field is not None or soft.target in targets):
            found.setdefault(owner, []).append(Anchor(soft.id_field, soft.type_field, targets))
    for known, each in _of_absent(session, record_type, targets).items():
        found[known] = each
    return found


def _of_absent(session: CrmSession, record_type: RecordType, targets: frozenset[str]) -> dict[Absent, list[Anchor]]:
    unloaded = {each.name: each for each in absent(session)}
    targets |= {each.name for each in unloaded.values() if each.extends == record_type.name}
    soft = select(REFERENCE).where(REFERENCE.c.action == SOFT, REFERENCE.c.type.in_(sorted(unloaded)))
    found: dict[Absent, list[Anchor]] = {}
    for each in unloaded.values():
        hooks = [Anchor(column) for column, target in each.targets.items() if target in targets]
        if hooks:
            found[each] = hooks
    for row in session.core(soft) if unloaded else ():
        if row.type_column is not None or row.target == record_type.table.name:
            found.setdefault(unloaded[row.type], []).append(Anchor(row.column, row.type_column, targets))
    return found


def identities(session: CrmSession, record_type: RecordType, id_: int) -> set[int]:
    """The ids of a person: their own, and those of all that was merged into them, of which only the journal tells."""
    found, new = {id_}, {id_}
    redirect = Redirect.crm_type.table
    while new and Redirect.crm_type.name in session.types:
        query = select(redirect.c.source_id).where(
            redirect.c.record_type == record_type.name, redirect.c.target_id.in_(sorted(new))
        )
        new = set(session.core(query).scalars()) - found
        found |= new
    return found


def present(session: CrmSession, record_type: Kept, hooks: Sequence[Anchor], persons: set[int]) -> set[int]:
    """The records of a type that refer to one of ``persons`` now."""
    table = reflect(session, record_type.table) if isinstance(record_type, Absent) else record_type.table
    found: set[int] = set()
    if table is None:  # its plugin was removed
        return found
    for hook in hooks:
        if hook.column not in table.c:
            continue
        for part in in_parts(sorted(persons)):
            query = select(table.c.id).where(table.c[hook.column].in_(part))
            if hook.type_column is not None:
                query = query.where(table.c[hook.type_column].in_(sorted(hook.types)))
            found.update(session.core(query).scalars())
    return found


def mentioned(session: CrmSession, hooks: Anchors, persons: set[int]) -> dict[str, set[int]]:
    """By type the records whose journal names one of ``persons``: one pass through the journal."""
    sides = (CHANGE.c.before, CHANGE.c.after)
    conditions = [
        and_(
            CHANGE.c.type == record_type.name,
            or_(
                *(
                    side.contains(f'"{column}":{person}{end}', autoescape=True)
                    for column in sorted({hook.column for hook in each})
                    for person in sorted(persons)
                    for end in (",", "}")
                    for side in sides
                )
            ),
        )
        for record_type, each in hooks.items()
    ]
    found: dict[str, set[int]] = {}
    if conditions:
        for row in session.core(select(CHANGE.c.type, CHANGE.c.record_id).where(or_(*conditions)).distinct()):
            found.setdefault(row.type, set()).add(row.record_id)
    return found
