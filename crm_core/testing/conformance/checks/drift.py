"""The revisions make exactly what the records declare."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from crm_core.store.migrations import drift, unmigrated
from crm_core.testing.conformance.report import Check, Finding

if TYPE_CHECKING:
    from crm_core.testing.conformance.subject import Subject

__all__ = ["CHECK"]

NAME = "drift"


def _look(subject: Subject) -> Iterator[Finding]:
    source = subject.migration_source
    if source is None:
        differences = [f"the table {each.table.name} is missing" for each in subject.types]
    else:
        # In a scratch database, which tells types apart that are one and the same for SQLite.
        differences = unmigrated(source, subject.earlier_sources)
        with subject.crm() as crm:
            differences += [each for each in drift(crm.store.engine, source) if each not in differences]
    for difference in differences:
        yield Finding(
            NAME,
            "Records and revisions differ: {difference}.",
            f"{subject.folder.name}/{subject.manifest.migrations or 'migrations'}",
            mend="Make the next revision by 'crm plugin revision {plugin} -m TEXT', or correct the declaration.",
            values={"difference": difference, "plugin": subject.plugin},
        )


CHECK = Check(NAME, "The revisions make exactly what the records declare.", _look, database=True)
