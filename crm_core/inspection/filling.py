"""How often fields are really filled: one statement per record type, over what the reader sees."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

import attrs
from sqlalchemy import Text, cast, func, select

from crm_core.expressions.leaves import Leaf
from crm_core.expressions.names import Names
from crm_core.expressions.nodes import Scope
from crm_core.expressions.steps import Path
from crm_core.store.guard import trusted

if TYPE_CHECKING:
    from crm_core.records import RecordType
    from crm_core.store.session import CrmSession

__all__ = ["Filling", "filling"]

_JSON = ("json", "tags")


@attrs.frozen
class Filling:
    """Of ``records`` so many have a value, and so many different ones."""

    records: int
    filled: int
    distinct: int

    @property
    def share(self) -> float | None:
        """The share that is filled, from 0 to 1; ``None`` where there are no records."""
        return self.filled / self.records if self.records else None


def filling(session: CrmSession, record_type: RecordType, names: Collection[str]) -> Mapping[str, Filling]:
    """How the fields (and custom fields) of a type are filled; those that the actor may not read are left out."""
    env = session._reading.environment()
    meaning = Names(session.types, env)
    leaves = {name: found for name in names if isinstance(found := meaning.find(name, record_type, Path()), Leaf)}
    if not leaves:
        return {}
    columns: list[Any] = [func.count()]
    for leaf in leaves.values():
        value = leaf.sql(Scope(record_type.table, env))
        if leaf.field.kind.name in _JSON:
            value = cast(value, Text)  # PostgreSQL does not compare JSON
        columns += [trusted(func.count(value)), trusted(func.count(value.distinct()))]
    row: Any = session.execute(
        select(*columns).select_from(record_type.cls), execution_options={"all_dates": True}
    ).one()
    return {
        name: Filling(row[0], row[1 + 2 * number], row[2 + 2 * number]) for number, name in enumerate(leaves)
    }  # fmt: skip
