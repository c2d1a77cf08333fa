"""An import of new and known customers, and the undo of one."""

from __future__ import annotations

from crm_core import Crm, UndoConflict
from crm_core.exchange import run_import
from torture.faults.ground import IMPORTED, Ground, write_rows
from torture.faults.works.work import Work

__all__ = ["Importing", "Undoing"]


class Importing(Work):
    """Half of the rows are known, and renamed; the others are new. All are one change set."""

    name = "import"
    sets = 1

    def prepare(self, ground: Ground) -> None:
        write_rows(ground.folder / "new", range(IMPORTED // 2, IMPORTED * 2), "new")

    def run(self, ground: Ground, crm: Crm) -> None:
        ground.acknowledge(run_import(crm, ground.folder / "new" / "mapping.toml", ground.folder / "new").change_set)


class Undoing(Work):
    """The undo of an import; it takes back as many records as the import made."""

    name = "undo"
    sets = 1

    def run(self, ground: Ground, crm: Crm) -> None:
        with crm.system_session("undo") as session:
            try:
                session.undo(ground.facts["imported"])
            except UndoConflict as error:
                if "already undone" not in str(error):
                    raise
                return
        ground.acknowledge(session.last_change_set)
