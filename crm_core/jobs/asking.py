"""Asking for a job."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from crm_core.errors import NotFound, ValidationError, nearest
from crm_core.store.session import CrmSession

if TYPE_CHECKING:
    from crm_core.assembly import Crm
    from crm_core.hooks import Job
    from crm_core.store.store import Store

__all__ = ["enqueue", "job_named"]

_KEY = 200


def enqueue(
    where: CrmSession | Crm,
    name: str,
    arguments: Mapping[str, Any] | None = None,
    *,
    at: dt.datetime | dt.date | None = None,
    key: str | None = None,
) -> int:
    """Ask for the job ``name``; returns its id.

    In a session it is asked for with the session's transaction: if that is rolled back, nobody ever sees it. With a
    :class:`~crm_core.Crm` it is asked for at once. ``arguments`` are given to the job over its own defaults; they are
    kept as JSON, so give ids rather than records, and no personal data: an erasure does not reach into the queue. It
    runs at the moment ``at`` or later (a day is its midnight), else as soon as a worker is free.

    ``key`` names the work: while a job of this name with this key waits, no second one is made, and the id is that of
    the first, whose arguments stay. Jobs of one name and key never run at the same time.

    Raises :class:`~crm_core.errors.NotFound` for a job that is not in the build,
    :class:`~crm_core.errors.ValidationError` for arguments that are no JSON.
    """
    if not isinstance(where, CrmSession):
        with where.system_session("jobs") as session:
            return enqueue(session, name, arguments, at=at, key=key)
    store = where.store
    job = job_named(store, name)
    if key is not None and not 0 < len(key) <= _KEY:
        raise ValidationError(
            "The key of the job {name} has {count} characters.", mend="Give 1 to {most}.",
            name=name, count=len(key), most=_KEY,
        )  # fmt: skip
    given = {**job.arguments, **(arguments or {})}
    return store.queue.put(where, name, given, at=store.moment("at", at), key=key)


def job_named(store: Store, name: str) -> Job:
    """The job of this name in the build."""
    job: Job | None = store.jobs.get(name)
    if job is None:
        raise NotFound(
            "There is no job {name!r} in this build.",
            mend="Did you mean {near}? A plugin registers its jobs by crm_register_jobs.",
            name=name,
            near=nearest(name, store.jobs),
        )
    return job
