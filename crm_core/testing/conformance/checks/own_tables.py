"""The migrations of the plugin touch nobody else's tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from crm_core.errors import MigrationError
from crm_core.store.migrations import downgrade, upgrade
from crm_core.testing.conformance.population import company
from crm_core.testing.conformance.report import Check, Finding
from crm_core.testing.conformance.schema import contents, schema, tables_of, touched
from crm_core.testing.statements import counted

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from crm_core.assembly.crm import Crm
    from crm_core.store.migrations import MigrationSource
    from crm_core.testing.conformance.subject import Subject

__all__ = ["CHECK"]

NAME = "own-tables"
_TEMPORARY = "_alembic_tmp_"
"""How Alembic calls the copy that it makes of a table on SQLite."""


def _look(subject: Subject) -> Iterator[Finding]:
    source = subject.migration_source
    if source is None:
        return
    with _without_it(subject) as crm:
        engine = crm.store.engine
        before = _others(engine, source)
        with counted(crm) as statements:
            try:
                upgrade(engine, [source])
                afterwards = _others(engine, source)
                downgrade(engine, source)
            except MigrationError as error:
                subject.note(NAME, "Only what ran before an error could be looked at: {error}", error=error)
                afterwards = _others(engine, source)
        yield from _found(subject, source, touched(statements), before, afterwards)
        if _others(engine, source) != before == afterwards:
            yield _finding(subject, "The downgrade changes tables of others.", "downgrade()")


@contextmanager
def _without_it(subject: Subject) -> Iterator[Crm]:
    """A database with a small company, before the plugin joins: what it requires is there already."""
    from crm_core.assembly.crm import Crm

    config = subject.config_of(*subject.manifest.requires)
    with ExitStack() as stack:
        address = stack.enter_context(subject.databases.new())
        crm = stack.enter_context(Crm.open(config, database=address, check=False, discovery=subject.discovery))
        crm.migrate()
        company(crm)
        yield crm


def _others(engine: Engine, source: MigrationSource) -> Mapping[str, tuple[list[str], str]]:
    """Schema and content of every table that is not the plugin's."""
    parts = {name: part for name, part in schema(engine).items() if not _owned(source, name)}
    rows = contents(engine, tables_of(parts))
    return {name: (part, rows.get(name, "")) for name, part in parts.items()}


def _owned(source: MigrationSource, table: str) -> bool:
    plain = table.removeprefix(_TEMPORARY)
    return source.owns(plain) or plain == source.version_table


def _found(
    subject: Subject,
    source: MigrationSource,
    by_statement: Mapping[str, str],
    before: Mapping[str, tuple[list[str], str]],
    afterwards: Mapping[str, tuple[list[str], str]],
) -> Iterator[Finding]:
    strange = {table: statement for table, statement in by_statement.items() if not _owned(source, table)}
    for table in sorted(before.keys() | afterwards.keys()):
        if before.get(table) != afterwards.get(table):
            strange.setdefault(table, "")
    for table, statement in sorted(strange.items()):
        yield _finding(
            subject,
            "Its migrations change the table {table}: {statement}." if statement else
            "Its migrations change the table {table}.",
            table,
            table=table,
            statement=statement[:200],
        )  # fmt: skip


def _finding(subject: Subject, what: str, where: str, **values: str) -> Finding:
    return Finding(
        NAME,
        what,
        where,
        mend="Keep what is yours in tables of your own (@extends adds fields to the records of others): a plugin that "
        "leaves must leave nothing behind. Tables of {plugin} begin with {prefix}.",
        values={"plugin": subject.plugin, "prefix": f"{subject.plugin}__", **values},
    )


CHECK = Check(NAME, "Its migrations touch nobody else's tables.", _look, database=True)
