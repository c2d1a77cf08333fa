"""From found documents to what people read: titles and excerpts of the records themselves."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import attrs
from sqlalchemy import Text as SqlText
from sqlalchemy import literal, null, select, type_coerce, union_all

from crm_core.errors import UnsupportedStatement, ValidationError
from crm_core.fields.field import Field
from crm_core.records import Record, RecordType
from crm_core.store.search.asking import Asking, rank_of
from crm_core.store.search.terms import Term, terms_of
from crm_core.store.search.texts import Form, body_of

if TYPE_CHECKING:
    from crm_core.store.session import CrmSession

__all__ = ["Hit", "search"]

_LIMIT = 1000
_EXCERPT = 80


@attrs.frozen
class Hit:
    """A record that a search found.

    ``title`` is what people know it by, ``account_id`` the account that it hangs on (its own id if it is one; the
    account of the place where a person was found by their role). ``text`` is an excerpt of what matched, ``field``
    where that stands (``affiliation.role``; empty if it cannot be said). ``rank`` grows as the match gets worse; 0 is
    the whole title.
    """

    record_type: str
    record_id: int
    title: str
    account_id: int | None
    text: str
    field: str
    rank: int


def search(
    session: CrmSession, query: str, types: Iterable[str | type[Record]] | None = None, limit: int = 20
) -> list[Hit]:
    """See :meth:`crm_core.store.session.CrmSession.search`."""
    if session.as_of is not None:
        raise UnsupportedStatement(
            "The search knows records as they are now, not as the system once knew them.",
            mend="Search in a session without as_of; 'at' may be given.",
        )
    if not 1 <= limit <= _LIMIT:
        raise ValidationError("A search gives 1 to {most} hits.", mend="Give another limit.", most=_LIMIT)
    index = session.store.search
    kinds = None if types is None else _kinds(session, types)
    terms = terms_of(query)
    asking = Asking(session, terms, kinds)
    index.require(session.core_connection(), asking.needed)
    found = asking.find(limit)
    return _shown(session, terms, found) if found else []


def _kinds(session: CrmSession, wanted: Iterable[str | type[Record]]) -> frozenset[str]:
    """The names of types that somebody wants to see; raises :class:`NotFound` for others."""
    names = (each if isinstance(each, str) else each.crm_type.name for each in wanted)
    return frozenset(session.store.find_type(name).name for name in names)


def _shown(session: CrmSession, terms: Sequence[Term], found: Sequence[Any]) -> list[Hit]:
    wanted: dict[str, set[int]] = {}
    for _, shown_id, shown_type, matched_id, matched_type, _ in found:
        wanted.setdefault(shown_type, set()).add(shown_id)
        wanted.setdefault(matched_type, set()).add(matched_id)
    values = _values(session, wanted)
    hits = []
    for key, shown_id, shown_type, matched_id, matched_type, account_id in found:
        shown = session.types[shown_type]
        own = values.get((shown_type, shown_id), {})
        field, text = _excerpt(terms, session.types[matched_type], values.get((matched_type, matched_id), {}))
        if not field:
            field, text = _excerpt(terms, shown, own)
        title = _title(shown, shown_id, own)
        hits.append(Hit(shown_type, shown_id, title, account_id, text, field, rank_of(key)))
    return hits


def _fields(session: CrmSession, record_type: RecordType) -> list[Field]:
    """The title and the searchable fields, as far as the actor may read them."""
    indexed = session.store.search.plan.indexed[record_type.name]
    searched = [field for _, fields in indexed.parts for field in fields]
    title = record_type.by_name.get(record_type.title or "")
    if title is not None and title not in searched and title.kind.name == "text":
        searched.insert(0, title)
    return [field for field in searched if session._reading.readable(record_type, field)]


def _values(session: CrmSession, wanted: dict[str, set[int]]) -> dict[tuple[str, int], dict[str, str]]:
    """The texts of records that were found visible, by one statement for all types."""
    fields = {name: _fields(session, session.types[name]) for name in sorted(wanted)}
    width = max(map(len, fields.values()))
    parts = []
    for name, ids in sorted(wanted.items()):
        table = session.types[name].table
        columns: list[Any] = [type_coerce(table.c[field.name], SqlText) for field in fields[name]]
        columns += [null()] * (width - len(columns))
        parts.append(
            select(
                literal(name).label("type"),
                table.c.id,
                *(type_coerce(column, SqlText).label(f"c{number}") for number, column in enumerate(columns)),
            ).where(table.c.id.in_(sorted(ids)))
        )
    found: dict[tuple[str, int], dict[str, str]] = {}
    for row in session.core(union_all(*parts) if len(parts) > 1 else parts[0]):
        name, id_, *texts = list(row)
        pairs = zip(fields[name], texts, strict=False)
        found[name, id_] = {field.name: text for field, text in pairs if text is not None}
    return found


def _title(record_type: RecordType, id_: int, values: dict[str, str]) -> str:
    """What people know a record by; where nothing is declared, the first text that can be searched."""
    title = values.get(record_type.title or "")
    if title:
        return title
    instead = next(iter(values.values()), "")
    return _around(instead, "") if instead else f"{record_type.label} {id_}"


def _excerpt(terms: Sequence[Term], record_type: RecordType, values: dict[str, str]) -> tuple[str, str]:
    """Of each term the first field that holds it, and the part of it where it stands."""
    found: dict[str, str] = {}
    for term in terms:
        for name, value in values.items():
            field = record_type.by_name[name]
            if field.search and _holds(term, body_of([(value, Form(surname=field.surname, phone=True))])):
                found.setdefault(name, _around(value, term.text))
                break
    return next((f"{record_type.name}.{name}" for name in found), ""), " · ".join(found.values())


def _holds(term: Term, body: str) -> bool:
    return any(all(pattern in body for pattern in way.patterns) for way in term.ways)


def _around(value: str, term: str) -> str:
    value = " ".join(value.split())
    if len(value) <= _EXCERPT:
        return value
    # Folding may have changed the length: the place is where the plain text has it, or else the beginning.
    place = max(value.casefold().find(term), 0)
    start = max(place - _EXCERPT // 3, 0)
    end = start + _EXCERPT
    return f"{'…' if start else ''}{value[start:end]}{'…' if end < len(value) else ''}"
