"""A database with rows of the plugin, and all that it holds and tells: to be the same after the plugin was away."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from crm_core.domain import organisation
from crm_core.domain.accounts import Account
from crm_core.domain.organisation import Unit, User
from crm_core.errors import NotFound
from crm_core.records import KERNEL
from crm_core.store.history import history
from crm_core.testing.conformance.looking import OVERVIEWS, plain
from crm_core.testing.conformance.marks import Lively, marks_in
from crm_core.testing.conformance.oracle import rows_of
from crm_core.testing.conformance.population import PRINCIPAL, company, populate

if TYPE_CHECKING:
    from crm_core.assembly.crm import Crm
    from crm_core.testing.conformance.subject import Subject

__all__ = [
    "READERS", "accounts_with_rows", "histories", "look", "populated", "told_at_first",
    "unequal", "words_of",
]  # fmt: skip

READERS = ("zhou", "li")
"""Who looks: somebody who sees all, and somebody who sees their own; the second has every role of the plugin, too."""

_LOOKED_AT = 3
_SEARCHED = 5

Told = Mapping[tuple[str, str, str], Any]
"""What was shown, by who looked, how, and at what."""


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


def accounts_with_rows(crm: Crm, subject: Subject) -> list[int]:
    """Some accounts, those first to which rows of the plugin refer."""
    with crm.system_session(PRINCIPAL, read_only=True) as session:
        rows = rows_of(session)
    counts = dict.fromkeys(sorted(rows["account"]), 0)
    for record_type in subject.types:
        names = [field.name for field in record_type.refs if field.target == "account"]
        names += ["id"] if record_type.extends == "account" else []
        for row in rows[record_type.name].values():
            for name in names:
                if row[name] in counts:
                    counts[row[name]] += 1
    return sorted(counts, key=lambda id_: -counts[id_])[:_LOOKED_AT]


def look(crm: Crm, accounts: Sequence[int], words: Sequence[str]) -> Iterator[tuple[tuple[str, str, str], Any]]:
    """Everything that the kernel shows, one after the other: who looked how and at what, and what was shown.

    What fails raises.
    """
    for reader in READERS:
        with crm.session(reader, read_only=True) as session:
            for id_ in accounts:
                account = session.get(Account, id_)
                for name, view in OVERVIEWS.items() if account is not None else ():
                    yield (reader, name, f"account {id_}"), plain(view(session, account))
                try:
                    events = history(session, "account", id_)
                except NotFound:
                    continue  # they do not see it
                yield (reader, "history()", f"account {id_}"), plain(events)
            for word in (*words, "Account"):
                yield (reader, "search()", word), plain(session.search(word))
            for record_type in crm.types.values():
                rows = session.list(record_type.cls, limit=None)
                if record_type.plugin == KERNEL:
                    yield (reader, "list()", record_type.name), plain(rows)


def told_at_first(subject: Subject, crm: Crm) -> Told:
    """Everything that is shown of a database that was just populated; it is the same one for every check of a run."""
    if not isinstance(subject.known.get("told"), dict):
        subject.known["told"] = dict(look(crm, accounts_with_rows(crm, subject), words_of(crm, subject)))
    told: Told = subject.known["told"]
    return told


def histories(crm: Crm, ids: Mapping[str, Sequence[int]]) -> dict[tuple[str, int], list[tuple[int, str]]]:
    """The change sets and operations in the history of each record; empty where there is none."""
    found: dict[tuple[str, int], list[tuple[int, str]]] = {}
    with crm.system_session(PRINCIPAL, read_only=True) as session:
        for record, these in ids.items():
            for id_ in these:
                events = history(session, record, id_)
                found[record, id_] = [(event.change_set_id, event.change.operation) for event in events]
    return found


def unequal(before: Told, after: Told) -> str | None:
    """What is shown otherwise than before, the first of it."""
    for key, shown in before.items():
        if key not in after or after[key] != shown:
            reader, way, of = key
            return f"{way} of {of}, as {reader}"
    return None


def words_of(crm: Crm, subject: Subject) -> list[str]:
    """Some words that stand in rows of the plugin."""
    with crm.system_session(PRINCIPAL, read_only=True) as session:
        rows = rows_of(session)
    texts = [
        value
        for record_type in subject.types
        for row in rows[record_type.name].values()
        for value in row.values()
        if isinstance(value, str)
    ]
    return sorted({word for text in texts for word in marks_in(text)})[:_SEARCHED]
