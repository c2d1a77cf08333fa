"""What is here already of the events of a calendar: looked up for many at once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Self

import attrs
from sqlalchemy import or_, select

from crm_core.domain.activities import Activity, Participant
from crm_core.domain.contacts import Affiliation, Contact
from crm_core.domain.external import ExternalRef
from crm_core.domain.organisation import User
from crm_core.exchange.calendars.keys import uid_and_time
from crm_core.exchange.calendars.reading import Event
from crm_core.exchange.lookups import Resolver, Target
from crm_core.exchange.own_keys import own_id
from crm_core.fields import matching
from crm_core.store.duplicates import holders_of
from crm_core.store.parts import in_parts

if TYPE_CHECKING:
    from crm_core.store.session import CrmSession

__all__ = ["Known"]

_UIDS = 50


@attrs.define
class Known:
    """What is here already of the events of one batch: activities by key, people and colleagues by e-mail address.

    ``times`` are the keys of all times of those events that are taken back as a whole.
    """

    targets: dict[str, Target] = attrs.field(factory=dict)
    times: defaultdict[str, list[str]] = attrs.field(factory=lambda: defaultdict(list))
    activities: dict[int, Activity] = attrs.field(factory=dict)
    people: dict[str, list[int]] = attrs.field(factory=dict)
    users: dict[str, int] = attrs.field(factory=dict)
    accounts: dict[int, int] = attrs.field(factory=dict)
    present: defaultdict[int, set[tuple[int | None, int | None]]] = attrs.field(factory=lambda: defaultdict(set))

    @classmethod
    def of(cls, session: CrmSession, events: Sequence[Event], system: str) -> Self:
        """Look up a batch of events in a handful of statements; ``system`` is whose keys they have."""
        known = cls()
        keys = {key for event in events for key in (*(each.key for each in event.occurrences), *event.cancelled)}
        known._look_for_times(session, sorted({event.uid for event in events if event.whole}), system)
        keys |= {key for found in known.times.values() for key in found}
        known.targets = Resolver(session).targets(Activity.crm_type, system, keys)
        ids = {each.record_id for each in known.targets.values()}
        ids |= {own for event in events if (own := own_id(event.own, "activity")) is not None}
        for part in in_parts(sorted(ids)):
            found = session.scalars(select(Activity).where(Activity.id.in_(part)))
            known.activities.update((each.id, each) for each in found)
        known._look_for_people(session, {mail for event in events for mail in (event.organizer, *event.attendees)})
        for part in in_parts(sorted(known.activities)):
            query = select(Participant.activity_id, Participant.contact_id, Participant.user_id).where(
                Participant.activity_id.in_(part)
            )
            for activity_id, contact_id, user_id in session.execute(query):
                known.present[activity_id].add((contact_id, user_id))
        return known

    def _look_for_people(self, session: CrmSession, mails: set[str]) -> None:
        forms = {mail: key for mail in mails if (key := matching.mail_key(mail)) is not None}
        if not forms:
            return
        wanted = set(forms.values())
        held = holders_of(session, Contact.crm_type, {("email", key) for key in wanted}).seen
        self.people = {mail: sorted(held.get(("email", key), ())) for mail, key in forms.items()}
        users = select(User.id, User.email).where(User.email.is_not(None), User.active)
        for id_, email in session.execute(users):
            if email is not None and (key := matching.mail_key(email)) in wanted and key is not None:
                self.users[key] = id_
        people = sorted({id_ for found_ids in self.people.values() for id_ in found_ids})
        for part in in_parts(people):
            places = (
                select(Affiliation.contact_id, Affiliation.account_id, Affiliation.primary)
                .where(Affiliation.contact_id.in_(part))
                .order_by(Affiliation.primary, Affiliation.id.desc())
            )
            self.accounts.update((row[0], row[1]) for row in session.execute(places))

    def _look_for_times(self, session: CrmSession, uids: Sequence[str], system: str) -> None:
        for part in in_parts(uids, _UIDS):
            begins = or_(*(ExternalRef.key.startswith(f"{uid}/", autoescape=True) for uid in part))
            query = select(ExternalRef.key).where(
                ExternalRef.system == system, ExternalRef.record_type == Activity.crm_type.name, begins
            )
            for key in session.scalars(query):
                if (found := uid_and_time(key)) is not None:
                    self.times[found[0]].append(key)
