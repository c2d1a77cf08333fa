"""An event as we understand it: when, what, where, with whom; and the occurrences of one that comes again."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from string import whitespace
from typing import Any

import attrs

from crm_core.errors import Problem, ValidationError
from crm_core.exchange.calendars.headings import Heading, check_method
from crm_core.exchange.calendars.keys import key_of
from crm_core.exchange.calendars.rules import times_of
from crm_core.exchange.content_lines import Component, unfolded
from crm_core.exchange.own_keys import made_up, own_id

__all__ = ["Event", "Occurrence", "Window", "named_zones", "read_event"]

MOST = 1000
_LONGEST_RULE = 200
_TIMES = ("DTSTART", "DTEND", "DURATION", "RRULE", "RDATE", "EXDATE", "RECURRENCE-ID")
_TAKEN = frozenset(
    {*_TIMES, "UID", "SUMMARY", "LOCATION", "DESCRIPTION", "STATUS", "ORGANIZER", "ATTENDEE", "CATEGORIES", "X-CRM-UID"}
)
_ABOUT_THE_ENTRY = frozenset({"DTSTAMP", "CREATED", "LAST-MODIFIED", "SEQUENCE"})
_SPACE = f"\ufeff{whitespace}"
_OURS = ("DTSTAMP", "LAST-MODIFIED", "SEQUENCE")
_NO_HEADING = Heading()
_UNREADABLE = (ValueError, KeyError, TypeError, IndexError, AttributeError, OverflowError, OSError)


@attrs.frozen
class Window:
    """Between which moments the occurrences of an event that comes again are taken."""

    start: dt.datetime
    end: dt.datetime


@attrs.frozen
class Occurrence:
    """One time that an event takes place, with the key under which it is remembered."""

    key: str
    start: dt.datetime
    end: dt.datetime | None


@attrs.frozen(kw_only=True)
class Event:
    """An event of a calendar. ``cancelled`` are keys of occurrences that it says do not take place.

    ``own`` is our own key of it, where it once was written by us: its ``UID``, or what stands beside that of others.
    One that its calendar takes back has no occurrences; ``whole`` says that this is so of all its times.
    """

    number: int
    uid: str
    own: str
    summary: str
    place: str
    description: str
    status: str
    categories: tuple[str, ...]
    organizer: str
    attendees: tuple[str, ...]
    rule: str
    occurrences: tuple[Occurrence, ...]
    cancelled: tuple[str, ...]
    untaken: tuple[Problem, ...]
    taken_back: bool = False
    whole: bool = False

    @property
    def repeats(self) -> bool:
        """Whether it comes again, so that its occurrences are times of it and not the event itself."""
        return bool(self.rule) or len(self.occurrences) > 1


def named_zones(component: Component) -> Iterator[str]:
    """The names of the time zones that a ``VTIMEZONE`` defines."""
    for line in unfolded(component.lines):
        name, _, value = line.data.partition(b":")
        if name.upper() == b"TZID":
            yield value.decode("utf-8", "replace").strip()


def read_event(
    component: Component,
    encoding: str,
    zones: Sequence[Component],
    tz: dt.tzinfo,
    window: Window,
    moved: frozenset[str] = frozenset(),
    heading: Heading = _NO_HEADING,
) -> Event:
    """The event; raises :class:`ValidationError` for one that cannot be used.

    ``tz`` is where days are, and times without a zone unless its calendar, the ``heading``, says it. ``moved`` are keys
    of occurrences that other components of the file say.
    """
    from icalendar import Calendar

    check_method(heading)
    try:
        text = _text([*zones, component], encoding)
        found: Any = Calendar.from_ical(text).walk("VEVENT")[0]
        return _Reading(component, found, tz, window, moved, heading).event()
    except _UNREADABLE as error:
        raise ValidationError(
            "The event cannot be read: {reason}.", reason=str(error).rstrip(".") or type(error).__name__
        ) from None


def _text(parts: Sequence[Component], encoding: str) -> str:
    lines = ["BEGIN:VCALENDAR"]
    for part in parts:
        lines.append(f"BEGIN:{part.name}")
        # Put together as bytes: a line may be folded inside of a character.
        for line in unfolded(part.lines):
            try:
                lines.append(line.data.decode())
            except UnicodeDecodeError:
                lines.append(line.data.decode(encoding))
        lines.append(f"END:{part.name}")
    return "\r\n".join([*(line for line in lines if line.strip()), "END:VCALENDAR", ""])


class _Reading:
    """One event, taken apart."""

    def __init__(
        self,
        component: Component,
        found: Any,
        tz: dt.tzinfo,
        window: Window,
        moved: frozenset[str],
        heading: Heading,
    ) -> None:
        self.component = component
        self.found = found
        self.tz = tz
        self.window = window
        self.moved = moved
        self.heading = heading
        self.floating = heading.zone or tz
        self.untaken: list[Problem] = []

    def event(self) -> Event:
        for name, reason in self.found.errors:
            if (name or "").upper() in _TIMES:
                raise ValidationError("Its {name} cannot be read: {reason}.", name=name, reason=str(reason).rstrip("."))
            self.untaken.append(
                Problem(name or "?", "It cannot be read: {reason}.", "", {"reason": str(reason).rstrip(".")})
            )
        if self.heading.takes_back:
            return self._taken_back()
        if "DTSTART" not in self.found:
            raise ValidationError("The event has no beginning.", mend="Give it a DTSTART, or take it out.")
        start = self._moment("DTSTART")
        uid = self._plain("UID") or made_up("event", self.component.text)
        occurrences, cancelled, rule = self._occurrences(uid, start)
        attendees = [mail for each in self._all("ATTENDEE") if (mail := self._attendee(each))]
        organizers = [mail for each in self._all("ORGANIZER")[:1] if (mail := self._mail("ORGANIZER", each))]
        categories = tuple(
            str(word).strip() for each in self._all("CATEGORIES") for word in getattr(each, "cats", [each])
        )
        ours = _OURS if own_id(uid, "activity") is not None or "X-CRM-UID" in self.found else ()
        told = {each.path for each in self.untaken}
        for name in self.found:
            if name.upper().startswith("X-CRM-") or name.upper() in ours:
                continue
            if name.upper() not in _TAKEN and name not in told:
                self.untaken.append(_no_place(name.upper()))
        self.untaken += [
            Problem(each.name, "Reminders and the like are not kept.") for each in self.found.subcomponents
        ]
        return Event(
            number=self.component.number, uid=uid, own=self._plain("X-CRM-UID") or uid,
            summary=self._plain("SUMMARY"), place=self._plain("LOCATION"),
            description=self._plain("DESCRIPTION"), status=self._plain("STATUS").upper(), categories=categories,
            organizer=organizers[0] if organizers else "", attendees=tuple(dict.fromkeys(attendees)), rule=rule,
            occurrences=occurrences, cancelled=cancelled, untaken=tuple(self.untaken),
        )  # fmt: skip

    def _taken_back(self) -> Event:
        """An event of which its calendar says that it, or one time of it, does not take place: all else is old."""
        uid = self._plain("UID")
        if not uid:
            raise ValidationError("It is taken back, and does not say which it is.", mend="Give it its UID.")
        own = self._all("RECURRENCE-ID")
        if own:
            self._check_range(own[0])
            self._check_zone(own[0], own[0].dt)
            zone = getattr(own[0].dt, "tzinfo", None) or self._zone_of(own[0].dt)
            keys = (key_of(uid, self._local(own[0].dt, zone).replace(tzinfo=zone).astimezone(dt.UTC)),)
        else:
            keys = (key_of(uid),)
        return Event(
            number=self.component.number, uid=uid, own=self._plain("X-CRM-UID") or uid, summary="", place="",
            description="", status="CANCELLED", categories=(), organizer="", attendees=(), rule="", occurrences=(),
            cancelled=keys, untaken=(), taken_back=True, whole=not own,
        )  # fmt: skip

    def _all(self, name: str) -> list[Any]:
        value = self.found.get(name)
        return [] if value is None else value if isinstance(value, list) else [value]

    def _plain(self, name: str) -> str:
        values = self._all(name)
        if len(values) > 1:
            self.untaken.append(Problem(name, "Another one counts."))
        # A mark of an encoding is no part of a text; whoever writes it anew leaves it out.
        text = str(values[0]).strip(_SPACE).strip() if values else ""
        return text.replace("\r\n", "\n").replace("\r", "\n")

    def _mail(self, name: str, value: Any) -> str:
        text = str(value)
        if text.lower().startswith("mailto:") and "@" in text:
            return text[7:].strip()
        self.untaken.append(Problem(name, "It has no e-mail address: {text}.", "", {"text": text}))
        return ""

    def _attendee(self, value: Any) -> str:
        mail = self._mail("ATTENDEE", value)
        if mail and str(value.params.get("PARTSTAT", "")).upper() == "DECLINED":
            self.untaken.append(Problem("ATTENDEE", "{mail} has declined.", "", {"mail": mail}))
            return ""
        return mail

    # -- times -------------------------------------------------------------------------------------------------

    def _moment(self, name: str) -> Any:
        value = self.found[name]
        if isinstance(value, list):
            raise ValidationError("It has several {name}.", name=name)
        self._check_zone(value, value.dt)
        return value.dt

    def _check_zone(self, value: Any, moment: Any) -> None:
        zone = value.params.get("TZID") if hasattr(value, "params") else None
        if zone and isinstance(moment, dt.datetime) and moment.tzinfo is None:
            raise ValidationError(
                "There is no time zone {zone!r}.",
                mend="Write it as Asia/Shanghai, or define it by a VTIMEZONE.",
                zone=zone,
            )

    def _check_range(self, value: Any) -> None:
        if value.params.get("RANGE"):
            raise ValidationError(
                "It changes all later times of the event, too, which is not done here.",
                mend="End the event before, and let a new one begin.",
            )

    def _zone_of(self, moment: Any) -> dt.tzinfo:
        """Where a time without a zone is; days are those of the organisation."""
        return self.floating if isinstance(moment, dt.datetime) else self.tz

    def _local(self, moment: Any, zone: dt.tzinfo) -> dt.datetime:
        """As a clock in the zone of the event shows it."""
        if not isinstance(moment, dt.datetime):
            return dt.datetime.combine(moment, dt.time())
        return moment.replace(tzinfo=None) if moment.tzinfo is None else moment.astimezone(zone).replace(tzinfo=None)

    def _occurrences(self, uid: str, first: Any) -> tuple[tuple[Occurrence, ...], tuple[str, ...], str]:
        zone = getattr(first, "tzinfo", None) or self._zone_of(first)
        start = self._local(first, zone)
        length = self._length(first, start, zone)
        rules = self._all("RRULE")
        own = self._all("RECURRENCE-ID")
        if own:
            if rules:
                raise ValidationError("One occurrence cannot have a rule of its own.", mend="Take its RRULE out.")
            self._check_range(own[0])
            self._check_zone(own[0], own[0].dt)
            at = self._local(own[0].dt, zone).replace(tzinfo=zone).astimezone(dt.UTC)
            return (self._made(key_of(uid, at), start, length, zone),), (), ""
        extra = dict(self._dates("RDATE", zone, length))
        if not rules and not extra:
            self.untaken += [Problem("EXDATE", "The event does not come again.")] if "EXDATE" in self.found else []
            return (self._made(key_of(uid), start, length, zone),), (), ""
        starts = {start: length, **extra}
        for rule in rules:
            starts.update(dict.fromkeys(self._by_rule(rule, start, zone), length))
        without = self._without(starts, first, zone)
        made = []
        for each in sorted(starts.keys() - without):
            occurrence = self._made("", each, starts[each], zone)
            if self.window.start <= occurrence.start <= self.window.end:
                made.append(attrs.evolve(occurrence, key=key_of(uid, occurrence.start)))
        if len(made) > MOST:
            raise ValidationError(
                "It comes {count} times; at most {most} are taken.",
                mend="Take events from a shorter time: --since and --until say from when to when.",
                count=len(made), most=MOST,
            )  # fmt: skip
        if not made:
            raise ValidationError(
                "It takes place at no time between {start} and {end}.",
                mend="Take events from another time: --since and --until say from when to when.",
                start=f"{self.window.start:%Y-%m-%d}", end=f"{self.window.end:%Y-%m-%d}",
            )  # fmt: skip
        gone = tuple(key_of(uid, each.replace(tzinfo=zone).astimezone(dt.UTC)) for each in sorted(without))
        kept = tuple(each for each in made if each.key not in self.moved)
        rule = rules[0].to_ical().decode() if rules else ""
        return kept, tuple(key for key in gone if key not in self.moved), rule if len(rule) <= _LONGEST_RULE else ""

    def _length(self, first: Any, start: dt.datetime, zone: dt.tzinfo) -> dt.timedelta | None:
        if "DTEND" in self.found:
            length: dt.timedelta | None = self._local(self._moment("DTEND"), zone) - start
        elif "DURATION" in self.found:
            length = self.found["DURATION"].dt
        else:
            length = None if isinstance(first, dt.datetime) else dt.timedelta(days=1)
        if length is not None and length < dt.timedelta():
            raise ValidationError("It ends before it begins.", mend="Correct its DTEND.")
        return length or None

    def _without(self, starts: Collection[dt.datetime], first: Any, zone: dt.tzinfo) -> set[dt.datetime]:
        """The times that are taken out. A day takes out all times on it; one that takes out nothing is told."""
        on_day: defaultdict[dt.date, list[dt.datetime]] = defaultdict(list)
        for each in starts:
            on_day[each.date()].append(each)
        found: set[dt.datetime] = set()
        for dates in self._all("EXDATE"):
            for date in dates.dts:
                self._check_zone(dates, date.dt)
                moment = self._local(date.dt, zone)
                whole_day = isinstance(first, dt.datetime) and not isinstance(date.dt, dt.datetime)
                hit = on_day.get(moment.date(), []) if whole_day else [moment]
                if moment not in starts and not (whole_day and hit):
                    self._tell_useless(moment, zone)
                found.update(hit)
        return found

    def _tell_useless(self, moment: dt.datetime, zone: dt.tzinfo) -> None:
        # Only of what lies in the window: times outside of it were not worked out.
        if self.window.start <= moment.replace(tzinfo=zone) <= self.window.end:
            problem = "The event does not take place at {time}, which it takes out."
            self.untaken.append(Problem("EXDATE", problem, "", {"time": f"{moment:%Y-%m-%d %H:%M}"}))

    def _dates(self, name: str, zone: dt.tzinfo, length: dt.timedelta | None) -> Iterator[tuple[dt.datetime, Any]]:
        for each in self._all(name):
            for date in each.dts:
                value = date.dt
                if isinstance(value, tuple):
                    start = self._local(value[0], zone)
                    end = value[1]
                    yield start, end if isinstance(end, dt.timedelta) else self._local(end, zone) - start
                else:
                    self._check_zone(each, value)
                    yield self._local(value, zone), length

    def _by_rule(self, rule: Any, start: dt.datetime, zone: dt.tzinfo) -> list[dt.datetime]:
        copy = type(rule)(rule)
        if until := copy.get("UNTIL"):
            last = self._local(until[0], zone)
            if not isinstance(until[0], dt.datetime):
                last += dt.timedelta(days=1, seconds=-1)
            copy["UNTIL"] = [last]
        # Counted without a zone, so that daylight saving does not move the hour.
        day = dt.timedelta(days=1)
        after, before = self._local(self.window.start, zone) - day, self._local(self.window.end, zone) + day
        return times_of(copy, start, after, before, MOST)

    def _made(self, key: str, start: dt.datetime, length: dt.timedelta | None, zone: dt.tzinfo) -> Occurrence:
        moment = start.replace(tzinfo=zone).astimezone(dt.UTC)
        end = None if length is None else (start + length).replace(tzinfo=zone).astimezone(dt.UTC)
        return Occurrence(key, moment, end)


def _no_place(name: str) -> Problem:
    if name in _ABOUT_THE_ENTRY:
        return Problem(name, "It is about the entry itself, which is kept anew here.")
    return Problem(name, "There is no field for it.")
