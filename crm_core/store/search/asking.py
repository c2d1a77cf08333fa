"""The statement that finds: candidates by the index, then everything else at their documents, in the database.

Visibility is the one criterion of each record type, inside the statement: what the actor does not see is neither
counted nor ranked, and takes no place among the first. A term may also stand in the document of the account that a
record hangs on, or of the record that is shown instead; these, too, only where the actor sees them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Select,
    and_,
    case,
    exists,
    false,
    func,
    literal,
    or_,
    select,
    true,
    type_coerce,
    union,
)

from crm_core.fields.columns import BIGINT
from crm_core.store.search.indexed import Indexed
from crm_core.store.search.terms import Term
from crm_core.store.tables import SEARCH_DOCUMENT
from crm_core.store.visibility import bare

if TYPE_CHECKING:
    from crm_core.store.search.index import SearchIndex
    from crm_core.store.session import CrmSession

__all__ = ["KEY", "Asking"]

KEY = 2**45
"""In a hit's key, ranks count in steps of it, and below it stands the id of the document that matched."""

_CLASSES, _SIZES = 4, 256
_ELSEWHERE = 15
_TIERS = 4
_SCRIPTS = ("text", "pinyin", "initials")
_MOST_COUNTED = 20_000


class Asking:
    """One search of one session."""

    def __init__(self, session: CrmSession, terms: Sequence[Term], kinds: frozenset[str] | None) -> None:
        self.session = session
        self.index: SearchIndex = session.store.search
        self.terms = terms
        self.types = [each for each in self.index.plan.indexed.values() if self._wanted(each, kinds)]
        self.kinds = kinds
        self._position = func.instr if session.dialect == "sqlite" else func.strpos

    @staticmethod
    def _wanted(indexed: Indexed, kinds: frozenset[str] | None) -> bool:
        shown = {target.name for _, target in indexed.shown} or {indexed.type.name}
        return kinds is None or not shown.isdisjoint(kinds)

    @property
    def needed(self) -> frozenset[str]:
        """The types that must be indexed for a whole answer."""
        above = [each for each in self.index.plan.indexed.values() if each.is_account] if len(self.terms) > 1 else []
        return frozenset(each.type.name for each in (*self.types, *above))

    def find(self, limit: int) -> list[Any]:
        """The first hits: ``(shown id, key)``."""
        if not self.types:
            return []
        rows = self._one() if len(self.terms) == 1 else self._several(self._rarest())
        hits = rows.subquery("hits")
        shown, matched = SEARCH_DOCUMENT.alias("shown"), SEARCH_DOCUMENT.alias("matched")
        best = select(hits.c.shown_id, func.min(hits.c.key).label("key")).group_by(hits.c.shown_id)
        first = best.order_by(func.min(hits.c.key)).limit(limit).subquery("best")
        statement = (
            select(first.c.key, first.c.shown_id, shown.c.type, _record(matched), matched.c.type, matched.c.account_id)
            .select_from(first)
            .join(shown, shown.c.id == first.c.shown_id)
            .join(matched, matched.c.id == first.c.key.bitwise_and(literal(KEY - 1, BIGINT)))
            .order_by(first.c.key)
        )
        return list(self.session.core(statement).all())

    # -- which documents -----------------------------------------------------------------------------------------

    def _one(self) -> Select[Any]:
        (term,) = self.terms
        rows = SEARCH_DOCUMENT.alias("d")
        return select(rows.c.shown_id, self._key(rows, self._tier(term, rows.c.body)).label("key")).where(
            self.index.driver.candidates(rows, term.ways), self._holds(term, rows.c.body), self._visible(rows)
        )

    def _several(self, rarest: Term) -> Select[Any]:
        """Whatever matches holds the rarest term, or hangs on what holds it."""
        found = SEARCH_DOCUMENT.alias("f")
        holding = (
            select(found.c.id, found.c.type, found.c.shown_id)
            .where(self.index.driver.candidates(found, rarest.ways), self._holds(rarest, found.c.body))
            .cte("holding")
        )
        beneath, shown = SEARCH_DOCUMENT.alias("b"), SEARCH_DOCUMENT.alias("s")
        accounts = [each.type.name for each in self.index.plan.indexed.values() if each.is_account]
        candidates = union(
            select(holding.c.id),
            select(shown.c.id).where(shown.c.shown_id.in_(select(holding.c.shown_id))),
            select(beneath.c.id).where(
                beneath.c.account_id.in_(select(holding.c.id).where(holding.c.type.in_(accounts)))
            ),
        ).subquery("candidates")
        rows, whole, above = (SEARCH_DOCUMENT.alias(name) for name in ("d", "h", "a"))
        own = case((whole.c.id == rows.c.id, rows.c.body), else_=rows.c.body + func.coalesce(whole.c.body, ""))
        joined = (
            select(rows.c.id, rows.c.type, rows.c.shown_id, rows.c.size, own.label("own"),
                   func.coalesce(above.c.body, "").label("above"))
            .select_from(rows)
            .join(candidates, candidates.c.id == rows.c.id)
            .join(whole, whole.c.id == rows.c.shown_id, isouter=True)
            .join(above, and_(above.c.id == rows.c.account_id, self._account_visible(rows.c.account_id)),
                  isouter=True)
            .where(self._visible(rows))
            .subquery("joined")
        )  # fmt: skip
        own_holds = [self._holds(term, joined.c.own) for term in self.terms]
        each = [or_(own_, self._holds(term, joined.c.above)) for own_, term in zip(own_holds, self.terms, strict=True)]
        tiers = [self._tier(term, joined.c.own) for term in self.terms]
        phrase = " ".join(term.text for term in self.terms)
        rank = case(
            (self._at(joined.c.own, f"\x02 {phrase} \x03"), 0),
            (self._at(joined.c.own, f"\x02 {phrase}"), 1),
            else_=sum(tiers[1:], tiers[0]) + 2,
        )
        return select(joined.c.shown_id, self._key(joined, rank).label("key")).where(*each, or_(*own_holds))

    def _rarest(self) -> Term:
        """The term with the fewest candidates, by a count that stops early."""
        indexed = [term for term in self.terms if term.indexed]
        if len(indexed) == 1:
            return indexed[0]
        rows = SEARCH_DOCUMENT.alias("d")
        counts = [self.index.driver.count(rows, term.ways, _MOST_COUNTED) for term in indexed]
        found = self.session.core(select(*(count.label(f"n{number}") for number, count in enumerate(counts)))).one()
        return min(zip(found, range(len(indexed)), indexed, strict=True))[2]

    # -- what they hold ------------------------------------------------------------------------------------------

    def _at(self, body: ColumnElement[Any], pattern: str) -> ColumnElement[bool]:
        return self._position(body, literal(pattern)) > 0

    def _holds(self, term: Term, body: ColumnElement[Any]) -> ColumnElement[bool]:
        return or_(*(and_(*(self._at(body, pattern) for pattern in way.patterns)) for way in term.ways))

    def _tier(self, term: Term, body: ColumnElement[Any]) -> ColumnElement[Any]:
        """How well a term stands in a body: the whole title, its beginning, a word's beginning, anywhere; within each
        in the original script, by pinyin, by initials.
        """
        whens: list[tuple[ColumnElement[bool], int]] = []
        for tier in range(_TIERS):
            for way in term.ways:
                marks, value = way.marks, tier * len(_SCRIPTS) + _SCRIPTS.index(way.script)
                if len(way.patterns) > 1:
                    whens += [] if tier < _TIERS - 1 else [
                        (and_(*(self._at(body, pattern) for pattern in way.patterns)), value)
                    ]  # fmt: skip
                    continue
                pattern = way.patterns[0]
                forms = (f"{marks.title}{pattern}{marks.end}", f"{marks.title}{pattern}", f"{marks.word}{pattern}")
                whens.append((self._at(body, (*forms, pattern)[tier]), value))
        return case(*whens, else_=_ELSEWHERE)

    def _key(self, rows: Any, rank: ColumnElement[Any]) -> ColumnElement[Any]:
        """Rank, then accounts before people before the rest, then short titles, then the older record."""
        ranks = {each.type.name: each.rank for each in self.types}
        kind = case(ranks, value=rows.c.type, else_=_CLASSES - 1)
        order = (rank * _CLASSES + kind) * _SIZES + rows.c.size
        return type_coerce(type_coerce(order, BIGINT) * literal(KEY, BIGINT) + rows.c.id, BIGINT)

    # -- who may see them ----------------------------------------------------------------------------------------

    def _visible(self, rows: FromClause) -> ColumnElement[bool]:
        plain: list[str] = []
        parts: list[ColumnElement[bool]] = []
        for indexed in self.types:
            conditions = self._conditions(indexed, rows)
            if conditions is None:
                continue
            if conditions:
                parts.append(and_(rows.c.type == indexed.type.name, *conditions))
            else:
                plain.append(indexed.type.name)
        if plain:
            parts.insert(0, rows.c.type.in_(plain))
        return or_(*parts) if parts else false()

    def _conditions(self, indexed: Indexed, rows: FromClause) -> list[ColumnElement[bool]] | None:
        """What a document of a type must meet; ``None`` when none can."""
        session = self.session
        found: list[ColumnElement[bool]] = []
        permissions = [permission for permission, _ in indexed.parts if permission is not None]
        granted = [permission for permission in permissions if session.can(permission)]
        if len(granted) < len(permissions):
            found.append(or_(rows.c.permission.is_(None), rows.c.permission.in_(granted)))
        record_type = indexed.type
        at = session.at if record_type.dated else None
        seen = session.visibility.sees(record_type, _record(rows) if indexed.has_others else rows.c.id, at)
        if seen is not None:
            found.append(seen)
        if indexed.shown:
            ways: list[ColumnElement[bool]] = []
            for _, target in indexed.shown:
                if self.kinds is not None and target.name not in self.kinds:
                    continue
                seen = session.visibility.sees(target, rows.c.shown_id)
                if seen is None and len(indexed.shown) > 1:
                    others = bare(target.table).alias()
                    seen = exists(select(1).select_from(others).where(others.c.id == rows.c.shown_id))
                ways.append(true() if seen is None else seen)
            if not any(way is true() for way in ways):
                found.append(or_(*ways))
        return found

    def _account_visible(self, account_id: ColumnElement[Any]) -> ColumnElement[bool]:
        parts = [
            self.session.visibility.sees(each.type, account_id)
            for each in self.index.plan.indexed.values()
            if each.is_account
        ]
        return or_(*(true() if part is None else part for part in parts)) if parts else false()


def _record(rows: FromClause) -> ColumnElement[Any]:
    return func.coalesce(rows.c.record_id, rows.c.id)
