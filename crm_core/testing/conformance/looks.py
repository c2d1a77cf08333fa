"""Every way to read records of one type, each as a function that gives the ids it finds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import exists, func, select, union_all
from sqlalchemy.orm import aliased, joinedload, selectinload

from crm_core.errors import NotFound
from crm_core.store.history import history
from crm_core.store.session import CrmSession

__all__ = ["LOOKS", "counts", "navigations", "one_by_one"]

Look = Callable[[CrmSession, Any], Any]


def _alias(session: CrmSession, cls: Any) -> Any:
    return session.scalars(select(aliased(cls).id))


def _alias_of_subquery(session: CrmSession, cls: Any) -> Any:
    return [each.id for each in session.scalars(select(aliased(cls, select(cls).subquery())))]


def _join(session: CrmSession, cls: Any) -> Any:
    one, other = aliased(cls), aliased(cls)
    return session.scalars(select(one.id).join(other, other.id == one.id))


def _outer_join(session: CrmSession, cls: Any) -> Any:
    one, other = aliased(cls), aliased(cls)
    return session.scalars(select(other.id).select_from(one).outerjoin(other, other.id == one.id))


def _exists(session: CrmSession, cls: Any) -> Any:
    other = aliased(cls)
    return session.scalars(select(cls.id).where(exists().where(other.id == cls.id)))


def _cte(session: CrmSession, cls: Any) -> Any:
    return session.scalars(select(select(cls.id).cte().c.id))


def _union(session: CrmSession, cls: Any) -> Any:
    return set(session.scalars(union_all(select(cls.id), select(aliased(cls).id))))


def _scalar_subquery(session: CrmSession, cls: Any) -> Any:
    other = aliased(cls)
    inner = select(func.max(other.id)).where(other.id == cls.id).scalar_subquery()
    return session.scalars(select(inner).select_from(cls))


def _query(session: CrmSession, cls: Any) -> Any:
    return [each.id for each in session.query(cls)]


def _pages(session: CrmSession, cls: Any) -> Any:
    found: list[int] = []
    after = None
    while page := session.list(cls, limit=3, after=after):
        found += [each.id for each in page]
        after = session.cursor(page[-1])
    return found


LOOKS: dict[str, Look] = {
    "entities": lambda s, c: [each.id for each in s.scalars(select(c))],
    "columns": lambda s, c: s.scalars(select(c.id)),
    "ordered": lambda s, c: s.scalars(select(c.id).order_by(c.created_at, c.id)),
    "alias": _alias,
    "alias of a subquery": _alias_of_subquery,
    "join": _join,
    "outer join": _outer_join,
    "exists": _exists,
    "in a subquery": lambda s, c: s.scalars(select(c.id).where(c.id.in_(select(c.id)))),
    "subquery": lambda s, c: s.scalars(select(select(c.id).subquery().c.id)),
    "computed in a subquery": lambda s, c: s.scalars(select(select((c.id + 0).label("n")).subquery().c.n)),
    "common table expression": _cte,
    "union": _union,
    "scalar subquery": _scalar_subquery,
    "group by": lambda s, c: [id_ for id_, count in s.execute(select(c.id, func.count()).group_by(c.id)) if count == 1],
    "query": _query,
    "stream": lambda s, c: [each.id for each in s.scalars(select(c).execution_options(yield_per=2))],
    "list": lambda s, c: [each.id for each in s.list(c, limit=None)],
    "pages": _pages,
    "list by a filter": lambda s, c: [each.id for each in s.list(c, "id > 0", limit=None)],
}
"""What finds all records of a type that the session sees, by what people call it."""


def counts(session: CrmSession, cls: Any) -> dict[str, int | None]:
    """Every way to count."""
    return {
        "count(*)": session.scalar(select(func.count()).select_from(cls)),
        "count(id)": session.scalar(select(func.count(cls.id))),
        "session.count": session.count(cls),
        "session.count by a filter": session.count(cls, "id > 0"),
        "count of a subquery": session.scalar(select(func.count()).select_from(select(cls.id).subquery())),
        "count by query": session.query(cls).count(),
    }


def one_by_one(session: CrmSession, cls: Any, ids: set[int]) -> dict[str, set[int]]:
    """Every way to ask for a record by its id: which of ``ids`` it gives."""
    found: dict[str, set[int]] = {"get": set(), "exists": set(), "history": set(), "explain": set()}
    for id_ in ids:
        if session.get(cls, id_) is not None:
            found["get"].add(id_)
        if session.scalar(select(exists().where(cls.id == id_)), execution_options={"all_dates": True}):
            found["exists"].add(id_)
        try:
            if history(session, cls.crm_type, id_):
                found["history"].add(id_)
        except NotFound:
            pass
        record = cls.__new__(cls)
        cls.__mapper__.class_manager.setup_instance(record)
        record.__dict__["id"] = id_
        if session.explain(record):
            found["explain"].add(id_)
    return found


def navigations(session: CrmSession, cls: Any, name: str) -> dict[str, dict[int, int | None]]:
    """Every way along a navigation: the id it leads to, per record."""
    found: dict[str, dict[int, int | None]] = {}
    attribute = getattr(cls, name)
    for way, options in (("lazy", ()), ("joined", (joinedload(attribute),)), ("select in", (selectinload(attribute),))):
        session.expunge_all()
        records = session.scalars(select(cls).options(*options)).all()
        found[way] = {each.id: getattr(getattr(each, name), "id", None) for each in records}
    target = attribute.property.entity.class_
    session.expunge_all()
    other = aliased(target)  # it may be the same class
    joined = session.execute(select(cls.id, other.id).select_from(cls).outerjoin(attribute.of_type(other)))
    found["outer join"] = dict(tuple(row) for row in joined)
    everyone = dict.fromkeys(found["lazy"])
    if target is not cls:
        having = select(cls.id, getattr(cls, name + "_id")).where(attribute.has())
        found["has"] = {**everyone, **dict(tuple(row) for row in session.execute(having))}
    return found
