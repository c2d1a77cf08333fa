"""What every side's program has in common: it takes orders as lines of JSON, does them, and answers with seconds.

Only the standard library is used: the environment of a foreign system has nothing of ours. A side is an object with

``ids(count)``                      the ids of the accounts that were created first; not measured
``bulk(rows)``, ``single(rows)``    create, many at once as is fastest, or each in a transaction of its own
``update(ids, names)``, ``edit``    give accounts other names, likewise
``page(position, key, user)``       the names on a page, from a position or after a name, as a user may see them
``search(word, user)``              the names on the first page of those in which a word occurs
``count()``                         accounts and contacts, not measured

The program is started with one argument: a JSON object with ``database``, ``data`` (the file with the customers),
``folder`` (for files of the side's own), ``users``, ``page`` (rows), ``fresh`` (whether the tables must be made), and
what else that side wants.
"""

from __future__ import annotations

import itertools
import json
import os
import resource
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

__all__ = ["InBatches", "serve"]


class InBatches:
    """A side that creates any number of customers by ``write(rows)``, in one transaction."""

    def write(self, rows: list[dict[str, Any]]) -> None:
        raise NotImplementedError

    def bulk(self, rows: list[dict[str, Any]]) -> None:
        for offset in range(0, len(rows), 1000):
            self.write(rows[offset : offset + 1000])

    def single(self, rows: list[dict[str, Any]]) -> None:
        for row in rows:
            self.write([row])


def serve(open_side: Callable[[dict[str, Any]], Any]) -> None:
    """Open a side, and do what is ordered until the input ends."""
    # Whatever somebody prints must not be taken for an answer.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    given = json.loads(sys.argv[1])

    def answer(content: dict[str, Any]) -> None:
        answers.write(json.dumps(content) + "\n")
        answers.flush()

    try:
        side = open_side(given)
        answer({"ready": True, "memory": _memory()})
    except Exception as error:
        _tell(answer, error)
        return
    for line in sys.stdin:
        order = json.loads(line)
        try:
            answer(_do(side, given, order))
        except Exception as error:
            _tell(answer, error)
    answers.close()


def _tell(answer: Callable[[dict[str, Any]], None], error: Exception) -> None:
    import traceback

    traceback.print_exc()
    lines = str(error).strip().splitlines() or [""]
    answer({"error": f"{type(error).__name__}: {lines[0]}"})


def _do(side: Any, given: dict[str, Any], order: dict[str, Any]) -> dict[str, Any]:
    what = order["do"]
    if what == "count":
        accounts, contacts = side.count()
        return {"accounts": accounts, "contacts": contacts, "memory": _memory()}
    if what in ("bulk", "single"):
        rows = _rows(given["data"], order["start"], order["count"])
        return {"seconds": _timed(lambda: getattr(side, what)(rows))[0]}
    if what in ("update", "edit"):
        ids = side.ids(order["start"] + order["count"])[order["start"] :]
        rows = _rows(given["data"], order["start"], order["count"])
        names = [f"{row['name']} {order['suffix']}" for row in rows]
        return {"seconds": _timed(lambda: getattr(side, what)(ids, names))[0]}
    if what == "page":
        # A side whose keys are more than names tells what belongs to one.
        key = None if order["key"] is None else getattr(side, "key", str)(order["key"])
        return _asked(lambda: side.page(order["position"], key, order["user"]), order["times"])
    if what == "search":
        return _asked(lambda: side.search(order["word"], order["user"]), order["times"])
    raise ValueError(f"nobody knows how to {what}")


def _rows(path: str, start: int, count: int) -> list[dict[str, Any]]:
    with open(path, encoding="utf-8") as lines:
        return [json.loads(line) for line in itertools.islice(lines, start, start + count)]


def _timed(work: Callable[[], Any]) -> tuple[float, Any]:
    begun = time.perf_counter()
    result = work()
    return time.perf_counter() - begun, result


def _asked(ask: Callable[[], list[str]], times: int) -> dict[str, Any]:
    names = ask()
    taken = [_timed(ask)[0] for _ in range(times)]
    return {"seconds": statistics.median(taken) if taken else None, "names": names}


def _memory() -> float:
    """The most that this process has held so far, in MiB."""
    if os.path.exists("/proc/self/status"):
        # `getrusage` goes on from what the process that started this one had.
        with open("/proc/self/status", encoding="ascii", errors="replace") as lines:
            return next(int(line.split()[1]) / 2**10 for line in lines if line.startswith("VmHWM:"))
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / 2**20 if sys.platform == "darwin" else most / 2**10
