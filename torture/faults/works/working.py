"""A worker with jobs of every kind and a plugin that is told of what they do."""

from __future__ import annotations

import datetime as dt
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

from sqlalchemy import select

from crm_core import Account, Crm
from crm_core.jobs import Worker
from crm_core.store.tables import CHANGE_SET
from torture.examining import Complaint, Heads
from torture.examining.examination import Shape
from torture.faults.ground import JOBS, Ground
from torture.faults.plugin import COUNTER, DID, TOLD
from torture.faults.works.work import Work

__all__ = ["Working"]

_PATIENCE = 30.0
_PAUSE = dt.timedelta(milliseconds=50)
_LONGEST = 7
"""How often the pause after a failure doubles; usual ones grow to an hour, in which somebody frees the disk."""


def _pause(attempts: int) -> dt.timedelta:
    return _PAUSE * (1 << min(attempts, _LONGEST))


class Working(Work):
    """Jobs are done once where they are atomic, at least once where not; the plugin misses no change set."""

    name = "worker"

    def run(self, ground: Ground, crm: Crm) -> None:
        deadline = time.monotonic() + _PATIENCE
        while True:
            Worker(crm, poll=0.05, pausing=_pause).until_empty()
            left = {key for key in crm.store.queue.counts(["waiting", "running"]) if key[0].startswith("tortured.")}
            if not left:
                return
            if time.monotonic() > deadline:
                raise TimeoutError(f"there are jobs left: {left}")
            time.sleep(0.1)  # what somebody held who is dead is free after its lease

    def look(self, ground: Ground, before: Heads, shapes: Sequence[Shape] | None) -> list[Complaint]:
        # The clock brings jobs of the kernel, which write what the undisturbed run may not have written.
        found = super().look(ground, before, None)
        with self.open(ground) as crm, crm.system_session("examination", read_only=True) as session:
            done = crm.store.queue.counts(["done"])
            (counter,) = session.list(Account, f"name == {COUNTER!r}")
            for word in ("Job", "Second"):
                names = [each.name for each in session.list(Account, f"startswith(name, '{word} ')", limit=None)]
                found += [
                    Complaint("doubled", f"{name} was made twice")
                    for name, count in Counter(names).items()
                    if count > 1
                ]
                if len(names) != done.get(("tortured.make", "done"), 0):
                    found.append(Complaint("half", f"{len(names)} accounts {word!r} of {done} jobs"))
            if (counter.employees or 0) != done.get(("tortured.count", "done"), 0):
                found.append(Complaint("lost", f"the counter stands at {counter.employees} after {done}"))
        return found

    def more(self, ground: Ground, crm: Crm) -> Any:
        with crm.store.reading() as connection:
            committed = list(
                connection.execute(select(CHANGE_SET.c.id).order_by(CHANGE_SET.c.place, CHANGE_SET.c.id)).scalars()
            )
        told = list(dict.fromkeys(ground.lines(TOLD)))
        done = crm.store.queue.counts()
        return {
            "all told, in order": told == [each for each in committed if each in set(told)],
            "none passed over": len(told) == len([each for each in committed if each > ground.facts["newest"]]),
            "done": {name: count for (name, state), count in done.items() if name.startswith("tortured.")},
            "dead": sorted(name for name, state in done if state == "dead"),
            "said": sorted(set(ground.lines(DID))) == list(range(2 * JOBS, 3 * JOBS)),
        }
