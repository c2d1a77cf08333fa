"""The works that faults interrupt. Each can be begun again, as its user would, and then arrives at the same end."""

from __future__ import annotations

from torture.faults.works.editing import Editing, Erasing
from torture.faults.works.handing import HandingOver
from torture.faults.works.importing import Importing, Undoing
from torture.faults.works.keeping import BackingUp, Restoring
from torture.faults.works.leaving import BringingBack, Removing
from torture.faults.works.merging import Merging
from torture.faults.works.migrating import Migrating
from torture.faults.works.work import Work
from torture.faults.works.working import Working

__all__ = ["WORKS", "Work"]

WORKS: tuple[Work, ...] = (
    Importing(), Undoing(), HandingOver(), Merging(), Editing(), Erasing(), Migrating(), Working(), BackingUp(),
    Restoring(), Removing(), BringingBack(),
)  # fmt: skip
"""Every work, in the order in which the tables show them."""
