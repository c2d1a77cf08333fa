"""Trying an atomic job: it runs, its changes are counted, and all of it is taken back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import attrs

from crm_core.errors import UnsupportedStatement
from crm_core.jobs.asking import job_named
from crm_core.jobs.running import run_uncommitted
from crm_core.store.history import pending_counts

if TYPE_CHECKING:
    from crm_core.assembly import Crm

__all__ = ["Trial", "try_out"]


@attrs.frozen
class Trial:
    """What a job would change: record type, operation and how often."""

    changes: tuple[tuple[str, str, int], ...]


def try_out(crm: Crm, name: str, arguments: Mapping[str, Any] | None = None) -> Trial:
    """Run an atomic job with all checks and rules, and roll it back.

    Raises what the job raises, and :class:`~crm_core.errors.UnsupportedStatement` for a job that is not atomic: what
    it commits or sends could not be taken back.
    """
    job = job_named(crm.store, name)
    if not job.atomic:
        raise UnsupportedStatement(
            "The job {name} cannot be tried: it does more than write in one transaction.",
            mend="Run it without --dry-run.",
            name=name,
        )
    session = crm.system_session(job.name, reason="dry run", source="job")
    try:
        run_uncommitted(job, session, {**job.arguments, **(arguments or {})})
        counts = pending_counts(session)
    finally:
        session.close()
    return Trial(tuple((record, operation, count) for (record, operation), count in sorted(counts.items())))
