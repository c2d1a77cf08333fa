"""What came of an imported calendar."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs

from crm_core.exchange.report import Rejected

__all__ = ["SYSTEM", "EventReport", "TakenEvent"]

SYSTEM = "icalendar"
"""Under which name the keys of calendars are remembered, if they are given none."""


@attrs.frozen(kw_only=True)
class TakenEvent:
    """An event that was taken: the line it begins in, its activities, and what of it has no place here."""

    line: int
    subject: str
    activities: tuple[int, ...]
    created: int
    updated: int
    untaken: tuple[str, ...]


@attrs.frozen(kw_only=True)
class EventReport:
    """The outcome. ``read`` events were taken or ``rejected``; the other numbers count activities.

    ``change_set`` is what to undo, ``None`` when nothing changed or nothing was kept. ``about`` is what
    calendars say of all their events and has no place here, each with the line where it begins.
    """

    file: str
    dry_run: bool
    read: int
    rejected: int
    events: tuple[TakenEvent, ...]
    change_set: int | None
    rejects: Path | None
    first_rejects: tuple[Rejected, ...]
    about: tuple[tuple[int, tuple[str, ...]], ...] = ()

    @property
    def created(self) -> int:
        """Activities that were made."""
        return sum(each.created for each in self.events)

    @property
    def updated(self) -> int:
        """Activities that were changed."""
        return sum(each.updated for each in self.events)

    @property
    def unchanged(self) -> int:
        """Activities that were as the calendar says already."""
        return sum(len(each.activities) for each in self.events) - self.created - self.updated

    def as_json(self) -> dict[str, Any]:
        """The report as plain JSON values."""
        return {
            "file": self.file,
            "dry_run": self.dry_run,
            "read": self.read,
            "created": self.created,
            "updated": self.updated,
            "unchanged": self.unchanged,
            "rejected": self.rejected,
            "change_set": self.change_set,
            "rejects": str(self.rejects) if self.rejects else None,
            "first_rejects": [attrs.asdict(each) for each in self.first_rejects],
            "calendars": [{"line": line, "untaken": list(untaken)} for line, untaken in self.about],
            "events": [attrs.asdict(each) for each in self.events],
        }
