"""The programs of a PostgreSQL server: where they are, who may run them, and how one is started and stopped."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

__all__ = [
    "HOST",
    "SECONDS_TO_STOP",
    "SUPERUSER",
    "PostgreSQLUnavailable",
    "account_to_run_as",
    "find_programs",
    "free_port",
    "initialise",
    "is_ready",
    "launch_once",
    "require_psycopg",
    "require_reachable",
    "stop_process",
]

HOST = "127.0.0.1"
SUPERUSER = "postgres"
SECONDS_TO_START = 60.0
SECONDS_TO_STOP = 15.0


class PostgreSQLUnavailable(RuntimeError):
    """No server can be had here; the message says what to install or change."""


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


def _version(name: str) -> tuple[int, ...]:
    return tuple(int(part) for part in name.split(".") if part.isdigit())


def require_psycopg() -> None:
    """Raise :class:`PostgreSQLUnavailable` where nothing could talk to a server."""
    try:
        import psycopg  # noqa: F401 - asked only whether it is there
    except ImportError as error:
        raise PostgreSQLUnavailable(
            "psycopg is not installed, so nothing here can talk to PostgreSQL. Run "
            "`pip install 'crm-core[postgresql]'`."
        ) from error


def account_to_run_as() -> str | None:
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


def require_reachable(folder: Path, account: str) -> None:
    """Raise :class:`PostgreSQLUnavailable` where the account may not enter the folder."""
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


def initialise(programs: Path, folder: Path, account: str | None, options: Iterable[str]) -> None:
    """Let ``initdb`` make a server's files in ``folder``; raises :class:`RuntimeError` with what it said."""
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


def launch_once(
    programs: Path, folder: Path, account: str | None, port: int, log: Path, settings: Iterable[str]
) -> subprocess.Popen[bytes]:
    """Start the server, without waiting for it; each of ``settings`` is a ``name=value``."""
    command = [str(programs / "postgres"), "-D", str(folder / "data"), "-p", str(port), "-k", str(folder)]
    for setting in settings:
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


def free_port() -> int:
    """A port of loopback that nobody has; somebody else may take it before it is used."""
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        port: int = listener.getsockname()[1]
        return port


def is_ready(process: subprocess.Popen[bytes], data: Path) -> bool:
    """Wait until the server takes connections; false where it ended, or took longer than it may."""
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


def stop_process(process: subprocess.Popen[bytes]) -> None:
    """End the server, in good order if it lets itself be ended so."""
    # SIGINT ends open connections and closes the server in good order, SIGQUIT without any.
    for how in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
        if process.poll() is not None:
            return
        process.send_signal(how)
        with suppress(subprocess.TimeoutExpired):
            process.wait(SECONDS_TO_STOP)
