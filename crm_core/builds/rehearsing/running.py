"""Running a rehearsal, step by step."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import attrs
from sqlalchemy.exc import DBAPIError

from crm_core.assembly import Build, Crm, assemble
from crm_core.assembly.build_file import BuildFile, read
from crm_core.builds.acceptance import accept, counts
from crm_core.builds.comparing import compare
from crm_core.builds.describing import describe
from crm_core.builds.rehearsing.copying import Copied, copied
from crm_core.builds.rehearsing.report import Noticed, Rehearsal, Step, TableRows
from crm_core.builds.rehearsing.tables import table_findings
from crm_core.builds.rehearsing.views import Seen, compare_overviews, look, sample
from crm_core.errors import BuildError, CrmError, MigrationError, Problem
from crm_core.store.copies import Contents, Tell, opened, place_of, quiet
from crm_core.store.copies.checking import Failing, failing_rows, missing_columns

__all__ = ["Conformance", "rehearse"]

Conformance = Callable[[str], Iterator[Problem]]
"""Verifies one plugin by its name, and gives what it does not keep."""

SAMPLE = 20


def rehearse(
    old: Path, new: Path, tell: Tell = quiet, *, database: str | None = None, keep: bool = False,
    accounts: int = SAMPLE, seed: int = 1, conformance: Conformance | None = None,
) -> Rehearsal:  # fmt: skip
    """Try an upgrade from one build file to another on a copy of the database, and report what it would do.

    ``old`` is the build file of today, whose database is copied (``database`` outranks its address); ``new`` the one to
    go to. The original is only read. ``accounts`` overviews are compared, chosen by ``seed``. ``conformance`` verifies
    each plugin of the new build. Raises :class:`~crm_core.errors.StoreError` when no copy can be made.
    """
    before, reasons = _assembled(old, strict=False)
    address = database or (before.file.database if before is not None else _address(old))
    report = Rehearsal(database=place_of(address), old=old, new=new, seed=seed)
    with _step(report, "assemble the new build"):
        after, problems = _assembled(new, strict=True)
    report.found += [Noticed("breaks", each) for each in problems]
    if before is None:
        report.remarks.append(Problem(str(old), "The build of today cannot be assembled any more: {reason}", "",
                                      {"reason": " ".join(map(str, reasons))}))  # fmt: skip
    if after is None:
        return report
    if before is not None:
        report.found += [
            Noticed(each.weight, each.words) for each in compare(describe(before), describe(after))
            if each.weight != "changes"
        ]  # fmt: skip
    if conformance is not None:
        with _step(report, "verify the plugins"):
            for plugin in after.plugins:
                report.found += [Noticed("breaks", each) for each in conformance(plugin.name)]
    began = time.perf_counter()
    with copied(address, tell, keep=keep) as copy:
        report.steps.append(Step("copy the database", time.perf_counter() - began))
        report.copy = place_of(copy.address) if keep else None
        _Trial(report, before, after, copy, tell, accounts).run()
        with _step(report, "compare the original"):
            _original(report, address, copy.held)
    return report


def _assembled(file: Path, *, strict: bool) -> tuple[Build | None, tuple[Problem, ...]]:
    try:
        return assemble(file, strict=strict, locked=False), ()
    except BuildError as error:
        return None, error.problems or (Problem(str(file), error.problem, error.mend, error.values),)


def _unlocked(build: Build) -> BuildFile:
    """The build file without its lock: what is installed is what is tried."""
    return attrs.evolve(build.file, crm=attrs.evolve(build.file.crm, locked=False))


def _address(file: Path) -> str:
    return read(file)[0].database


@contextmanager
def _step(report: Rehearsal, name: str) -> Iterator[None]:
    began = time.perf_counter()
    try:
        yield
    finally:
        report.steps.append(Step(name, time.perf_counter() - began))


def _original(report: Rehearsal, address: str, held: Contents) -> None:
    with opened(address) as source:
        now = source.contents()
    if dict(now) == dict(held):
        report.untouched = True
        return
    # Whoever works with the CRM writes to the journal; we would not.
    journal = "crm_change_set"
    report.busy = journal in held and journal in now and now[journal] != held[journal]
    report.untouched = None if report.busy else False


class _Trial:
    """The part of a rehearsal that needs the copy."""

    def __init__(
        self, report: Rehearsal, old: Build | None, new: Build, copy: Copied, tell: Tell, accounts: int
    ) -> None:
        self.report, self.old, self.new, self.copy, self.tell = report, old, new, copy, tell
        self.accounts = accounts
        self.counted: Mapping[str, int | None] = {}
        self.seen: Seen | None = None
        self.failing: Mapping[tuple[str, str], Failing] | None = None

    def run(self) -> None:
        """Before, the migration, and after."""
        report = self.report
        with _step(report, "look before"):
            self._before()
        with _step(report, "migrate"):
            migrated = self._migrate()
        if not migrated:
            return
        with _step(report, "compare the tables"), opened(self.copy.address) as source:
            holding = source.contents(self.tell)
            report.tables += [
                TableRows(name, held.rows if (held := self.copy.held.get(name)) else None,
                          now.rows if (now := holding.get(name)) else None)
                for name in sorted({*self.copy.held, *holding})
            ]  # fmt: skip
            report.found += table_findings(self.copy, source, holding, self.new, self.tell)
        with Crm.open(_unlocked(self.new), database=self.copy.address, check=False) as crm:
            report.found += self._columns(missing_columns(crm.store))
            with _step(report, "ask what the build expects"):
                sections = self.new.file.acceptance
                report.accepted += accept(sections, counts(crm, sections), self.counted)
                report.found += [Noticed("breaks", each.problem) for each in report.accepted if each.problem]
            with _step(report, "look at overviews"):
                after = look(crm, report.sampled or self._sample(crm))
                report.compared = 0 if self.seen is None else len(self.seen.shown)
                report.found += compare_overviews(self.seen, after)
            with _step(report, "check every row"):
                report.found += self._rows(failing_rows(crm.store, self.tell))

    def _before(self) -> None:
        sections = self.new.file.acceptance
        if self.old is not None:
            with Crm.open(_unlocked(self.old), database=self.copy.address, check=False, strict=False) as crm:
                try:
                    crm.check()
                except MigrationError as error:
                    self.report.remarks.append(
                        Problem("", "The installed plugins do not fit the database before the upgrade, so that nothing "
                                "can be shown as it was: {reason}", "", {"reason": error.text()})
                    )  # fmt: skip
                else:
                    self.counted = counts(crm, sections)
                    self._sample(crm)
                    self.seen = look(crm, self.report.sampled)
                    self.failing = failing_rows(crm.store, self.tell)
                    return
        # Counts need little of a table, and may be had although the rest is behind.
        with Crm.open(_unlocked(self.new), database=self.copy.address, check=False) as crm:
            self.counted = counts(crm, sections)

    def _sample(self, crm: Crm) -> list[int]:
        self.report.sampled = sample(crm, self.accounts, self.report.seed)
        return self.report.sampled

    def _migrate(self) -> bool:
        try:
            with Crm.open(_unlocked(self.new), database=self.copy.address, check=False) as crm:
                crm.migrate(lambda plugin, revision: self.tell(f"{plugin} {revision.id}", 0, 0))
        except CrmError as error:
            self.report.found.append(Noticed("breaks", Problem("migrate", "{reason}", "", {"reason": error.text()})))
        except DBAPIError as error:
            reason = " ".join(str(error.orig).split())
            self.report.found.append(Noticed("breaks", Problem("migrate", "{reason}", "", {"reason": reason})))
        else:
            return True
        return False

    def _columns(self, missing: Mapping[str, tuple[str, ...]]) -> Iterator[Noticed]:
        for record, columns in missing.items():
            values = {"table": self.new.types[record].table.name}
            for column in columns:
                yield Noticed("breaks", Problem(
                    f"{record}.{column}", "The table {table} has no such column after the migration.",
                    "Ship a revision that makes it.", values,
                ))  # fmt: skip

    def _rows(self, after: Mapping[tuple[str, str], Failing]) -> Iterator[Noticed]:
        for (record, field), now in after.items():
            was = None if self.failing is None else self.failing.get((record, field))
            values = {"rows": now.rows, "ids": ", ".join(map(str, now.ids)), "before": was.rows if was else 0,
                      "reason": " ".join([now.problem.problem.format(**now.problem.values)])}  # fmt: skip
            path = f"{record}.{field}"
            if was is not None and was.rows >= now.rows:
                yield Noticed("changes", Problem(
                    path, "{rows} rows could not be written as they are, as before (such as {ids}): {reason}", "",
                    values,
                ))  # fmt: skip
            else:
                yield Noticed("breaks", Problem(
                    path, "{rows} rows could not be written as they are (such as {ids}), {before} before: {reason}",
                    "Mend them before, or by the migration.", values,
                ))  # fmt: skip
