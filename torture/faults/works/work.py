"""What a work is, and how most of them are looked at."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import attrs

from crm_core import Crm
from torture.examining import Complaint, Heads, examine, heads, likeness
from torture.examining.examination import Shape
from torture.examining.likeness import Likeness
from torture.faults.ground import ACKNOWLEDGED, BASE, PRESENT, Ground

__all__ = ["End", "Work"]


@attrs.frozen
class End:
    """How a work ends when nobody disturbs it: what there is then, and of what its change sets consist."""

    likeness: Likeness
    shapes: tuple[Shape, ...]
    more: Any = None


class Work:
    """One kind of work. ``run`` begins it, and goes on with it where an earlier run came to; the rest looks at it."""

    name: ClassVar[str]
    template: ClassVar[str] = BASE
    """Which of the databases it begins with."""
    hooks: ClassVar[bool] = True
    """Whether plugins are called by it."""
    statements: ClassVar[bool] = True
    """Whether it writes to the database."""
    sets: ClassVar[int | None] = None
    """Into how many change sets it goes, where it promises that."""

    def prepare(self, ground: Ground) -> None:
        """Lay out the files that it needs."""

    def run(self, ground: Ground, crm: Crm) -> None:
        """Do it, or what is left of it."""
        raise NotImplementedError

    def open(self, ground: Ground, **options: Any) -> Crm:
        """The CRM as the one who works opens it."""
        return ground.open(**options)

    def look(self, ground: Ground, before: Heads, shapes: Sequence[Shape] | None) -> list[Complaint]:
        """What is wrong with the database now, whether the work is done or not."""
        with self.open(ground) as crm:
            return examine(crm, before, ground.lines(ACKNOWLEDGED), shapes)

    def before(self, ground: Ground) -> Heads:
        """The change sets before the work."""
        with ground.open() as crm:
            return heads(crm.store)

    def end(self, ground: Ground, before: Heads) -> End:
        """What there is when it is done."""
        with self.open(ground) as crm:
            now = heads(crm.store)
            new = tuple(shape for id_, shape in now.items() if id_ not in before)
            return End(likeness(crm, PRESENT, ground.facts["newest"]), new, self.more(ground, crm))

    def more(self, ground: Ground, crm: Crm) -> Any:
        """What the end has besides records: compared as it is."""
        return None
