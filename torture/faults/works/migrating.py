"""Migration from the kernel alone to every plugin of the repository."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import inspect

from crm_core import Crm
from crm_core.store.migrating.revisions import read_revisions
from crm_core.store.migrations import current, drift
from torture.examining import Complaint, Heads, examine, heads
from torture.examining.examination import Shape
from torture.faults.ground import LEAVER, OWN, YOUNG, Ground
from torture.faults.works.work import Work

__all__ = ["Migrating"]


class Migrating(Work):
    """Each revision is there whole or not at all; the records of the kernel stay as they are."""

    name = "migrate"
    template = YOUNG
    hooks = False

    def prepare(self, ground: Ground) -> None:
        ground.write_build(plugins=(*OWN, LEAVER, "tortured"))

    def run(self, ground: Ground, crm: Crm) -> None:
        crm.migrate()
        # What a plugin adds to the search must be indexed before anybody searches.
        crm.reindex()

    def before(self, ground: Ground) -> Heads:
        with ground.open(without=("*",)) as crm:
            return heads(crm.store)

    def look(self, ground: Ground, before: Heads, shapes: Sequence[Shape] | None) -> list[Complaint]:
        with ground.open() as crm:
            sources = {each.plugin: each for each in crm.build.migration_sources()}
            tables = set(inspect(crm.store.engine).get_table_names())
            found = []
            for name, version in current(crm.store.engine).items():
                source = sources[name]
                latest = read_revisions(source)[-1].id
                found += [Complaint("half", f"{name}: {each}") for each in drift(crm.store.engine, source)
                          if version == latest]  # fmt: skip
            for name in sources.keys() - current(crm.store.engine).keys():
                found += [Complaint("half", f"{each} is there, and no revision of {name}") for each in tables
                          if each.startswith(f"{name}__")]  # fmt: skip
            ready = crm.plan().empty and not crm.unindexed()
        with ground.open(without=() if ready else ("*",)) as crm:
            return [*found, *examine(crm, before, (), shapes)]
