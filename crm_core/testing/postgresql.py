"""A PostgreSQL server of the tests' own, from the programs that the operating system has installed.

The server keeps nothing: its data lies in a temporary folder, and it trades every promise about a power
cut for speed. It listens on loopback alone, trusts whoever asks, and stops with the process that
started it.
"""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import attrs

from crm_core.testing.postgresql_programs import (
    HOST,
    SECONDS_TO_STOP,
    SUPERUSER,
    PostgreSQLUnavailable,
    account_to_run_as,
    find_programs,
    free_port,
    initialise,
    is_ready,
    launch_once,
    require_psycopg,
    require_reachable,
    stop_process,
)

if TYPE_CHECKING:
    from psycopg import Connection
    from psycopg.sql import Composed

__all__ = [
    "Cluster",
    "PostgreSQLServer",
    "PostgreSQLUnavailable",
    "find_programs",
    "in_memory",
    "new_cluster",
    "running_cluster",
    "start_server",
    "stopped_at_exit",
]

_MEMORY = Path("/dev/shm")  # what lies there has a name that nobody can foresee  # noqa: S108 # nosec B108
_ROOM = 8 * 1024**3
"""Bytes that must be free there: a run of all tests has some hundred databases of ten megabytes, and as much again."""

_SETTINGS = (
    f"listen_addresses={HOST}",
    "fsync=off",
    "synchronous_commit=off",
    "full_page_writes=off",
    "max_connections=100",
    "autovacuum=off",
    "timezone=UTC",
)


_connections: dict[tuple[int, int], Connection] = {}
"""To the database `postgres` of each server, by this process's id and the server's port."""


@attrs.frozen
class PostgreSQLServer:
    """A running server, known by its port on loopback; any process on this machine may use it."""

    port: int

    def url(self, database: str) -> str:
        """The SQLAlchemy address of a database, for psycopg 3."""
        return f"postgresql+psycopg://{SUPERUSER}@{HOST}:{self.port}/{database}"

    def create_database(self, name: str, template: str | None = None) -> str:
        """Create a database, empty or as a copy of `template`, and return its address.

        PostgreSQL copies a template only while nobody is connected to it.
        """
        from psycopg import sql

        self._execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
                sql.Identifier(name), sql.Identifier(template or "template1")
            )
        )
        return self.url(name)

    def drop_database(self, name: str) -> None:
        """Drop a database if it is there, and end the connections that are still open to it."""
        from psycopg import sql

        self._execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def checkpoint(self) -> None:
        """Let everything be in the files of the server, as after a while it is by itself."""
        from psycopg import sql

        self._execute(sql.SQL("CHECKPOINT").format())

    def _execute(self, statement: Composed) -> None:
        # A connection is kept, as thousands of databases are made and dropped: to make one costs as much as either.
        import psycopg

        kept = os.getpid(), self.port
        if kept in _connections:
            try:
                _connections[kept].execute(statement)
            except psycopg.OperationalError:
                if not _connections[kept].closed:
                    raise
            else:
                return
        # There is none yet, or the server was stopped and started meanwhile. Databases are neither made nor dropped
        # inside a transaction.
        _connections[kept] = connection = psycopg.connect(
            host=HOST, port=self.port, user=SUPERUSER, dbname="postgres", autocommit=True, connect_timeout=10,
            prepare_threshold=None,
        )  # fmt: skip
        atexit.register(connection.close)
        connection.execute(statement)


@attrs.define
class Cluster:
    """The files of a server, which may be started and stopped again and again; it keeps its port.

    ``settings`` come after those that all servers here have, and outrank them. Where the server stopped by itself,
    ``start`` is what brings it back.
    """

    folder: Path
    programs: Path
    account: str | None
    """The user that it must run as; ``None`` where we may run it ourselves."""
    settings: tuple[str, ...] = ()
    port: int = 0
    _process: subprocess.Popen[bytes] | None = None

    @property
    def running(self) -> bool:
        """Whether the server is there."""
        return self._process is not None and self._process.poll() is None

    @property
    def server(self) -> PostgreSQLServer:
        """How it is talked to."""
        return PostgreSQLServer(self.port)

    def start(self) -> PostgreSQLServer:
        """Start the server, and wait until it takes connections.

        Raises:
            RuntimeError: it did not start; the message ends with what it logged.
        """
        # Between our asking for a free port and the server's taking it, another process may have it.
        logged = ""
        for attempt in range(3):
            port = self.port or free_port()
            log = self.folder / f"log-{attempt}"
            process = launch_once(self.programs, self.folder, self.account, port, log, (*_SETTINGS, *self.settings))
            self._process = process
            if is_ready(process, self.folder / "data"):
                self.port = port
                return self.server
            stop_process(process)
            logged = log.read_text(errors="replace")
            if "Address already in use" not in logged:
                break
        raise RuntimeError(
            f"the PostgreSQL server in {self.programs} did not start; it logged:\n{logged[-3000:]}"
        )  # fmt: skip

    def stop(self) -> None:
        """Stop it in good order, if it is there."""
        if self._process is not None:
            stop_process(self._process)

    def crash(self) -> None:
        """Stop it at once, as a machine that fails: it must recover from its log when it is started again."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(SECONDS_TO_STOP)


def new_cluster(folder: Path, settings: Iterable[str] = (), options: Iterable[str] = ()) -> Cluster:
    """The files of a new server in an empty folder; ``options`` are further ones for ``initdb``.

    Raises:
        PostgreSQLUnavailable: the programs, the user or psycopg are missing, or the folder can't be entered.
        RuntimeError: ``initdb`` failed.
    """
    require_psycopg()
    cluster = Cluster(folder, find_programs(), account_to_run_as(), tuple(settings))
    if cluster.account is not None:
        require_reachable(folder.parent, cluster.account)
        shutil.chown(folder, cluster.account, cluster.account)
    initialise(cluster.programs, folder, cluster.account, options)
    return cluster


@contextmanager
def running_cluster(folder: Path, settings: Iterable[str] = ()) -> Iterator[Cluster]:
    """Run a server whose files stay in ``folder`` when the block ends: made at the first time, used again later.

    Raises what :func:`new_cluster` does.
    """
    if (folder / "data" / "PG_VERSION").exists():
        require_psycopg()
        cluster = Cluster(folder, find_programs(), account_to_run_as(), tuple(settings))
    else:
        folder.mkdir(exist_ok=True)
        cluster = new_cluster(folder, settings)
    cluster.start()
    try:
        yield cluster
    finally:
        cluster.stop()


def in_memory() -> Path | None:
    """A folder whose files are kept in memory, for a server that makes and drops thousands of databases.

    ``None`` where the system has none, or one with little room, as containers often have.
    """
    if not _MEMORY.is_dir() or not os.access(_MEMORY, os.W_OK | os.X_OK):
        return None
    return _MEMORY if shutil.disk_usage(_MEMORY).free >= _ROOM else None


@contextmanager
def start_server(root: Path | None = None) -> Iterator[PostgreSQLServer]:
    """Run a server for as long as the block lasts.

    Its files lie in a new folder under `root` (default: the system's folder for temporary files) and go
    with it. Started by root, the server runs as the user `postgres`, as `initdb` refuses root; that user
    must be able to enter `root`.

    Raises:
        PostgreSQLUnavailable: the programs, the user or psycopg are missing, or `root` can't be entered.
        RuntimeError: the server did not start; the message ends with what it logged.
    """
    require_psycopg()
    find_programs()  # before anything is made
    parent = Path(tempfile.gettempdir()) if root is None else root.resolve()
    folder = Path(tempfile.mkdtemp(prefix="crm-pg-", dir=parent))
    try:
        cluster = new_cluster(folder)
        cluster.start()
        with stopped_at_exit(cluster):
            yield cluster.server
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def stopped_at_exit(cluster: Cluster) -> Iterator[None]:
    """Stop the server when the block ends, and also where Python is ended around it; then its files go, too."""
    owner = os.getpid()

    def stop() -> None:
        # A forked child inherits this duty, but not the server.
        if os.getpid() == owner:
            cluster.stop()
            shutil.rmtree(cluster.folder, ignore_errors=True)

    def stop_and_end(number: int, frame: FrameType | None) -> None:
        stop()
        signal.signal(number, signal.SIG_DFL if previous is None else previous)
        os.kill(os.getpid(), number)

    atexit.register(stop)
    # Only the main thread may say what a signal does; elsewhere atexit must be enough.
    in_main_thread = threading.current_thread() is threading.main_thread()
    previous = signal.signal(signal.SIGTERM, stop_and_end) if in_main_thread else None
    try:
        yield
    finally:
        if in_main_thread and signal.getsignal(signal.SIGTERM) is stop_and_end:
            signal.signal(signal.SIGTERM, signal.SIG_DFL if previous is None else previous)
        atexit.unregister(stop)
        stop()
