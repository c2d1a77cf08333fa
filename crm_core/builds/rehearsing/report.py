"""What a rehearsal found."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import attrs

from crm_core.builds.acceptance import Accepted
from crm_core.builds.describing import plain
from crm_core.errors import Problem

__all__ = ["Noticed", "Rehearsal", "Step", "TableRows", "Weight"]

Weight = Literal["breaks", "loses", "changes"]


@attrs.frozen
class Noticed:
    """One thing that an upgrade would do: it ``breaks`` something, ``loses`` data, or ``changes`` them."""

    weight: Weight
    words: Problem


@attrs.frozen
class Step:
    """A part of the rehearsal with the seconds that it took."""

    name: str
    seconds: float


@attrs.frozen
class TableRows:
    """A table with its rows before and after; ``None`` where it is not there."""

    name: str
    before: int | None
    after: int | None


@attrs.define(kw_only=True)
class Rehearsal:
    """What an upgrade would do to a database.

    ``copy`` is the address of the copy, if it was kept. ``untouched`` says that the original holds what it held,
    ``busy`` that others wrote to it meanwhile, so that this cannot be said. ``sampled`` are the accounts whose
    overviews were compared. ``remarks`` say what could not be tried.
    """

    database: str
    old: Path | None
    new: Path | None
    found: list[Noticed] = attrs.field(factory=list)
    remarks: list[Problem] = attrs.field(factory=list)
    steps: list[Step] = attrs.field(factory=list)
    tables: list[TableRows] = attrs.field(factory=list)
    accepted: list[Accepted] = attrs.field(factory=list)
    sampled: list[int] = attrs.field(factory=list)
    seed: int = 0
    compared: int = 0
    copy: str | None = None
    untouched: bool | None = None
    busy: bool = False

    @property
    def right(self) -> bool:
        """Whether nothing would break or be lost."""
        return not any(each.weight != "changes" for each in self.found) and self.untouched is not False

    def as_json(self) -> dict[str, Any]:
        """As ``--json`` prints it."""
        return {
            "right": self.right,
            "database": self.database,
            "old": None if self.old is None else str(self.old),
            "new": None if self.new is None else str(self.new),
            "found": [{"weight": each.weight, "path": each.words.path, "words": each.words.text()}
                      for each in self.found],
            "remarks": [each.text() for each in self.remarks],
            "acceptance": [
                {"name": each.name, "label": each.label, "before": each.before, "after": each.after,
                 "problem": None if each.problem is None else each.problem.text()}
                for each in self.accepted
            ],
            "tables": plain(self.tables),
            "overviews": {"sampled": self.sampled, "seed": self.seed, "compared": self.compared},
            "steps": [{"name": each.name, "seconds": round(each.seconds, 3)} for each in self.steps],
            "original": {"untouched": self.untouched, "busy": self.busy},
            "copy": self.copy,
        }  # fmt: skip
