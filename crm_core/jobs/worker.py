"""The worker: tells plugins what was committed, keeps the schedules, and does the jobs that are due."""

from __future__ import annotations

import datetime as dt
import os
import secrets
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError

from crm_core.assembly.delivery import deliver
from crm_core.errors import Conflict
from crm_core.jobs.events import Event, Kind
from crm_core.jobs.running import Pause, run
from crm_core.store import schedules
from crm_core.store.backoff import pause

if TYPE_CHECKING:
    from crm_core.assembly import Crm
    from crm_core.hooks import Job

__all__ = ["Worker"]

_SLICE = 5.0
"""For how many seconds jobs are done before plugins and schedules have their turn again."""

_MOST_REST = 60.0
_LOOK_EVERY = 60.0
"""After so many seconds the worker looks again for jobs that nobody here does; it has to count all that wait."""

_BACK = dt.timedelta(seconds=1)
_QUIET = 0.2
_PATIENCE = 30.0


class Worker:
    """One worker of a CRM, in one thread. Several may work side by side, in any number of processes.

    ``poll`` is for how many seconds it sleeps at most when there is nothing to do. ``tell`` receives an
    :class:`~crm_core.jobs.Event` for whatever happens.
    """

    def __init__(
        self,
        crm: Crm,
        *,
        poll: float = 2.0,
        tell: Callable[[Event], object] = lambda event: None,
        pausing: Pause = pause,
    ) -> None:
        self.crm = crm
        self.poll = poll
        self.name = f"{socket.gethostname()[:40]}-{os.getpid()}-{secrets.token_hex(4)}"
        self._tell_of = tell
        self._pausing = pausing
        self._stop = threading.Event()
        self._latest: dt.datetime | None = None
        self._left: dict[str, int] = {}
        self._look_at = 0.0
        self._totals: Counter[str] = Counter()

    @property
    def queue(self) -> Any:
        """The queue of the build."""
        return self.crm.store.queue

    @property
    def jobs(self) -> dict[str, Job]:
        """The jobs that this worker does."""
        return {name: job for name, job in self.crm.build.jobs.items() if job.enabled}

    def stop(self) -> None:
        """Make it return when the job is done that it is at; may be called by a signal handler or another thread."""
        self._stop.set()

    # -- working -----------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Work until :meth:`stop` is called. What the database refuses is told and tried again."""
        troubles = 0
        with self._at_work():
            while not self._stop.is_set():
                try:
                    busy = self._round()
                    troubles = 0
                    rest = 0.0 if busy else self._rest()
                except (OperationalError, InterfaceError, Conflict) as error:
                    troubles += 1
                    rest = min(self.poll * (1 << min(troubles, 10)), _MOST_REST)
                    self._trouble(error, rest)
                self._stop.wait(rest)

    def once(self) -> None:
        """Deliver what is committed, keep the schedules, and do each job that is due by now."""
        with self._at_work():
            self._look_after()
            self._deliver()
            self._schedule()
            due = self.queue.now()
            while not self._stop.is_set() and self._is_due(due) and self._one():
                pass

    def until_empty(self) -> None:
        """Work until there is nothing to deliver and no job is due; those that wait for a later moment stay."""
        quiet_since = time.monotonic()
        with self._at_work():
            while not self._stop.is_set():
                if self._round():
                    quiet_since = time.monotonic()
                elif not self._is_behind() or time.monotonic() - quiet_since > _PATIENCE:
                    return
                else:
                    # A transaction that is still open holds back what was committed after it began.
                    self._stop.wait(_QUIET)

    @contextmanager
    def _at_work(self) -> Iterator[None]:
        self._totals.clear()
        self._tell("started", worker=self.name)
        yield
        self._tell("stopped", worker=self.name, **{each: self._totals[each] for each in ("done", "failed", "dead")})

    def _round(self) -> bool:
        """One turn of everything, of a few seconds; whether there was anything to do."""
        self._look_after()
        busy = self._deliver()
        busy = self._schedule() or busy
        end = time.monotonic() + _SLICE
        while not self._stop.is_set() and time.monotonic() < end:
            if not self._one():
                return busy
            busy = True
        return busy

    # -- the parts of a turn -----------------------------------------------------------------------------------

    def _look_after(self) -> None:
        """Take over what silent workers left, and tell what nobody here will do."""
        now = self.queue.now()
        if self._latest is None or now < self._latest - _BACK:
            self.queue.mend_clock()
        self._latest = now
        for job in self.queue.recover(self.jobs):
            kind: Kind = "dead" if job.state == "dead" else "silent"
            self._tell(kind, job=job.name, id=job.id, attempt=job.attempts, error=job.last_error)
        if time.monotonic() >= self._look_at:
            self._look_at = time.monotonic() + _LOOK_EVERY
            self._tell_what_is_left()

    def _tell_what_is_left(self) -> None:
        waiting = self.queue.counts(["waiting"])
        left = {name: count for (name, _), count in waiting.items() if name not in self.jobs}
        for name, count in left.items():
            if self._left.get(name) != count:
                self._tell("left", job=name, count=count, known=name in self.crm.build.jobs)
        self._left = left

    def _deliver(self) -> bool:
        busy = False
        for each in deliver(self.crm, at_once=False):
            if each.change_sets:
                self._tell("delivered", plugin=each.plugin, change_sets=each.change_sets)
            for id_ in each.put_aside:
                self._tell("put_aside", plugin=each.plugin, id=id_)
            if each.failure is not None:
                self._tell("delivery_failed", plugin=each.plugin, error=str(each.failure))
            busy = busy or bool(each.change_sets or each.put_aside)
        return busy

    def _schedule(self) -> bool:
        made = schedules.materialise(self.crm.store, self.crm.build.jobs)
        for each in made:
            self._tell("scheduled", job=each.name, id=each.job, occurrence=each.occurrence)
        return bool(made)

    def _one(self) -> bool:
        """Do the job that is due for longest, if any is."""
        queued = self.queue.take(self.name, self.jobs)
        if queued is None:
            return False
        about = {"job": queued.name, "id": queued.id, "attempt": queued.attempts}
        self._tell("begun", **about)
        ended = run(self.crm, self.jobs[queued.name], queued, pausing=self._pausing)
        more: dict[str, Any] = {"seconds": round(ended.seconds, 3)}
        if ended.error is not None:
            more["error"] = ended.error
        if ended.again is not None:
            more["again"] = self.queue.now() + ended.again
        self._tell(ended.end, **about, **more)
        return True

    # -- resting -----------------------------------------------------------------------------------------------

    def _is_due(self, by: dt.datetime) -> bool:
        at = self.queue.next_at(self.jobs)
        return at is not None and at <= by

    def _rest(self) -> float:
        """For how long there is nothing to do, as far as one can know."""
        times = schedules.next_times(self.crm.store)
        now: dt.datetime = self.queue.now()
        rest = self.poll
        for at in (
            self.queue.next_at(self.jobs),
            schedules.next_of(at for name, at in times.items() if name in self.jobs),
        ):
            # What is due and was not taken is in somebody's way: the same work is running.
            if at is not None and at > now:
                rest = min(rest, (at - now).total_seconds())
        return rest

    def _is_behind(self) -> bool:
        """Whether a plugin has yet to be told of something, and is not just resting."""
        return self.crm.store.feed_behind(self.crm.build.dispatcher.hears_commits())

    def _trouble(self, error: DBAPIError | Conflict, rest: float) -> None:
        reason = str(error) if isinstance(error, Conflict) else " ".join(str(error.orig).split())
        self._tell("trouble", error=reason, seconds=rest)

    def _tell(self, kind: Kind, **values: Any) -> None:
        self._totals[kind] += 1
        self._tell_of(Event(kind, dt.datetime.now(dt.UTC), values))
