"""Records against schema: what a revision would have to change."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sqlalchemy import Column, Connection, Engine, MetaData, create_engine
from sqlalchemy.pool import StaticPool
from sqlalchemy.types import TypeEngine

from crm_core.store.migrating.column_types import LABELS, label
from crm_core.store.migrating.revisions import MigrationSource
from crm_core.store.migrating.running import run_up
from crm_core.store.partitions.layout import is_part

if TYPE_CHECKING:
    from alembic.migration import MigrationContext
    from alembic.operations.ops import UpgradeOps

__all__ = ["changes", "comparison", "drift", "scratch", "unmigrated"]


def drift(engine: Engine, source: MigrationSource) -> list[str]:
    """What differs between the tables that ``source`` declares and those in the database; empty is well."""
    with engine.connect() as connection:
        return _described(changes(connection, source))


def unmigrated(source: MigrationSource, requires: Sequence[MigrationSource] = ()) -> list[str]:
    """What differs between the tables that ``source`` declares and those that its revisions make.

    ``requires`` are the sources that must be migrated before it. It sees more than :func:`drift` does on
    SQLite, where a number of two decimals and one of four lie in the same kind of column.
    """
    with scratch([*requires, source]) as engine:
        return drift(engine, source)


@contextmanager
def scratch(sources: Sequence[MigrationSource]) -> Iterator[Engine]:
    """An empty SQLite database that the revisions of ``sources`` were run in.

    Its columns name our types, such as ``CRM_SCALED(4)``, so that a changed scale can be seen.
    """
    from sqlalchemy.dialects.sqlite.base import SQLiteTypeCompiler

    class Labelling(SQLiteTypeCompiler):
        def process(self, type_: Any, **kw: Any) -> str:
            return label(type_) or super().process(type_, **kw)

    engine = create_engine("sqlite://", poolclass=StaticPool)
    dialect: Any = engine.dialect
    dialect.type_compiler_instance = dialect.type_compiler = Labelling(dialect)
    dialect.ischema_names = {**dialect.ischema_names, **LABELS}
    try:
        for source in sources:
            run_up(engine, source)
        yield engine
    finally:
        engine.dispose()


def comparison(connection: Connection, source: MigrationSource) -> MigrationContext:
    """An Alembic context that sees the tables of ``source`` and no others."""
    from alembic.migration import MigrationContext

    hidden = _virtual(connection)

    def include_name(name: str | None, kind: str, _parents: Any) -> bool:
        if kind != "table" or name is None:
            return kind != "table"
        return name not in hidden and not is_part(name) and source.owns(name)

    def include_object(thing: Any, _name: str | None, kind: str, reflected: bool, _other: Any) -> bool:
        return kind != "table" or reflected or thing in source.tables

    return MigrationContext.configure(
        connection,
        opts={
            "version_table": source.version_table,
            "include_name": include_name,
            "include_object": include_object,
            "compare_type": _types_differ,
            "compare_server_default": True,
            "target_metadata": _metadata(source),
            "render_as_batch": True,
        },
    )


def _metadata(source: MigrationSource) -> list[MetaData]:
    return list(dict.fromkeys(table.metadata for table in source.tables)) or [MetaData()]


def _virtual(connection: Connection) -> frozenset[str]:
    """The full-text tables of SQLite with their shadows: no declaration makes them, so none is missed."""
    if connection.dialect.name != "sqlite":
        return frozenset()
    rows = connection.exec_driver_sql("SELECT name FROM pragma_table_list WHERE type IN ('virtual', 'shadow')")
    return frozenset(name for (name,) in rows)


def _types_differ(
    context: MigrationContext,
    _found: Column[Any],
    _declared: Column[Any],
    found: TypeEngine[Any],
    declared: TypeEngine[Any],
) -> bool:
    # Alembic takes types for equal when one of them says less, such as TEXT and VARCHAR(200).
    return found.compile(context.dialect) != declared.compile(context.dialect)


def changes(connection: Connection, source: MigrationSource) -> UpgradeOps:
    """The operations that would bring the schema to what ``source`` declares."""
    from alembic.autogenerate import produce_migrations

    script = produce_migrations(comparison(connection, source), _metadata(source))  # type: ignore[arg-type]
    return script.upgrade_ops  # type: ignore[return-value]


def _described(operations: UpgradeOps) -> list[str]:
    return [text for diff in operations.as_diffs() for text in _describe(diff)]


def _describe(diff: Any) -> list[str]:
    if isinstance(diff, list):
        return [text for part in diff for text in _describe(part)]
    match diff:
        case ("add_table", table):
            return [f"the table {table.name} is missing"]
        case ("remove_table", table):
            return [f"the table {table.name} belongs to no record"]
        case ("add_column", _, table, column):
            return [f"{table} has no column {column.name}"]
        case ("remove_column", _, table, column):
            return [f"{table}.{column.name} belongs to no field"]
        case ("modify_nullable", _, table, column, _, found, declared):
            words = {True: "may be empty", False: "must be filled"}
            return [f"{table}.{column} {words[found]}, but is declared so that it {words[declared]}"]
        case ("modify_type", _, table, column, _, found, declared):
            return [f"{table}.{column} is {found!r}, but is declared as {declared!r}"]
        case (("add_index" | "add_constraint" | "add_fk"), thing):
            return [f"{thing.table.name} has no {thing.name}"]
        case (("remove_index" | "remove_constraint" | "remove_fk"), thing):
            return [f"{thing.table.name} has {thing.name}, which is not declared so"]
        case _:
            return [repr(diff)]
