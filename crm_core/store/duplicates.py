"""Candidates for being the same: pairs of records that share match keys, as far as the actor sees both."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any, Protocol

import attrs
from msgspec import json
from sqlalchemy import Select, and_, func, or_, select, tuple_

from crm_core.errors import PermissionDenied, ValidationError
from crm_core.records import Record, RecordType
from crm_core.store import match_keys
from crm_core.store.match_keys import KEYED, READ_FROM, Key
from crm_core.store.parts import AT_ONCE, in_parts
from crm_core.store.tables import MATCH_KEY

if TYPE_CHECKING:
    from crm_core.store.session import CrmSession

__all__ = ["KINDS", "Candidate", "Exact", "MatchKey", "Matcher", "Reindexed", "candidates", "check_index", "reindex"]

KINDS: Mapping[str, float] = {
    "registration": 0.95,
    "wechat": 0.9,
    "email": 0.85,
    "birthday": 0.85,
    "phone": 0.7,
    "name": 0.6,
    "domain": 0.4,
}
"""How far each kind of key speaks for a pair, from 0 to 1, as a start: a group of companies shares its domain."""


@attrs.frozen(order=True)
class MatchKey:
    """What two records have in common: the ``kind`` of key (``phone``) and the key itself, as it is compared."""

    kind: str
    key: str


@attrs.frozen
class Candidate:
    """Two records that might be the same, what they have in common, and how much that says (0 to 1).

    Of a record that was just created, ``id`` is the new one; else the one with the lower id, which is the older.
    """

    record_type: str
    id: int
    other_id: int
    keys: tuple[MatchKey, ...]
    score: float


class Matcher(Protocol):
    """A driver of the kind ``matching``: an engine that finds candidates.

    ``Matcher()`` makes one. It may read as the system (``session.as_system``): pairs of which the actor does not see
    both are left out afterwards. What a pair has in common it takes only from what the actor sees: keys and score are
    shown as they come.
    """

    def candidates(
        self, session: CrmSession, record_type: RecordType, ids: Iterable[int] | None = None
    ) -> Iterable[Candidate]:
        """Pairs of records of a type; with ``ids`` only those with at least one of them."""


def candidates(
    session: CrmSession,
    records: str | RecordType | type[Record] | Record | Iterable[Record] = "account",
    *,
    where: str | None = None,
    least: float = 0.0,
    limit: int | None = None,
) -> list[Candidate]:
    """Pairs that might be the same, the likeliest first; only pairs of which the actor sees both.

    ``records`` is a record type (by name, as such, or its class), or one or several records whose doubles are wanted.
    ``where`` is a filter that at least one of a pair must match, ``least`` the lowest score. Which engine looks is the
    build's choice (``[drivers] matching``); the kernel's own, ``exact``, compares the match keys of accounts and
    contacts. Raises :class:`ValidationError` for a record type that the engine does not know.
    """
    record_type, ids = _wanted(session, records)
    return candidates_of(session, record_type, ids, where=where, least=least, limit=limit)


def candidates_of(
    session: CrmSession,
    record_type: RecordType,
    ids: Collection[int] | None,
    *,
    where: str | None = None,
    least: float = 0.0,
    limit: int | None = None,
) -> list[Candidate]:
    """Like :func:`candidates`, for records of a type by their ids; ``None`` are all."""
    wanted = None if ids is None else set(ids)
    if where is not None:
        matching = set(session.scalars(select(_id(record_type)).where(session.where(record_type.cls, where))))
        wanted = matching if wanted is None else wanted & matching
    if wanted is not None and not wanted:
        return []
    engine: Matcher = session.store.matcher
    found = list(engine.candidates(session, record_type, wanted))
    if not isinstance(engine, Exact):
        found = _seen(session, record_type, found)
    found = [each for each in found if each.score >= least]
    found.sort(key=lambda each: (-each.score, each.id, each.other_id))
    return found if limit is None else found[:limit]


def _id(record_type: RecordType) -> Any:
    return record_type.cls.id


def _wanted(session: CrmSession, records: Any) -> tuple[RecordType, set[int] | None]:
    if isinstance(records, str):
        return session.store.find_type(records), None
    if isinstance(records, RecordType):
        return records, None
    if isinstance(records, type):
        return records.crm_type, None  # type: ignore[attr-defined]
    several = [records] if isinstance(records, Record) else list(records)
    types = {each.crm_type for each in several}
    if len(types) != 1:
        raise ValidationError(
            "Duplicates are looked for among records of one type.", mend="Give records of one type, and at least one."
        )
    return types.pop(), {each.id for each in several}


def _seen(session: CrmSession, record_type: RecordType, found: Sequence[Candidate]) -> list[Candidate]:
    visible = session.writer.visible_ids(record_type, {id_ for each in found for id_ in (each.id, each.other_id)})
    return [each for each in found if each.id in visible and each.other_id in visible]


class Exact:
    """The kernel's own engine: pairs with equal keys."""

    def candidates(
        self, session: CrmSession, record_type: RecordType, ids: Iterable[int] | None = None
    ) -> Iterable[Candidate]:
        """One statement, whatever there is (with very many ``ids`` one for each ten thousand)."""
        if record_type.name not in KEYED:
            raise ValidationError(
                "There are no match keys of {record}.",
                mend="Look among {known}, or choose another engine in [drivers] matching.",
                record=record_type.name,
                known=", ".join(KEYED),
            )
        session.writer.write_down()
        pairs: defaultdict[tuple[int, int], set[Key]] = defaultdict(set)
        if ids is None:
            for key, holders in groups(session, record_type, None):
                _pair(pairs, key, holders)
        else:
            wanted = set(ids)
            ordered = sorted(wanted)
            for part in in_parts(ordered, 10 * AT_ONCE):
                for key, holders in groups(session, record_type, part):
                    _pair(pairs, key, holders, wanted)
        return [make_candidate(record_type.name, first, second, keys) for (first, second), keys in pairs.items()]


def _pair(
    pairs: defaultdict[tuple[int, int], set[Key]], key: Key, holders: Sequence[int], wanted: set[int] | None = None
) -> None:
    for position, first in enumerate(holders):
        for second in holders[position + 1 :]:
            if wanted is None or first in wanted or second in wanted:
                pairs[first, second].add(key)


def make_candidate(type_name: str, first: int, second: int, keys: Iterable[Key]) -> Candidate:
    held = tuple(sorted(MatchKey(*key) for key in keys))
    doubt = 1.0
    for kind in {key.kind for key in held}:
        doubt *= 1 - KINDS[kind]
    return Candidate(type_name, first, second, held, round(1 - doubt, 4))


def visible_keys(session: CrmSession, record_type: RecordType) -> list[Any]:
    """The conditions on the table of keys that the actor sees the record, and what the key is read from.

    A key that is read from a hidden place or telephone would tell of it. Nothing for whoever sees all.
    """
    key = MATCH_KEY.c
    records = _seen_ids(session, record_type)
    sources = {kinds: _seen_ids(session, session.types[name]) for name, kinds in READ_FROM[record_type.name].items()}
    conditions: list[Any] = [] if records is None else [key.record_id.in_(records)]
    if any(seen is not None for seen in sources.values()):
        grounds: list[Any] = [key.source_id == key.record_id]
        for kinds, seen in sources.items():
            ground = key.kind.in_(sorted(kinds))
            grounds.append(ground if seen is None else and_(ground, key.source_id.in_(seen)))
        conditions.append(or_(*grounds))
    return conditions


def _seen_ids(session: CrmSession, record_type: RecordType) -> Select[Any] | None:
    """The records of a type that the actor sees; ``None``: all."""
    criterion = session.visibility.criterion(record_type, record_type.table)
    return None if criterion is None else select(record_type.table.c.id).where(criterion)


def groups(
    session: CrmSession, record_type: RecordType, ids: Sequence[int] | Select[Any] | None
) -> Iterator[tuple[Key, list[int]]]:
    """Each key that several records share, with the records in order; only those that the actor sees count.

    ``ids`` are the records (or a query of them) whose keys are looked at.
    """
    key = MATCH_KEY.c
    conditions = [key.record_type == record_type.name, *visible_keys(session, record_type)]
    shared: Select[Any] = select(key.kind, key.key).where(*conditions)
    if ids is not None:
        own = MATCH_KEY.alias().c
        keys = select(own.kind, own.key).where(own.record_id.in_(ids), own.record_type == record_type.name)
        shared = shared.where(tuple_(key.kind, key.key).in_(keys))
    holders = func.count(key.record_id.distinct())
    several = shared.group_by(key.kind, key.key).having(holders.between(2, session.policy.duplicates.most)).subquery()
    rows = session.core(
        select(key.kind, key.key, key.record_id)
        .join(several, (several.c.key == key.key) & (several.c.kind == key.kind))
        .where(*conditions)
        .distinct()
        .order_by(key.kind, key.key, key.record_id)
    )
    for (kind, value), group in groupby(rows, key=lambda row: (row.kind, row.key)):
        yield (kind, value), [row.record_id for row in group]


def _holders_sql(keys: str, of: str, kind: str, text: str, most: str, joined: str) -> str:
    common = (
        f"EXISTS (SELECT 1 FROM crm_match_key n "  # noqa: S608 - all of it is ours
        f"WHERE n.record_type = {of} AND n.kind = {kind} AND n.key = {text} LIMIT 1 OFFSET {most})"
    )
    return (
        f"SELECT {of}, {kind}, {text}, m.record_id, m.source_id FROM {keys} {joined} "  # noqa: S608 - all of it is ours
        f"WHERE NOT {common} UNION ALL SELECT {of}, {kind}, {text}, NULL, NULL FROM {keys} WHERE {common}"
    )


# Written by hand because every creation of a customer asks it: whoever has one of these keys, and which of the keys so
# many have that they say nothing. The look behind OFFSET ends early, however common a key is. Each key is looked up by
# the index: SQLite would look anew for each of the holders unless the order of the join is given, and PostgreSQL, as
# long as it has no statistics, would compare all keys with all holders unless each is a query of its own.
_HOLDERS = {
    "sqlite": _holders_sql(
        "json_each(?1) t CROSS JOIN json_each(t.value) j CROSS JOIN json_each(j.value) k", "t.key", "j.key", "k.value",
        "?2", "CROSS JOIN crm_match_key m ON m.record_type = t.key AND m.kind = j.key AND m.key = k.value",
    ),
    "postgresql": _holders_sql(
        "unnest(%(types)s::text[], %(kinds)s::text[], %(keys)s::text[]) AS j(type, kind, value)",
        'j.type COLLATE "C"', 'j.kind COLLATE "C"', 'j.value COLLATE "C"', "%(most)s",
        "CROSS JOIN LATERAL (SELECT k.record_id, k.source_id FROM crm_match_key k "
        'WHERE k.record_type = j.type COLLATE "C" AND k.kind = j.kind COLLATE "C" AND k.key = j.value COLLATE "C" '
        "LIMIT %(most)s) m",
    ),
}  # fmt: skip


@attrs.define
class Holders:
    """Who has keys already: those that the actor sees, and those that are out of sight.

    Who is seen, but not what the key is read from, is neither.
    """

    hidden: defaultdict[Key, set[int]] = attrs.field(factory=lambda: defaultdict(set))
    seen: defaultdict[Key, set[int]] = attrs.field(factory=lambda: defaultdict(set))


def holders_of(session: CrmSession, record_type: RecordType, keys: Collection[Key]) -> Holders:
    """Like :func:`all_holders`, of one type."""
    return all_holders(session, {record_type.name: keys})[record_type.name]


def all_holders(session: CrmSession, keys: Mapping[str, Collection[Key]]) -> dict[str, Holders]:
    """By record type who holds these keys already; one statement, and one for each type of record involved where
    somebody does.

    What is common is judged by what the actor sees: that many others have a key must not show either.
    """
    most = session.policy.duplicates.most
    sought = {name: sorted(some) for name, some in keys.items()}
    if session.dialect == "sqlite":
        texts: dict[str, dict[str, list[str]]] = {name: {} for name in sought}
        for name, some in sought.items():
            for kind, text in some:
                texts[name].setdefault(kind, []).append(text)
        parameters: Any = (json.encode(texts).decode(), most)
    else:
        each = [(name, *key) for name, some in sought.items() for key in some]
        parameters = {"types": [name for name, _, _ in each], "kinds": [kind for _, kind, _ in each],
                      "keys": [text for _, _, text in each], "most": most}  # fmt: skip
    held: dict[str, list[tuple[Key, int, int]]] = {name: [] for name in sought}
    common: dict[str, defaultdict[str, list[str]]] = {name: defaultdict(list) for name in sought}
    for name, kind, text, id_, source_id in session.core_connection().exec_driver_sql(
        _HOLDERS[session.dialect], parameters
    ):
        if id_ is None:
            common[name][kind].append(text)
        else:
            held[name].append(((kind, text), id_, source_id))
    return {name: _known_to_actor(session, session.types[name], held[name], common[name]) for name in sought}


def _known_to_actor(
    session: CrmSession,
    record_type: RecordType,
    held: Sequence[tuple[Key, int, int]],
    common: Mapping[str, Sequence[str]],
) -> Holders:
    """Those of the holders of one type that the actor sees, also of keys that are ``common``, and the others."""
    found = Holders()
    visible = session.writer.visible_ids(record_type, {id_ for _, id_, _ in held}) if held else set()
    read = _read_sources(session, record_type, [each for each in held if each[1] in visible])
    for key, id_, source_id in held:
        if id_ not in visible:
            found.hidden[key].add(id_)
        elif source_id == id_ or source_id in read:
            found.seen[key].add(id_)
    conditions = visible_keys(session, record_type) if common else []
    if conditions:
        held_by = MATCH_KEY.c
        query = select(held_by.kind, held_by.key, held_by.record_id).distinct()
        many = or_(*(and_(held_by.kind == kind, held_by.key.in_(some)) for kind, some in common.items()))
        for row in session.core(query.where(held_by.record_type == record_type.name, many, *conditions)):
            found.seen[row.kind, row.key].add(row.record_id)
    return found


def _read_sources(session: CrmSession, record_type: RecordType, held: Iterable[tuple[Key, int, int]]) -> set[int]:
    """The other records that keys are read from, as far as the actor sees them."""
    by_type: defaultdict[str, set[int]] = defaultdict(set)
    for (kind, _), id_, source_id in held:
        for name, kinds in READ_FROM[record_type.name].items():
            if kind in kinds and source_id != id_:
                by_type[name].add(source_id)
    return {id_ for name, ids in by_type.items() for id_ in session.writer.visible_ids(session.types[name], ids)}


# -- the table -------------------------------------------------------------------------------------------------


@attrs.frozen
class Reindexed:
    """The state of the table of match keys: how many ``keys`` it has to hold, and what was missing or too much."""

    keys: int
    missing: int = 0
    surplus: int = 0

    @property
    def right(self) -> bool:
        """Whether the table was as it has to be."""
        return not (self.missing or self.surplus)


def reindex(session: CrmSession) -> Reindexed:
    """Work out all match keys anew, as after a change of ``[duplicates]``; needs the permission ``system.reindex``."""
    before = check_index(session)
    return Reindexed(match_keys.reindex(session), before.missing, before.surplus)


def check_index(session: CrmSession) -> Reindexed:
    """Compare the table of match keys with the records; needs the permission ``system.reindex``."""
    if not session.visibility.reach("system.reindex").all:
        raise PermissionDenied(
            "{principal} may not work on indexes.",
            mend="A role with the permission {permission} at scope all is needed.",
            principal=session.actor.principal,
            permission="system.reindex",
        )
    session.writer.write_down()
    return Reindexed(*match_keys.check_keys(session))
