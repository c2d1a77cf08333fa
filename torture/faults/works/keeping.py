"""Backups, and their way back."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from crm_core import Crm, StoreError
from crm_core.builds.backing_up import backup
from crm_core.builds.restoring import check_backup, restore
from crm_core.store.copies import Contents, opened
from torture.examining import Complaint, Heads
from torture.examining.examination import Shape
from torture.faults.ground import BASE, YOUNG, Ground
from torture.faults.works.work import End, Work

__all__ = ["BackingUp", "Restoring"]

_FILE, _NEXT = "crm.backup", "next.backup"
_COUNTED = ("crm_id_block", "crm_feed_position")
"""Tables that a restoration itself may write to."""


def contents(url: str) -> Contents:
    """What the tables hold, apart from what a restoration writes itself."""
    with opened(url) as source:
        return {name: each for name, each in source.contents().items() if name.rpartition(".")[2] not in _COUNTED}


class BackingUp(Work):
    """A backup is there whole or not at all, and holds what the database held."""

    name = "backup"
    hooks = False
    statements = False

    def run(self, ground: Ground, crm: Crm) -> None:
        file = ground.folder / _FILE
        if not file.exists():
            backup(crm.build, file)

    def look(self, ground: Ground, before: Heads, shapes: Sequence[Shape] | None) -> list[Complaint]:
        found = super().look(ground, before, shapes)
        file = ground.folder / _FILE
        if file.exists():
            try:
                check_backup(file)
            except StoreError as error:
                found.append(Complaint("half", f"the backup is not whole: {error}"))
        return found

    def more(self, ground: Ground, crm: Crm) -> Any:
        place, name = ground.place, f"{ground.name}_restored"
        place.drop(name)
        restore(ground.folder / _FILE, place.url(name))
        same = contents(place.url(name)) == contents(ground.url)
        place.drop(name)
        # A run that was killed when its file had its name already is not repeated; tomorrow's has another name.
        backup(crm.build, ground.folder / _NEXT)
        beside = [each.name for each in ground.folder.iterdir() if ".part-" in each.name]
        return {"the same": same, "left behind": beside}


class Restoring(Work):
    """A backup put back over another database: what is there is all of the old one, or all of the new."""

    name = "restore"
    template = YOUNG
    hooks = False

    def prepare(self, ground: Ground) -> None:
        shutil.copyfile(self._backup(ground), ground.folder / _FILE)

    @staticmethod
    def _backup(ground: Ground) -> Path:
        """The backup of the other database, made once."""
        file = Path(ground.facts["folder"]) / f"{ground.place.dialect}.backup"
        if not file.exists():
            with Ground(ground.place, BASE, file.parent, ground.facts).open() as crm:
                backup(crm.build, file)
            ground.place.calm(BASE)
        return file

    def run(self, ground: Ground, crm: Crm) -> None:
        crm.close()
        restore(ground.folder / _FILE, ground.url, force=True)

    def open(self, ground: Ground, **options: Any) -> Crm:
        return ground.open(without=() if self._new(ground) else ("*",), **options)

    def before(self, ground: Ground) -> Heads:
        return {}

    @staticmethod
    def _new(ground: Ground) -> bool:
        with opened(ground.url) as source:
            return "tortured" in source.revisions() or "leaver" in source.revisions()

    def look(self, ground: Ground, before: Heads, shapes: Sequence[Shape] | None) -> list[Complaint]:
        which = BASE if self._new(ground) else YOUNG
        found = super().look(ground, before, None)
        if contents(ground.url) != contents(ground.place.url(which)):
            found.append(Complaint("half", f"the database is not all of {which}"))
        ground.place.calm(which)
        return found

    def end(self, ground: Ground, before: Heads) -> End:
        end = super().end(ground, before)
        return End(end.likeness, (), {"new": self._new(ground)})
