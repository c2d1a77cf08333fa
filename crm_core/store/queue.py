"""The queue of jobs as a port: what a queue must be able to do, whoever does it.

The built-in driver ``database`` (:mod:`crm_core.store.database_queue`) keeps the jobs in the CRM's own database. A
driver for a distributed queue is an entry point in the group ``crm_core.drivers.queue`` that leads to a callable: it
is called with the :class:`~crm_core.Crm` and returns a :class:`Queue`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, Protocol, get_args

import attrs

from crm_core.errors import Conflict

if TYPE_CHECKING:
    from crm_core.store.session import CrmSession

__all__ = ["STATES", "LeaseLost", "Queue", "QueuedJob", "State", "Terms"]

State = Literal["waiting", "running", "done", "dead", "dropped"]

STATES: tuple[State, ...] = get_args(State)
"""Waiting until it is due and taken; running under a lease; done; dead: it failed as often as it may; dropped by
somebody, or because another one does the same work."""


class LeaseLost(Conflict):
    """Whoever holds the job now, it is not this worker: what it did for the job must not stand."""


class Terms(Protocol):
    """On what terms jobs of one name are run: all that a queue needs to know of a :class:`~crm_core.Job`."""

    @property
    def attempts(self) -> int:
        """How often a job is begun before it is dead."""

    @property
    def lease(self) -> int:
        """For how many seconds a worker may be silent."""


@attrs.frozen(kw_only=True)
class QueuedJob:
    """One job in the queue.

    ``key`` names the work where it must not be queued twice; ``occurrence`` is the moment of its schedule that it was
    made for. It runs at ``run_at`` or later. ``attempts`` counts how often it was begun. A running one belongs to
    ``worker`` until ``lease_until``. ``note`` says why it was dropped.
    """

    id: int
    name: str
    key: str | None
    arguments: Mapping[str, Any]
    occurrence: dt.datetime | None
    state: State
    run_at: dt.datetime
    attempts: int
    worker: str | None
    lease_until: dt.datetime | None
    last_error: str | None
    note: str | None
    created_at: dt.datetime
    started_at: dt.datetime | None
    finished_at: dt.datetime | None


class Queue(Protocol):
    """Where jobs wait, and who has which.

    A driver must keep these promises, on which the worker builds:

    - What :meth:`put` puts in is there exactly if the session's transaction commits.
    - No two workers hold one job at a time, unless the lease of the first has run out.
    - A job that is taken is begun once more: ``attempts`` counts it, so that a job which kills its worker ends, too.
    - Jobs of one name with the same key never run at the same time.
    - A job that :meth:`begin` was called for is done exactly if the session's transaction commits. A queue that lies
      elsewhere keeps a row in the CRM's database for that, and hands out no job that is marked done there.
    """

    def put(
        self,
        session: CrmSession,
        name: str,
        arguments: Mapping[str, Any],
        *,
        at: dt.datetime | None = None,
        key: str | None = None,
        occurrence: dt.datetime | None = None,
        dead: str | None = None,
    ) -> int:
        """Put a job in, with the session's transaction; returns its id.

        Without ``at`` it is due at once. While a job of this name with the same ``key`` waits, that one is kept, due
        at the earlier moment of the two, and must not be taken before this transaction has ended. The same holds for
        a job that was made for the same ``occurrence``, whatever became of it. With an error as ``dead`` it goes to the
        dead-letter list at once.
        """

    def take(self, worker: str, terms: Mapping[str, Terms], *, only: int | None = None) -> QueuedJob | None:
        """The longest due job among those named in ``terms`` becomes the worker's; ``None`` when there is none.

        ``only`` asks for the job with this id.
        """

    def begin(self, job: QueuedJob, session: CrmSession) -> None:
        """Let the session's commit mark the job done; :class:`LeaseLost`, here or there, if it is no longer ours."""

    def renew(self, job: QueuedJob, terms: Terms) -> bool:
        """The worker is alive: its lease begins anew. False when the job is no longer ours."""

    def done(self, job: QueuedJob) -> bool:
        """The job is done; false when it is no longer ours."""

    def failed(self, job: QueuedJob, error: str, again: dt.timedelta | None) -> bool:
        """The job failed, to be run again after a pause, or (``None``) never; false when it is no longer ours."""

    def recover(self, terms: Mapping[str, Terms]) -> Sequence[QueuedJob]:
        """Take back the jobs of workers that went silent: they wait again, or are dead if that was the last attempt.

        Returns them as they are now.
        """

    def mend_clock(self) -> int:
        """After the clock was set back: let nobody wait for a moment that was near and is far now.

        Returns how many jobs were mended.
        """

    def next_at(self, names: Collection[str]) -> dt.datetime | None:
        """When the next job of these names is due; in the past if one is due now."""

    def now(self) -> dt.datetime:
        """The present moment by the queue's clock."""

    def find(
        self, *, states: Collection[State] = STATES, ids: Collection[int] | None = None, limit: int = 50
    ) -> Sequence[QueuedJob]:
        """Jobs by state or id: those that wait by when they are due, the others from the latest."""

    def counts(self, states: Collection[State] = STATES) -> Mapping[tuple[str, State], int]:
        """How many jobs there are in these states, by name and state."""

    def retry(self, ids: Collection[int] | None) -> Sequence[QueuedJob]:
        """Dead jobs wait again, with all their attempts, and waiting ones are due now; ``None`` takes all dead ones.

        Returns them as they are now; those in another state are left out.
        """

    def drop(self, id_: int, note: str) -> bool:
        """A dead or waiting job is not to be run any more; false when there is none with this id in such a state."""

    def tidy(self, session: CrmSession, before: dt.datetime) -> int:
        """Forget jobs that were done or dropped before this moment; returns how many."""
