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
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import attrs

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

HOST = "127.0.0.1"
SUPERUSER = "postgres"
SECONDS_TO_START = 60.0
SECONDS_TO_STOP = 15.0

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


class PostgreSQLUnavailable(RuntimeError):
    """No server can be had here; the message says what to install or change."""


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


def find_programs() -> Path:
    """The folder with `initdb` and `postgres`: the newest of Debian's, else what is on the path.

    Raises:
        PostgreSQLUnavailable: neither place has them.
    """
    debian = [
        folder
        for folder in Path("/usr/lib/postgresql").glob("*/bin")
        if (folder / "initdb").exists() and (folder / "postgres").exists()
    ]
    if debian:
        return max(debian, key=lambda folder: _version(folder.parent.name))
    found = shutil.which("initdb")
    if found and (Path(found).parent / "postgres").exists():
        return Path(found).parent
    raise PostgreSQLUnavailable(
        "no PostgreSQL server is installed: there is no /usr/lib/postgresql/*/bin/initdb, and no initdb on "
        "the path. On Debian and Ubuntu run `apt install postgresql`; elsewhere install PostgreSQL 13 or "
        "later and put the folder with initdb and postgres on PATH."
    )


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
            port = self.port or _free_port()
            log = self.folder / f"log-{attempt}"
            process = _launch_once(self.programs, self.folder, self.account, port, log, self.settings)
            self._process = process
            if _ready(process, self.folder / "data"):
                self.port = port
                return self.server
            _stop(process)
            logged = log.read_text(errors="replace")
            if "Address already in use" not in logged:
                break
        raise RuntimeError(
            f"the PostgreSQL server in {self.programs} did not start; it logged:\n{logged[-3000:]}"
        )  # fmt: skip

    def stop(self) -> None:
        """Stop it in good order, if it is there."""
        if self._process is not None:
            _stop(self._process)

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
    _require_psycopg()
    cluster = Cluster(folder, find_programs(), _account(), tuple(settings))
    if cluster.account is not None:
        _require_reachable(folder.parent, cluster.account)
        shutil.chown(folder, cluster.account, cluster.account)
    _initialise(cluster.programs, folder, cluster.account, options)
    return cluster


@contextmanager
def running_cluster(folder: Path, settings: Iterable[str] = ()) -> Iterator[Cluster]:
    """Run a server whose files stay in ``folder`` when the block ends: made at the first time, used again later.

    Raises what :func:`new_cluster` does.
    """
    if (folder / "data" / "PG_VERSION").exists():
        _require_psycopg()
        cluster = Cluster(folder, find_programs(), _account(), tuple(settings))
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
    _require_psycopg()
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


def _version(name: str) -> tuple[int, ...]:
    return tuple(int(part) for part in name.split(".") if part.isdigit())


def _require_psycopg() -> None:
    try:
        import psycopg  # noqa: F401 - asked only whether it is there
    except ImportError as error:
        raise PostgreSQLUnavailable(
            "psycopg is not installed, so nothing here can talk to PostgreSQL. Run "
            "`pip install 'crm-core[postgresql]'`."
        ) from error


def _account() -> str | None:
    """The user that the server must run as; None where we may run it ourselves."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return None
    import pwd

    try:
        pwd.getpwnam(SUPERUSER)
    except KeyError:
        raise PostgreSQLUnavailable(
            f"PostgreSQL refuses to run as root, and there is no user {SUPERUSER!r} to run it as. Run "
            f"`useradd --system {SUPERUSER}`, or run the tests as another user than root."
        ) from None
    return SUPERUSER


def _require_reachable(folder: Path, account: str) -> None:
    answer = subprocess.run(
        ["/bin/sh", "-c", 'cd "$1"', "sh", str(folder)],
        user=account,
        group=account,
        extra_groups=[],
        capture_output=True,
        check=False,
    )
    if answer.returncode:
        raise PostgreSQLUnavailable(
            f"the user {account!r} may not enter {folder}, where the server's files should lie. Give "
            f"start_server() a folder that every user may enter, for example {tempfile.gettempdir()}."
        )


def _run_as(account: str | None) -> dict[str, Any]:
    return {} if account is None else {"user": account, "group": account, "extra_groups": []}


def _environment() -> dict[str, str]:
    # PGHOST, PGDATA and their like would point the programs at somebody's real server.
    return {name: value for name, value in os.environ.items() if not name.startswith("PG")} | {"LC_ALL": "C"}


def _initialise(programs: Path, folder: Path, account: str | None, options: Iterable[str]) -> None:
    command = [
        *(str(programs / "initdb"), "--pgdata", str(folder / "data"), "--username", SUPERUSER),
        *("--auth", "trust", "--encoding", "UTF8", "--locale", "C", "--no-sync", *options),
    ]
    answer = subprocess.run(
        command,
        cwd=folder,
        env=_environment(),
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
        **_run_as(account),
    )
    if answer.returncode:
        raise RuntimeError(f"initdb failed in {folder}:\n{answer.stdout}{answer.stderr}")


def _launch_once(
    programs: Path, folder: Path, account: str | None, port: int, log: Path, settings: Iterable[str]
) -> subprocess.Popen[bytes]:
    command = [str(programs / "postgres"), "-D", str(folder / "data"), "-p", str(port), "-k", str(folder)]
    for setting in (*_SETTINGS, *settings):
        command += ["-c", setting]
    with log.open("wb") as output:
        return subprocess.Popen(
            command,
            cwd=folder,
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            # A Ctrl-C in the terminal is for the tests; they stop the server when they are done with it.
            start_new_session=True,
            **_run_as(account),
        )


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        port: int = listener.getsockname()[1]
        return port


def _ready(process: subprocess.Popen[bytes], data: Path) -> bool:
    # We ask the server's own file, not its port: at the port another server might answer.
    status = data / "postmaster.pid"
    deadline = time.monotonic() + SECONDS_TO_START
    while process.poll() is None and time.monotonic() < deadline:
        with suppress(FileNotFoundError):
            lines = status.read_text().splitlines()
            if lines[:1] == [str(process.pid)] and lines[-1].strip() == "ready":
                return True
        time.sleep(0.02)
    return False


def _stop(process: subprocess.Popen[bytes]) -> None:
    # SIGINT ends open connections and closes the server in good order, SIGQUIT without any.
    for how in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
        if process.poll() is not None:
            return
        process.send_signal(how)
        with suppress(subprocess.TimeoutExpired):
            process.wait(SECONDS_TO_STOP)


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
