"""The removal of a plugin with everything that it has, and its way back."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import inspect

from crm_core import Crm, CrmError
from crm_core.leaving.editing import listed_in, write
from crm_core.leaving.removing import plan_removal, remove
from crm_core.leaving.restoring import build_with, restore
from crm_core.store.engine import open_engine
from crm_core.store.leaving.exported import read
from torture.examining import Complaint, Heads, heads
from torture.examining.examination import Shape
from torture.faults.ground import LEAVER, Ground
from torture.faults.works.work import Work

__all__ = ["BringingBack", "Removing"]

_OUT = "out"


def tables(ground: Ground) -> list[str]:
    """The tables of the plugin that are in the database."""
    engine = open_engine(ground.url)
    try:
        return sorted(name for name in inspect(engine).get_table_names() if name.startswith(f"{LEAVER}__"))
    finally:
        engine.dispose()


def exports(ground: Ground) -> list[Path]:
    """The complete exports that there are."""
    found = []
    for folder in sorted(ground.folder.glob(f"{_OUT}*")):
        try:
            read(folder)
        except CrmError:
            continue  # a run that was interrupted while it wrote
        found.append(folder)
    return found


class Removing(Work):
    """The data of the plugin are in the database, or in a complete export, or both."""

    name = "remove"
    hooks = False

    def run(self, ground: Ground, crm: Crm) -> None:
        if listed_in(ground.build, "plugins", LEAVER):
            number = len(list(ground.folder.glob(f"{_OUT}*")))
            remove(crm, plan_removal(crm, LEAVER, ground.folder / f"{_OUT}{number}"))

    def open(self, ground: Ground, **options: Any) -> Crm:
        # Whether it is in the build file or not, and switched off or not: what is there is looked at.
        there = bool(tables(ground))
        if there and (not listed_in(ground.build, "plugins", LEAVER) or listed_in(ground.build, "disabled", LEAVER)):
            ground.write_build()
        return ground.open(without=() if there else (LEAVER,), **options)

    def look(self, ground: Ground, before: Heads, shapes: Sequence[Shape] | None) -> list[Complaint]:
        kept, there, complete = ground.build.read_text(), tables(ground), exports(ground)
        try:
            found = super().look(ground, before, shapes)
        finally:
            ground.build.write_text(kept)
        if len(there) not in (0, 4):
            found.append(Complaint("half", f"of the plugin's tables there are {there}"))
        if not there and not complete:
            found.append(Complaint("lost", "the plugin's tables are gone, and there is no complete export"))
        if not there and sum(each.rows for each in map(read, complete[-1:])) != 32:
            found.append(Complaint("lost", "the export does not hold what the plugin had"))
        return found

    def more(self, ground: Ground, crm: Crm) -> Any:
        return {"tables": tables(ground), "in the build": bool(listed_in(ground.build, "plugins", LEAVER))}


class BringingBack(Removing):
    """Brought back, everything is there as it was; until then the plugin is not in the build."""

    name = "bring back"

    def prepare(self, ground: Ground) -> None:
        with ground.open() as crm:
            remove(crm, plan_removal(crm, LEAVER, ground.folder / f"{_OUT}0"))
        _, text = build_with(ground.build, ground.folder / f"{_OUT}0")
        write(ground.build, text)
        ground.place.calm(ground.name)

    def run(self, ground: Ground, crm: Crm) -> None:
        restore(crm, ground.folder / f"{_OUT}0")

    def open(self, ground: Ground, **options: Any) -> Crm:
        return ground.open(without=() if self._back(ground) else (LEAVER,), **options)

    @staticmethod
    def _back(ground: Ground) -> bool:
        if not tables(ground):
            return False
        engine = open_engine(ground.url)
        try:
            with engine.begin() as connection:
                filled = connection.exec_driver_sql(f"SELECT count(*) FROM {LEAVER}__visit").scalar_one() > 0
        finally:
            engine.dispose()
        if not filled:
            return False
        with ground.open() as crm:
            # The rows are there; what is left to do is to find them.
            return crm.plan().empty and not crm.unindexed()

    def before(self, ground: Ground) -> Heads:
        with ground.open(without=(LEAVER,)) as crm:
            return heads(crm.store)

    def look(self, ground: Ground, before: Heads, shapes: Sequence[Shape] | None) -> list[Complaint]:
        return Work.look(self, ground, before, shapes)
