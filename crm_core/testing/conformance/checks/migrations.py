"""Migrations go up, down and up again, on an empty database and on one with rows."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from crm_core.errors import MigrationError
from crm_core.store.migrations import MigrationSource, downgrade, read_revisions, upgrade
from crm_core.testing.conformance.population import populate
from crm_core.testing.conformance.report import Check, Finding
from crm_core.testing.conformance.schema import schema

if TYPE_CHECKING:
    from crm_core.assembly.crm import Crm
    from crm_core.testing.conformance.subject import Subject

__all__ = ["CHECK"]

NAME = "migrations"


def _look(subject: Subject) -> Iterator[Finding]:
    if subject.migration_source is None:
        if subject.types:
            yield Finding(
                NAME,
                "It has records, but no migrations that make their tables.",
                subject.manifest_module,
                mend="Name the folder for its revisions as migrations in the manifest, and write the first by "
                "'crm plugin revision {plugin} -m TEXT'.",
                values={"plugin": subject.plugin},
            )
        return
    empty = list(_up_and_down(subject, rows=False))
    yield from empty
    if not empty:
        yield from _up_and_down(subject, rows=True)


def _up_and_down(subject: Subject, *, rows: bool) -> Iterator[Finding]:
    source = subject.migration_source
    assert source is not None
    with subject.crm(migrated=False) as crm:
        engine = crm.store.engine
        try:
            crm.migrate()
            made = schema(engine)
            if rows:
                _filled(subject, crm)
            yield from _step_by_step(crm, source)
            downgrade(engine, source)
            left = [table for table in schema(engine) if source.owns(table) or table == source.version_table]
            for table in sorted(left):
                yield Finding(
                    NAME,
                    "After the downgrade the table {table} is still there.",
                    f"{subject.folder.name}/{subject.manifest.migrations}",
                    mend="Let downgrade() of the revision that makes it drop it.",
                    values={"table": table},
                )
            upgrade(engine, [source])
        except MigrationError as error:
            yield _failed(subject, error, rows=rows)
            return
        again = schema(engine)
        for table in sorted(again.keys() | made.keys()):
            if again.get(table) != made.get(table):
                yield Finding(
                    NAME,
                    "Down and up again, the table {table} is another one than before.",
                    table,
                    mend="Let downgrade() take back everything that upgrade() does, in the opposite order.",
                    values={"table": table},
                )


def _filled(subject: Subject, crm: Crm) -> None:
    population = populate(subject, crm)
    for record_type in subject.types:
        if not population.ids.get(record_type.name):
            subject.note(
                NAME,
                "No generated row of {record} was accepted: its table was migrated empty.",
                record=record_type.name,
            )


def _step_by_step(crm: Crm, source: MigrationSource) -> Iterator[Finding]:
    """Each revision taken back and made again, which leaves the rows of the tables that stay."""
    line = read_revisions(source)
    for before, revision in pairwise(line):
        downgrade(crm.store.engine, source, to=before.id)
        counts = _counts(crm, source)
        upgrade(crm.store.engine, [source])
        for table, count in _counts(crm, source).items():
            if count < counts.get(table, 0):
                yield Finding(
                    NAME,
                    "Revision {revision} loses rows of {table}: {before} are there before it, {after} afterwards.",
                    revision.path.name,
                    mend="Keep them: fill what is new from what is there.",
                    values={"revision": revision.id, "table": table, "before": counts[table], "after": count},
                )


def _counts(crm: Crm, source: MigrationSource) -> dict[str, int]:
    there = schema(crm.store.engine)
    with crm.store.engine.connect() as connection:
        return {
            table.name: connection.scalar(select(func.count()).select_from(table)) or 0
            for table in source.tables
            if table.name in there
        }


def _failed(subject: Subject, error: MigrationError, *, rows: bool) -> Finding:
    on = "on a database with rows" if rows else "on an empty database"
    path = str(error.values.get("path") or "")
    return Finding(
        NAME,
        error.problem,
        f"{path.rpartition('/')[2] or subject.plugin} ({on})",
        mend=error.mend,
        values={"plugin": error.plugin, **error.values},
    )


CHECK = Check(NAME, "Migrations go up, down and up again, on an empty database and with rows.", _look, database=True)
