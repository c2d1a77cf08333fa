"""Activities as a calendar: never more than the session sees of them."""

from __future__ import annotations

import datetime as dt
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import or_, select

from crm_core.domain.accounts import Account
from crm_core.domain.activities import Activity, Participant, Status
from crm_core.domain.contacts import Contact, ContactPoint, PointKind
from crm_core.domain.organisation import User, find_user
from crm_core.exchange.appearing import text_file
from crm_core.exchange.calendars.keys import uid_and_time
from crm_core.exchange.calendars.report import SYSTEM
from crm_core.exchange.own_keys import given_uids, may_read_keys, uid_of
from crm_core.exchange.report import Progress, Tell
from crm_core.exchange.sparing import spared

if TYPE_CHECKING:
    from icalendar import Event

    from crm_core.store.session import CrmSession

__all__ = ["export_calendar"]

_PAGE = 500
_CONTROL = re.compile("[\x00-\x1f\x7f\x85\u2028\u2029]+")
_FIRST_YEAR, _LAST_YEAR = 1970, 2037
"""Of which years the definition of a zone that is written into the file tells."""


def export_calendar(
    session: CrmSession,
    to_path: str | Path,
    *,
    where: str | None = None,
    user: str | None = None,
    system: str = SYSTEM,
    progress: Tell | None = None,
) -> int:
    """Write activities that the session sees as a calendar; returns how many.

    ``user`` (a login) takes those that this user is responsible for or takes part in; ``where`` is a filter. Without a
    time an activity is no event, and is left out. What was held stands where it took place, what is planned where it is
    planned, by the clocks of the organisation; from midnight to midnight it is a whole day. The ``UID`` stays the same,
    so that a calendar updates: that under which the event came from ``system``, else one of ours. Raises
    :class:`~crm_core.errors.ExchangeError` when the file cannot be written.
    """
    from icalendar import Calendar, Timezone

    if system != SYSTEM:
        may_read_keys(session)
    tz = session.policy.tz
    user_id = None if user is None else find_user(session, user).id
    zone = getattr(tz, "key", "UTC")
    calendar = Calendar()
    calendar.add("prodid", "-//crm-core//calendar//EN")
    calendar.add("version", "2.0")
    if zone != "UTC":
        calendar.add_component(Timezone.from_tzinfo(tz, zone))
    head, end = calendar.to_ical().decode().rsplit("END:VCALENDAR", 1)
    written = 0
    with text_file(spared(Path(to_path))) as file:
        file.write(head)
        for page in _pages(session, where, user_id):
            about = _About.of(session, page)
            about.uids = given_uids(session, "activity", [each.id for each in page], system)
            for activity in page:
                if (event := _event(activity, about, tz, session.can("activity.read_notes"))) is not None:
                    file.write(event.to_ical().decode())
                    written += 1
            if progress is not None:
                progress(Progress("activity", 1, 1, written, 0.0))
        file.write(f"END:VCALENDAR{end}")
    return written


def _pages(session: CrmSession, where: str | None, user_id: int | None) -> Iterator[Sequence[Activity]]:
    query = select(Activity).order_by(Activity.id).limit(_PAGE)
    if where is not None:
        query = query.where(session.where(Activity, where))
    if user_id is not None:
        taking_part = select(Participant.activity_id).where(Participant.user_id == user_id)
        query = query.where(or_(Activity.user_id == user_id, Activity.id.in_(taking_part)))
    after = 0
    while page := session.scalars(query.where(Activity.id > after)).all():
        yield page
        if len(page) < _PAGE:
            return
        after = page[-1].id


class _About:
    """What stands beside the activities of one page."""

    def __init__(self) -> None:
        self.accounts: dict[int, str] = {}
        self.people: dict[int, str] = {}
        self.mails: dict[int, str] = {}
        self.uids: dict[int, str] = {}
        self.users: dict[int, tuple[str, str | None]] = {}
        self.present: defaultdict[int, list[tuple[int | None, int | None]]] = defaultdict(list)

    @classmethod
    def of(cls, session: CrmSession, page: Sequence[Activity]) -> _About:
        """Look all of it up in five statements."""
        about = cls()
        query = select(Participant.activity_id, Participant.contact_id, Participant.user_id).where(
            Participant.activity_id.in_([each.id for each in page])
        )
        for activity_id, contact_id, user_id in session.execute(query.order_by(Participant.id)):
            about.present[activity_id].append((contact_id, user_id))
        accounts = sorted({each.account_id for each in page if each.account_id is not None})
        about.accounts = _named(session, Account, accounts)
        pairs = [pair for each in about.present.values() for pair in each]
        people = {each.contact_id for each in page if each.contact_id} | {pair[0] for pair in pairs if pair[0]}
        about.people = _named(session, Contact, sorted(people))
        if session.can("contact_point.read"):
            mails = (
                select(ContactPoint.contact_id, ContactPoint.value)
                .where(ContactPoint.contact_id.in_(sorted(people)), ContactPoint.kind == PointKind.EMAIL)
                .order_by(ContactPoint.preferred, ContactPoint.id.desc())
            )
            about.mails = {row[0]: row[1] for row in session.execute(mails) if row[0] is not None}
        users = {each.user_id for each in page if each.user_id} | {pair[1] for pair in pairs if pair[1]}
        names = select(User.id, User.name, User.email).where(User.id.in_(sorted(users)))
        about.users = {row[0]: (row[1], row[2]) for row in session.execute(names)}
        return about


def _named(session: CrmSession, entity: Any, ids: Sequence[int]) -> dict[int, str]:
    return {row[0]: row[1] for row in session.execute(select(entity.id, entity.name).where(entity.id.in_(ids)))}


def _event(activity: Activity, about: _About, tz: dt.tzinfo, notes: bool) -> Event | None:
    from icalendar import Event

    held = activity.status is Status.HELD
    start = (activity.started_at if held else None) or activity.planned_start or activity.started_at
    if start is None:
        return None
    end = (activity.ended_at if held else None) or activity.planned_end
    event = Event()
    _add_uid(event, uid_of(activity), about.uids.get(activity.id))
    event.add("dtstamp", activity.updated_at.replace(microsecond=0))
    event.add("last-modified", activity.updated_at.replace(microsecond=0))
    event.add("sequence", max(activity.version - 1, 0))
    begins, ends = start.astimezone(tz), None if end is None or end <= start else end.astimezone(tz)
    if ends is not None and begins.time() == ends.time() == dt.time():
        event.add("dtstart", begins.date())
        event.add("dtend", ends.date())
    else:
        event.add("dtstart", _told(begins))
        if ends is not None:
            event.add("dtend", _told(ends))
    event.add("summary", activity.subject)
    event.add("categories", [activity.kind])
    event.add("status", "CANCELLED" if activity.status is Status.CANCELLED else "CONFIRMED")
    if place := (activity.place if held else None) or activity.planned_place:
        event.add("location", place)
    if notes and activity.note:
        event.add("description", activity.note)
    if name := about.accounts.get(activity.account_id or 0):
        # A property that is not of the standard is written as it comes, line breaks, too.
        event.add("x-crm-account", _CONTROL.sub(" ", name))
    _add_people(event, activity, about)
    return event


def _told(moment: dt.datetime) -> dt.datetime:
    """A moment by the clocks of a zone, where they and what a ``VTIMEZONE`` says of them tell it; else by UTC."""
    by_clock = _FIRST_YEAR <= moment.year <= _LAST_YEAR and not moment.fold
    return (moment if by_clock else moment.astimezone(dt.UTC)).replace(microsecond=0)


def _add_uid(event: Event, own: str, given: str | None) -> None:
    """The key that the event came with; one time of an event that comes again is told by the time that it had there."""
    if given is None:
        event.add("uid", own)
        return
    event.add("x-crm-uid", own)
    if (found := uid_and_time(given)) is None:
        event.add("uid", given)
    else:
        event.add("uid", found[0])
        event.add("recurrence-id", found[1])


def _add_people(event: Event, activity: Activity, about: _About) -> None:
    from icalendar import vCalAddress, vText

    def add(kind: str, name: str, mail: str) -> None:
        if not mail.isprintable():
            return  # no address, wherever it came from; it would be lines of its own
        address = vCalAddress(f"mailto:{mail}")
        # A parameter has no way to write a line break.
        address.params["CN"] = vText(_CONTROL.sub(" ", name))
        event.add(kind, address)

    name, mail = about.users.get(activity.user_id or 0, ("", None))
    if mail:
        add("organizer", name, mail)
    pairs = list(dict.fromkeys([(activity.contact_id, None), *about.present[activity.id]]))
    for contact_id, user_id in pairs:
        if contact_id and contact_id in about.people and contact_id in about.mails:
            add("attendee", about.people[contact_id], about.mails[contact_id])
        elif user_id and about.users.get(user_id, ("", None))[1]:
            add("attendee", about.users[user_id][0], about.users[user_id][1] or "")
