"""The import of a calendar: every event is taken as a whole, or rejected with the reason, in one change set."""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crm_core.domain.activities import Activity, Participant, Status
from crm_core.domain.external import ExternalRef
from crm_core.domain.organisation import find_user
from crm_core.errors import ExchangeError, Problem, ValidationError
from crm_core.exchange.calendars.finding import Known
from crm_core.exchange.calendars.headings import Heading, read_heading
from crm_core.exchange.calendars.reading import Event, Occurrence, Window, named_zones, read_event
from crm_core.exchange.calendars.report import SYSTEM, EventReport, TakenEvent
from crm_core.exchange.content_lines import Component, components, file_encoding
from crm_core.exchange.entries import AN_ENTRYS_FAULT, EntryRun, Taking, all_or_nothing, said, taking
from crm_core.exchange.importing import may_import
from crm_core.exchange.own_keys import own_id, uid_of
from crm_core.exchange.report import Progress, Tell
from crm_core.fields import matching
from crm_core.store.parts import AT_ONCE, in_parts

if TYPE_CHECKING:
    from crm_core.assembly import Crm

__all__ = ["SYSTEM", "import_events"]

KIND = "meeting"
_BATCH = 100
_LONGEST = 200
_NAMES = ("VEVENT", "VTIMEZONE")
_SHELL = "VCALENDAR"


def import_events(
    crm: Crm,
    file: str | Path,
    *,
    dry_run: bool = False,
    rejects_path: str | Path | None = None,
    system: str = SYSTEM,
    user: str | None = None,
    since: dt.datetime | None = None,
    until: dt.datetime | None = None,
    principal: str = "import",
    login: str | None = None,
    reason: str | None = None,
    progress: Tell | None = None,
    translate: Callable[[str], str] = str,
) -> EventReport:
    """Import a calendar (iCalendar): its events become planned activities, with those of its people whom we know.

    People are known by their e-mail addresses. An activity belongs to the organiser if that is one of us, else to the
    first of us who takes part, else to ``user`` (a login; else whoever imports). It hangs on the first person of a
    customer who takes part, and on the account where that person works. The ``UID`` is remembered under the name of
    ``system``, so that a second import updates.

    An event that comes again becomes one activity for each time between ``since`` and ``until`` (a year back and a year
    ahead), at most a thousand. Of what was held already only the plan is changed. What an event says and we have no
    place for is told for each. ``dry_run`` does everything and takes it back; it runs as the system ``principal``, or
    with ``login`` with the rights of a user.
    """
    path = Path(file)
    encoding = file_encoding(path)
    why = reason or f"import {path.name}"
    with taking(crm, rejects_path, [path], login=login, principal=principal, reason=why, dry_run=dry_run) as current:
        session = current.session
        may_import(session)
        year = dt.timedelta(days=366)
        window = Window(since or session.now - year, until or session.now + year)
        if window.start >= window.end:
            raise ExchangeError("The time to take events from ends before it begins.", mend="Correct its end.")
        responsible = session.actor.user_id if user is None else find_user(session, user).id
        run = _Run(current, path, encoding, system, responsible, window, translate)
        for part in in_parts(run.components(), _BATCH):
            run.batch([component for component, _ in part])
            if progress is not None:
                progress(Progress(run.section, 1, 1, run.read, part[-1][1]))
    return EventReport(
        file=str(path), dry_run=dry_run, read=run.read, rejected=run.rejected, events=tuple(run.events),
        about=tuple(run.about), change_set=None if dry_run else session.last_change_set,
        rejects=current.written, first_rejects=tuple(current.rejects.first),
    )  # fmt: skip


class _Run(EntryRun):
    """One run over one file."""

    section = "events"
    entry = "event"

    def __init__(
        self,
        current: Taking,
        path: Path,
        encoding: str,
        system: str,
        user_id: int | None,
        window: Window,
        translate: Callable[[str], str],
    ) -> None:
        super().__init__(current, path.name, translate)
        session = current.session
        self.path = path
        self.encoding = encoding
        self.system = system
        self.user_id = user_id
        self.window = window
        self.events: list[TakenEvent] = []
        self.about: list[tuple[int, tuple[str, ...]]] = []
        self._zones: dict[str, Component] = {}
        self._headings: dict[int, Heading] = {}
        self._moved: set[str] = set()
        self._lines: dict[str, int] = {}
        words = dict(session.policy.vocabularies.get("activity.kind", {}))
        self._kinds = {**{label.casefold(): word for word, label in words.items()},
                       **{word.casefold(): word for word in words}}  # fmt: skip

    # -- reading -----------------------------------------------------------------------------------------------

    def components(self) -> Iterator[tuple[Component, float]]:
        """The events of the file, each with the share that is read then, after a first look for what they refer to."""
        for component, _ in self._all():
            if component.problem is None and component.name == "VTIMEZONE":
                self._zones.update(dict.fromkeys(named_zones(component), component))
            elif component.problem is None and component.name == _SHELL:
                heading = self._headings[component.shell] = read_heading(component, self.encoding)
                told = tuple(said(each, self.translate) for each in heading.untaken)
                self.about += [(component.number, told)] if told else []
        # Only now, because zones and what a calendar says of all its events may stand behind them.
        for component, _ in self._all():
            if component.problem is None and any(b"RECURRENCE-ID" in line.data.upper() for line in component.lines):
                try:
                    self._moved.update(each.key for each in self._event(component).occurrences)
                except ValidationError:
                    continue
        for component, share in self._all():
            if component.problem is not None or component.name == "VEVENT":
                yield component, share

    def _all(self) -> Iterator[tuple[Component, float]]:
        return components(self.path, self.encoding, _NAMES, _SHELL)

    def _event(self, component: Component, moved: frozenset[str] = frozenset()) -> Event:
        data = b"\n".join(line.data for line in component.lines)
        zones = {id(each): each for name, each in self._zones.items() if name.encode() in data}
        heading = self._headings.get(component.shell, Heading())
        return read_event(
            component, self.encoding, list(zones.values()), self.session.policy.tz, self.window, moved, heading
        )

    def batch(self, part: list[Component]) -> None:
        """Read a batch, and carry out as many events at once as have a thousand times together."""
        moved = frozenset(self._moved)
        events: list[tuple[Component, Event]] = []
        times = 0
        for component in part:
            self.read += 1
            try:
                if component.problem is not None:
                    self.reject_component(component, None, component.problem)
                    continue
                event = self._event(component, moved)
            except ValidationError as error:
                self.reject_component(component, None, error)
                continue
            events.append((component, event))
            times += len(event.occurrences) + len(event.cancelled)
            if times >= AT_ONCE:
                self._carry_out(events)
                events, times = [], 0
        self._carry_out(events)

    def _carry_out(self, events: Sequence[tuple[Component, Event]]) -> None:
        """Look events up together, then take one by one."""
        known = Known.of(self.session, [event for _, event in events], self.system)
        for component, event in events:
            try:
                taken = all_or_nothing(self.session, functools.partial(self._take, known, event))
            except AN_ENTRYS_FAULT as error:
                self.reject_component(component, event.uid, error)
                continue
            self._lines.update((each.key, event.number) for each in event.occurrences)
            self.events.append(taken)
        # What was written is in the database, its journal, too; memory stays flat.
        self.session.flush()
        self.session.writer.flush_journal()
        self.session.expunge_all()

    # -- one event ---------------------------------------------------------------------------------------------

    def _take(self, known: Known, event: Event) -> TakenEvent:
        if event.taken_back:
            return self._take_back(known, event)
        untaken = list(event.untaken)
        contacts, colleagues = self._people(known, event, untaken)
        whose = self._whose(known, contacts, colleagues)
        values = self._values(event, untaken)
        made = changed = 0
        ids: list[int] = []
        head: int | None = None
        own = self._own(known, event)
        own_key = self._own_key(known, event, own)
        if not event.occurrences:
            untaken.append(Problem("RRULE", "All its times are told by other events of the file."))
        for occurrence in event.occurrences:
            self._check_new(occurrence)
            activity = own if occurrence.key == own_key else self._activity(known, occurrence)
            different = False
            if activity is None:
                activity = self.session.add_one(Activity(
                    **values, **whose, planned_start=occurrence.start, planned_end=occurrence.end,
                    recurrence=event.rule or None, series_id=head,
                ))  # fmt: skip
                self._remember(occurrence, activity)
                made += 1
                head = head or (activity.id if len(event.occurrences) > 1 else None)
            else:
                if event.repeats and occurrence.key not in known.targets:
                    self._remember(occurrence, activity)
                head = head or activity.series_id or activity.id
                different = self._update(activity, values, occurrence, untaken, uid_of(activity) == event.own)
            ids.append(activity.id)
            added = self._add_participants(known, activity, contacts, colleagues[1:])
            changed += different or (added and activity.id in known.activities)
        changed += self._cancel(known, event, ids)
        told = tuple(dict.fromkeys(said(each, self.translate) for each in untaken))
        return TakenEvent(line=event.number, subject=values["subject"], activities=tuple(ids), created=made,
                          updated=changed, untaken=told)  # fmt: skip

    def _check_new(self, occurrence: Occurrence) -> None:
        if occurrence.key in self._lines:
            raise ValidationError(
                "The event stands in line {line} already.", mend="Keep one of them.", line=self._lines[occurrence.key]
            )

    def _whose(self, known: Known, contacts: Sequence[int], colleagues: Sequence[int]) -> dict[str, Any]:
        return {
            "user_id": colleagues[0] if colleagues else self.user_id,
            "contact_id": contacts[0] if contacts else None,
            "account_id": known.accounts.get(contacts[0]) if contacts else None,
        }

    def _remember(self, occurrence: Occurrence, activity: Activity) -> None:
        self.session.add(
            ExternalRef(system=self.system, record_type="activity", key=occurrence.key, record_id=activity.id)
        )

    def _own_key(self, known: Known, event: Event, own: Activity | None) -> str | None:
        """The key of that occurrence which is the activity that we once wrote."""
        if own is None or not event.repeats:
            return None if own is None else next((each.key for each in event.occurrences), None)
        # Somebody let it come again: it is the time at which it is planned, else the first. From then on it is known.
        if any(each.record_id == own.id for each in known.targets.values()):
            return None
        free = [each for each in event.occurrences if each.key not in known.targets]
        return next((each.key for each in free if each.start == own.planned_start), free[0].key if free else None)

    def _activity(self, known: Known, occurrence: Occurrence) -> Activity | None:
        target = known.targets.get(occurrence.key)
        if target is None:
            return None
        if target.record_id not in known.activities:
            raise ValidationError(
                "The key {key!r} belongs to no {record} that may be changed here.", key=occurrence.key,
                record="activity",
            )  # fmt: skip
        return known.activities[target.record_id]

    def _own(self, known: Known, event: Event) -> Activity | None:
        """The activity that we once wrote as this event."""
        own = known.activities.get(own_id(event.own, "activity") or 0)
        return own if own is not None and uid_of(own) == event.own else None

    def _values(self, event: Event, untaken: list[Problem]) -> dict[str, Any]:
        kinds = [self._kinds[word.casefold()] for word in event.categories if word.casefold() in self._kinds]
        untaken += [
            Problem("CATEGORIES", "No kind of activity is called {word}.", "", {"word": word})
            for word in event.categories
            if word and word.casefold() not in self._kinds
        ]
        untaken += [Problem("CATEGORIES", "Another one counts.")] if len(set(kinds)) > 1 else []
        kind = kinds[0] if kinds else KIND
        title = event.summary or self.session.policy.vocabularies.get("activity.kind", {}).get(kind, kind)
        status = Status.CANCELLED if event.status == "CANCELLED" else Status.PLANNED
        if event.status not in ("", "CONFIRMED", "CANCELLED"):
            untaken.append(Problem("STATUS", "It is planned here, not {word}.", "", {"word": event.status}))
        return {
            "kind": kind,
            "subject": self._short("SUMMARY", title, untaken),
            "planned_place": self._short("LOCATION", event.place, untaken) or None,
            "note": event.description or None,
            "status": status,
        }

    def _short(self, name: str, text: str, untaken: list[Problem]) -> str:
        text = " ".join(text.split())
        if len(text) <= _LONGEST:
            return text
        untaken.append(Problem(name, "Its end was cut off: {text}.", "", {"text": text[_LONGEST - 1 :]}))
        return text[: _LONGEST - 1] + "…"

    def _update(
        self, activity: Activity, values: dict[str, Any], occurrence: Occurrence, untaken: list[Problem], own: bool
    ) -> bool:
        given = {**values, "planned_start": occurrence.start, "planned_end": occurrence.end}
        if activity.status is Status.HELD:
            if given.pop("status") is Status.CANCELLED:
                untaken.append(Problem("STATUS", "It was held here."))
            if own:
                # Our own calendar shows where and when it was held, which is not what was planned.
                given = {name: value for name, value in given.items() if not name.startswith("planned")}
        if not self.session.can("activity.read_notes"):
            if given.pop("note"):
                untaken.append(Problem("DESCRIPTION", "Whoever imports may not see the notes of this activity."))
        elif given["note"] is None:
            del given["note"]
        differs = {name: value for name, value in given.items() if getattr(activity, name) != value}
        for name, value in differs.items():
            setattr(activity, name, value)
        return bool(differs)

    def _take_back(self, known: Known, event: Event) -> TakenEvent:
        """Cancel what was made of an event that its calendar takes back."""
        own = self._own(known, event)
        found = {} if own is None else {own.id: own}
        for key in (*event.cancelled, *known.times[event.uid]):
            target = known.targets.get(key)
            activity = None if target is None else known.activities.get(target.record_id)
            if activity is not None:
                found[activity.id] = activity
        if not found:
            raise ValidationError("It is taken back, and nothing was made of it here.")
        planned = [each for each in found.values() if each.status is Status.PLANNED]
        for activity in planned:
            activity.status = Status.CANCELLED
        held = any(each.status is Status.HELD for each in found.values())
        told = (said(Problem("STATUS", "It was held here."), self.translate),) if held else ()
        return TakenEvent(line=event.number, subject=next(iter(found.values())).subject, activities=tuple(found),
                          created=0, updated=len(planned), untaken=told)  # fmt: skip

    def _cancel(self, known: Known, event: Event, taken: Sequence[int]) -> int:
        """Occurrences that an earlier import brought, and that the calendar has taken out since."""
        count = 0
        for key in event.cancelled:
            target = known.targets.get(key)
            activity = None if target is None else known.activities.get(target.record_id)
            if activity is not None and activity.id not in taken and activity.status is Status.PLANNED:
                activity.status = Status.CANCELLED
                count += 1
        return count

    # -- people ------------------------------------------------------------------------------------------------

    def _people(self, known: Known, event: Event, untaken: list[Problem]) -> tuple[list[int], list[int]]:
        """Ids of people of customers, and of colleagues, the organiser first."""
        contacts: list[int] = []
        colleagues: list[int] = []
        for name, mail in (("ORGANIZER", event.organizer), *(("ATTENDEE", each) for each in event.attendees)):
            if not mail:
                continue
            user_id = known.users.get(matching.mail_key(mail) or "")
            found = known.people.get(mail, [])
            if user_id is not None:
                if user_id not in colleagues:
                    colleagues.append(user_id)
            elif len(found) == 1:
                if found[0] not in contacts:
                    contacts.append(found[0])
            else:
                problem = "Several people have the address {mail}." if found else "Nobody has the address {mail}."
                untaken.append(Problem(name, problem, "", {"mail": mail}))
        return contacts, colleagues

    def _add_participants(
        self, known: Known, activity: Activity, contacts: Sequence[int], colleagues: Sequence[int]
    ) -> bool:
        pairs = [(id_, None) for id_ in contacts] + [(None, id_) for id_ in colleagues if id_ != activity.user_id]
        present = known.present[activity.id]
        if activity.id in known.activities:
            # Whom it is about is written among those who take part, and comes back there.
            present = present | {(activity.contact_id, None)}
        new = [pair for pair in pairs if pair not in present]
        for contact_id, user_id in new:
            self.session.add(Participant(activity_id=activity.id, contact_id=contact_id, user_id=user_id))
        return bool(new)
