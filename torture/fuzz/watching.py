"""Watching workers: who hangs, dies or takes too much memory is ended and replaced."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs

from torture.fuzz.target import Kind, Target, Verdict
from torture.fuzz.worker import IDLE, Answer, Server, Slot, Tally, judge, search

__all__ = ["HANG", "Judge", "Searched", "search_for"]

HANG = 5.0
"""Seconds of work that an input may take; seconds on the clock may be several times as many where others work, too."""
_PATIENCE = 6
_BEGINNING = 120.0
_CONTEXT = multiprocessing.get_context("fork")
_TICK = os.sysconf("SC_CLK_TCK")


@attrs.define
class Searched:
    """What a search on one target came to. ``growth`` are bytes by number of inputs, of the longest-lived process."""

    target: str
    database: str = "SQLite"
    ended: Counter[str] = attrs.field(factory=Counter)
    going: Counter[str] = attrs.field(factory=Counter)
    found: dict[tuple[str, str], Answer] = attrs.field(factory=dict)
    answers: int = 0
    slowest: float = 0.0
    workers: int = 0
    growth: list[tuple[int, int]] = attrs.field(factory=list)

    @property
    def counts(self) -> Counter[str]:
        """How many inputs came to each end, for processes that have ended and the one that goes on."""
        return self.ended + self.going

    @property
    def inputs(self) -> int:
        """How many inputs were tried."""
        return sum(self.counts.values())

    def add(self, answer: Answer) -> None:
        """Keep the shortest input of each finding."""
        key = (answer.verdict.kind, answer.verdict.mark)
        if key not in self.found or len(answer.data) < len(self.found[key].data):
            self.found[key] = answer


class _Process:
    """A worker, and where it stands."""

    def __init__(self, run: Callable[..., None], *arguments: Any) -> None:
        self.slot = Slot()
        self.heard, say = _CONTEXT.Pipe()
        self.process = _CONTEXT.Process(target=_quietly, args=(run, *arguments, self.slot, say), daemon=True)
        self.process.start()
        say.close()
        self._number, self._work, self._begun = 0, 0.0, time.monotonic()

    def state(self) -> str:
        """``working``, ``hanging`` or ``dead``."""
        if not self.process.is_alive():
            return "dead"
        number, _, since = self.slot.get()
        now, work = time.monotonic(), self._worked()
        if number == IDLE or number != self._number:
            self._number, self._work = number, work
            return "working"
        if not number:
            return "working" if now - self._begun < _BEGINNING else "hanging"
        hangs = work - self._work > HANG or now - since > _PATIENCE * HANG
        return "hanging" if hangs else "working"

    def wait_for_first_input(self) -> None:
        """Until it has made its place and tries something; raises what has kept it from that."""
        while not self.slot.get()[0]:
            # Whoever tries nothing yet says only why it cannot.
            if self.heard.poll(0.05) and not self.slot.get()[0]:
                _, heard = _heard(self)
                raise heard if isinstance(heard, Exception) else RuntimeError("The worker could not begin.")
            if self.state() == "hanging":
                raise RuntimeError("The worker did not begin.")

    def _worked(self) -> float:
        """Seconds that the processors have worked for it."""
        try:
            fields = Path(f"/proc/{self.process.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        except (OSError, UnicodeDecodeError):
            return 0.0
        return (int(fields[11]) + int(fields[12])) / _TICK

    def end(self) -> None:
        """End it at once; it has nothing that would have to be kept."""
        self.process.kill()
        self.process.join()
        self.heard.close()


def _quietly(run: Callable[..., None], *arguments: Any) -> None:
    silent = os.open(os.devnull, os.O_RDWR)
    os.dup2(silent, 1)
    os.dup2(silent, 2)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    run(*arguments)


def search_for(
    seconds: float,
    found: Searched,
    make: type[Target],
    folder: Path,
    seed: str,
    tell: Callable[[Searched], None] = lambda _: None,
    server: Server = None,
) -> None:
    """Search for so many seconds, not counted what workers need to begin; ``tell`` hears how far it has come.

    What is found is there from its first moment on, also when somebody interrupts the search.
    """
    left = seconds
    while left > 0:
        found.workers += 1
        place = folder / f"worker-{found.workers}"
        process = _Process(search, make, place, server, f"{seed}/{make.name}/{found.workers}")
        try:
            process.wait_for_first_input()
            begun = time.monotonic()
            _watch(process, found, begun + left, tell)
            left -= time.monotonic() - begun
        finally:
            found.ended += process.slot.counts
            found.going = Counter()
            process.end()


def _watch(process: _Process, found: Searched, end: float, tell: Callable[[Searched], None]) -> None:
    growth: list[tuple[int, int]] = []
    while time.monotonic() < end:
        while process.heard.poll(0.1):
            try:
                heard = process.heard.recv()
            except (EOFError, OSError):
                break
            if isinstance(heard, Exception):
                raise heard
            if isinstance(heard, Answer):
                found.add(heard)
            elif isinstance(heard, Tally):
                found.going = process.slot.counts
                found.answers += heard.answers
                found.slowest = max(found.slowest, heard.slowest)
                growth.append((sum(found.going.values()), heard.resident))
                found.growth = max(found.growth, growth, key=lambda each: each[-1][0] if each else 0)
                tell(found)
            if time.monotonic() >= end:
                return
        state = process.state()
        if state != "working":
            _, data, _ = process.slot.get()
            kind: Kind = "hang" if state == "hanging" else "died"
            mark = f"longer than {HANG:.0f} s" if kind == "hang" else f"ended with {process.process.exitcode}"
            found.ended[kind] += 1
            found.add(Answer(data, Verdict(kind, mark)))
            return


class Judge:
    """Judges single inputs in a process of its own, which is replaced when it hangs or dies."""

    def __init__(self, make: type[Target], folder: Path, server: Server = None) -> None:
        self._make = make
        self._folder = folder
        self._server = server
        self._number = 0
        self._process: _Process | None = None

    def __enter__(self) -> Judge:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def _end(self) -> None:
        if self._process is not None:
            self._process.end()
            self._process = None

    def verdict(self, data: bytes) -> Verdict:
        """The verdict on an input."""
        process = self._process
        if process is None:
            self._number += 1
            place = self._folder / f"judge-{self._number}"
            process = self._process = _Process(judge, self._make, place, self._server)
            if _heard(process)[0] != "working":
                self._end()
                raise RuntimeError("The worker could not begin.")
        process.heard.send(data)
        state, answer = _heard(process)
        if isinstance(answer, Answer):
            return answer.verdict
        code = process.process.exitcode
        self._end()
        if state == "hanging":
            return Verdict("hang", f"longer than {HANG:.0f} s")
        return Verdict("died", f"ended with {code}")


def _heard(process: _Process) -> tuple[str, Any]:
    """What a process says; ``hanging`` or ``dead`` where it says nothing."""
    while True:
        if process.heard.poll(0.05):
            try:
                return "working", process.heard.recv()
            except (EOFError, OSError):
                process.process.join(5)
                return "dead", None
        if (state := process.state()) != "working":
            return state, None
