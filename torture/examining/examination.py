"""All that must hold of a database whatever happened to whoever was writing to it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal, TypeAlias

import attrs
from sqlalchemy import func, select

from crm_core import Crm
from crm_core.store import feed
from crm_core.store.match_keys import check_keys
from crm_core.store.store import Store
from crm_core.store.tables import CHANGE, CHANGE_SET, ID_BLOCK, TECHNICAL_TABLES, UNIT_CLOSURE
from torture.examining.replaying import State, contradictions, replayed, state

__all__ = ["Complaint", "Heads", "Kind", "Shape", "examine", "heads"]

Kind: TypeAlias = Literal["lost", "doubled", "half", "broken"]
Shape: TypeAlias = frozenset[tuple[tuple[str, str], int]]
"""What a change set consists of: how many changes of which record type and operation."""
Heads: TypeAlias = dict[int, Shape]
"""Change sets by id, in the order of the feed."""

_FEW = 5
_PAGE = 7  # small, so that the edges of pages are met often


@attrs.frozen
class Complaint:
    """Something that must not be.

    ``lost`` is gone though it was committed, ``doubled`` is there twice, ``half`` is a change set of which only a part
    can be seen, ``broken`` is whatever does not fit together.
    """

    kind: Kind
    text: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.text}"


def heads(store: Store) -> Heads:
    """The change sets that are committed."""
    found: dict[int, Counter[tuple[str, str]]] = {}
    with store.reading() as connection:
        for (id_,) in connection.execute(select(CHANGE_SET.c.id).order_by(CHANGE_SET.c.place, CHANGE_SET.c.id)):
            found[id_] = Counter()
        query = select(CHANGE.c.change_set_id, CHANGE.c.type, CHANGE.c.operation, func.count())
        for id_, name, operation, count in connection.execute(
            query.group_by(CHANGE.c.change_set_id, CHANGE.c.type, CHANGE.c.operation)
        ):
            found.setdefault(id_, Counter())[name, operation] = count
    return {id_: frozenset(shape.items()) for id_, shape in found.items()}


def examine(
    crm: Crm, before: Heads, told: Iterable[int] = (), shapes: Sequence[Shape] | None = None
) -> list[Complaint]:
    """Everything that is wrong with a database.

    ``before`` are the change sets from before, ``told`` those that somebody was told were committed, ``shapes`` what
    the new ones may be like, each as often as it stands there (``None``: anything).
    """
    store = crm.store
    there = state(store)
    found = [Complaint("broken", each) for each in _few(_dangling(store, there))]
    said, wrong = replayed(store)
    found += [Complaint("broken", each) for each in _few([*wrong, *contradictions(there, said)])]
    now = heads(store)
    found += _sets(store, now, before, told)
    if shapes is not None:
        found += _half(now, before, shapes)
    found += _feed(store, now)
    found += [Complaint("broken", each) for each in _derived(crm, there)]
    return found


def _few(each: Iterable[str]) -> list[str]:
    found = list(each)
    return found if len(found) <= _FEW else [*found[:_FEW], f"and {len(found) - _FEW} more"]


def _dangling(store: Store, there: State) -> Iterator[str]:
    """References to what is not there: those that foreign keys keep, and those that nothing keeps."""
    for (name, id_), values in there.items():
        record_type = store.types[name]
        targets = {field.name: field.target for field in record_type.refs}
        if record_type.extends:
            yield from [] if (record_type.extends, id_) in there else [f"{name} {id_} extends nothing"]
        for field, target in targets.items():
            if values.get(field) is not None and (target, values[field]) not in there:
                yield f"{name} {id_}.{field} refers to a {target} {values[field]} that is not there"


def _sets(store: Store, now: Heads, before: Heads, told: Iterable[int]) -> Iterator[Complaint]:
    with store.reading() as connection:
        known = set(connection.execute(select(CHANGE_SET.c.id)).scalars())
        positions: dict[int, list[int]] = {}
        for id_, position in connection.execute(select(CHANGE.c.change_set_id, CHANGE.c.position)):
            positions.setdefault(id_, []).append(position)
    for id_, numbers in positions.items():
        if id_ not in known:
            yield Complaint("half", f"{len(numbers)} changes of the set {id_} are there, and its head is not")
        if sorted(numbers) != list(range(min(numbers), min(numbers) + len(numbers))):
            yield Complaint("half", f"the changes of the set {id_} have gaps: {sorted(numbers)[:20]}")
    for id_, shape in before.items():
        if now.get(id_) != shape:
            yield Complaint("lost", f"the change set {id_} of before is not as it was")
    for id_ in told:
        if id_ not in known:
            yield Complaint("lost", f"the change set {id_} was told to be committed, and is not there")


def _half(now: Heads, before: Heads, shapes: Sequence[Shape]) -> Iterator[Complaint]:
    left = Counter(shapes)
    for id_, shape in now.items():
        if id_ in before:
            continue
        if left[shape] > 0:
            left[shape] -= 1
        elif shape in shapes:
            yield Complaint(
                "doubled", f"the change set {id_} is one more of a kind than there should be: {_said(shape)}"
            )
        else:
            yield Complaint("half", f"the change set {id_} is not a whole one: {_said(shape)}")


def _said(shape: Shape) -> str:
    return ", ".join(f"{count} {name} {operation}d" for (name, operation), count in sorted(shape)) or "empty"


def _feed(store: Store, now: Mapping[int, Shape]) -> Iterator[Complaint]:
    """Read the feed from its beginning, as a consumer would."""
    told: list[int] = []
    changes = 0
    with store.reading() as connection:
        position = feed.Position()
        while page := feed.read(connection, store.types, position, _PAGE):
            position = page[-1][0]
            told += [each.id for _, each in page]
            changes += sum(len(each.changes) for _, each in page)
    counted = Counter(told)
    for id_ in counted.keys() | now.keys():
        if id_ not in counted:
            yield Complaint("lost", f"the feed passes the change set {id_} over")
        elif counted[id_] > 1:
            yield Complaint("doubled", f"the feed tells the change set {id_} {counted[id_]} times")
    if changes != sum(count for shape in now.values() for _, count in shape):
        yield Complaint("lost", "the feed tells fewer changes than there are, or more")


def _derived(crm: Crm, there: State) -> Iterator[str]:
    """What the store keeps beside the records and could work out anew."""
    store = crm.store
    index = crm.check_index()
    if not index.right:
        yield f"the search index is not right: {', '.join(index.examples) or index}"
    with store.session(principal="examination", read_only=True) as session:
        _, missing, superfluous = check_keys(session)
        if missing or superfluous:
            yield f"match keys: {missing} are missing, {superfluous} should not be there"
        closure = {tuple(row) for row in session.core(select(UNIT_CLOSURE))}
        if closure != _closure(there):
            yield "the closure of units is not that of the units"
        # On PostgreSQL a sequence gives ids, which no rollback and no crash takes back.
        if store.dialect == "sqlite":
            following = session.core(select(func.min(ID_BLOCK.c.next))).scalar_one_or_none()
            highest = max((id_ for _, id_ in there), default=0)
            if following is not None and following <= highest:
                yield f"the next id is {following}, and {highest} is in use"
        tables = store.engine.dialect.get_table_names(session.connection())
    own = {each.name for each in TECHNICAL_TABLES}
    yield from (f"a table was left behind: {name}" for name in tables if name.startswith("_") and name not in own)


def _closure(there: State) -> set[tuple[int, int]]:
    parents = {id_: values.get("parent_id") for (name, id_), values in there.items() if name == "unit"}
    found = set()
    for id_ in parents:
        above: int | None = id_
        while above is not None:
            found.add((above, id_))
            above = parents.get(above)
    return found
