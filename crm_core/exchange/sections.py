"""Running one section: its file row by row, in batches, with what is said about each row."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from crm_core.errors import CrmError, Problem, ValidationError
from crm_core.exchange.batches import Batch
from crm_core.exchange.lookups import Resolver
from crm_core.exchange.pending import Pending
from crm_core.exchange.plan import SectionPlan
from crm_core.exchange.rejects import Rejects, by_column
from crm_core.exchange.report import Rejected, SectionReport, Warned
from crm_core.exchange.seen import Seen
from crm_core.exchange.sheets.cells import digits_lost
from crm_core.store.parts import in_parts
from crm_core.store.session import CrmSession

__all__ = ["SectionRun"]

_BATCH = 1000
_FIRST = 20


class SectionRun:
    """One section of one import."""

    def __init__(
        self,
        session: CrmSession,
        plan: SectionPlan,
        resolver: Resolver,
        rejects: Rejects,
        translate: Callable[[str], str],
        warnings: list[Warned],
        *,
        again: bool = False,
    ) -> None:
        self.plan = plan
        self._again = again
        self.report = SectionReport(plan.name, plan.record_type.name, plan.source.path.name)
        self._batch = Batch(session, plan, resolver, self)
        self._rejects = rejects
        self._translate = translate
        self._warnings = warnings
        self._seen = Seen()
        self._postponed = 0
        self._accepted: list[tuple[str, int]] = []

    def run(self, tell: Callable[[int, float], None]) -> SectionReport:
        """Import the file; ``tell`` hears after each batch how many rows were read, and which share of the file."""
        try:
            if self.plan.mapping.duplicates == "last":
                self._find_last_lines()
            self._first_pass(tell)
            self._later_passes()
        finally:
            self._seen.close()
        return self.report

    def _first_pass(self, tell: Callable[[int, float], None]) -> None:
        with self.plan.source.rows() as rows:
            for part in in_parts(self._wanted(rows), _BATCH):
                self._process(part)
                tell(self.report.read, rows.share)
        tell(self.report.read, 1.0)

    def _later_passes(self) -> None:
        """Rows that refer to later ones of the same file are tried again for as long as that helps."""
        waiting = self._postponed
        self._batch.awaited = self._seen.waits
        for rows in self._seen.rounds():
            self._postponed = 0
            for part in in_parts(rows, _BATCH):
                self._process(part)
            if self._postponed == waiting:
                # They wait for each other, in a circle.
                self._batch.awaited = lambda key: False
            waiting = self._postponed

    # -- rows --------------------------------------------------------------------------------------------------

    def _wanted(self, rows: Iterable[Any]) -> Iterator[tuple[int, Any]]:
        """The rows that the mapping asks for; the others are counted."""
        plan = self.plan
        for line, cells, problem in rows:
            self.report.read += 1
            if problem is not None:
                # A line that is no row is told once, not by every section that reads the file.
                if self._again:
                    self.skipped()
                else:
                    self.reject(line, None, cells, problem)
            elif (plan.only_if and not plan.only_if(cells)) or (plan.skip_if and plan.skip_if(cells)):
                self.skipped()
            elif plan.require and not plan.require(cells):
                names = ", ".join(plan.mapping.require)
                mend = "Every row needs them to be as the mapping requires."
                self.reject(line, plan.key(cells), cells, Problem("", "Required: {names}.", mend, {"names": names}))
            else:
                self._look_for_lost_digits(line, cells)
                yield line, cells

    def _look_for_lost_digits(self, line: int, cells: Any) -> None:
        for index, column in self.plan.texts:
            if digits_lost(cells[index]):
                self.report.warned += 1
                if len(self._warnings) < _FIRST:
                    problem = Problem(
                        column, "{value} was taken for a number by a spreadsheet, and may have lost digits.",
                        "Compare it with the source; format the column as text there.", {"value": str(cells[index])},
                    )  # fmt: skip
                    self._warnings.append(
                        Warned(self.report.name, self.report.file, line, column, problem.text(self._translate))
                    )

    def _find_last_lines(self) -> None:
        plan = self.plan
        with plan.source.rows() as rows:
            wanted = (
                (key, line)
                for line, cells, problem in rows
                if problem is None
                and not (plan.only_if and not plan.only_if(cells))
                and not (plan.skip_if and plan.skip_if(cells))
                and not (plan.require and not plan.require(cells))
                and (key := plan.key(cells)) is not None
            )
            self._seen.note(wanted)

    def _process(self, part: list[tuple[int, Any]]) -> None:
        keyed = [(line, cells, key) for line, cells in part if (key := self._batch.key(line, cells)) is not None]
        before = self._seen.lines({key for _, _, key in keyed})
        last = self.plan.mapping.duplicates == "last"
        ready: dict[str, Pending] = {}
        for line, cells, key in keyed:
            first = before.get(key)
            if last and first == line:
                first = None
            if first is not None:
                self._duplicate(line, key, cells, first)
                continue
            row = self._batch.evaluate(line, cells, key)
            if row is None:
                continue
            if key in ready:
                self._duplicate(line, key, cells, ready[key].line)
                continue
            ready[key] = row
        if ready:
            self._batch.process(list(ready.values()))
        if not last:
            self._seen.note(self._accepted)
        self._accepted.clear()

    def _duplicate(self, line: int, key: str, cells: Any, other: int) -> None:
        if self.plan.mapping.duplicates != "reject":
            self.skipped()
            return
        problem = Problem("key", "The key {key!r} came in line {other} already.",
                          'Say duplicates = "first" or "last" in the mapping if that is all right.',
                          {"key": key, "other": other})  # fmt: skip
        self.reject(line, key, cells, problem)

    # -- what became of them -----------------------------------------------------------------------------------

    def reject(self, line: int, key: str | None, cells: Any, reason: CrmError | Problem) -> None:
        """Note a row that cannot be taken."""
        self.report.rejected += 1
        rejected = Rejected(self.report.name, self.report.file, line, key, self._words(reason))
        self._rejects.add(rejected, by_column(self.plan.source.header, cells))

    def _words(self, reason: CrmError | Problem) -> str:
        problems = getattr(reason, "problems", ())
        if isinstance(reason, ValidationError) and problems:
            return "; ".join(problem.text(self._translate) for problem in problems)
        return " ".join(reason.text(self._translate).split("\n  - "))

    def postpone(self, row: Pending) -> None:
        """Note a row that waits for another."""
        self._postponed += 1
        self._seen.wait(row.key, row.line, row.cells)

    def skipped(self) -> None:
        """Note a row that the mapping leaves out."""
        self.report.skipped += 1

    def unchanged(self, row: Pending) -> None:
        """Note a row whose record is as it says."""
        self.report.unchanged += 1
        self._accepted.append((row.key, row.line))

    def written(self, row: Pending) -> None:
        """Note a row that was written."""
        self.report.proposed += bool(row.proposals)
        if not row.known:
            self.report.created += 1
        elif row.change:
            self.report.updated += 1
        else:
            self.report.unchanged += 1
        self._accepted.append((row.key, row.line))
