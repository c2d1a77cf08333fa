"""Engines: SQLite and PostgreSQL, chosen by URL, with the settings that our promises need."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import URL, Connection, Engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, OperationalError
from sqlalchemy.pool import QueuePool

from crm_core.errors import Contention, MigrationError, StoreError
from crm_core.store.dialects import create_shared_engine
from crm_core.store.planning import keep_plans, prepare_after
from crm_core.store.resting import ask_when_in_doubt

if TYPE_CHECKING:
    from crm_core.store.session import CrmSession

__all__ = ["BEGIN", "missing_file", "open_engine", "parse_url", "recount", "require_there", "shown_url", "small_cache"]

_SMALL_CACHE = -8192
_SMALL = "crm_usual_cache"  # what a connection of a small cache had before

BEGIN = "crm_begin"
"""Execution option: how a transaction begins on SQLite; empty for one statement, which is a transaction by itself."""

_DRIVERS = ("sqlite", "sqlite+pysqlite", "postgresql", "postgresql+psycopg")

# Errors go into logs and dead letters, where an erasure does not reach: they hold statements and no values.
_DISCREET: dict[str, Any] = {"hide_parameters": True}

# A page of a large table needs more than SQLite's two megabytes of cache.
_PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=NORMAL",
    "PRAGMA foreign_keys=ON",
    "PRAGMA cache_size=-65536",
    "PRAGMA busy_timeout=30000",
    # Erased personal data must not linger in free pages.
    "PRAGMA secure_delete=ON",
)


def parse_url(url: str | URL) -> URL:
    """The database address; :class:`StoreError` for one that cannot be used."""
    parsed: URL | None
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        # What cannot be read may hold a password anywhere, so it is not repeated.
        parsed = None
    # Bulk writes speak with the driver itself, so that it must be one of these.
    if parsed is None or parsed.drivername not in _DRIVERS:
        raise StoreError(
            "{url!r} is no database address that crm-core knows.",
            mend="Use sqlite:///crm.db or postgresql+psycopg://user@host/database.",
            url="***" if parsed is None else shown_url(parsed),
        ) from None
    if parsed.drivername == "postgresql":
        parsed = parsed.set(drivername="postgresql+psycopg")
    return parsed


def shown_url(url: str | URL) -> str:
    """A database address as people may see it: without the passwords in it, also those among its options."""
    parsed = make_url(url)
    hidden = {name: "***" for name in parsed.query if "password" in name.lower()}
    return parsed.update_query_dict(hidden).render_as_string(hide_password=True).replace("%2A%2A%2A", "***")


def open_engine(url: str | URL, **options: Any) -> Engine:
    """An engine for ``url``. On SQLite transactions begin IMMEDIATE unless the connection says otherwise."""
    parsed = parse_url(url)
    if parsed.get_backend_name() == "postgresql":
        parsed, after = prepare_after(parsed)
        try:
            engine = create_shared_engine(parsed, **_DISCREET, **options)
        except ModuleNotFoundError as error:
            raise StoreError(
                "The PostgreSQL driver {name} is not installed.",
                mend="Install it with: pip install 'crm-core[postgresql]'.",
                name=error.name,
            ) from error
        event.listen(engine, "connect", _without_compiler)
        keep_plans(engine, after)
        ask_when_in_doubt(engine)
        return engine
    return _sqlite(parsed, options)


def missing_file(engine: Engine) -> str | None:
    """The file of a SQLite database that does not exist; to connect would make it, empty. ``None`` for any other."""
    path = engine.url.database
    if engine.dialect.name != "sqlite" or not path or path == ":memory:" or path.startswith("file:"):
        return None
    return None if Path(path).exists() else path


def require_there(engine: Engine) -> None:
    """Raise :class:`~crm_core.errors.MigrationError` for a SQLite database without a file, and make none."""
    path = missing_file(engine)
    if path is not None:
        raise MigrationError(
            "There is no database {path}.",
            mend="Make a new one by 'crm migrate', or correct database in [crm] of the build file.",
            path=path,
        )


def _without_compiler(connection: Any, _record: Any) -> None:
    """Switch off PostgreSQL's compiler of queries.

    Conditions of visibility look expensive to its planner, and it then compiles for a tenth of a second what runs in a
    few milliseconds.
    """
    connection.autocommit = True
    connection.execute("SET jit TO off")
    connection.autocommit = False


def _sqlite(url: URL, options: dict[str, Any]) -> Engine:
    path = url.database
    if path and path != ":memory:" and not Path(path).parent.is_dir():
        raise StoreError(
            "The folder of the database {path!r} does not exist.", mend="Create it, or correct the path.", path=path
        )
    if path and path != ":memory:":
        options.setdefault("poolclass", QueuePool)
    engine = create_shared_engine(url, connect_args={"check_same_thread": False, "timeout": 30}, **_DISCREET, **options)

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: Any) -> None:
        # The driver must not begin or commit by itself: a migration, or a read before a write, would be torn.
        connection.isolation_level = None
        for pragma in _PRAGMAS:
            connection.execute(pragma)

    @event.listens_for(engine, "begin")
    def begin(connection: Any) -> None:
        # A read that later writes would fail with BUSY_SNAPSHOT whatever the timeout, so writers say so at once.
        how = connection.get_execution_options().get(BEGIN, "BEGIN IMMEDIATE")
        if not how:
            return
        try:
            connection.exec_driver_sql(how)
        except OperationalError as error:
            if "locked" not in str(error.orig):
                raise
            raise Contention("Another writer holds the database.", mend="Repeat the change.") from error

    @event.listens_for(engine, "checkin")
    def usual_cache(connection: Any, record: Any) -> None:
        usual = record.info.pop(_SMALL, None)
        if usual is not None and connection is not None:
            connection.execute(f"PRAGMA cache_size = {usual}")

    return engine


def small_cache(connection: Connection) -> None:
    """Keep SQLite from remembering every page that a long change set has written; it will hardly read them again.

    Holds until the connection is given back.
    """
    if connection.dialect.name == "sqlite" and _SMALL not in connection.info:
        connection.info[_SMALL] = connection.exec_driver_sql("PRAGMA cache_size").scalar_one()
        connection.exec_driver_sql(f"PRAGMA cache_size = {_SMALL_CACHE}")


def recount(session: CrmSession, table: str) -> None:
    """Let PostgreSQL count a table that has grown within this transaction, or it plans as if it were still empty.

    Nobody waits for it, and it waits for nobody.
    """
    if session.dialect == "postgresql":
        quoted = session.core_connection().dialect.identifier_preparer.quote(table)
        session.core(text(f"ANALYZE (SKIP_LOCKED) {quoted}"))
