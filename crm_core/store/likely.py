"""A page of the likeliest duplicates, at a cost that hardly depends on how many records there are.

:func:`~crm_core.store.duplicates.candidates` compares all with all, to put the likeliest first. Here one walks along
the index of match keys, the kinds that say most first, and stops when the page is full. Whether the actor sees a holder
is asked of the few keys that several records share, and of no others.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from sqlalchemy import (
    ColumnElement,
    Select,
    and_,
    exists,
    func,
    or_,
    select,
    tuple_,
)

from crm_core.records import Record, RecordType
from crm_core.store.duplicates import KINDS, Candidate, Exact, candidates, make_candidate, visible_keys
from crm_core.store.match_keys import KINDS_OF, READ_FROM, Key
from crm_core.store.parts import in_parts
from crm_core.store.tables import MATCH_KEY

if TYPE_CHECKING:
    from crm_core.store.session import CrmSession

__all__ = ["likeliest", "shared_sources"]

_KEYS_OF_A_PAIR = 4
"""So many keys of one kind two records share at most, as a rule: names, numbers, addresses."""

Condition: TypeAlias = Callable[[Any], ColumnElement[bool]]
"""Makes a condition of the columns of the table of keys."""


def likeliest(
    session: CrmSession, cls: type[Record], *, least: float, where: str | None = None, limit: int | None = None
) -> list[Candidate]:
    """Pairs that share a key which alone says as much as ``least``: at most ``limit``, the likeliest first.

    Of more pairs those are chosen whose strongest common key is of the strongest kind. ``where`` is a filter that at
    least one of a pair must match. A statement for each kind of key, and three more at most. Without a limit, for
    whoever sees few records, and by another engine than the kernel's own, all pairs are compared.
    """
    record_type = cls.crm_type
    if limit is None or not isinstance(session.store.matcher, Exact) or _few(session, record_type):
        return candidates(session, cls, where=where, least=least, limit=limit)
    session.writer.write_down()
    telling = [kind for kind in KINDS_OF[record_type.name] if KINDS[kind] >= least]
    kinds = sorted(telling, key=lambda kind: (-KINDS[kind], kind))
    rows, matching = record_type.table, None if where is None else session.where(cls, where)
    among = None if matching is None else lambda key: exists().where(rows.c.id == key.record_id, matching)
    most = limit * _KEYS_OF_A_PAIR
    keys = [(kind, key) for kind in kinds for key in _walk(session, record_type, kind, limit=most, among=among)][:most]
    if not keys:
        return []
    holders = _holders(session, record_type, _these(keys))
    wanted = {id_ for held in holders.values() for id_ in held}
    if matching is not None:
        wanted = set(session.core(select(rows.c.id).where(rows.c.id.in_(wanted), matching)).scalars())
    pairs: dict[tuple[int, int], set[Key]] = {}
    for each in keys:
        for pair in _pairs(holders[each], wanted):
            if len(pairs) < limit:
                pairs[pair] = set()
    for each, held in _in_common(session, record_type, {id_ for pair in pairs for id_ in pair}).items():
        for pair in _pairs(held, wanted):
            if pair in pairs:
                pairs[pair].add(each)
    made = [make_candidate(record_type.name, one, other, shared) for (one, other), shared in pairs.items()]
    return sorted(made, key=lambda each: (-each.score, each.id, each.other_id))


def shared_sources(
    session: CrmSession,
    record_type: RecordType,
    kinds: Sequence[str],
    *,
    limit: int | None,
    only: Condition,
    within: Select[Any] | None = None,
) -> list[int]:
    """The ids of what shared keys are read from, such as contact points; at most ``limit`` keys of each kind.

    ``only`` says which keys count; ``within`` selects the ids of the records that are looked at, when they are few. It
    does not ask whether the actor sees these sources. A statement for each kind of key, and one more; for very many
    keys one for each thousand.
    """
    session.writer.write_down()
    key = MATCH_KEY.c
    found: set[int] = set()
    for kind in kinds:
        keys = _walk(session, record_type, kind, limit=limit, only=only, within=within)
        for part in in_parts(keys):
            same = and_(key.record_type == record_type.name, key.kind == kind, key.key.in_(part))
            found.update(session.core(select(key.source_id).where(same)).scalars())
    return sorted(found)


def _walk(
    session: CrmSession,
    record_type: RecordType,
    kind: str,
    *,
    limit: int | None,
    among: Condition | None = None,
    only: Condition | None = None,
    within: Select[Any] | None = None,
) -> list[str]:
    """Keys of a kind that several records share, as far as the actor sees them: by a walk along the index."""
    key = MATCH_KEY.c
    walk = select(key.key).where(key.record_type == record_type.name, key.kind == kind)
    if within is not None:
        walk = walk.where(key.record_id.in_(within))
    holder = MATCH_KEY.alias()
    conditions = [_same(holder.c, record_type, kind, key.key), *_sees(session, record_type, holder.c)]
    if only is not None:
        conditions.append(only(holder.c))
    # Only of keys that several have at all it is asked who may be seen.
    several: ColumnElement[bool] = func.count(key.record_id.distinct()) > 1
    count = select(func.count(holder.c.record_id.distinct())).where(*conditions).scalar_subquery()
    several = and_(several, count.between(2, session.policy.duplicates.most))
    if among is not None:
        other = MATCH_KEY.alias()
        several = and_(several, exists().where(_same(other.c, record_type, kind, key.key), among(other.c)))
    return list(session.core(walk.group_by(key.key).having(several).order_by(key.key).limit(limit)).scalars())


def _few(session: CrmSession, record_type: RecordType) -> bool:
    """Whether the actor sees so few records that it is best to begin with them."""
    visibility = session.visibility
    return not visibility.wide and visibility.criterion(record_type, record_type.table) is not None


def _own_keys(session: CrmSession, record_type: RecordType, kinds: Sequence[str], only: Condition) -> list[Key]:
    """What several records share that an actor sees who sees few."""
    key = MATCH_KEY.c
    of_these = [key.record_type == record_type.name, key.kind.in_(kinds), only(key)]
    shared = func.count(key.record_id.distinct()).between(2, session.policy.duplicates.most)
    query = (
        select(key.kind, key.key)
        .where(*of_these, *visible_keys(session, record_type))
        .group_by(key.kind, key.key)
        .having(shared)
    )
    return [(row.kind, row.key) for row in session.core(query)]


def _these(keys: Sequence[Key]) -> ColumnElement[bool]:
    """That a key is one of these; kind by kind, as an index is asked."""
    key, of_kind = MATCH_KEY.c, defaultdict[str, list[str]](list)
    for kind, value in keys:
        of_kind[kind].append(value)
    return or_(*(and_(key.kind == kind, key.key.in_(some)) for kind, some in of_kind.items()))


def _same(key: Any, record_type: RecordType, kind: Any, value: Any) -> ColumnElement[bool]:
    return and_(key.record_type == record_type.name, key.kind == kind, key.key == value)


def _sees(session: CrmSession, record_type: RecordType, key: Any) -> list[ColumnElement[bool]]:
    """The conditions that the actor sees the holder of a key, and what the key is read from, asked row by row."""
    visibility = session.visibility
    record = visibility.sees(record_type, key.record_id)
    conditions = [] if record is None else [record]
    sources = {kinds: visibility.sees(session.types[name], key.source_id)
               for name, kinds in READ_FROM[record_type.name].items()}  # fmt: skip
    if any(seen is not None for seen in sources.values()):
        grounds: list[Any] = [key.source_id == key.record_id]
        for kinds, seen in sources.items():
            ground = key.kind.in_(sorted(kinds))
            grounds.append(ground if seen is None else and_(ground, seen))
        conditions.append(or_(*grounds))
    return conditions


def _holders(session: CrmSession, record_type: RecordType, condition: ColumnElement[bool]) -> dict[Key, list[int]]:
    """By key the records that hold it, as far as the actor sees them."""
    key = MATCH_KEY.c
    query = select(key.record_id, key.kind, key.key).where(key.record_type == record_type.name, condition).distinct()
    found: defaultdict[Key, list[int]] = defaultdict(list)
    # Sorted here: a database that is asked for this order would rather look at all keys of all records.
    for id_, kind, value in sorted(tuple(row) for row in session.core(query.where(*_sees(session, record_type, key)))):
        found[kind, value].append(id_)
    return found


def _in_common(session: CrmSession, record_type: RecordType, ids: Collection[int]) -> dict[Key, list[int]]:
    """What several of these records have in common, unless very many have it."""
    key, own, holder = MATCH_KEY.c, MATCH_KEY.alias().c, MATCH_KEY.alias().c
    of_these = and_(own.record_type == record_type.name, own.record_id.in_(sorted(ids)))
    several = func.count(own.record_id.distinct()) > 1
    shared = select(own.kind, own.key).where(of_these).group_by(own.kind, own.key).having(several)
    # Counted no further than it matters: thousands may have a domain.
    same = [_same(holder, record_type, key.kind, key.key), *_sees(session, record_type, holder)]
    most = session.policy.duplicates.most
    some = select(holder.record_id).where(*same).distinct().limit(most + 1).correlate(MATCH_KEY).subquery()
    few = select(func.count()).select_from(some).scalar_subquery() <= most
    return _holders(
        session, record_type, and_(key.record_id.in_(sorted(ids)), tuple_(key.kind, key.key).in_(shared), few)
    )


def _pairs(holders: Sequence[int], wanted: Collection[int]) -> Iterator[tuple[int, int]]:
    """Each two of them of which one at least is wanted, in the order of their ids."""
    for position, one in enumerate(holders):
        for other in holders[position + 1 :]:
            if one in wanted or other in wanted:
                yield one, other
