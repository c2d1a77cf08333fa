"""Looking after the queue: what is in it, repeating, dropping, running by hand."""

from __future__ import annotations

import datetime as dt
import os
import secrets
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs

from crm_core.errors import Conflict, CrmError, NotFound, PermissionDenied, ValidationError
from crm_core.jobs.asking import enqueue, job_named
from crm_core.jobs.running import run
from crm_core.store import consumers, schedules
from crm_core.store.consumers import Consumer
from crm_core.store.queue import QueuedJob, State

if TYPE_CHECKING:
    from crm_core.assembly import Crm
    from crm_core.hooks import Job
    from crm_core.store.session import CrmSession

__all__ = ["JobFailed", "Overview", "Schedule", "drop", "may_manage", "overview", "retry", "run_now"]

PERMISSION = "system.jobs"


class JobFailed(CrmError):
    """A job that was run by hand failed; it is on the dead-letter list."""

    exit_code = Conflict.exit_code


@attrs.frozen
class Schedule:
    """A job with a schedule, its next occurrence and its last, as far as a worker has seen them."""

    job: Job
    next_at: dt.datetime | None
    last_at: dt.datetime | None


@attrs.frozen
class Overview:
    """The queue at a glance: how many jobs by name and state, some of them, the schedules, and the feed's consumers."""

    counts: Mapping[tuple[str, State], int]
    jobs: tuple[QueuedJob, ...]
    schedules: tuple[Schedule, ...]
    consumers: tuple[Consumer, ...]


def may_manage(session: CrmSession) -> None:
    """Raise :class:`~crm_core.errors.PermissionDenied` unless the actor looks after jobs.

    Jobs act as the system and their arguments may name any record, so a narrower scope would not do.
    """
    if not session.visibility.reach(PERMISSION).all:
        raise PermissionDenied(
            "{principal} may not look after jobs.",
            mend="A role with the permission {permission} at scope all is needed.",
            principal=session.actor.principal,
            permission=PERMISSION,
        )


def overview(crm: Crm, *, states: Collection[State] | None = None, limit: int = 20) -> Overview:
    """What is in the queue: of each state at most ``limit`` jobs, running ones first, then dead, waiting, done."""
    wanted: Sequence[State] = [each for each in _ORDER if states is None or each in states]
    times = schedules.next_times(crm.store)
    with crm.store.reading() as connection:
        told = consumers.consumers(connection)
    return Overview(
        counts=crm.store.queue.counts(),
        jobs=tuple(job for state in wanted for job in crm.store.queue.find(states=[state], limit=limit)),
        schedules=tuple(
            Schedule(job, *times.get(job.name, (None, None))) for job in crm.build.jobs.values() if job.schedule
        ),
        consumers=tuple(told),
    )


_ORDER: tuple[State, ...] = ("running", "dead", "waiting", "done", "dropped")


def retry(crm: Crm, ids: Collection[int] | None = None) -> list[QueuedJob]:
    """Let dead jobs run again, with all their attempts; those that wait run at once. Without ``ids`` all dead ones.

    Raises :class:`~crm_core.errors.NotFound` for an id that is not of a dead or waiting job.
    """
    found = list(crm.store.queue.retry(ids))
    missing = sorted(set(ids or ()) - {job.id for job in found})
    if missing:
        raise _not_there(missing[0])
    return found


def drop(crm: Crm, id_: int, *, reason: str, who: str) -> None:
    """Never run a dead or waiting job; ``reason`` and ``who`` stay with it until it is tidied away."""
    if not reason.strip():
        raise ValidationError("It is not said why the job is dropped.", mend="Give a reason.")
    if not crm.store.queue.drop(id_, f"{who}: {reason.strip()}"):
        raise _not_there(id_)


def _not_there(id_: int) -> NotFound:
    return NotFound(
        "There is no dead or waiting job {id}.", mend="'crm jobs' lists them; one that runs must end first.", id=id_
    )


def run_now(crm: Crm, name: str, arguments: Mapping[str, Any] | None = None) -> QueuedJob:
    """Run a job here and now, once; returns it as it is done.

    Raises :class:`JobFailed`, with what the job raised as its cause; then it is on the dead-letter list.
    """
    job = job_named(crm.store, name)
    worker = f"by-hand-{os.getpid()}-{secrets.token_hex(4)}"
    id_ = enqueue(crm, name, arguments)
    queued = crm.store.queue.take(worker, {name: job}, only=id_)
    if queued is not None:
        ended = run(crm, job, queued, attempts=1)
        if ended.end in ("dead", "failed"):
            raise JobFailed(
                "The job {id} ({name}) failed: {error}",
                mend="Mend the cause; then: crm jobs retry {id}",
                id=id_,
                name=name,
                error=ended.error,
            ) from ended.cause
    (found,) = crm.store.queue.find(ids=[id_])
    return found
