"""Carrying out a file of people who moved: one change set, or nothing at all."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
from sqlalchemy import select

from crm_core.domain import contacts, dated
from crm_core.domain.accounts import Account
from crm_core.domain.contacts import Affiliation, Contact, ContactPoint
from crm_core.errors import Problem, ValidationError
from crm_core.exchange.entries import AN_ENTRYS_FAULT, EntryRun, Taking, all_or_nothing, taking
from crm_core.exchange.moved.columns import Columns, Wanted
from crm_core.exchange.moved.finding import Found
from crm_core.exchange.moved.flagging import flag
from crm_core.exchange.moved.report import Move, MovedReport, What
from crm_core.exchange.rejects import by_column
from crm_core.exchange.report import Progress, Tell
from crm_core.exchange.sources import open_source, without_sheets
from crm_core.store.parts import in_parts

if TYPE_CHECKING:
    from crm_core.assembly import Crm

__all__ = ["contacts_moved"]

_BATCH = 500


def contacts_moved(
    crm: Crm,
    file: str | Path,
    *,
    dry_run: bool = False,
    rejects_path: str | Path | None = None,
    encoding: str = "auto",
    delimiter: str = "auto",
    sheet: str = "",
    principal: str = "import",
    login: str | None = None,
    reason: str | None = None,
    progress: Tell | None = None,
    translate: Callable[[str], str] = str,
) -> MovedReport:
    """Take in a file (CSV, a spreadsheet or JSON lines) of people who changed employer or role, in one change set.

    Each row names a person by any contact point or by a key, and the new employer; see
    :data:`crm_core.exchange.moved.columns.COLUMNS`. The old affiliations end where the new one begins, contact points
    that are new are added, and what is open and hangs on a place that ended is put into the queue of data quality for
    whoever is to do it. Rows that mean nobody, or several, are rejected with the reason. A second run changes nothing.

    ``dry_run`` does everything and takes it back. It runs as the system ``principal``, or with ``login`` with the
    rights of a user, who needs no more than for moving each person by hand. ``sheet`` names the sheet of a spreadsheet,
    or is its number; else it is the first that is shown. Raises :class:`ExchangeError` where the file cannot be used,
    or where a sheet is named of one that has none.
    """
    source = open_source(Path(file), encoding, delimiter, sheet)
    if sheet and not source.place[1]:
        raise without_sheets([source.path])
    why = reason or f"contacts moved {source.path.name}"
    columns = Columns(source)
    with taking(
        crm, rejects_path, [source.path], login=login, principal=principal, reason=why, dry_run=dry_run
    ) as current:
        run = _Run(current, columns, source.path.name, translate)
        with source.rows() as rows:
            for part in in_parts(run.readable(rows), _BATCH):
                run.batch(part)
                if progress is not None:
                    progress(Progress(run.section, 1, 1, run.read, rows.share))
        flagged, failed = flag(current.session, run.moves)
    if dry_run:
        # What was put into the queue went with everything else: there is nothing that somebody could close.
        flagged = tuple(attrs.evolve(each, issue_id=None) for each in flagged)
    return MovedReport(
        file=str(source.path),
        dry_run=dry_run,
        read=run.read,
        unchanged=run.unchanged,
        rejected=run.rejected,
        points=run.points,
        moves=tuple(run.moves),
        flagged=flagged,
        failed=failed,
        ignored_columns=tuple(sorted(columns.ignored)),
        unread_sheets=tuple((str(source.path), name) for name in source.others),
        change_set=None if dry_run else current.session.last_change_set,
        rejects=current.written,
        first_rejects=tuple(current.rejects.first),
    )


class _Run(EntryRun):
    """One run over one file."""

    section = "moved"

    def __init__(self, current: Taking, columns: Columns, file: str, translate: Callable[[str], str]) -> None:
        super().__init__(current, file, translate)
        self.columns = columns
        self.unchanged = self.points = 0
        self.moves: list[Move] = []
        self._lines: dict[int, int] = {}

    def readable(self, rows: Iterable[tuple[int, Any, Problem | None]]) -> Iterator[Wanted]:
        """The rows that can be read; the others are rejected."""
        for line, cells, problem in rows:
            self.read += 1
            if problem is not None:
                self.reject(line, None, by_column(self.columns.header, cells), problem)
                continue
            try:
                yield self.columns.read(line, cells, self.session.policy.tz)
            except ValidationError as error:
                self.reject(line, None, by_column(self.columns.header, cells), error)

    def batch(self, rows: Sequence[Wanted]) -> None:
        """Look up a batch, then carry out row by row: each is taken as a whole, or not at all."""
        found = Found.of(self.session, rows)
        for row in rows:
            try:
                person = found.person(row)
                if person.id in self._lines:
                    raise ValidationError(
                        "The person stands in line {line} already.", mend="Keep one of the rows.",
                        line=self._lines[person.id],
                    )  # fmt: skip
                move, added = all_or_nothing(self.session, functools.partial(self._carry_out, found, row, person))
            except AN_ENTRYS_FAULT as error:
                self.reject(row.line, row.key, by_column(self.columns.header, row.cells), error)
                continue
            self._lines[person.id] = row.line
            self.points += added
            if move is None:
                self.unchanged += 1
            else:
                self.moves.append(move)

    def _carry_out(self, found: Found, row: Wanted, person: Contact) -> tuple[Move | None, int]:
        session = self.session
        employer, former = found.employer(row), found.former(row)
        at = dated.as_moment(session, row.at)
        added = self._add_points(found, row, person)
        places = [
            place
            for place in session.scalars(
                select(Affiliation).where(Affiliation.contact_id == person.id), execution_options={"all_dates": True}
            )
            if place.valid_to is None or place.valid_to > at
        ]
        if former is not None and not any(place.account_id == former.id for place in places):
            raise ValidationError(
                "{person} does not work at {account}.", mend="Correct the former employer, or leave it out.",
                person=person.name, account=former.name,
            )  # fmt: skip
        ending = [
            place
            for place in places
            if (employer is None or place.account_id != employer.id)
            and (former is None or place.account_id == former.id)
        ]
        here = next((place for place in places if employer is not None and place.account_id == employer.id), None)
        for place in (*ending, *([here] if here is not None else [])):
            if not dated.holds(place, at):
                raise ValidationError(
                    "{person} is known to be at {account} from {start} on, which is later.",
                    mend="Give a later date, or correct that affiliation.",
                    person=person.name, account=self._accounts([place.account_id])[0].name, start=place.valid_from,
                )  # fmt: skip
        differs = here is not None and any(getattr(here, name) != text for name, text in row.place.items())
        if not ending and not differs and (employer is None or here is not None):
            return None, added
        ended = [place.account_id for place in ending]
        for place in ending:
            dated.end(session, place, at=at)
        what: What = "left" if employer is None else "changed" if here is not None and not ending else "moved"
        if employer is not None and here is None:
            contacts.affiliate(
                session, person, employer, role=row.place.get("role"), title=row.place.get("title"),
                department=row.place.get("department"), from_=at,
                primary=former is None or any(place.primary for place in ending),
            )  # fmt: skip
        elif differs and here is not None:
            ended.append(here.account_id)
            dated.change(session, here, from_=at, **row.place)
        names = {each.id: each.name for each in self._accounts(ended)}
        move = Move(
            line=row.line, contact_id=person.id, name=person.name, what=what, at=at,
            ended=tuple((id_, names.get(id_, "")) for id_ in dict.fromkeys(ended)),
            account_id=None if employer is None else employer.id, account=None if employer is None else employer.name,
            role=row.place.get("role"), points=added,
        )  # fmt: skip
        return move, added

    def _accounts(self, ids: Iterable[int]) -> Sequence[Account]:
        wanted = sorted(set(ids))
        return self.session.scalars(select(Account).where(Account.id.in_(wanted))).all() if wanted else []

    def _add_points(self, found: Found, row: Wanted, person: Contact) -> int:
        """Contact points that we did not know of the person; those that are another's are not in the way."""
        new = dict.fromkeys(
            (kind, value) for kind, value in (*row.points, *row.new_points) if not found.known(person, kind, value)
        )
        session = self.session
        known = {
            (point.kind, found.key(point.kind, point.value) or point.value)
            for point in session.scalars(select(ContactPoint).where(ContactPoint.contact_id == person.id))
        } if new else set()  # fmt: skip
        added = 0
        for kind, value in new:
            if (kind, found.key(kind, value) or value) not in known:
                session.add(ContactPoint(contact_id=person.id, kind=kind, value=value))
                added += 1
        return added
