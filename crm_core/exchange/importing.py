"""The import: a mapping and a folder of files become one change set, or nothing at all."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from crm_core.errors import PermissionDenied
from crm_core.exchange.checking import checked
from crm_core.exchange.doubles import first_doubles, served_already
from crm_core.exchange.entries import taking
from crm_core.exchange.lookups import Resolver
from crm_core.exchange.mapping import ImportMapping
from crm_core.exchange.mapping_file import read_mapping
from crm_core.exchange.plan import SectionPlan
from crm_core.exchange.report import ImportReport, Progress, SectionReport, Tell, Warned
from crm_core.exchange.sections import SectionRun
from crm_core.exchange.sources import without_sheets
from crm_core.store.locking import in_turn

if TYPE_CHECKING:
    from crm_core.assembly import Crm
    from crm_core.store.session import CrmSession

__all__ = ["may_import", "run_import"]


def run_import(
    crm: Crm,
    mapping: str | Path | Mapping[str, Any] | ImportMapping,
    data_dir: str | Path,
    *,
    dry_run: bool = False,
    progress: Tell | None = None,
    waiting: Callable[[str], None] | None = None,
    rejects_path: str | Path | None = None,
    principal: str = "import",
    login: str | None = None,
    reason: str | None = None,
    translate: Callable[[str], str] = str,
    sheet: str = "",
) -> ImportReport:
    """Import the files in ``data_dir`` as ``mapping`` (a TOML file) says, in one transaction and one change set.

    The whole import is one change set that can be undone; when it fails or is killed, nothing remains of it. Rows that
    cannot be taken are rejected, each with its reason, and written to ``rejects_path`` (CSV; JSON lines by the suffix
    ``.jsonl``, a spreadsheet by ``.xlsx``), also in a dry run; they replace those of an earlier run and no other file.
    A file that a mapping names is looked for in ``data_dir``, then beside the mapping.

    ``dry_run`` does everything and then takes it back. The import runs as the system ``principal``, or with ``login``
    with the rights of a user, who needs the permission ``system.import`` and must be allowed to keep keys of other
    systems (``external_ref.*`` at scope all). ``progress`` is told of each batch; ``waiting`` the record type that
    another import is changing just then, on PostgreSQL: this one begins when that has ended. ``translate`` puts
    reasons into another language. ``sheet`` names the sheet of spreadsheets for which the mapping names none.

    Raises :class:`~crm_core.errors.ExchangeError`, with every mistake, when mapping and files do not fit together.
    """
    started = time.monotonic()
    if not isinstance(mapping, ImportMapping):
        mapping = read_mapping(mapping)
    if sheet:
        mapping = attrs.evolve(mapping, source=attrs.evolve(mapping.source, sheet=sheet))
    plans = checked(crm, mapping, Path(data_dir))
    if sheet and not any(plan.source.place[1] for plan in plans):
        raise without_sheets(plan.source.path for plan in plans)
    reports: list[SectionReport] = []
    warnings: list[Warned] = []
    why = reason or f"import {mapping.path.name if mapping.path else mapping.source.system}"
    with taking(
        crm,
        rejects_path,
        {plan.source.path for plan in plans},
        login=login,
        principal=principal,
        reason=why,
        dry_run=dry_run,
        streaming=True,
    ) as current:
        session, rejects = current.session, current.rejects
        may_import(session)
        _wait_for_others(session, plans, waiting)
        resolver = Resolver(session)
        files: set[tuple[Path, str]] = set()
        for number, plan in enumerate(plans, 1):
            run = SectionRun(session, plan, resolver, rejects, translate, warnings, again=plan.source.place in files)
            files.add(plan.source.place)
            reports.append(run.run(_teller(progress, plan.name, number, len(plans))))
        session.check()
        doubles, served = first_doubles(session), served_already(session)
        count = session.noted.count
    return ImportReport(
        mapping=mapping.where,
        dry_run=dry_run,
        sections=tuple(reports),
        change_set=None if dry_run else session.last_change_set,
        rejects=current.written,
        first_rejects=tuple(rejects.first),
        seconds=time.monotonic() - started,
        duplicates=count,
        first_duplicates=doubles,
        served=served,
        first_warnings=tuple(warnings),
        unread_sheets=_unread(plans),
    )


def _unread(plans: Sequence[SectionPlan]) -> tuple[tuple[str, str], ...]:
    """Sheets of the files that no section reads."""
    read = {plan.source.place for plan in plans}
    found = {(plan.source.path, name): None for plan in plans for name in plan.source.others}
    return tuple((str(path), name) for path, name in found if (path, name) not in read)


def _teller(progress: Tell | None, name: str, number: int, of: int) -> Callable[[int, float], None]:
    def tell(rows: int, share: float) -> None:
        if progress is not None:
            progress(Progress(name, number, of, rows, share))

    return tell


def _wait_for_others(session: CrmSession, plans: Iterable[SectionPlan], waiting: Callable[[str], None] | None) -> None:
    """Of imports that change records of one type, one goes on at a time; those that only add some go on together."""
    changing = [plan.record_type for plan in plans if plan.mapping.on_update != "skip"]
    in_turn(session, changing, adding=[plan.record_type for plan in plans], waiting=waiting)


def may_import(session: CrmSession) -> None:
    """Refuse at once what would otherwise reject every row."""
    needed = [name for name in ("system.import", "external_ref.create") if not session.can(name)]
    if not session.visibility.reach("external_ref.read").all:
        needed.append("external_ref.read")
    if needed:
        raise PermissionDenied(
            "{principal} may not import data.",
            mend="A role with the permissions {needed} (at scope all) is needed.",
            principal=session.actor.principal,
            needed=", ".join(needed),
        )
