"""Statement forms: every way to write a query, over every record type."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import delete, except_, exists, func, intersect, select, true, update
from sqlalchemy.orm import aliased

from crm_core import Conflict, CrmSession, NotFound, Objection, PermissionDenied, RecordType, ValidationError
from crm_core.testing.conformance.looks import LOOKS, counts, navigations
from crm_core.testing.conformance.marks import markable
from torture.leaks.asker import Asker
from torture.leaks.tally import Direction

__all__ = ["statements"]

GROUP = "statement forms"


def _window(session: CrmSession, cls: Any) -> Any:
    numbered = select(cls.id, func.row_number().over(order_by=cls.id).label("number")).subquery()
    rows = session.execute(select(numbered.c.id, numbered.c.number)).all()
    # A number that is missing would tell of a row before it.
    return [row.id for row in rows] if sorted(row.number for row in rows) == [*range(1, len(rows) + 1)] else [-1]


def _intersection(session: CrmSession, cls: Any) -> Any:
    return session.scalars(intersect(select(cls.id), select(aliased(cls).id)))


def _except(session: CrmSession, cls: Any) -> Any:
    other = aliased(cls)
    return session.scalars(except_(select(cls.id), select(other.id).where(other.id < 0)))


def _lateral(session: CrmSession, cls: Any) -> Any:
    other = aliased(cls)
    inner = select(other.id).where(other.id == cls.id).correlate(cls).subquery()
    return session.scalars(select(cls.id).where(cls.id.in_(select(inner.c.id))))


def _nested(session: CrmSession, cls: Any) -> Any:
    inner = select(cls.id).where(cls.id.in_(select(aliased(cls).id))).cte("inside")
    outer = select(inner.c.id).subquery()
    return session.scalars(select(cls.id).join(outer, outer.c.id == cls.id))


def _not_exists(session: CrmSession, cls: Any) -> Any:
    other = aliased(cls)
    return session.scalars(select(cls.id).where(~exists().where(other.id == cls.id, other.id < 0)))


def _cross(session: CrmSession, cls: Any) -> Any:
    other = aliased(cls)
    return set(session.scalars(select(other.id).select_from(cls).join(other, true())))


FURTHER: Mapping[str, Callable[[CrmSession, Any], Any]] = {
    "window": _window,
    "intersection": _intersection,
    "except": _except,
    "correlated subquery": _lateral,
    "nested": _nested,
    "not exists": _not_exists,
    "cross join": _cross,
    "distinct": lambda s, c: s.scalars(select(c.id).distinct()),
    "first and rest": lambda s, c: [
        *s.scalars(select(c.id).order_by(c.id).limit(1)), *s.scalars(select(c.id).order_by(c.id).offset(1))
    ],
}  # fmt: skip


def statements(asker: Asker) -> None:
    """Every form over every type, along every navigation, and from every parent down."""
    with asker.session() as session:
        for record_type in asker.types:
            _rows(asker, session, record_type)
            _counts(asker, session, record_type)
            _navigations(asker, session, record_type)
            _children(asker, session, record_type)
    for record_type in asker.types:
        _changes(asker, record_type)


def _rows(asker: Asker, session: CrmSession, record_type: RecordType) -> None:
    name, cls = record_type.name, record_type.cls
    seen, ever, there = asker.seen(name), asker.seen(name, ever=True), asker.ids(name)
    for way, find in {**LOOKS, **FURTHER}.items():
        asker.tally.ids(GROUP, way, name, find(session, cls), seen, there)
    options = {"all_dates": True}
    for way, statement in (
        ("all dates", select(cls.id)),
        ("all dates, alias", select(aliased(cls).id)),
        ("all dates, subquery", select(select(cls.id).subquery().c.id)),
    ):
        asker.tally.ids(GROUP, way, name, session.scalars(statement, execution_options=options), ever, there)


def _counts(asker: Asker, session: CrmSession, record_type: RecordType) -> None:
    expected = len(asker.seen(record_type.name))
    for way, found in counts(session, record_type.cls).items():
        asker.tally.number(GROUP, way, record_type.name, found, expected)


def _navigations(asker: Asker, session: CrmSession, record_type: RecordType) -> None:
    """Of each record that is seen: whether what it refers to is shown."""
    name, rows = record_type.name, asker.oracle.rows[record_type.name]
    seen = asker.seen(name)
    for parent in record_type.parents:
        target = str(record_type.by_name[parent.field].target)
        if parent.field != f"{parent.name}_id":
            continue
        led = {id_: rows[id_][parent.field] for id_ in seen}
        right = {
            id_: to if to is not None and asker.oracle.sees(asker.user, target, to) else None for id_, to in led.items()
        }
        for way, found in navigations(session, record_type.cls, parent.name).items():
            where = f"{name}.{parent.name}"
            if way == "outer join":
                # What is joined openly is dated like what is asked for; loading along a navigation loses no row.
                ends = asker.seen(target)
                expected = {id_: to if to in ends else None for id_, to in right.items()}
            else:
                expected = right
            if way == "has":
                held = asker.seen(target)
                expected = {id_: to if to in held else None for id_, to in right.items()}
            asker.tally.right(GROUP, f"{way} along a navigation", len(led))
            for id_ in found.keys() | expected.keys():
                given, wanted = found.get(id_), expected.get(id_)
                if given != wanted:
                    direction: Direction = "leak" if given is not None else "hidden"
                    asker.tally.bad(
                        direction, GROUP, f"{way} along a navigation", where, f"{id_}: {given}, not {wanted}"
                    )


def _children(asker: Asker, session: CrmSession, record_type: RecordType) -> None:
    """Counting what hangs on others, and asking which of them have any, tells of no row that is not seen."""
    name, cls, rows = record_type.name, record_type.cls, asker.oracle.rows[record_type.name]
    for field in record_type.refs:
        target = asker.crm.types[str(field.target)]
        tops, seen = asker.seen(target.name), asker.seen(name)
        below: dict[int, int] = {}
        for id_ in seen:
            if rows[id_][field.name] in tops:
                below[rows[id_][field.name]] = below.get(rows[id_][field.name], 0) + 1
        child = aliased(cls)
        reference = getattr(child, field.name)
        top = aliased(target.cls)
        grouped = session.execute(
            select(top.id, func.count(child.id)).select_from(top).join(child, reference == top.id).group_by(top.id)
        )
        counted: dict[int, int] = {row[0]: row[1] for row in grouped}
        there = len(asker.ids(target.name))
        asker.tally.right(GROUP, "count of children", there)
        for id_ in counted.keys() | below.keys():
            one, other = counted.get(id_, 0), below.get(id_, 0)
            if one != other:
                where = f"{name}.{field.name}"
                below_that: Direction = "leak" if one > other else "hidden"
                asker.tally.bad(
                    below_that, GROUP, "count of children", where, f"{target.name} {id_}: {one}, not {other}"
                )
        having = session.scalars(select(top.id).where(exists().where(reference == top.id)))
        asker.tally.ids(GROUP, "exists a child", f"{name}.{field.name}", having, set(below), asker.ids(target.name))


def _changes(asker: Asker, record_type: RecordType) -> None:
    """An update or delete by criteria touches nothing that is not seen; all of it is taken back."""
    name, cls = record_type.name, record_type.cls
    seen = asker.seen(name)
    texts = [field.name for field in record_type.fields if markable(field) and field.restricted is None]
    statements: list[tuple[str, Any]] = [("delete", delete(cls).where(cls.id > 0))]
    statements += [("update", update(cls).where(cls.id > 0).values({text: "x"})) for text in texts[:1]]
    for verb, statement in statements:
        with asker.session(reason="torture") as session:
            try:
                touched = getattr(session.execute(statement), "rowcount", 0)
            except (PermissionDenied, Conflict, NotFound, Objection, ValidationError):
                touched = 0
            session.rollback()
        allowed = {id_ for id_ in seen if asker.oracle.may(asker.user, name, id_, verb)}
        asker.tally.right(GROUP, f"{verb} by criteria", len(asker.ids(name)))
        if touched > len(allowed):
            asker.tally.bad("leak", GROUP, f"{verb} by criteria", name, f"touched {touched}, not {len(allowed)}")
