"""Stands for ``crm`` in examples: the command runs in a process that was forked from one which has imported it already.

Most of the time of a page went into importing the same modules for each of its commands. Here a server imports them
once; for each command it forks a child that takes over the caller's arguments, folder, environment, input and output.
It is the same program, in a process of its own.

``crm_in_examples.py serve SOCKET`` is the server, ``crm_in_examples.py call SOCKET ARGUMENT...`` the command.
"""

from __future__ import annotations

import array
import json
import os
import signal
import socket
import sys
import time


def call(path: str, arguments: list[str]) -> int:
    """Let the server run the command; returns its exit code."""
    with socket.socket(socket.AF_UNIX) as connection:
        for attempt in range(600):
            try:
                connection.connect(path)
                break
            except OSError:  # it is still importing
                if attempt == 599:
                    raise
                time.sleep(0.05)
        descriptors = array.array("i", [0, 1, 2])
        connection.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, descriptors)])
        request = {"arguments": arguments, "folder": os.getcwd(), "environ": dict(os.environ)}
        connection.sendall(json.dumps(request).encode() + b"\n")
        with connection.makefile() as answers:
            return int(answers.readline() or 1)


def serve(path: str) -> None:
    """Import the command once, and run it as often as it is called."""
    import crm_core
    from crm_core.cli import main

    for name in crm_core.__all__:
        getattr(crm_core, name)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody asks how the children ended
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen()
        while True:
            connection, _ = server.accept()
            if os.fork() == 0:
                server.close()
                _run(connection, main)
            connection.close()


def _run(connection: socket.socket, main) -> None:  # type: ignore[no-untyped-def]
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    _, descriptors, _, _ = socket.recv_fds(connection, 1, 3)
    for number, descriptor in enumerate(descriptors):
        os.dup2(descriptor, number)
        os.close(descriptor)
    with connection.makefile() as requests:
        request = json.loads(requests.readline())
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environ"])
    for folder in reversed(request["environ"].get("PYTHONPATH", "").split(os.pathsep)):
        if folder and folder not in sys.path:
            sys.path.insert(0, folder)
    sys.argv = ["crm", *request["arguments"]]
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
        connection.sendall(f"{code}\n".encode())
        os._exit(code)


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(sys.argv[2])
    sys.exit(call(sys.argv[2], sys.argv[3:]))
