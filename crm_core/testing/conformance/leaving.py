"""A database with rows of the plugin, and all that it holds and tells: to be the same after the plugin was away."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import attrs

from crm_core.domain import organisation
from crm_core.domain.accounts import Account
from crm_core.domain.organisation import Unit, User
from crm_core.errors import NotFound
from crm_core.records import KERNEL
from crm_core.store.history import history
from crm_core.testing.conformance.marks import Lively, marks_in
from crm_core.testing.conformance.oracle import rows_of
from crm_core.testing.conformance.population import PRINCIPAL, SEES_ALL, SEES_OWN, company, populate
from crm_core.testing.conformance.views import OVERVIEWS, plain

if TYPE_CHECKING:
    from crm_core.assembly.crm import Crm
    from crm_core.testing.conformance.subject import Subject

__all__ = ["Histories", "Shown", "differing", "histories", "look", "populated", "shown_at_first"]

K = TypeVar("K", str, int, tuple[str, int])

_READERS = (SEES_ALL, SEES_OWN)
"""The second has every role of the plugin, too."""

_LOOKED_AT = 3
_SEARCHED = 5

Way = tuple[str, str, str]
"""Who looked, how, and at what."""

Rows = Mapping[str, Mapping[int, Mapping[str, Any]]]

Histories = Mapping[tuple[str, int], Sequence[tuple[int, str]]]
"""The change sets and operations in the history of each record; empty where there is none."""


@contextmanager
def populated(subject: Subject) -> Iterator[tuple[str, dt.datetime]]:
    """The address of a new database with rows of every record, and the moment at which it is to be looked at."""
    subject.loaded  # noqa: B018 - tells why it cannot be loaded, before a database is made
    now = subject.now

    def prepare(address: str) -> None:
        with subject.opened(address, clock=lambda: now) as crm:
            crm.migrate()
            population = company(crm)
            with crm.system_session(PRINCIPAL) as session:
                second, unit = (session.require(cls, population.ids[name][1]) for cls, name in _MEMBERS)
                for role in subject.contributions.roles:
                    organisation.join(session, second, unit, role=role.name, since_always=True)
            lively = Lively(random.Random(subject.seeds[0]), now)  # noqa: S311 - made up, no secrets
            populate(subject, crm, population, each=subject.examples, seed=subject.seeds[0], liven=lively)

    with subject.databases.new("populated", prepare) as address:
        yield address, now


_MEMBERS: tuple[tuple[type[Any], str], ...] = ((User, "user"), (Unit, "unit"))


@attrs.frozen
class Shown:
    """Some accounts and words, and what was shown when somebody looked at them and searched for them."""

    accounts: Sequence[int]
    words: Sequence[str]
    told: Mapping[Way, Any] = attrs.field(factory=dict)

    def otherwise(self, crm: Crm) -> str | None:
        """What is shown otherwise now, the first of it."""
        now = dict(look(crm, self))
        for (reader, way, of), told in self.told.items():
            if (reader, way, of) not in now or now[reader, way, of] != told:
                return f"{way} of {of}, as {reader}"
        return None


def shown_at_first(subject: Subject, crm: Crm) -> Shown:
    """Everything that is shown of a database that was just populated; it is the same one for every check of a run."""
    if "shown" not in subject.known:
        with crm.system_session(PRINCIPAL, read_only=True) as session:
            rows = rows_of(session)
        at = Shown(_accounts(subject, rows), _words(subject, rows))
        subject.known["shown"] = attrs.evolve(at, told=dict(look(crm, at)))
    shown: Shown = subject.known["shown"]
    return shown


def look(crm: Crm, at: Shown) -> Iterator[tuple[Way, Any]]:
    """Everything that the kernel shows, one after the other: who looked how and at what, and what was shown.

    What fails raises.
    """
    for reader in _READERS:
        with crm.session(reader, read_only=True) as session:
            for id_ in at.accounts:
                account = session.get(Account, id_)
                for name, view in OVERVIEWS.items() if account is not None else ():
                    yield (reader, name, f"account {id_}"), plain(view(session, account))
                try:
                    events = history(session, "account", id_)
                except NotFound:
                    continue  # they do not see it
                yield (reader, "history()", f"account {id_}"), plain(events)
            for word in (*at.words, "Account"):
                yield (reader, "search()", word), plain(session.search(word))
            for record_type in crm.types.values():
                rows = session.list(record_type.cls, limit=None)
                if record_type.plugin == KERNEL:
                    yield (reader, "list()", record_type.name), plain(rows)


def histories(crm: Crm, records: Iterable[tuple[str, int]]) -> Histories:
    """The history of each of these records."""
    found: dict[tuple[str, int], list[tuple[int, str]]] = {}
    with crm.system_session(PRINCIPAL, read_only=True) as session:
        for record, id_ in records:
            events = history(session, record, id_)
            found[record, id_] = [(event.change_set_id, event.change.operation) for event in events]
    return found


def differing(before: Mapping[K, Any], after: Mapping[K, Any]) -> list[K]:
    """What is in one of them alone, or with another value, in order."""
    return sorted(key for key in before.keys() | after.keys() if before.get(key) != after.get(key))


def _accounts(subject: Subject, rows: Rows) -> list[int]:
    """Some accounts, those first to which rows of the plugin refer."""
    counts = dict.fromkeys(sorted(rows["account"]), 0)
    for record_type in subject.types:
        names = [field.name for field in record_type.refs if field.target == "account"]
        names += ["id"] if record_type.extends == "account" else []
        for row in rows[record_type.name].values():
            for name in names:
                if row[name] in counts:
                    counts[row[name]] += 1
    return sorted(counts, key=lambda id_: -counts[id_])[:_LOOKED_AT]


def _words(subject: Subject, rows: Rows) -> list[str]:
    """Some words that stand in rows of the plugin."""
    texts = [
        value
        for record_type in subject.types
        for row in rows[record_type.name].values()
        for value in row.values()
        if isinstance(value, str)
    ]
    return sorted({word for text in texts for word in marks_in(text)})[:_SEARCHED]
