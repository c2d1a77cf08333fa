"""What is to be done with the rows of one type that refer to what is merged."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import attrs

from crm_core.records import RecordType

__all__ = ["Rows", "Work"]

Rows: TypeAlias = Mapping[int, Mapping[str, Any]]
"""Values of rows by id."""


@attrs.define
class Work:
    """The rows of one type: ``moved`` as they would be once they refer to the survivor, ``present`` are those that do.

    What is decided goes into ``changes`` (of moved and present rows), ``created``, ``joined`` (a row goes into another
    one, with all that refers to it) and ``dropped`` (a row that would say nothing any more).
    """

    type: RecordType
    moved: dict[int, dict[str, Any]]
    present: dict[int, dict[str, Any]]
    changes: dict[int, dict[str, Any]] = attrs.field(factory=dict)
    created: list[dict[str, Any]] = attrs.field(factory=list)
    joined: dict[int, int] = attrs.field(factory=dict)
    dropped: set[int] = attrs.field(factory=set)

    def change(self, id_: int, **values: Any) -> None:
        """Change a row beside its move."""
        self.changes.setdefault(id_, {}).update(values)
        rows = self.moved if id_ in self.moved else self.present
        rows[id_] |= values

    def join(self, id_: int, into: int, **values: Any) -> None:
        """Let a moved row go into another one, which takes ``values``."""
        self.joined[id_] = into
        self.changes.pop(id_, None)
        del self.moved[id_]
        changed = {name: value for name, value in values.items() if self._values(into).get(name) != value}
        if changed:
            self.change(into, **changed)

    def drop(self, id_: int) -> None:
        """Let a moved row go."""
        self.dropped.add(id_)
        self.changes.pop(id_, None)
        del self.moved[id_]

    def _values(self, id_: int) -> dict[str, Any]:
        return self.moved[id_] if id_ in self.moved else self.present[id_]
