"""Which revision of each plugin a database holds: one version table per plugin, so that one may vanish."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import Column, Connection, Engine, MetaData, String, Table, inspect
from sqlalchemy.exc import OperationalError, ProgrammingError

from crm_core.errors import MigrationError
from crm_core.store.engine import missing_file, require_there
from crm_core.store.migrating.revisions import (
    VERSION_PREFIX,
    MigrationSource,
    Revision,
    is_plugin,
    read_revisions,
)

__all__ = ["ahead", "check_current", "current", "current_of", "position", "read_version", "version_table"]


def version_table(source: MigrationSource) -> Table:
    """The version table of a plugin, as Alembic would make it."""
    return Table(source.version_table, MetaData(), Column("version_num", String(32), primary_key=True))


def current(engine: Engine) -> dict[str, str]:
    """The revision of every plugin that was ever migrated in this database, installed or not; none where there is no
    database yet, and none is made.
    """
    if missing_file(engine) is not None:
        return {}
    with engine.connect() as connection:
        return current_of(connection)


def current_of(connection: Connection) -> dict[str, str]:
    """The same, within a transaction."""
    names = inspect(connection).get_table_names()
    return _select(connection, sorted(name for name in names if name.startswith(VERSION_PREFIX)))


def _select(connection: Connection, tables: Sequence[str]) -> dict[str, str]:
    # Somebody else's table, or one that came with a backup, may have any name behind the prefix.
    plugins = [name.removeprefix(VERSION_PREFIX) for name in tables if is_plugin(name.removeprefix(VERSION_PREFIX))]
    if not plugins:
        return {}
    parts = [f"SELECT '{plugin}', version_num FROM {VERSION_PREFIX}{plugin}" for plugin in plugins]  # noqa: S608
    return {row[0]: row[1] for row in connection.exec_driver_sql(" UNION ALL ".join(parts))}


def read_version(connection: Connection, source: MigrationSource) -> str | None:
    """The revision of one plugin as it stands in this transaction."""
    if not inspect(connection).has_table(source.version_table):
        return None
    return _select(connection, [source.version_table]).get(source.plugin)


def position(source: MigrationSource, line: Sequence[Revision], version: str | None) -> int:
    """How many revisions of ``line`` the database has; :class:`MigrationError` when it has an unknown one."""
    if version is None:
        return 0
    for count, revision in enumerate(line, start=1):
        if revision.id == version:
            return count
    raise ahead(source, line, version)


def ahead(source: MigrationSource, line: Sequence[Revision], version: str) -> MigrationError:
    """The database holds a revision that the installed plugin does not have."""
    return MigrationError(
        "The database is at revision {revision} of {plugin}, which the installed version does not know "
        "(it ends at {head}): a newer version was here.",
        mend="Install that newer version of {plugin} again and run crm migrate, or restore the backup from before it.",
        plugin=source.plugin,
        revision=version,
        head=line[-1].id if line else "none",
    )


def check_current(engine: Engine, sources: Sequence[MigrationSource]) -> None:
    """Raise :class:`MigrationError` unless the database is there, and at the newest revision of every source.

    Every start runs it: one query, and Alembic is not imported.
    """
    require_there(engine)
    lines = {source.plugin: read_revisions(source) for source in sources}
    wanted = [source.version_table for source in sources if lines[source.plugin]]
    try:
        with engine.connect() as connection:
            found: Mapping[str, str] = _select(connection, wanted)
    except (OperationalError, ProgrammingError):
        found = current(engine)  # a version table is missing; or the database is, and then this raises again
    behind = []
    for source in sources:
        line = lines[source.plugin]
        version = found.get(source.plugin)
        if position(source, line, version) < len(line):
            behind.append(f"{source.plugin} ({version or 'nothing'}, needs {line[-1].id})")
        elif source.tables and not line:
            raise no_revisions(source)
    if behind:
        raise MigrationError(
            "The database is behind this build: {behind}.",
            mend="Run crm migrate, after a backup.",
            behind=", ".join(behind),
        )


def no_revisions(source: MigrationSource) -> MigrationError:
    """The plugin declares tables that no revision makes."""
    return MigrationError(
        "{plugin} declares tables ({tables}), but there is no revision in {location} that makes them.",
        mend="The plugin's author makes one by 'crm plugin revision {plugin} -m TEXT'; see the guide on migrations.",
        plugin=source.plugin,
        tables=", ".join(table.name for table in source.tables),
        location=str(source.location),
    )
