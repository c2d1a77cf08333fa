"""Running the checks on one plugin."""

from __future__ import annotations

import tempfile
import time
import traceback
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

from crm_core.assembly.discovery import Discovery, installed
from crm_core.errors import CrmError, NotFound
from crm_core.hooks.specs import nearest
from crm_core.testing.conformance.checks import CHECKS
from crm_core.testing.conformance.databases import Databases
from crm_core.testing.conformance.report import Check, Finding, Report, Result
from crm_core.testing.conformance.subject import EXAMPLES, Subject, Unloadable, find

__all__ = ["Progress", "check_plugin", "chosen", "verify"]

Progress = Callable[[Check, int, int], None]
"""Called before each check with the check, its number from 0 on, and how many there are."""

LOADS = "loads"


def verify(
    name: str,
    *,
    database_url: str | None = None,
    only: Collection[str] = (),
    skip: Collection[str] = (),
    discovery: Discovery = installed,
    config: Mapping[str, Any] | None = None,
    examples: int = EXAMPLES,
    seed: int = 1,
    progress: Progress | None = None,
    checks: Sequence[Check] = CHECKS,
) -> Report:
    """Run the checks on a plugin, by its name or that of its distribution, and report everything that they find.

    ``database_url`` is the address of a PostgreSQL database whose user may create others; else checks use SQLite in a
    temporary folder. ``only`` and ``skip`` name checks. ``config`` are further sections of the build file, for a plugin
    that cannot do without settings. ``examples`` is how many rows of every record are tried, ``seed`` the first of the
    numbers that what is made up follows from; a finding tells which it was. Raises
    :class:`~crm_core.errors.NotFound` where there is no such plugin or check.
    """
    wanted = chosen(checks, only, skip)
    found = find(name, discovery)
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="crm-verify-", ignore_cleanup_errors=True))
        databases = stack.enter_context(closing(Databases(database_url, Path(folder))))
        subject = Subject(found, databases, discovery=discovery, config=config, examples=examples, seed=seed)
        results: list[Result] = []
        for number, check in enumerate(checks):
            if check not in wanted:
                results.append(Result(check.name, check.proves, "skipped"))
                continue
            if progress is not None:
                progress(check, number, len(checks))
            results.append(_run(check, subject, loads=_told(results)))
        return Report(found.name, found.version or "", found.distribution or "", tuple(results))


def check_plugin(
    name: str,
    *,
    database_url: str | None = None,
    only: Collection[str] = (),
    skip: Collection[str] = (),
    config: Mapping[str, Any] | None = None,
    examples: int = EXAMPLES,
    seed: int = 1,
) -> None:
    """Fail with an :class:`AssertionError` that lists all findings, unless the plugin conforms; see :func:`verify`.

    The one line of a plugin's test suite: ``check_plugin("my_vertical", database_url=database_url)``.
    """
    report = verify(name, database_url=database_url, only=only, skip=skip, config=config, examples=examples, seed=seed)
    if not report.ok:
        raise AssertionError(report.text())


def chosen(checks: Iterable[Check], only: Collection[str] = (), skip: Collection[str] = ()) -> list[Check]:
    """The checks that are wanted; :class:`~crm_core.errors.NotFound` for a name that none has."""
    checks = list(checks)
    names = {check.name for check in checks}
    for name in (*only, *skip):
        if name not in names:
            raise NotFound(
                "The conformance kit has no check {name!r}.",
                mend="Did you mean {near}?",
                name=name,
                near=nearest(name, names),
            )
    return [check for check in checks if (not only or check.name in only) and check.name not in skip]


def _told(results: Iterable[Result]) -> bool:
    """Whether it was said already why the plugin cannot be loaded."""
    return any(result.check == LOADS and result.findings for result in results)


def _run(check: Check, subject: Subject, *, loads: bool) -> Result:
    database = subject.databases.kind if check.database else ""
    began = time.perf_counter()
    findings: list[Finding] = []
    outcome: Any = "passed"
    try:
        findings += check.function(subject)
        outcome = "failed" if findings else "passed"
    except Unloadable as error:
        outcome = "failed" if findings else "not run"
        if not loads:
            findings.append(_unrun(check, subject, error, "Mend what keeps the plugin from being loaded."))
    except Exception as error:
        outcome = "crashed"
        findings.append(
            _unrun(
                check,
                subject,
                error,
                "It was in {place}. Where that is no code of yours, report it.",
                place=_place(error),
            )
        )
    return Result(
        check.name,
        check.proves,
        outcome,
        tuple(findings),
        tuple(subject.notes.pop(check.name, ())),
        database,
        time.perf_counter() - began,
    )


def _unrun(check: Check, subject: Subject, error: Exception, mend: str, **values: Any) -> Finding:
    reason = error.text() if isinstance(error, CrmError) else f"{type(error).__name__}: {error}"
    if isinstance(error, Unloadable):
        reason = str(error)
    return Finding(
        check.name,
        "The check could not be run: {reason}",
        subject.plugin,
        mend=mend,
        values={"reason": " ".join(reason.split()), **values},
    )


def _place(error: Exception) -> str:
    """The last lines of the traceback, innermost last: a check calls the plugin, and either may be wrong."""
    frames = traceback.extract_tb(error.__traceback__)[-3:]
    return " > ".join(f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames)
