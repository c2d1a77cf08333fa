"""The verbs of a session, for every record by its id: get, require, refresh, history, explain; pages; the past."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

from crm_core import CrmSession, ExpressionError, NotFound, RecordType
from crm_core.store.history import history
from crm_core.testing.conformance.marks import marks_in
from torture.leaks.asker import MISSING, Asker

__all__ = ["like", "verbs"]

GROUP = "verbs"
_EACH = 12
_OLD = dt.timedelta(days=15)
_BEFORE = dt.timedelta(days=60)


def verbs(asker: Asker) -> None:
    """One after another."""
    with asker.session() as session:
        for record_type in asker.types:
            for id_ in asker.sample(asker.ids(record_type.name), _EACH):
                _one(asker, session, record_type, id_)
            _pages(asker, session, record_type)
    for record_type in asker.types:
        _past(asker, record_type)
        _other_days(asker, record_type)


def like(cls: Any, id_: int) -> Any:
    """A record that is nothing but its id, such as somebody may make up."""
    record = cls.__new__(cls)
    cls.__mapper__.class_manager.setup_instance(record)
    record.__dict__["id"] = id_
    return record


def _one(asker: Asker, session: CrmSession, record_type: RecordType, id_: int) -> None:
    name, cls, tally = record_type.name, record_type.cls, asker.tally
    sees = asker.oracle.sees(asker.user, name, id_)
    expected = {id_} if sees else set()
    due = asker.words(record_type, id_) if sees else set()
    closed = asker.words(record_type, id_, closed=True) - due

    session.expunge_all()
    found = session.get(cls, id_)
    tally.ids(GROUP, "get", name, [getattr(found, "id", None)], expected, {id_})
    if found is not None:
        # A restricted field is not loaded; reading it is refused, and shows nothing.
        shown = marks_in(str({key: value for key, value in vars(found).items() if not key.startswith("_")}))
        tally.said(GROUP, "values of get", name, shown, asker.hidden(closed), due)
    session.expunge_all()
    tally.ids(GROUP, "get after another look", name, [getattr(session.get(cls, id_), "id", None)], expected, {id_})
    works: dict[str, Callable[[], Any]] = {
        "require": lambda: session.require(cls, id_),
        "refresh": lambda: session.refresh(_held(session, cls, id_)),
        "history": lambda: history(session, name, id_),
    }
    for way, work in works.items():
        session.expunge_all()
        try:
            work()
        except NotFound:
            tally.ids(GROUP, way, name, [], expected, {id_})
        else:
            tally.ids(GROUP, way, name, [id_], expected, {id_})
    tally.ids(GROUP, "explain", name, [id_ if session.explain(like(cls, id_)) else None], expected, {id_})
    for way, where in (("list by id", f"id == {id_}"), ("list by ids", f"id in ({id_}, {MISSING})")):
        listed = session.list(cls, where, all_dates=True)
        tally.ids(GROUP, way, name, [each.id for each in listed], expected, {id_})
    tally.number(GROUP, "count by id", name, session.count(cls, f"id == {id_}", all_dates=True), len(expected))
    try:
        events = history(session, name, id_)
    except NotFound:
        return
    if sees:
        tally.said(GROUP, "words of history", name, marks_in(str(events)), asker.hidden(closed), set())


def _held(session: CrmSession, cls: Any, id_: int) -> Any:
    """The record, if it can be had; else one that only has its id."""
    found = session.get(cls, id_)
    return like(cls, id_) if found is None else found


def _pages(asker: Asker, session: CrmSession, record_type: RecordType) -> None:
    """By every field, forwards and backwards, in pages of seven."""
    name, cls = record_type.name, record_type.cls
    seen, there = asker.seen(name), asker.ids(name)
    fields = [field.name for field in record_type.fields if field.restricted is None]
    for order in (None, "created_at desc", *(f"{field} {asker.chance.choice(('asc', 'desc'))}" for field in fields)):
        found: list[int] = []
        after = None
        try:
            while page := session.list(cls, order=order, limit=7, after=after):
                found += [each.id for each in page]
                after = session.cursor(page[-1], order)
        except ExpressionError:
            continue  # there is no order of such values
        asker.tally.ids(GROUP, "pages by an order", name, found, seen, there)


def _past(asker: Asker, record_type: RecordType) -> None:
    """The rows are those of the day, the rights those of today; what is deleted is for those who see everything."""
    name, cls = record_type.name, record_type.cls
    now = asker.company.organisation.now
    everything = asker.oracle.sees_everything(asker.user, name)
    ever = asker.seen(name, ever=True)
    rows = asker.oracle.rows[name]
    for way, moment in (
        ("as of now", now),
        ("as of two weeks ago", now - _OLD),
        ("as of two months ago", now - _BEFORE),
    ):
        with asker.session(as_of=moment) as session:
            listed = session.list(cls, limit=None, all_dates=True)
            gone = {each.id for each in listed} - rows.keys()
            expected = {id_ for id_ in ever if rows[id_]["created_at"] <= moment}
            asker.tally.ids(GROUP, way, name, [each.id for each in listed], expected | (gone if everything else set()),
                            rows.keys() | gone)  # fmt: skip
            asker.tally.number(GROUP, f"count {way}", name, session.count(cls, all_dates=True), len(listed))
            for id_ in asker.sample(set(rows), 4):
                found = session.get(cls, id_)
                asker.tally.ids(GROUP, f"get {way}", name, [getattr(found, "id", None)], {id_} & expected, {id_})
            closed: set[str] = set()
            for each in listed:
                closed |= {
                    word
                    for field in record_type.fields
                    if not asker.reads(field)
                    for word in marks_in(str(vars(each).get(field.name)))
                }
            asker.tally.said(GROUP, f"restricted fields {way}", name, closed, closed, set())


def _other_days(asker: Asker, record_type: RecordType) -> None:
    """Another day of the business: of dated records those that held then."""
    if not record_type.dated:
        return
    name, cls, now = record_type.name, record_type.cls, asker.company.organisation.now
    for days in (-200, -2, 10):
        moment = now + dt.timedelta(days=days)
        with asker.session(at=moment) as session:
            expected = asker.oracle.visible(asker.user, name, moment)
            listed = [each.id for each in session.list(cls, limit=None)]
            asker.tally.ids(GROUP, "at another day", name, listed, expected, asker.ids(name))
            asker.tally.number(GROUP, "count at another day", name, session.count(cls), len(expected))
