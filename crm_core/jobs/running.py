"""Running one job that was taken from the queue, to one of its ends."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, Literal

import attrs

from crm_core.errors import CrmError, UnsupportedStatement
from crm_core.logs import logger
from crm_core.store.backoff import pause
from crm_core.store.heartbeat import Heartbeat
from crm_core.store.queue import LeaseLost

if TYPE_CHECKING:
    from crm_core.assembly import Crm
    from crm_core.hooks import Job
    from crm_core.store.queue import QueuedJob
    from crm_core.store.session import CrmSession

__all__ = ["Outcome", "Pause", "run", "run_uncommitted"]

Pause = Callable[[int], dt.timedelta]


@attrs.frozen
class Outcome:
    """How a run ended: ``done``; ``failed``, to be run ``again`` after a pause; ``dead``; or ``lost`` to another."""

    end: Literal["done", "failed", "dead", "lost"]
    seconds: float
    error: str | None = None
    again: dt.timedelta | None = None
    cause: BaseException | None = attrs.field(default=None, repr=False, eq=False)


def run(crm: Crm, job: Job, queued: QueuedJob, *, attempts: int | None = None, pausing: Pause = pause) -> Outcome:
    """Run a job that this worker holds, and write down how it ended.

    ``attempts`` stands in for those of the job. What the job raises is its failure, an exit of the interpreter
    included; an interrupt from the keyboard hands the job back and goes on.
    """
    queue, began = crm.store.queue, time.monotonic()

    def over(end: Literal["done", "failed", "dead", "lost"], **more: Any) -> Outcome:
        return Outcome(end, time.monotonic() - began, **more)

    try:
        finished = _atomic(crm, job, queued) if job.atomic else _plain(crm, job, queued)
    except LeaseLost as error:
        return over("lost", error=str(error), cause=error)
    except KeyboardInterrupt:
        queue.failed(queued, "It was interrupted.", dt.timedelta())
        raise
    except (Exception, SystemExit) as error:
        _log(queued, error)
        told = _told(error)
        last = queued.attempts >= (job.attempts if attempts is None else attempts)
        again = None if last else pausing(queued.attempts)
        if not queue.failed(queued, told, again):
            return over("lost", error=told, cause=error)
        return over("dead" if last else "failed", error=told, again=again, cause=error)
    return over("done" if finished else "lost")


def run_uncommitted(job: Job, session: CrmSession, arguments: Mapping[str, Any]) -> None:
    """Run an atomic job in a session that it must not commit itself, and let rules and plugins object."""
    inside = True

    def refuse(_connection: object) -> None:
        if inside:
            raise UnsupportedStatement(
                "The job {name} is atomic, so it must not commit.",
                mend="Leave it to the worker, which commits when it returns; or register the job with atomic=False.",
                name=job.name,
            )

    session.at_commit(refuse)
    job.run(session, arguments)
    session.check()
    inside = False


def _atomic(crm: Crm, job: Job, queued: QueuedJob) -> bool:
    """The job's writes and that it is done are one transaction."""
    with crm.system_session(job.name, reason=f"job {queued.id}", source="job") as session:
        crm.store.queue.begin(queued, session)
        # On SQLite the session is the one writer by now: a heartbeat would wait for it, and nobody can take the job.
        with nullcontext() if session.dialect == "sqlite" else _heartbeat(crm, job, queued):
            run_uncommitted(job, session, queued.arguments)
    return True


def _plain(crm: Crm, job: Job, queued: QueuedJob) -> bool:
    with _heartbeat(crm, job, queued):
        job.run(crm, queued.arguments)
    return crm.store.queue.done(queued)


def _heartbeat(crm: Crm, job: Job, queued: QueuedJob) -> Heartbeat:
    return Heartbeat(lambda: crm.store.queue.renew(queued, job), job.lease / 3)


def _told(error: BaseException) -> str:
    text = str(error) if isinstance(error, CrmError) else f"{type(error).__name__}: {error}"
    return text[:4000]


def _log(queued: QueuedJob, error: BaseException) -> None:
    logger("crm_core.jobs").error("job failed", job=queued.name, id=queued.id, exc_info=error)
