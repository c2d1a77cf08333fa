"""The table of match keys: which records might be the same, found by equality alone.

Every key is kept under the record that it is read from (its *source*), so that a change of one contact point touches
that contact point's keys and no others.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import attrs
from sqlalchemy import delete, select

from crm_core.domain.accounts import Account
from crm_core.domain.contacts import Affiliation, Contact, ContactPoint, PointKind
from crm_core.fields import matching
from crm_core.records import RecordType
from crm_core.store.bulk import delete_tuples, insert_tuples
from crm_core.store.erasure import ERASED
from crm_core.store.parts import in_parts
from crm_core.store.policy import DuplicateRules
from crm_core.store.tables import MATCH_KEY

if TYPE_CHECKING:
    from crm_core.store.current import Current
    from crm_core.store.journal import Entry
    from crm_core.store.session import CrmSession

__all__ = ["FIELDS", "KEYED", "KINDS_OF", "READ_FROM", "Key", "Row", "check_keys", "follow_keys", "keys_of", "reindex"]

Key: TypeAlias = tuple[str, str]
"""Kind and key."""
Row: TypeAlias = tuple[str, int, int, str, str]
"""Record type, record, source, kind and key."""

KEYED: tuple[str, ...] = (Account.crm_type.name, Contact.crm_type.name)
"""The record types that have match keys."""

KINDS_OF: Mapping[str, tuple[str, ...]] = {
    Account.crm_type.name: ("registration", "email", "phone", "name", "domain", "wechat"),
    Contact.crm_type.name: ("birthday", "email", "phone", "name", "wechat"),
}
"""By record type the kinds of keys that its records may have."""

READ_FROM: Mapping[str, Mapping[str, frozenset[str]]] = {
    Account.crm_type.name: {ContactPoint.crm_type.name: frozenset({"domain", "email", "phone", "wechat"})},
    Contact.crm_type.name: {
        Affiliation.crm_type.name: frozenset({"name"}),
        ContactPoint.crm_type.name: frozenset({"email", "phone", "wechat"}),
    },
}
"""By record type the other records that keys are read from, each with the kinds of key; the rest is of the record."""

T = TypeVar("T")
_NOBODY: Mapping[int, Mapping[str, Any]] = {}
_COLUMNS = ("record_type", "record_id", "source_id", "kind", "key")
_CHUNK = 1000
_PHONES = frozenset({PointKind.PHONE, PointKind.MOBILE})


# -- keys of one source ----------------------------------------------------------------------------------------


def _account(values: Mapping[str, Any], rules: DuplicateRules) -> Iterator[Key]:
    for name in ("name", "local_name", "legal_name"):
        if (text := values.get(name)) and len(key := matching.name_key(text)) > 1:
            yield "name", key
    country = values.get("registration_country")
    if (number := values.get("registration_number")) and (found := matching.registration_key(country, number)):
        yield "registration", found
    public = rules.public
    if (site := values.get("website")) and (domain := matching.domain_of_site(site, public)):
        yield "domain", domain
    if mail := values.get("email"):
        yield from _mail(mail, public)
    if phone := values.get("phone"):
        address = values.get("address")
        region = country or (address.country if address is not None else None) or rules.region
        if found := matching.phone_key(phone, region):
            yield "phone", found


def _mail(address: str, public: frozenset[str], *, person: bool = False) -> Iterator[Key]:
    """A company is known by its domain, and by the whole address where the domain is everybody's; a person by that."""
    domain = None if person else matching.domain_of_mail(address, public)
    if domain is not None:
        yield "domain", domain
    elif key := matching.mail_key(address):
        yield "email", key


def _contact(values: Mapping[str, Any], _rules: DuplicateRules) -> Iterator[Key]:
    birthday = values.get("birthday")
    if birthday is not None:
        for name in _names(values):
            yield "birthday", f"{birthday.isoformat()} {name}"[: matching.LONGEST]


def _names(values: Mapping[str, Any]) -> set[str]:
    """A person's name keys; a tombstone is nobody's name."""
    texts = [values.get("name"), values.get("local_name")]
    keys = {matching.person_key(text) for text in texts if text and text != ERASED}
    return {key for key in keys if len(key) > 1}


def _point(values: Mapping[str, Any], rules: DuplicateRules) -> Iterator[Key]:
    value, kind = values.get("value"), values.get("kind")
    person = values.get("contact_id") is not None
    if not value or value == ERASED:
        return
    if kind is PointKind.EMAIL:
        yield from _mail(value, rules.public, person=person)
    elif kind in _PHONES and (found := matching.phone_key(value, rules.region, extension=person)):
        yield "phone", found
    elif kind is PointKind.WECHAT and (found := matching.word_key(value)):
        yield "wechat", found


def _at_account(account_id: int, names: Iterable[str]) -> Iterator[Key]:
    for name in names:
        yield "name", f"{account_id} {name}"[: matching.LONGEST]


# -- keys of many sources --------------------------------------------------------------------------------------


@attrs.frozen
class _Source:
    """A record type that keys are read from, and the fields that matter."""

    type: RecordType
    fields: frozenset[str]


_SOURCES: dict[str, _Source] = {
    source.type.name: source
    for source in (
        _Source(
            Account.crm_type,
            frozenset(
                {"name", "local_name", "legal_name", "registration_country", "registration_number", "website", "email",
                 "phone", "address"}
            ),
        ),
        _Source(Contact.crm_type, frozenset({"name", "local_name", "birthday"})),
        _Source(ContactPoint.crm_type, frozenset({"contact_id", "account_id", "kind", "value"})),
        _Source(Affiliation.crm_type, frozenset({"contact_id", "account_id"})),
    )
}  # fmt: skip


FIELDS: Mapping[str, frozenset[str]] = {name: source.fields for name, source in _SOURCES.items()}
"""By record type the fields that keys are read from."""


def keys_of(
    session: CrmSession,
    name: str,
    rows: Mapping[int, Mapping[str, Any]],
    people: Mapping[int, Mapping[str, Any]] = _NOBODY,
) -> list[Row]:
    """The rows of the table for sources of one type, by their values; ``people`` are contacts known already.

    Affiliations need the names of their contacts: one statement for each thousand.
    """
    rules = session.policy.duplicates
    found: list[Row] = []
    if name == "account":
        for id_, values in rows.items():
            found += ((name, id_, id_, *key) for key in dict.fromkeys(_account(values, rules)))
    elif name == "contact":
        for id_, values in rows.items():
            found += ((name, id_, id_, *key) for key in dict.fromkeys(_contact(values, rules)))
    elif name == "contact_point":
        for id_, values in rows.items():
            owner = values.get("contact_id") or values.get("account_id")
            if owner is not None:
                owned = "contact" if values.get("contact_id") is not None else "account"
                found += ((owned, owner, id_, *key) for key in dict.fromkeys(_point(values, rules)))
    else:
        wanted = {values["contact_id"] for values in rows.values()}
        known = {id_: _names(people[id_]) for id_ in wanted & people.keys()}
        known |= _people(session, wanted - known.keys())
        for id_, values in rows.items():
            person = values["contact_id"]
            keys = _at_account(values["account_id"], sorted(known.get(person, ())))
            found += (("contact", person, id_, *key) for key in dict.fromkeys(keys))
    return found


def _people(session: CrmSession, ids: Iterable[int]) -> dict[int, set[str]]:
    table = Contact.crm_type.table
    found: dict[int, set[str]] = {}
    for part in in_parts(sorted(ids)):
        query = select(table.c.id, table.c.name, table.c.local_name).where(table.c.id.in_(part))
        for row in session.core(query):
            found[row.id] = _names({"name": row.name, "local_name": row.local_name})
    return found


# -- following changes -----------------------------------------------------------------------------------------


def follow_keys(session: CrmSession, entries: Sequence[Entry], rows_now: Current) -> None:
    """Keep the table in step with changes that are about to be journalled."""
    created: defaultdict[str, dict[int, Mapping[str, Any]]] = defaultdict(dict)
    stale: defaultdict[str, dict[int, Mapping[str, Any]]] = defaultdict(dict)
    gone: set[tuple[int, int]] = set()
    renamed: set[int] = set()
    for entry in entries:
        source = _SOURCES.get(entry.name)
        if source is None:
            continue
        if entry.operation == "create":
            created[entry.name][entry.id] = entry.after
        elif entry.operation == "delete":
            gone |= _owned(entry.name, entry.id, entry.before)
        elif not source.fields.isdisjoint(entry.after) or not source.fields.isdisjoint(entry.before):
            stale[entry.name][entry.id] = entry.before
            if entry.name == "contact":
                renamed.add(entry.id)
    if not (created or stale or gone):
        return
    if renamed:
        for id_ in _affiliations(session, renamed) - created["affiliation"].keys():
            stale["affiliation"].setdefault(id_, {})
    fresh: list[Row] = []
    known = session.noted.worked_out
    renamed |= {id_ for id_, values in created["contact"].items() if id_ not in known or known[id_][0] is not values}
    for id_, values in created["affiliation"].items():
        if values["contact_id"] in renamed:
            known.pop(id_, None)  # it was worked out with the name that the person had then
    for name, rows in created.items():
        if rows:
            fresh += _remembered(session, name, rows, created["contact"])
    for name, before in stale.items():
        if before:
            source = _SOURCES[name]
            current = rows_now.rows(source.type, before)
            for id_, values in current.items():
                gone |= _owned(name, id_, values) | _owned(name, id_, {**values, **before[id_]})
            fresh += keys_of(session, name, current)
    connection = session.core_connection()
    delete_tuples(connection, MATCH_KEY.name, ("record_id", "source_id"), sorted(gone))
    insert_tuples(connection, MATCH_KEY.name, _COLUMNS, fresh)


def _owned(name: str, id_: int, values: Mapping[str, Any]) -> set[tuple[int, int]]:
    """The record that a source speaks of, with the source."""
    if name in KEYED:
        return {(id_, id_)}
    owner = values.get("contact_id") or values.get("account_id")
    return set() if owner is None else {(owner, id_)}


def _remembered(
    session: CrmSession,
    name: str,
    rows: Mapping[int, Mapping[str, Any]],
    people: Mapping[int, Mapping[str, Any]],
) -> list[Row]:
    """Keys of new sources: those that the look for duplicates has worked out already are taken from there."""
    known = session.noted.worked_out
    found: list[Row] = []
    rest: dict[int, Mapping[str, Any]] = {}
    for id_, values in rows.items():
        kept = known.pop(id_, None)
        if kept is not None and kept[0] is values:
            found += kept[1]
        else:
            rest[id_] = values
    return found + (keys_of(session, name, rest, people) if rest else [])


def _affiliations(session: CrmSession, contacts: Iterable[int]) -> set[int]:
    table = Affiliation.crm_type.table
    found: set[int] = set()
    for part in in_parts(sorted(contacts)):
        found.update(session.core(select(table.c.id).where(table.c.contact_id.in_(part))).scalars())
    return found


# -- the whole table -------------------------------------------------------------------------------------------


def reindex(session: CrmSession) -> int:
    """Write the whole table anew; returns how many keys there are. For the store's own use: it asks nobody."""
    session.core(delete(MATCH_KEY))
    count = 0
    for rows in _all_keys(session):
        insert_tuples(session.core_connection(), MATCH_KEY.name, _COLUMNS, rows)
        session.grown.add([MATCH_KEY.name] * len(rows))
        count += len(rows)
    return count


def check_keys(session: CrmSession) -> tuple[int, int, int]:
    """How many keys there should be, how many of them are missing, and how many there are that should not be."""
    wanted = missing = 0
    seen = 0
    key = MATCH_KEY.c
    for rows in _all_keys(session):
        wanted += len(rows)
        expected = set(rows)
        present: set[Row] = set()
        for part in in_parts(sorted({row[1] for row in rows})):
            query = select(key.record_type, key.record_id, key.source_id, key.kind, key.key)
            present.update(tuple(row) for row in session.core(query.where(key.record_id.in_(part))))
        missing += len(expected - present)
        seen += len(expected & present)
    from sqlalchemy import func

    total = session.core(select(func.count()).select_from(MATCH_KEY)).scalar_one()
    return wanted, missing, total - seen


def _all_keys(session: CrmSession) -> Iterator[list[Row]]:
    for name, source in _SOURCES.items():
        table, last = source.type.table, 0
        while True:
            query = select(table.c.id).where(table.c.id > last).order_by(table.c.id).limit(_CHUNK)
            ids = list(session.core(query).scalars())
            if not ids:
                break
            last = ids[-1]
            yield keys_of(session, name, session.writer.rows(source.type, ids, fields=source.fields))
