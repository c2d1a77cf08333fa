"""The plugin and what it requires make a build, strictly and without a warning."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from crm_core.errors import BuildError, Problem
from crm_core.testing.conformance.report import Check, Finding

if TYPE_CHECKING:
    from crm_core.testing.conformance.subject import Subject

__all__ = ["CHECK"]

NAME = "loads"


def _look(subject: Subject) -> Iterator[Finding]:
    from crm_core.assembly.load import assemble

    try:
        build = assemble(subject.config, strict=True, discovery=subject.discovery)
    except BuildError as error:
        for problem in error.problems or (Problem("", error.problem, error.mend, error.values),):
            yield _finding(problem)
        return
    for warning in build.report.warnings:
        yield _finding(warning)


def _finding(problem: Problem) -> Finding:
    return Finding(NAME, problem.problem, problem.path, problem.mend, problem.values)


CHECK = Check(NAME, "The plugin and what it requires assemble strictly, without a warning.", _look)
