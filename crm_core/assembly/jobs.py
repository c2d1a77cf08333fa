"""The jobs of a build, as its file sets them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from crm_core.assembly.build_file import BuildFile, JobSection
from crm_core.assembly.verdicts import Verdicts
from crm_core.errors import Problem, nearest
from crm_core.hooks import Job
from crm_core.store import recurrence

__all__ = ["chosen_jobs"]


def chosen_jobs(file: BuildFile, registered: Mapping[str, Job], verdicts: Verdicts) -> dict[str, Job]:
    """What was registered, with the section ``[jobs]``; ``verdicts`` receives what does not fit."""
    jobs = dict(registered)
    for name, section in file.jobs.items():
        job = registered.get(name)
        if job is None:
            verdicts.doubt(
                Problem(f'jobs."{name}"', "There is no job {name!r} in this build.", "Did you mean {near}?",
                        {"name": name, "near": nearest(name, registered)}),
                name,
            )  # fmt: skip
            continue
        wrong = list(_mistakes(f'jobs."{name}"', job, section))
        verdicts.file += wrong
        if not wrong:
            jobs[name] = _set(job, section)
    return jobs


def _set(job: Job, section: JobSection) -> Job:
    given = {name: getattr(section, name) for name in ("enabled", "schedule", "attempts", "lease")}
    changes: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    if section.schedule == "":
        changes["schedule"] = None
    return attrs.evolve(job, **changes, arguments={**job.arguments, **section.arguments})


def _mistakes(path: str, job: Job, section: JobSection) -> Iterator[Problem]:
    if section.schedule:
        try:
            recurrence.check(section.schedule)
        except ValueError as error:
            # Its sentences are in the catalogue; it quotes what somebody wrote.
            mend = str(error).replace("{", "{{").replace("}", "}}")
            yield Problem(f"{path}.schedule", "{schedule!r} cannot be followed.", mend, {"schedule": section.schedule})
    for name in ("attempts", "lease"):
        value = getattr(section, name)
        if value is not None and value < 1:
            yield Problem(f"{path}.{name}", "{value} is too few.", "Write 1 or more.", {"value": value})
    for key, value in section.arguments.items():
        if key not in job.arguments:
            mend = "Did you mean {near}?" if job.arguments else "Remove it."
            yield Problem(f"{path}.arguments.{key}", "The job has no argument {key!r}.", mend,
                          {"key": key, "near": nearest(key, job.arguments)})  # fmt: skip
        elif type(value) is not type(job.arguments[key]):
            yield Problem(f"{path}.arguments.{key}", "{value!r} is of another kind than {usual!r}, which is usual.",
                          "Write it like that.", {"value": value, "usual": job.arguments[key]})  # fmt: skip
