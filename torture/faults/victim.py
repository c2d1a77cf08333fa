"""The process that works and is struck: forked from one that has imported everything, so that it begins at once."""

from __future__ import annotations

import datetime as dt
import json
import os
import random
import resource
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import attrs

from crm_core.cli.logs import log_to_stderr
from torture.databases import Place, PostgresqlPlace, administering
from torture.faults import steps
from torture.faults.faults import Fault
from torture.faults.ground import Ground
from torture.faults.works import Work

__all__ = ["Ended", "attempt"]

PATIENCE = 90.0


@attrs.frozen
class Ended:
    """How a process ended: whether it finished, whether it was struck on the way, how many steps it did, and what it
    raised.
    """

    how: str
    seconds: float
    struck: bool
    steps: Mapping[steps.Kind, int]
    trouble: str

    @property
    def done(self) -> bool:
        """Whether the work was finished."""
        return self.how == "done"


def attempt(work: Work, ground: Ground, fault: Fault | None) -> Ended:
    """Let a process work until it is done, struck, or out of patience."""
    # Not in the folder of the ground, whose disk may be full.
    with tempfile.TemporaryFile() as told:
        began = time.monotonic()
        child = os.fork()
        if child == 0:
            _be_victim(work, ground, fault, told.fileno())
        try:
            status, struck = _wait(child, began, fault, ground.place)
        except BaseException:
            # Whoever interrupts the trials leaves nobody behind who works on.
            with suppress(ProcessLookupError, ChildProcessError):
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)
            raise
        seconds = time.monotonic() - began
        told.seek(0)
        words: dict[str, Any] = {}
        for line in told.read().decode().splitlines():
            words |= json.loads(line)
    if status is None:
        how = "hung"
        words.setdefault("trouble", f"TimeoutError: it did not end within {PATIENCE:.0f} s")
    elif os.WIFSIGNALED(status):
        how = "killed" if os.WTERMSIG(status) == signal.SIGKILL else f"signal {os.WTERMSIG(status)}"
    else:
        how = "done" if os.WEXITSTATUS(status) == 0 else "failed"
    struck = struck or how != "done" or "struck" in words
    return Ended(how, seconds, struck, words.get("steps", {}), words.get("trouble", ""))


def _wait(child: int, began: float, fault: Fault | None, place: Place) -> tuple[int | None, bool]:
    """The status that the child ended with, if it did; a fault from outside comes at its moment, or too late."""
    moment = None if fault is None else fault.moment
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return status, fault is not None and fault.moment is not None and moment is None
        passed = time.monotonic() - began
        if moment is not None and passed >= moment:
            assert fault is not None
            moment = None
            # Not reaped yet, so the number is the child's for certain.
            _strike(fault, place, lambda: os.kill(child, signal.SIGKILL))()
        if passed > PATIENCE:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return None, True
        time.sleep(0.001)


def _be_victim(work: Work, ground: Ground, fault: Fault | None, told: int) -> None:
    """Work, and end this process; never returns. What happens is written to the file ``told``, a JSON object a line."""
    code = 1

    def tell(**words: Any) -> None:
        os.write(told, json.dumps(words).encode() + b"\n")

    try:
        _silence(ground.folder)
        counted = steps.Steps(ground.folder, steps.KINDS, 0, lambda: None)
        if fault is not None and fault.step is not None:
            strike = _strike(fault, ground.place, lambda: os.kill(os.getpid(), signal.SIGKILL))

            def told_strike() -> None:
                tell(struck=True)
                strike()

            counted = steps.Steps(ground.folder, fault.kinds, fault.step, told_strike)
        steps.install(counted, None if fault is None else fault.pages)
        if fault is not None and fault.bytes is not None:
            # Python ignores the signal, so that a write fails as on a disk that is full.
            resource.setrlimit(resource.RLIMIT_FSIZE, (fault.bytes, resource.RLIM_INFINITY))
        options = {}
        if fault is not None and fault.clock:
            options["clock"] = _jumping(random.Random(fault.seed), lambda: tell(struck=True))
        with ground.open(**options) as crm:
            work.run(ground, crm)
        code = 0
        tell(steps=counted.counts)
    except BaseException:
        _unlimited()
        tell(trouble=traceback.format_exc())
    finally:
        os._exit(code)


def _unlimited() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


def _silence(folder: Path) -> None:
    """What the process and its children say goes to a file."""
    file = os.open(folder / "said.txt", os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)
    for number in (1, 2):
        os.dup2(file, number)
    log_to_stderr(debug=False)  # unless told, the log shows every variable of every frame, which takes seconds
    sys.stdin.close()


def _strike(fault: Fault, place: Place, kill: Callable[[], object]) -> Callable[[], object]:
    """What a fault does when it comes."""
    if fault.what == "raise":
        return _fail
    if isinstance(place, PostgresqlPlace):
        if fault.what == "cut":
            return lambda: _cut(place)
        if fault.what == "crash":
            return lambda: _crash(place)
    return kill


def _fail() -> None:
    raise RuntimeError("the plugin failed, as it was told to")


def _cut(place: PostgresqlPlace) -> None:
    with administering(place.cluster.port) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
        )


def _crash(place: PostgresqlPlace) -> None:
    # The server is no child of a process that was forked, which therefore cannot wait for it.
    number = int((place.cluster.folder / "data" / "postmaster.pid").read_text().split()[0])
    os.kill(number, signal.SIGQUIT)


def _jumping(chance: random.Random, told: Callable[[], None]) -> Callable[[], dt.datetime]:
    """A clock that goes wrong and is set right again: behind by seconds, by hours, by days; told when it goes back."""
    offset = dt.timedelta()

    def now() -> dt.datetime:
        nonlocal offset
        if chance.random() < 0.2:
            before = offset
            offset = dt.timedelta(seconds=chance.choice((1, 60, 3600, 86400, 20 * 86400)) * chance.random())
            if offset > before:
                told()
        return dt.datetime.now(dt.UTC) - offset

    return now
