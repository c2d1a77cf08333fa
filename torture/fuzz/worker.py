"""The process that tries inputs, one after the other, and can be watched and killed from outside."""

from __future__ import annotations

import mmap
import random
import resource
import struct
import sys
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TypeAlias

import attrs

from crm_core.testing.postgresql import PostgreSQLServer
from torture.fuzz.mutating import mutated
from torture.fuzz.target import KINDS, Kind, Target, Verdict, judged

__all__ = ["IDLE", "ROOM", "Answer", "Server", "Slot", "Tally", "judge", "search"]

Server: TypeAlias = PostgreSQLServer | None
ROOM = 4 << 20
"""Bytes of the place where a worker lays the input that it tries."""
IDLE = 2**63
"""The number of an input that says that there is none."""
_HEAD = struct.Struct("<QQd")
_COUNTS = struct.Struct(f"<{len(KINDS)}Q")
_KEPT = 400
_KEPT_BYTES = 8 << 10
"""Longer ones would look like a leak of what is tried."""
_HARVEST = 0.5
_LEAVE = 3 << 30
"""How much address space a worker may take beyond what it has at its beginning."""
_MUCH = 256 << 20
"""Bytes that a single input of ours may never need."""


class Slot:
    """Memory that worker and watcher share: which input is being tried, since when, and what became of those before."""

    def __init__(self) -> None:
        self._map = mmap.mmap(-1, _HEAD.size + ROOM + _COUNTS.size)
        self._counts = dict.fromkeys(KINDS, 0)

    def count(self, kind: Kind) -> None:
        """Say what became of an input."""
        self._counts[kind] += 1
        _COUNTS.pack_into(self._map, _HEAD.size + ROOM, *self._counts.values())

    @property
    def counts(self) -> Counter[str]:
        """How many inputs came to each end."""
        return Counter(dict(zip(KINDS, _COUNTS.unpack_from(self._map, _HEAD.size + ROOM), strict=True)))

    def put(self, number: int, data: bytes) -> None:
        """Say what is tried now."""
        self._map[_HEAD.size : _HEAD.size + len(data)] = data
        self._map[: _HEAD.size] = _HEAD.pack(number, len(data), time.monotonic())

    def rest(self) -> None:
        """Say that nothing is tried."""
        self.put(IDLE, b"")

    def get(self) -> tuple[int, bytes, float]:
        """The number of the input, the input, and the moment at which it began."""
        number, size, since = _HEAD.unpack(self._map[: _HEAD.size])
        return number, self._map[_HEAD.size : _HEAD.size + size], since


@attrs.define
class Tally:
    """What a worker has come to since it said so last."""

    answers: int = 0
    slowest: float = 0.0
    resident: int = 0


@attrs.frozen
class Answer:
    """A verdict on an input, with a note for whoever tries it again."""

    data: bytes
    verdict: Verdict
    note: str = ""


def search(make: type[Target], folder: Path, server: Server, seed: str, slot: Slot, say: Connection) -> None:
    """Make up and mutate inputs until somebody ends this process; tell what is found."""
    try:
        _search(_begun(make, folder, server), random.Random(seed), slot, say)
    except (BrokenPipeError, ConnectionResetError):
        # Whoever watches has ended.
        return
    except Exception:
        # Not what is tried has failed, but who tries it.
        say.send(RuntimeError(traceback.format_exc()))


def _search(target: Target, chance: random.Random, slot: Slot, say: Connection) -> None:
    tally = Tally()
    seen: set[str] = set()
    kept: list[bytes] = []
    told = time.monotonic()
    for data in target.seeds():
        # What is imported and compiled on the first use is no fault of the first input.
        judged(target, data)
    for number, data in enumerate(_inputs(target, chance, kept), 1):
        slot.put(number, data)
        begun = time.process_time()
        verdict = _tried(target, data)
        took = time.process_time() - begun
        slot.count(verdict.kind)
        tally.slowest = max(tally.slowest, took)
        mark = f"{verdict.kind}: {verdict.mark}"
        if mark not in seen:
            seen.add(mark)
            tally.answers += 1
            if len(data) <= _KEPT_BYTES:
                kept.append(data)
                del kept[:-_KEPT]
            if verdict.wrong:
                say.send(Answer(data, verdict))
        if time.monotonic() - told > _HARVEST:
            tally.resident = _status("VmRSS")
            say.send(tally)
            tally, told = Tally(), time.monotonic()


def judge(make: type[Target], folder: Path, server: Server, slot: Slot, say: Connection) -> None:
    """Judge the inputs that are sent."""
    target = _begun(make, folder, server)
    number = 0
    say.send(None)
    while True:
        try:
            data = say.recv()
        except EOFError:
            return
        number += 1
        slot.put(number, data)
        answer = Answer(data, _tried(target, data))
        slot.rest()
        say.send(answer)


def _begun(make: type[Target], folder: Path, server: Server) -> Target:
    # A warning would be a line that nobody understands, where our code is its cause.
    warnings.filterwarnings("error", module=r"crm_\w+(\..*)?")
    target = make(folder, server)
    if sys.platform == "linux":
        limit = _status("VmSize") + _LEAVE
        resource.setrlimit(resource.RLIMIT_AS, (limit, resource.RLIM_INFINITY))
    return target


def _tried(target: Target, data: bytes) -> Verdict:
    """The verdict; much memory for a single input is a finding, too."""
    before = _reset_peak()
    verdict = judged(target, data)
    needed = _status("VmHWM") - before
    if before and needed > _MUCH and not verdict.wrong:
        return Verdict("memory", "one input needs much memory", f"{needed >> 20} MB for {len(data):,} bytes")
    return verdict


def _inputs(target: Target, chance: random.Random, kept: list[bytes]) -> Iterator[bytes]:
    seeds = target.seeds()
    yield from seeds
    while True:
        known = [*seeds, *kept]
        if not known or chance.random() < 0.5:
            data = target.make(chance)
            if chance.random() < 0.3:
                data = mutated(chance, data, target.words, known, target.most)
        else:
            # The newest answers have been looked into least.
            base = chance.choice(kept[-40:]) if kept and chance.random() < 0.4 else chance.choice(known)
            data = mutated(chance, base, target.words, known, target.most)
        yield data[: target.most]


def _reset_peak() -> int:
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    except OSError:
        return 0
    return _status("VmRSS")


def _status(name: str) -> int:
    """Bytes as the system tells of this process; 0 where it does not."""
    try:
        with open("/proc/self/status", encoding="ascii") as file:
            for line in file:
                if line.startswith(name):
                    return int(line.split()[1]) << 10
    except OSError:
        return 0
    return 0
