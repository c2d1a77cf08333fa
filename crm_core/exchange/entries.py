"""Files whose entries are taken one by one, each as a whole or not at all, and all of them in one change set."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import attrs

from crm_core.errors import (
    Conflict,
    Contention,
    CrmError,
    NotFound,
    Objection,
    PermissionDenied,
    Problem,
    ValidationError,
)
from crm_core.exchange.rejects import Rejects
from crm_core.exchange.report import Rejected

if TYPE_CHECKING:
    from crm_core.assembly import Crm
    from crm_core.exchange.content_lines import Component
    from crm_core.store.session import CrmSession

__all__ = ["AN_ENTRYS_FAULT", "EntryRun", "Taking", "all_or_nothing", "said", "taking"]

T = TypeVar("T")

_TRIES = 4

AN_ENTRYS_FAULT = (ValidationError, NotFound, Conflict, Objection, PermissionDenied)
"""What may be wrong with one entry: it is rejected, and the others go on."""


@attrs.define
class Taking:
    """A run that is under way: its session, and what it rejects; ``written`` is the file of rejects when it is over."""

    session: CrmSession
    rejects: Rejects
    written: Path | None = None


@contextmanager
def taking(
    crm: Crm,
    rejects_path: str | Path | None,
    read: Iterable[Path],
    *,
    login: str | None,
    principal: str,
    reason: str,
    dry_run: bool,
    streaming: bool = False,
) -> Iterator[Taking]:
    """One change set, checked at the end and taken back if it is a dry run; the file of rejects with it, or nothing.

    ``read`` are the files that rejects may not replace.
    """
    rejects = Rejects(Path(rejects_path) if rejects_path is not None else None, read)
    try:
        with crm.store.session(
            login, principal=principal, reason=reason, source="import", streaming=streaming
        ) as session:
            run = Taking(session, rejects)
            yield run
            session.check()
            if dry_run:
                session.rollback()
        run.written = rejects.finish()
    except BaseException:
        rejects.abandon()
        raise


def all_or_nothing(session: CrmSession, work: Callable[[], T]) -> T:
    """Do ``work`` and check it, all or nothing of it.

    That somebody else was writing the same just then is no fault of an entry: it is done anew, and raises
    :class:`~crm_core.errors.Contention` only after some tries in vain.
    """
    for _ in range(1, _TRIES):
        try:
            return _once(session, work)
        except Contention:
            session.expire_all()
    return _once(session, work)


def _once(session: CrmSession, work: Callable[[], T]) -> T:
    with session.begin_nested():
        done = work()
        session.check()
    return done


class EntryRun:
    """What every run over one file keeps: how many entries were read, and which were rejected."""

    section: ClassVar[str]
    """How the file of rejects calls what is read."""
    entry: ClassVar[str] = "row"
    """How it calls the text of one entry."""

    def __init__(self, run: Taking, file: str, translate: Callable[[str], str]) -> None:
        self.session = run.session
        self.rejects = run.rejects
        self.file = file
        self.translate = translate
        self.read = self.rejected = 0

    def reject(self, line: int, key: str | None, cells: Any, reason: CrmError | Problem) -> None:
        """An entry is not taken."""
        self.rejected += 1
        text = " ".join(reason.text(self.translate).split("\n  - "))
        self.rejects.add(Rejected(self.section, self.file, line, key, text), cells)

    def reject_component(self, component: Component, key: str | None, reason: CrmError | Problem) -> None:
        """A card or an event is not taken; its text goes into the file of rejects as it is."""
        self.reject(component.number, key, {self.entry: component.text}, reason)


def said(untaken: Problem, translate: Callable[[str], str]) -> str:
    """What of an entry has no place here, as people read it; the name alone where there is nothing to say of it."""
    return untaken.text(translate) if untaken.problem else untaken.path
