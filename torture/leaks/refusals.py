"""Refusals, warnings and previews: what they say of a record that is not seen they say of one that is not there."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, TypeAlias

from sqlalchemy import delete, update

from crm_core import (
    Account,
    Contact,
    ContactPoint,
    CrmError,
    CrmSession,
    NotFound,
    PointKind,
    RecordType,
    Scope,
    merging,
    pools,
)
from crm_core.expressions import parse
from crm_core.store.history import change_set, change_sets, history
from crm_core.testing.conformance.marks import markable, marks_in
from torture.leaks.asker import MISSING, Asker
from torture.leaks.telling import told
from torture.leaks.verbs import like

__all__ = ["refusals"]

GROUP = "refusals and previews"
POOLS = "pools"
_HIDDEN = 4
_UNDONE = 25

Work: TypeAlias = Callable[[CrmSession, int], Any]


def refusals(asker: Asker) -> None:
    """Of every type some that are hidden."""
    for record_type in asker.types:
        hidden = asker.ids(record_type.name) - asker.seen(record_type.name, ever=True)
        for id_ in asker.sample(hidden, _HIDDEN):
            _like_missing(asker, record_type, id_)
    _doubles(asker)
    _change_sets(asker)
    _pools(asker)


def _like_missing(asker: Asker, record_type: RecordType, id_: int) -> None:
    for way, work in _works(asker, record_type, id_):
        given, expected = (_refusal(asker, work, each) for each in (id_, MISSING))
        asker.tally.same(GROUP, way, record_type.name, given, expected)


def _works(asker: Asker, record_type: RecordType, hidden: int) -> Iterator[tuple[str, Work]]:
    cls, name = record_type.cls, record_type.name
    texts = [field.name for field in record_type.fields if markable(field) and field.restricted is None]
    yield "require", lambda s, id_: s.require(cls, id_)
    yield "delete", lambda s, id_: s.delete_many(cls, [id_])
    yield "delete by criteria", lambda s, id_: _touched(s, delete(cls).where(cls.id == id_))
    yield "history", lambda s, id_: history(s, name, id_)
    yield "explain", lambda s, id_: s.explain(like(cls, id_))
    yield "refresh", lambda s, id_: s.refresh(like(cls, id_))
    yield "resolve", lambda s, id_: merging.resolve(s, record_type, id_)
    yield "doubles", lambda s, id_: merging.merged_into(s, record_type, [id_])
    if texts:
        yield "update", lambda s, id_: s.update_many(cls, [{"id": id_, texts[0]: "x"}])
        changed = update(cls).values({texts[0]: "x"})
        yield "update by criteria", lambda s, id_: _touched(s, changed.where(cls.id == id_))
    for child, field in asker.crm.types.referring(name):
        # Where one refers to it already, the value is there to be read, and nothing would change.
        others = {id_ for id_ in asker.seen(child.name) if asker.oracle.rows[child.name][id_][field.name] != hidden}
        for row in asker.sample(others, 1):
            yield (
                f"point to it from {child.name}.{field.name}",
                partial(_point, cls=child.cls, row=row, field=field.name),
            )


def _touched(session: CrmSession, statement: Any) -> int:
    """How many rows a statement changed."""
    return int(getattr(session.execute(statement), "rowcount", 0))


def _point(session: CrmSession, id_: int, cls: Any, row: int, field: str) -> int:
    return session.update_many(cls, [{"id": row, field: id_}])


def _refusal(asker: Asker, work: Work, id_: int) -> str:
    with asker.session(reason="torture") as session:
        try:
            said = told(work(session, id_))
            session.check()
        except CrmError as error:
            said = f"{type(error).__name__}: {error.text()}"
        session.rollback()
    return re.sub(rf"\b{id_}\b", "ID", said)


def _doubles(asker: Asker) -> None:
    """Whoever creates what is there already is told so only of what they see."""
    rows = asker.oracle.rows
    made: list[tuple[str, int, Callable[[CrmSession, Mapping[str, Any]], Any]]] = [
        ("account", id_, lambda s, row: s.add_one(Account(name=row["name"], phone=row["phone"])))
        for id_ in asker.sample(asker.ids("account"), 6)
    ]
    made += [("contact", id_, _person) for id_ in asker.sample(asker.ids("contact"), 6)]
    for record, id_, make in made:
        with asker.session(reason="torture") as session:
            try:
                make(session, rows[record][id_])
                session.check()
            except CrmError as error:
                said = marks_in(error.text()) - marks_in(str(rows[record][id_]["name"]))
                asker.tally.said(GROUP, "doubles of a new record", record, said, asker.hidden(said), set())
            else:
                ours = set(session.writer.created.of(asker.crm.types[record]))
                found = {other for each in session.duplicates for other in (each.id, each.other_id)} - ours
                seen = {other for other in found if asker.oracle.sees(asker.user, record, other)}
                asker.tally.ids(GROUP, "doubles of a new record", record, found, seen, asker.ids(record))
                asker.tally.number(GROUP, "served out of sight", record, len(session.served), 0)
            session.rollback()


def _person(session: CrmSession, row: Mapping[str, Any]) -> None:
    person = session.add_one(Contact(name=row["name"]))
    session.flush()
    session.add(ContactPoint(contact_id=person.id, kind=PointKind.EMAIL, value="zq@firm0001.example"))


def _change_sets(asker: Asker) -> None:
    """One's own change sets are known; a preview of their undo tells nothing of what is out of sight by now."""
    made = asker.company.change_sets
    all_of_them = asker.oracle.widest(asker.user, "system.undo") == Scope.ALL
    own = {id_ for id_, user in made.items() if all_of_them or user == asker.user}
    with asker.session() as session:
        listed = [each.id for each in change_sets(session, limit=len(made) + 1)]
        asker.tally.ids(GROUP, "list of change sets", "change set", listed, own, made)
        for id_ in asker.sample(set(made), _UNDONE):
            try:
                found = change_set(session, id_).id
            except NotFound:
                found = None
            asker.tally.ids(GROUP, "a change set", "change set", [found], {id_} & own, {id_})
    for id_ in [*asker.sample(own, _UNDONE), *asker.sample(set(made) - own, 3)]:
        with asker.session(reason="torture") as session:
            try:
                said = told(session.undo(id_, dry_run=True).conflicts)
            except CrmError as error:
                said = error.text()
            session.rollback()
        shown = marks_in(said)
        asker.tally.right(GROUP, "undo preview")
        named = {(name, int(number)) for name, number in re.findall(r"'([a-z_.]+) (\d+)'", said)}
        hidden = {
            (name, number)
            for name, number in named
            if number in asker.oracle.rows.get(name, {}) and not asker.oracle.sees(asker.user, name, number)
        }
        if asker.hidden(shown) or hidden:
            asker.tally.bad("leak", GROUP, "undo preview", "change set", f"{id_}: {said[:300]}")


def _pools(asker: Asker) -> None:
    """Members see what is in a pool, of it the fields that are shown, and can ask about no others."""
    rows = asker.oracle.rows
    now = asker.company.organisation.now
    held = {
        row["account_id"]
        for row in rows["ownership"].values()
        if row["role"].value == "owner" and not row["scope"] and (row["valid_to"] is None or row["valid_to"] > now)
    }
    free = {id_ for id_, row in rows["account"].items() if row["active"] and id_ not in held}
    best = {id_ for id_ in free if rows["account"][id_]["grade"] == "A"}
    inside = {"best": best, "rest": free - best}
    places = [row for row in rows["membership"].values() if row["user_id"] == asker.user and asker.oracle.holds(row)]
    all_of_them = asker.oracle.widest(asker.user, "account.read") == Scope.ALL
    with asker.session() as session:
        looked = {each.pool.name: each.free for each in pools.counts(session)}
        for name, pool in session.policy.pools.items():
            member = all_of_them or any(place["role"] in pool.roles for place in places)
            expected = inside[name] if member else set()
            asker.tally.number(POOLS, "counts", name, looked.get(name), len(expected) if member else None)
            try:
                offers = list(pools.browse(session, name, limit=1000))
            except CrmError:
                offers = []
            asker.tally.ids(POOLS, "browse", name, [each.id for each in offers], expected, rows["account"])
            fields = {field for each in offers for field in each.values}
            asker.tally.same(POOLS, "fields of an offer", name, sorted(fields - set(pool.show)), [])
            for where in ('note == "x"', "owner is None", "any(contacts)", "phone is None"):
                parse(where)
                asker.tally.right(POOLS, "filters over other fields")
                try:
                    pools.browse(session, name, where)
                except CrmError:
                    continue
                asker.tally.bad("leak", POOLS, "filters over other fields", name, where)
        try:
            found: list[int] | None = list(pools.orphans(session, limit=1000).ids)
        except CrmError:
            found = None
        asker.tally.right(POOLS, "orphans")
        if (found is not None) != all_of_them:
            asker.tally.bad("leak" if found is not None else "hidden", POOLS, "orphans", "account", str(found))
