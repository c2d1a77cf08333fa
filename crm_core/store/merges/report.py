"""What a merge did, or would do."""

from __future__ import annotations

from typing import Any, Literal

import attrs

from crm_core.errors import Problem

__all__ = ["FieldChoice", "MergeReport"]


@attrs.frozen
class FieldChoice:
    """A field in which the two records differ: both values, the rule, and whose value survives.

    ``field`` is a field's name, ``custom.<name>`` of a custom field, or ``<record>.<field>`` of an extension.
    """

    field: str
    target: Any
    source: Any
    rule: str
    chosen: Literal["target", "source", "both"]
    value: Any


@attrs.define
class MergeReport:
    """What a merge did, or (``dry_run``) would do.

    ``fields`` are those in which the records differ, ``moved`` counts references by ``<record>.<field>``, ``resolved``
    tells of rows that could not simply be moved and what became of them, ``conflicts`` of what stands in the way; a
    merge with conflicts is not made. Nothing is told here of what the actor may not see.
    """

    record_type: str
    target_id: int
    source_id: int
    dry_run: bool
    fields: list[FieldChoice] = attrs.field(factory=list)
    moved: dict[str, int] = attrs.field(factory=dict)
    resolved: list[Problem] = attrs.field(factory=list)
    conflicts: list[Problem] = attrs.field(factory=list)
    redirect_id: int | None = None
