"""The plugin works in one build with every other plugin that is installed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING

from crm_core.errors import BuildError, CrmError, Problem
from crm_core.testing.conformance.report import Check, Finding

if TYPE_CHECKING:
    from crm_core.testing.conformance.subject import Subject

__all__ = ["CHECK"]

NAME = "together"


def _look(subject: Subject) -> Iterator[Finding]:
    subject.loaded  # noqa: B018 - alone it must be whole, or nothing can be said
    fitting = []
    found = False
    for other in sorted({each.name for each in subject.discovery()} - {subject.plugin}):
        if list(_problems(subject, other)):
            subject.note(NAME, "{plugin} is left out: it does not assemble by itself.", plugin=other)
            continue
        problems = list(_problems(subject, subject.plugin, other))
        for problem in problems:
            found = True
            yield _finding(problem, other)
        if not problems:
            fitting.append(other)
    if not found:
        for problem in [*_problems(subject, subject.plugin, *fitting), *_migrated(subject, fitting)]:
            yield _finding(problem, ", ".join(fitting))


def _problems(subject: Subject, *plugins: str) -> Iterator[Problem]:
    """What stands against a build of these plugins and what they require."""
    from crm_core.assembly.load import assemble

    try:
        assemble(subject.config_of(*plugins), strict=True, discovery=subject.discovery)
    except BuildError as error:
        yield from error.problems or (Problem("", error.problem, error.mend, error.values),)


def _migrated(subject: Subject, others: list[str]) -> Iterator[Problem]:
    """What stands against making the tables of all of them in one database."""
    from crm_core.assembly.crm import Crm

    config = subject.config_of(subject.plugin, *others)
    try:
        with ExitStack() as stack:
            address = stack.enter_context(subject.databases.new())
            crm = stack.enter_context(Crm.open(config, database=address, check=False, discovery=subject.discovery))
            crm.migrate()
            crm.check()
    except CrmError as error:
        yield Problem("", error.problem, error.mend, {"plugin": error.plugin, **error.values})


def _finding(problem: Problem, other: str) -> Finding:
    said = problem.problem.rstrip(".").format(**problem.values)
    mend = problem.mend.format(**problem.values) or "Rename what both have, or remove one of the two."
    return Finding(
        NAME,
        "Together with {other}: {problem}.",
        problem.path or other,
        mend="{mend}",
        values={"other": other, "problem": said, "mend": mend},
    )


CHECK = Check(
    NAME, "It assembles and migrates in one build with every other plugin that is installed.", _look, database=True
)
