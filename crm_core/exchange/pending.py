"""A row on its way into the database, and whoever is told what becomes of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import attrs

from crm_core.errors import CrmError, Problem
from crm_core.exchange.plan import FieldPlan, LookupPlan

__all__ = ["Outcome", "Pending"]


@attrs.define(eq=False)
class Pending:
    """A row on its way. ``values`` are field values, ``custom`` those of custom fields; ``id`` is its record's."""

    line: int
    cells: Any
    key: str
    values: dict[str, Any]
    custom: dict[str, Any]
    wants: list[tuple[FieldPlan, LookupPlan, str]]
    id: int = 0
    ref_id: int | None = None
    known: bool = False
    change: dict[str, Any] = attrs.field(factory=dict)
    former: Mapping[str, Any] = attrs.field(factory=dict)
    proposals: dict[str, Any] = attrs.field(factory=dict)

    @property
    def all_values(self) -> dict[str, Any]:
        """The values as a new record takes them."""
        custom = {name: value for name, value in self.custom.items() if value is not None}
        return {**self.values, "custom": custom} if custom else self.values


class Outcome(Protocol):
    """Who is told what became of the rows."""

    def reject(self, line: int, key: str | None, cells: Any, reason: CrmError | Problem) -> None: ...

    def postpone(self, row: Pending) -> None: ...

    def skipped(self) -> None: ...

    def unchanged(self, row: Pending) -> None: ...

    def written(self, row: Pending) -> None: ...
