"""``crm`` in a process that was forked from one which has imported it already.

Four fifths of the time of a command go into importing the same modules. Here a server imports them once; for each
command it forks a child that takes over the caller's arguments, folder, environment, input and output. It is the same
program, in a process of its own, which has loaded no plugin and opened nothing.

``forked.py serve SOCKET`` is the server, ``forked.py call SOCKET ARGUMENT...`` the command. To call needs nothing but
Python's library, so that it takes no time.
"""

from __future__ import annotations

import array
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

SECONDS = 800
"""After which a command that has not ended is taken to hang."""
STARTING = 120
"""Seconds after which a server that does not answer has not only much to import."""


@contextmanager
def serving(environ: Mapping[str, str], folder: Path) -> Iterator[str]:
    """The path of the socket of a server that began with an environment, in a folder."""
    with tempfile.TemporaryDirectory(prefix="crm-forked-") as place:  # the path of a socket must be short
        path = str(Path(place) / "socket")
        # What the server itself does says nothing of the kernel; a command is measured from its first line on.
        begun = {name: value for name, value in environ.items() if not name.startswith("COVERAGE_PROCESS")}
        server = subprocess.Popen(
            [sys.executable, __file__, "serve", path], env=begun, cwd=folder, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            yield path
        finally:
            server.kill()
            server.wait()


def ask(path: str, arguments: Sequence[str], folder: str, environ: Mapping[str, str], streams: Sequence[int]) -> int:
    """Let the server run the command with these three streams; returns its exit code, that of a signal below 0."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(SECONDS)
        for attempt in range(20 * STARTING):
            try:
                connection.connect(path)
                break
            except OSError:  # it is still importing
                if attempt == 20 * STARTING - 1:
                    raise
                time.sleep(0.05)
        connection.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", streams))])
        request = {"arguments": list(arguments), "folder": folder, "environ": dict(environ)}
        connection.sendall(json.dumps(request).encode() + b"\n")
        with connection.makefile() as answers:
            return int(answers.readline())


def serve(path: str) -> None:
    """Import the command once, and run it as often as it is called."""
    import gc
    import importlib
    import pkgutil

    import crm_core
    from crm_core.cli import main

    # The kit for tests is asked for by few, and brings what takes longest to import.
    apart = tuple(f"crm_core.{name}." for name in ("migrations", "templates", "testing"))
    for module in pkgutil.walk_packages(crm_core.__path__, "crm_core."):
        if not f"{module.name}.".startswith(apart):
            importlib.import_module(module.name)
    gc.collect()
    gc.freeze()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen()
        while True:
            connection, _ = server.accept()
            if os.fork() == 0:
                server.close()
                _wait_for_one(connection, main)
            connection.close()
            with suppress(ChildProcessError):
                # So that none remains, and that their time counts as that of the tests.
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass


def _wait_for_one(connection: socket.socket, main) -> None:  # type: ignore[no-untyped-def]
    """In a process between: tells how the command ended, also where a plugin ends it without a word."""
    _, streams, _, _ = socket.recv_fds(connection, 1, 3)
    with connection.makefile() as requests:
        request = json.loads(requests.readline())
    command = os.fork()
    if command == 0:
        connection.close()
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
        os.closerange(3, max(streams) + 1)
        _run(request, main)
    for stream in streams:
        os.close(stream)  # or else who reads its output waits for this process, too
    code = os.waitstatus_to_exitcode(os.waitpid(command, 0)[1])
    connection.sendall(f"{code}\n".encode())
    os._exit(0)


def _run(request, main) -> None:  # type: ignore[no-untyped-def]
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environ"])
    for folder in reversed(request["environ"].get("PYTHONPATH", "").split(os.pathsep)):
        if folder and folder not in sys.path:
            sys.path.insert(0, folder)
    sys.argv = ["crm", *request["arguments"]]
    measured = None
    if any(name.startswith("COVERAGE_PROCESS") for name in os.environ):
        import coverage

        measured = coverage.process_startup(force=True)
    code = 1
    try:
        main()
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        if measured is not None:
            measured.stop()
            measured.save()
        os._exit(code)


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(sys.argv[2])
    # What examples reach, others measure.
    unmeasured = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_PROCESS")}
    ended = ask(sys.argv[2], sys.argv[3:], os.getcwd(), unmeasured, [0, 1, 2])
    sys.exit(ended if ended >= 0 else 128 - ended)
