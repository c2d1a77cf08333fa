"""Places with databases, of either kind: made as copies of another, thrown away, examined by their own means."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Protocol

import attrs
import click
import psycopg

from crm_core.testing.postgresql import (
    Cluster,
    PostgreSQLServer,
    PostgreSQLUnavailable,
    new_cluster,
    start_server,
    stopped_at_exit,
)

__all__ = [
    "DATABASES", "Place", "PostgresqlPlace", "SqlitePlace", "administering", "chosen", "on_each", "opened", "scratch",
    "serving",
]  # fmt: skip

DATABASES: Mapping[str, str] = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}
"""The kinds of databases, each with its name; ``all`` chooses them all."""

_PATIENCE = 30.0


class Place(Protocol):
    """Where databases are, by name."""

    @property
    def dialect(self) -> str:
        """``sqlite`` or ``postgresql``."""

    def url(self, name: str) -> str:
        """The address of a database."""

    def make(self, name: str) -> str:
        """An empty database; returns its address. One of this name is thrown away before."""

    def copy(self, template: str, name: str) -> str:
        """A database as a copy of another, which nobody uses; returns its address."""

    def drop(self, name: str) -> None:
        """Throw a database away, if it is there."""

    def calm(self, name: str) -> None:
        """Wait until nobody is in the database any more: a server notices late that somebody is dead."""

    def complaints(self, name: str) -> list[str]:
        """What the database itself finds wrong with its files and references."""


@attrs.frozen
class SqlitePlace:
    """A folder."""

    folder: Path
    dialect: str = "sqlite"

    def file(self, name: str) -> Path:
        """Where a database lies."""
        return self.folder / f"{name}.db"

    def url(self, name: str) -> str:
        return f"sqlite:///{self.file(name)}"

    def make(self, name: str) -> str:
        self.drop(name)
        return self.url(name)

    def copy(self, template: str, name: str) -> str:
        self.drop(name)
        for ending in ("", "-wal"):
            source = Path(f"{self.file(template)}{ending}")
            if source.exists():
                shutil.copyfile(source, f"{self.file(name)}{ending}")
        return self.url(name)

    def drop(self, name: str) -> None:
        for ending in ("", "-wal", "-shm", "-journal"):
            Path(f"{self.file(name)}{ending}").unlink(missing_ok=True)

    def calm(self, name: str) -> None:
        return None

    def complaints(self, name: str) -> list[str]:
        import sqlite3

        if not self.file(name).exists():
            return []
        with closing(sqlite3.connect(self.file(name))) as connection:
            found = [row[0] for row in connection.execute("PRAGMA integrity_check") if row[0] != "ok"]
            dangling = connection.execute("PRAGMA foreign_key_check").fetchall()
        return found + [f"row {row} of {table} refers to nothing in {parent}" for table, row, parent, _ in dangling]


@attrs.frozen
class PostgresqlPlace:
    """A server."""

    cluster: Cluster
    dialect: str = "postgresql"

    def url(self, name: str) -> str:
        return self.cluster.server.url(name)

    def make(self, name: str) -> str:
        self.drop(name)
        return self.cluster.server.create_database(name)

    def copy(self, template: str, name: str) -> str:
        self.drop(name)
        url = self.cluster.server.create_database(name, template)
        # Until then a server that is stopped at once forgets how far the sequence of the copy has come.
        self.cluster.server.checkpoint()
        return url

    def drop(self, name: str) -> None:
        self.cluster.server.drop_database(name)

    def calm(self, name: str) -> None:
        # Housekeepers of the server are no users.
        query = "SELECT count(*) FROM pg_stat_activity WHERE datname = %s AND backend_type = 'client backend'"
        deadline = time.monotonic() + _PATIENCE
        with administering(self.cluster.port) as connection:
            while (row := connection.execute(query, [name]).fetchone()) and row[0]:
                if time.monotonic() > deadline:
                    raise TimeoutError(f"{row[0]} connections to {name} did not end within {_PATIENCE} s")
                time.sleep(0.01)

    def recover(self) -> None:
        """Start a server that stopped, or wait for one that restarts by itself."""
        deadline = time.monotonic() + _PATIENCE
        while True:
            try:
                with administering(self.cluster.port):
                    return
            except psycopg.OperationalError:
                if time.monotonic() > deadline:
                    raise
                if not self.cluster.running:
                    self.cluster.start()
                time.sleep(0.05)

    def complaints(self, name: str) -> list[str]:
        with administering(self.cluster.port, name) as connection:
            if not connection.execute(_HAS_AMCHECK).fetchone():
                return []
            connection.execute("CREATE SCHEMA torture_amcheck")
            connection.execute("CREATE EXTENSION amcheck SCHEMA torture_amcheck")
            try:
                return [*_heaps(connection), *_indexes(connection)]
            finally:
                connection.execute("DROP SCHEMA torture_amcheck CASCADE")


_HAS_AMCHECK = "SELECT 1 FROM pg_available_extensions WHERE name = 'amcheck'"
_HEAPS = """
    SELECT c.oid::regclass::text, h.msg FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace,
           torture_amcheck.verify_heapam(c.oid) AS h
     WHERE c.relkind = 'r' AND n.nspname = 'public'
"""
_INDEXES = """
    SELECT c.oid, c.relname FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
      JOIN pg_am AS a ON a.oid = c.relam JOIN pg_index AS i ON i.indexrelid = c.oid
     WHERE a.amname = 'btree' AND c.relkind = 'i' AND n.nspname = 'public' AND i.indisvalid
"""


def _heaps(connection: psycopg.Connection) -> Iterator[str]:
    for table, message in connection.execute(_HEAPS).fetchall():
        yield f"{table}: {message}"


def _indexes(connection: psycopg.Connection) -> Iterator[str]:
    for number, name in connection.execute(_INDEXES).fetchall():
        try:
            # Every row of the table must be in its index, too.
            connection.execute("SELECT torture_amcheck.bt_index_check(%s::oid::regclass, true)", [number])
        except psycopg.Error as error:
            yield f"{name}: {error}"


@contextmanager
def administering(port: int, database: str = "postgres") -> Iterator[psycopg.Connection]:
    """A connection outside of transactions."""
    with psycopg.connect(
        host="127.0.0.1", port=port, user="postgres", dbname=database, autocommit=True, connect_timeout=10
    ) as connection:
        yield connection


def chosen(database: str) -> tuple[str, ...]:
    """The kinds that an option names: one of them, or ``all``."""
    return tuple(DATABASES) if database == "all" else (database,)


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder that goes afterwards; the user who owns the server may enter it."""
    with tempfile.TemporaryDirectory(prefix="crm-torture-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


@contextmanager
def opened(
    database: str, folder: Path, settings: Iterable[str], remarks: list[str], options: Iterable[str] = ()
) -> Iterator[Place | None]:
    """A place for databases of a kind, in a new folder; ``None``, with a remark, where no server is installed.

    ``settings`` are those of the server, ``options`` further ones for ``initdb``.
    """
    folder.mkdir()
    if database == "sqlite":
        yield SqlitePlace(folder)
        return
    try:
        cluster = new_cluster(folder, settings, options)
    except PostgreSQLUnavailable as error:
        remarks.append(f"PostgreSQL was left out: {error}")
        yield None
        return
    with stopped_at_exit(cluster):
        cluster.start()
        yield PostgresqlPlace(cluster)


def on_each(database: str, remarks: list[str], work: Callable[[str, PostgreSQLServer | None], object]) -> None:
    """Do a work on each kind of database that an option names and that can be had: with its title, and its server."""
    for each in chosen(database):
        with serving(each, remarks) as (there, server):
            if there:
                click.echo(f"measuring on {DATABASES[each]} ...", err=True)
                work(DATABASES[each], server)


@contextmanager
def serving(database: str, remarks: list[str]) -> Iterator[tuple[bool, PostgreSQLServer | None]]:
    """Whether databases of a kind can be had, and a server of its own for them, which SQLite does not need.

    Where no server is installed, a remark says so. It is set up as for tests; :func:`opened` sets one up for a program.
    """
    with ExitStack() as stack:
        server = None
        if database != "sqlite":
            try:
                server = stack.enter_context(start_server())
            except PostgreSQLUnavailable as error:
                remarks.append(f"PostgreSQL was left out: {error}")
        yield server is not None or database == "sqlite", server
