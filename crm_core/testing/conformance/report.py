"""What a run of the kit found: findings, the result of each check, and the report, as text, JSON or a page."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal

import attrs

from crm_core.errors import CrmError
from crm_core.translation import ENGLISH, Translator

if TYPE_CHECKING:
    from crm_core.testing.conformance.subject import Subject

__all__ = ["OUTCOME_LABELS", "Check", "Finding", "Outcome", "Report", "Result", "one_line"]

Outcome = Literal["passed", "failed", "crashed", "not run", "skipped"]
OUTCOME_LABELS: tuple[Outcome, ...] = ("passed", "failed", "crashed", "not run", "skipped")
"""What can become of a check, as it is shown."""


@attrs.frozen
class Finding:
    """One thing wrong with a plugin.

    ``check`` is the check that found it. ``what`` is wrong and how to ``mend`` it are templates for ``str.format`` with
    ``values``; ``where`` is a place in the source (``crm_x/roles.py:12``), a record, a field, a table.
    """

    check: str
    what: str
    where: str = ""
    mend: str = ""
    values: Mapping[str, Any] = attrs.field(factory=dict)

    def said(self, translate: Callable[[str], str] = ENGLISH.text) -> str:
        """What is wrong, filled in."""
        return translate(self.what).format(**self.values)

    def mended(self, translate: Callable[[str], str] = ENGLISH.text) -> str:
        """How to mend it, filled in."""
        return translate(self.mend).format(**self.values)

    def __str__(self) -> str:
        return f"[{self.check}] {self.where}: {self.said()} {self.mended()}".strip()


def one_line(error: Exception) -> str:
    """What an error says, as a value of a finding; those of databases may go on for pages."""
    said = error.text() if isinstance(error, CrmError) else f"{type(error).__name__}: {error}"
    return " ".join(said.split())[:500]


@attrs.frozen
class Check:
    """A check of the kit: its name, what it ``proves`` when it finds nothing, and the function that looks.

    ``database`` says that it writes to databases, so that it can be run on SQLite and on PostgreSQL; ``alike`` that it
    counts or measures what the plugin does, which is the same on either.
    """

    name: str
    proves: str
    function: Callable[[Subject], Iterable[Finding]]
    database: bool = False
    alike: bool = False


@attrs.frozen
class Result:
    """What became of one check, on which ``database`` if on any, and in how many seconds.

    ``notes`` say what a passed check could not look at.
    """

    check: str
    proves: str
    outcome: Outcome
    findings: tuple[Finding, ...] = ()
    notes: tuple[Finding, ...] = ()
    database: str = ""
    seconds: float = 0.0


@attrs.frozen
class Report:
    """The results of all checks on one plugin."""

    plugin: str
    version: str
    distribution: str
    results: tuple[Result, ...]

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All findings, in the order of the checks."""
        return tuple(finding for result in self.results for finding in result.findings)

    @property
    def ok(self) -> bool:
        """Whether nothing was found and every check that was wanted could be run."""
        return all(result.outcome in ("passed", "skipped") for result in self.results)

    def joined(self, other: Report) -> Report:
        """This report with the results of another run on the same plugin, such as that on another database."""
        return attrs.evolve(
            self, results=(*self.results, *(each for each in other.results if each.outcome != "skipped"))
        )

    # -- shown -------------------------------------------------------------------------------------------------

    def as_json(self) -> dict[str, Any]:
        """The report as values of JSON."""
        return {
            "plugin": self.plugin,
            "version": self.version,
            "distribution": self.distribution,
            "ok": self.ok,
            "checks": [
                {
                    "check": result.check,
                    "proves": result.proves,
                    "outcome": result.outcome,
                    "database": result.database or None,
                    "seconds": round(result.seconds, 3),
                    "notes": [each.said() for each in result.notes],
                    "findings": [
                        {"what": each.said(), "where": each.where, "mend": each.mended()} for each in result.findings
                    ],
                }
                for result in self.results
            ],
        }

    def summary(self, translator: Translator = ENGLISH) -> str:
        """One line: how many checks were run, and how many findings there are."""
        run = [result for result in self.results if result.outcome != "skipped"]
        return translator.format(
            "{plugin} {version}: {findings} findings in {checks} checks.",
            plugin=self.plugin,
            version=self.version,
            findings=len(self.findings),
            checks=len(run),
        )

    def text(self, translator: Translator = ENGLISH) -> str:
        """The report for people: every finding with its place and its mending, and what was not run."""
        lines = [self.summary(translator)]
        for result in self.results:
            on = f" ({result.database})" if result.database else ""
            if result.outcome == "not run":
                lines += ["", f"{result.check}{on}: {translator.text('not run')}"]
            for finding in result.findings:
                lines += ["", f"{result.check}{on}: {finding.where}".rstrip(": ")]
                lines += [f"  {finding.said(translator.text)}"]
                lines += [f"  -> {finding.mended(translator.text)}"] if finding.mend else []
            lines += [f"  {result.check}{on}: {note.said(translator.text)}" for note in result.notes]
        return "\n".join(lines)

    def html(self, translator: Translator = ENGLISH) -> str:
        """The report as one self-contained page."""
        from crm_core.views.html import page

        return page(
            "conformance.html",
            translator.format("Conformance of {plugin}", plugin=self.plugin),
            translator.language,
            translate=translator.text,
            report=self,
            say=translator.text,
        )
