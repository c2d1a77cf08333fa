"""What an import did, and how far it has come."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import attrs

__all__ = ["Double", "ImportReport", "Progress", "Rejected", "SectionReport", "Tell", "Warned"]


@attrs.frozen
class Progress:
    """How far an import or export has come: section ``number`` of ``of``, with the share of its file that is read."""

    section: str
    number: int
    of: int
    rows: int
    share: float


Tell: TypeAlias = Callable[[Progress], None]


@attrs.frozen
class Rejected:
    """A row that was not taken, and why."""

    section: str
    file: str
    line: int
    key: str | None
    reason: str


@attrs.frozen
class Warned:
    """A row that was taken although something about it is odd."""

    section: str
    file: str
    line: int
    column: str
    warning: str


@attrs.frozen
class Double:
    """A record that came in, and one that it might be a double of, with the kinds of what they have in common."""

    record: str
    id: int
    name: str
    other_id: int
    other_name: str
    score: float
    keys: tuple[str, ...]


@attrs.define
class SectionReport:
    """Rows of one section by what became of them.

    ``read`` is the sum of the others. ``skipped`` are those that the mapping leaves out: by their conditions, by
    ``on_create`` and ``on_update``, or because another row with their key counts. ``proposed`` are rows with values for
    key fields, which wait for a steward; what else such a row says is written, and counted as such. ``warned`` are
    cells with something odd about them; their rows are counted among the others.
    """

    name: str
    record: str
    file: str
    read: int = 0
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    skipped: int = 0
    rejected: int = 0
    proposed: int = 0
    warned: int = 0


@attrs.frozen
class ImportReport:
    """The outcome of an import. ``change_set`` is what to undo, ``None`` when nothing changed or nothing was kept.

    ``duplicates`` counts pairs of a record that came in and one that it might be a double of, ``first_duplicates`` are
    the likeliest of them; ``served`` are customers that came in and are served already, out of sight, each with whom to
    ask, as far as the build lets that be told. ``rejects`` is the file with all rejected rows, ``first_rejects`` the
    first of them, ``first_warnings`` the first warnings. ``unread_sheets`` are sheets that are shown in a file of which
    another was read, and that no section reads: file and name.
    """

    mapping: str
    dry_run: bool
    sections: tuple[SectionReport, ...]
    change_set: int | None
    rejects: Path | None
    first_rejects: tuple[Rejected, ...]
    seconds: float
    duplicates: int = 0
    first_duplicates: tuple[Double, ...] = ()
    served: tuple[tuple[str, str | None], ...] = ()
    first_warnings: tuple[Warned, ...] = ()
    unread_sheets: tuple[tuple[str, str], ...] = ()

    @property
    def read(self) -> int:
        """Rows read in all sections."""
        return sum(section.read for section in self.sections)

    @property
    def created(self) -> int:
        """Records created."""
        return sum(section.created for section in self.sections)

    @property
    def updated(self) -> int:
        """Records changed."""
        return sum(section.updated for section in self.sections)

    @property
    def unchanged(self) -> int:
        """Rows whose record was as they say already."""
        return sum(section.unchanged for section in self.sections)

    @property
    def skipped(self) -> int:
        """Rows that the mapping leaves out."""
        return sum(section.skipped for section in self.sections)

    @property
    def rejected(self) -> int:
        """Rows that could not be taken."""
        return sum(section.rejected for section in self.sections)

    @property
    def proposed(self) -> int:
        """Rows whose values for key fields wait for a steward."""
        return sum(section.proposed for section in self.sections)

    @property
    def warned(self) -> int:
        """Cells with something odd about them."""
        return sum(section.warned for section in self.sections)

    def section(self, name: str) -> SectionReport:
        """The first section of this name."""
        return next(section for section in self.sections if section.name == name)

    def as_json(self) -> dict[str, Any]:
        """The report as plain JSON values."""
        totals = ("read", "created", "updated", "unchanged", "skipped", "rejected", "proposed", "warned")
        return {
            "mapping": self.mapping,
            "dry_run": self.dry_run,
            **{name: getattr(self, name) for name in totals},
            "change_set": self.change_set,
            "rejects": str(self.rejects) if self.rejects else None,
            "first_rejects": [attrs.asdict(each) for each in self.first_rejects],
            "first_warnings": [attrs.asdict(each) for each in self.first_warnings],
            "unread_sheets": [{"file": file, "sheet": sheet} for file, sheet in self.unread_sheets],
            "duplicates": self.duplicates,
            "first_duplicates": [attrs.asdict(each) for each in self.first_duplicates],
            "served": [{"name": name, "ask": ask} for name, ask in self.served],
            "seconds": round(self.seconds, 3),
            "sections": [attrs.asdict(each) for each in self.sections],
        }
