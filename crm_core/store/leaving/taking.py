"""Taking a plugin out of the database, within one transaction: all of it goes, or nothing."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, delete, inspect, select, text, update

from crm_core.errors import Conflict
from crm_core.store.leaving.held import Held, jobs_of, of_type
from crm_core.store.leaving.tables import names_of
from crm_core.store.migrating.revisions import VERSION_PREFIX
from crm_core.store.migrating.running import Progress, down_in, refuse_dangling
from crm_core.store.migrations import MigrationSource, read_revisions
from crm_core.store.search.drivers import SearchDriver
from crm_core.store.search.texts import tokens_of
from crm_core.store.tables import (
    CUSTOM_FIELD,
    FEED_POSITION,
    JOB,
    JOB_SCHEDULE,
    MATCH_KEY,
    REFERENCE,
    SEARCH_DOCUMENT,
    SEARCH_STATE,
)

__all__ = ["can_go_down", "require_idle", "take_away"]

_PAGE = 500


def can_go_down(source: MigrationSource | None, revision: str | None) -> bool:
    """Whether the revisions that are there lead from where the database stands to nothing."""
    return source is not None and any(each.id == revision for each in read_revisions(source))


def require_idle(connection: Connection, plugin: str) -> None:
    """Raise :class:`Conflict` while a job of the plugin runs, or somebody tells it of changes."""
    query = select(JOB.c.id).where(jobs_of(connection, plugin), JOB.c.state == "running")
    running = connection.execute(query.order_by(JOB.c.id)).scalars().all()
    if running:
        raise Conflict(
            "Jobs of the plugin {plugin} are running: {jobs}.",
            mend="Stop the workers, or wait until they are done.",
            plugin=plugin,
            jobs=", ".join(map(str, running)),
        )


def take_away(
    connection: Connection, driver: SearchDriver, kept: Held, source: MigrationSource | None, progress: Progress
) -> None:
    """Take away tables, version, documents, position in the feed, jobs and schedules; the journal stays.

    By the plugin's own revisions, where they are there; what is left then, or everything where they are not, by the
    names of the tables. What is known of its record types stays, for histories and erasures.
    """
    plugin = kept.plugin
    if source is not None and can_go_down(source, kept.revision):
        down_in(connection, source, progress)
    _drop(connection, names_of(connection, plugin))
    if inspect(connection).has_table(f"{VERSION_PREFIX}{plugin}"):
        _drop(connection, [f"{VERSION_PREFIX}{plugin}"])
    refuse_dangling(connection, plugin)
    connection.execute(delete(REFERENCE).where(REFERENCE.c.plugin == plugin))
    # Names of custom fields are not free for another kind: histories still hold the old values.
    connection.execute(update(CUSTOM_FIELD).where(of_type(CUSTOM_FIELD.c.type, kept.types)).values(retired=True))
    _forget(connection, driver, kept)
    connection.execute(delete(MATCH_KEY).where(of_type(MATCH_KEY.c.record_type, kept.types)))
    connection.execute(delete(FEED_POSITION).where(FEED_POSITION.c.consumer == plugin))
    connection.execute(delete(JOB).where(jobs_of(connection, plugin)))
    connection.execute(delete(JOB_SCHEDULE).where(JOB_SCHEDULE.c.name.startswith(f"{plugin}.", autoescape=True)))


def _drop(connection: Connection, tables: Sequence[str]) -> None:
    quote = connection.dialect.identifier_preparer.quote
    if connection.dialect.name == "postgresql":
        # At once: they may refer to each other.
        if tables:
            connection.execute(text(f"DROP TABLE {', '.join(map(quote, tables))}"))
        return
    for name in tables:
        connection.execute(text(f"DROP TABLE {quote(name)}"))


def _forget(connection: Connection, driver: SearchDriver, kept: Held) -> None:
    ours = of_type(SEARCH_DOCUMENT.c.type, kept.types)
    while rows := connection.execute(
        select(SEARCH_DOCUMENT.c.id, SEARCH_DOCUMENT.c.body).where(ours).limit(_PAGE)
    ).all():
        driver.remove(connection, ((row.id, tokens_of(row.body)) for row in rows))
        connection.execute(delete(SEARCH_DOCUMENT).where(SEARCH_DOCUMENT.c.id.in_([row.id for row in rows])))
    connection.execute(delete(SEARCH_STATE).where(of_type(SEARCH_STATE.c.type, kept.types)))
