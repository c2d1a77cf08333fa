"""The import of an address book: every card is taken as a whole, or rejected with the reason, in one change set."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import attrs

from crm_core.domain import dated
from crm_core.domain.accounts import Account
from crm_core.domain.contacts import Affiliation, Contact, ContactPoint
from crm_core.domain.external import ExternalRef
from crm_core.errors import Problem, ValidationError
from crm_core.exchange.cards.finding import Known
from crm_core.exchange.cards.model import Person, Place, Point
from crm_core.exchange.cards.people import person_of
from crm_core.exchange.cards.reading import read_card
from crm_core.exchange.cards.report import SYSTEM, CardReport, TakenCard, What
from crm_core.exchange.content_lines import Component, components, file_encoding
from crm_core.exchange.doubles import first_doubles, served_already
from crm_core.exchange.entries import AN_ENTRYS_FAULT, EntryRun, Taking, all_or_nothing, said, taking
from crm_core.exchange.importing import may_import
from crm_core.exchange.moved.finding import is_called
from crm_core.exchange.report import Progress, Tell
from crm_core.fields import matching
from crm_core.store.parts import in_parts

if TYPE_CHECKING:
    from crm_core.assembly import Crm

__all__ = ["SYSTEM", "import_cards"]

_BATCH = 200


def import_cards(
    crm: Crm,
    file: str | Path,
    *,
    dry_run: bool = False,
    rejects_path: str | Path | None = None,
    system: str = SYSTEM,
    companies: Literal["create", "known"] = "create",
    principal: str = "import",
    login: str | None = None,
    reason: str | None = None,
    progress: Tell | None = None,
    translate: Callable[[str], str] = str,
) -> CardReport:
    """Import an address book (vCard 2.1, 3.0, 4.0): people, ways to reach them, their companies and places there.

    A card is the person whom its ``UID`` meant before under the name of this ``system``, or else the one person of the
    same name who is reached at the same place; otherwise it makes a new one. A card with a ``UID`` has the last word,
    one without fills what is empty. Companies that are not here yet
    are made, unless ``companies`` is ``known``; then such places are left out. What a card says and we have no place
    for is told for each card. Nothing is ever taken away because a card does not say it.

    ``dry_run`` does everything and takes it back. It runs as the system ``principal``, or with ``login`` with the
    rights of a user, who needs what every import needs.
    """
    path = Path(file)
    encoding = file_encoding(path)
    why = reason or f"import {path.name}"
    with taking(crm, rejects_path, [path], login=login, principal=principal, reason=why, dry_run=dry_run) as current:
        may_import(current.session)
        run = _Run(current, path.name, system, companies == "create", translate)
        for part in in_parts(components(path, encoding, ["VCARD"]), _BATCH):
            run.batch([component for component, _ in part], encoding)
            if progress is not None:
                progress(Progress(run.section, 1, 1, run.read, part[-1][1]))
        session = current.session
        session.check()
        doubles, served, count = first_doubles(session), served_already(session), session.noted.count
    return CardReport(
        file=str(path), dry_run=dry_run, read=run.read, rejected=run.rejected, accounts=run.accounts,
        affiliations=run.affiliations, points=run.points, cards=tuple(run.cards),
        change_set=None if dry_run else session.last_change_set, rejects=current.written,
        first_rejects=tuple(current.rejects.first),
        duplicates=count, first_duplicates=doubles, served=served,
    )  # fmt: skip


@attrs.define
class _Added:
    """What one card brought beside its record."""

    accounts: int = 0
    affiliations: int = 0
    points: int = 0
    changed: bool = False
    forms: dict[tuple[int, tuple[str, str]], str | None] = attrs.field(factory=dict)
    places: list[Affiliation] = attrs.field(factory=list)
    companies: list[Account] = attrs.field(factory=list)
    untaken: list[Problem] = attrs.field(factory=list)


class _Run(EntryRun):
    """One run over one file."""

    section = "cards"
    entry = "card"

    def __init__(
        self, current: Taking, file: str, system: str, make_companies: bool, translate: Callable[[str], str]
    ) -> None:
        super().__init__(current, file, translate)
        self.system = system
        self.make_companies = make_companies
        self.accounts = self.affiliations = self.points = 0
        self.cards: list[TakenCard] = []
        self._lines: dict[str, int] = {}

    def batch(self, part: list[Component], encoding: str) -> None:
        """Read and look up a batch, then carry out card by card."""
        people = list(self._readable(part, encoding))
        known = Known.of(self.session, [person for _, person in people], self.system)
        for component, person in people:
            try:
                if person.key in self._lines:
                    raise ValidationError(
                        "The card stands in line {line} already.", mend="Keep one of them.",
                        line=self._lines[person.key],
                    )  # fmt: skip
                taken, added = all_or_nothing(self.session, functools.partial(self._take, known, person))
            except AN_ENTRYS_FAULT as error:
                self.reject_component(component, person.key, error)
                continue
            # Only now, because what a rejected card did is taken back.
            known.keep(added.companies, added.forms, added.places)
            self._lines[person.key] = component.number
            self.accounts += added.accounts
            self.affiliations += added.affiliations
            self.points += added.points
            self.cards.append(taken)
        # What was written is in the database, its journal, too; memory stays flat.
        self.session.flush()
        self.session.writer.flush_journal()
        self.session.expunge_all()

    def _readable(self, part: list[Component], encoding: str) -> Iterator[tuple[Component, Person]]:
        for component in part:
            self.read += 1
            if component.problem is not None:
                self.reject_component(component, None, component.problem)
                continue
            try:
                yield component, person_of(read_card(component, encoding))
            except ValidationError as error:
                self.reject_component(component, None, error)

    # -- one card ----------------------------------------------------------------------------------------------

    def _take(self, known: Known, person: Person) -> tuple[TakenCard, _Added]:
        added = _Added()
        record, by_key = known.record(person)
        created = record is None
        if person.company:
            if record is None:
                record = self.session.add_one(Account(name=person.name, address=person.address, note=person.note))
                added.companies.append(record)
            assert isinstance(record, Account)
            for name, value in person.fields.items():
                if name != "note" or record.note != value:
                    added.untaken.append(
                        Problem(_PROPERTY[name], "It does not fit a company, or that has another one.")
                    )
            if matching.name_key(record.name) != matching.name_key(person.name):
                added.untaken.append(Problem("FN", "The company has another name here: {name}.", "",
                                             {"name": record.name}))  # fmt: skip
            self._add_points(known, record, person, added)
        else:
            if record is None:
                record = self.session.add_one(Contact(name=person.name, **person.fields))
            else:
                assert isinstance(record, Contact)
                self._update(record, person, added)
            assert isinstance(record, Contact)
            self._add_points(known, record, person, added)
            for place in person.places:
                self._add_place(known, record, person, place, added)
        if not by_key:
            self.session.add(
                ExternalRef(system=self.system, record_type=record.crm_type.name, key=person.key, record_id=record.id)
            )
        changed = added.changed or bool(added.accounts or added.affiliations or added.points)
        what: What = "created" if created else "updated" if changed or not by_key else "unchanged"
        untaken = tuple(said(each, self.translate) for each in (*person.untaken, *added.untaken))
        taken = TakenCard(line=person.number, record=record.crm_type.name, id=record.id, name=person.name, what=what,
                          untaken=untaken)  # fmt: skip
        return taken, added

    def _update(self, contact: Contact, person: Person, added: _Added) -> None:
        """A card that says which it is has the last word; one that looks like somebody fills what is empty."""
        given: dict[str, Any] = dict(person.fields)
        if not is_called(contact, person.name):
            given["name"] = person.name
        for name, value in given.items():
            if name == "note" and not self.session.can("contact.read_notes"):
                added.untaken.append(Problem("NOTE", "Whoever imports may not see the notes of this person."))
                continue
            had = getattr(contact, name)
            if had == value or (name == "note" and had and str(value) in had):
                continue
            if had in (None, "") or (person.identified and name != "note"):
                setattr(contact, name, value)
                added.changed = True
            else:
                added.untaken.append(Problem(_PROPERTY.get(name, name), "The person has another one already."))

    def _add_points(self, known: Known, record: Contact | Account, person: Person, added: _Added) -> None:
        points = list(person.points)
        if isinstance(record, Account) and person.address_point is not None and record.address != person.address:
            points.append(person.address_point)
        for point in points:
            self._add_point(known, record, point, added)

    def _add_point(self, known: Known, record: Contact | Account, point: Point, added: _Added) -> None:
        form = known.form(point.kind, point.value)
        there = {
            **known.points[record.id],
            **{at: label for (id_, at), label in added.forms.items() if id_ == record.id},
        }
        if form in there:
            if point.label and point.label != there[form]:
                problem = (
                    "It is here already, and is called: {label}."
                    if there[form]
                    else ("It is here already, without the label {text}.")
                )
                values = {"label": there[form], "text": point.label}
                added.untaken.append(Problem(point.kind.value, problem, "", values))
            return
        if not self.session.can("contact_point.read"):
            # Whether it is there already cannot be told, and would be told by a second one.
            problem = "Whoever imports may not see contact points."
            added.untaken.append(Problem(point.kind.value, problem))
            return
        self.session.add(
            ContactPoint(
                account_id=record.id if isinstance(record, Account) else None,
                contact_id=record.id if isinstance(record, Contact) else None,
                kind=point.kind, value=point.value, label=point.label, preferred=point.preferred,
            )
        )  # fmt: skip
        added.forms[record.id, form] = point.label
        added.points += 1

    def _add_place(self, known: Known, contact: Contact, person: Person, place: Place, added: _Added) -> None:
        account = next((each for each in added.companies if each.name == place.account), None)
        account = account or known.account(place.account)
        point = person.address_point if place is person.places[0] else None
        if account is None and not self.make_companies:
            self._leave_place(place, "There is no account {name}.", place.account, added)
        elif account is None:
            account = self.session.add_one(Account(name=place.account, address=person.address if point else None))
            added.companies.append(account)
            added.accounts += 1
        if point is not None and (account is None or account.address != person.address):
            # The company has another address: the card's is a way to reach the person.
            self._add_point(known, contact, point, added)
        if account is not None:
            self._affiliate(known, contact, account, person, place, added)

    def _leave_place(self, place: Place, problem: str, name: str, added: _Added) -> None:
        for what in ("ORG", *(_PROPERTY[word] for word in ("title", "role") if getattr(place, word))):
            added.untaken.append(Problem(what, problem, "", {"name": name}))

    def _affiliate(
        self, known: Known, contact: Contact, account: Account, person: Person, place: Place, added: _Added
    ) -> None:
        words = {name: text for name in ("role", "title", "department") if (text := getattr(place, name))}
        places = [*known.places[contact.id], *added.places]
        here = [each for each in places if each.account_id == account.id]
        now = self.session.now
        present = next((each for each in here if dated.holds(each, now)), None)
        if present is not None:
            self._change_place(present, words, person, added)
        elif here:
            self._leave_place(place, "The person is not at {name} any more, or not yet.", account.name, added)
        else:
            primary = not any(dated.holds(each, now) for each in places)
            made = Affiliation(account_id=account.id, contact_id=contact.id, primary=primary, valid_from=None, **words)
            added.places.append(self.session.add_one(made))
            added.affiliations += 1

    def _change_place(self, place: Affiliation, words: dict[str, str], person: Person, added: _Added) -> None:
        differs = {name: text for name, text in words.items() if getattr(place, name) != text}
        if not differs:
            return
        empty = all(getattr(place, name) is None for name in differs)
        if empty:
            for name, text in differs.items():
                setattr(place, name, text)
            added.changed = True
        elif person.identified:
            dated.change(self.session, place, from_=self.session.now, **differs)
            added.changed = True
        else:
            for name in differs:
                added.untaken.append(Problem(_PROPERTY.get(name, name), "The person has another one already."))


_PROPERTY = {"name": "FN", "local_name": "FN", "family_name": "N", "given_name": "N", "salutation": "N",
             "birthday": "BDAY", "note": "NOTE", "language": "LANG", "title": "TITLE", "role": "ROLE",
             "department": "ORG"}  # fmt: skip
