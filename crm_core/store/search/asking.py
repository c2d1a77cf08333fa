"""The statements that find: candidates by the index, then everything else at their documents, in the database.

Visibility is the one criterion of each record type, inside the statement: what the actor does not see is neither
counted nor ranked, and takes no place among the first. A term may also stand in the document of the account that a
record hangs on, or of the record that is shown instead; these, too, only where the actor sees them.

To build such a statement takes ten times as long as to run it, so the store remembers those of the last actors by the
shape of the query; what differs between two queries of one shape are parameters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Select,
    and_,
    bindparam,
    case,
    exists,
    false,
    func,
    literal,
    or_,
    select,
    true,
    type_coerce,
    union_all,
)

from crm_core.fields.columns import BIGINT, Moment, stored_text
from crm_core.store.planning import planned_once
from crm_core.store.search.indexed import Indexed
from crm_core.store.search.sight import Sight
from crm_core.store.search.terms import Term, Way
from crm_core.store.tables import SEARCH_DOCUMENT
from crm_core.store.visibility import bare

if TYPE_CHECKING:
    from crm_core.store.search.index import SearchIndex
    from crm_core.store.session import CrmSession

__all__ = ["Asking", "rank_of"]

_KEY = 2**45
_CLASSES, _SIZES = 4, 256
_ELSEWHERE = 20
_SCRIPTS = ("text", "number", "pinyin", "initials", "pieces")
_FORMS = ("whole", "start", "word", "part")
_FEW, _MANY = 500, 200_000
_TEXT = stored_text(None)


def rank_of(key: int) -> int:
    """How well a hit matches, from the key by which hits are sorted: 0 is best."""
    return key // _KEY // _SIZES // _CLASSES


class Asking:
    """One search of one session."""

    def __init__(self, session: CrmSession, terms: Sequence[Term], kinds: frozenset[str] | None) -> None:
        self.session = session
        self.index: SearchIndex = session.store.search
        self.terms = list(terms)
        self.kinds = kinds
        self.types = [each for each in self.index.plan.indexed.values() if self._wanted(each)]
        self._few = len(self.terms) == 1
        self._sight = Sight(session)
        self._position = func.instr if session.dialect == "sqlite" else func.strpos

    def _wanted(self, indexed: Indexed) -> bool:
        shown = {target.name for _, target in indexed.shown} or {indexed.type.name}
        return self.kinds is None or not shown.isdisjoint(self.kinds)

    @property
    def needed(self) -> frozenset[str]:
        """The types that must be indexed for a whole answer."""
        above = [each for each in self.index.plan.indexed.values() if each.is_account] if len(self.terms) > 1 else []
        return frozenset(each.type.name for each in (*self.types, *above))

    def find(self, limit: int) -> list[Any]:
        """The first hits: key, id and type of what is shown, record, type and account of what matched."""
        if not self.types:
            return []
        self._rarest_first()
        # To plan it takes longer than to run it, but where two words are in very much another plan is better.
        with planned_once(self.session.core_connection()) if self._few else nullcontext():
            return self._best(limit, self._parameters())

    def _best(self, limit: int, parameters: dict[str, Any]) -> list[Any]:
        if self._wide:
            # Whoever sees nearly everything: the best are looked at first, until there are enough.
            some = limit * 4
            rows = self._run(lazily=True, parameters={**parameters, "some": some})
            found: dict[int, Any] = {}
            for row in rows:
                found.setdefault(row.shown_id, row)
            if len(rows) < some or len(found) >= limit:
                return list(found.values())[:limit]
        return self._run(lazily=False, parameters={**parameters, "some": limit})

    @property
    def _wide(self) -> bool:
        visibility = self.session.visibility
        return visibility.reach("account.read").all or visibility.wide

    def _run(self, *, lazily: bool, parameters: Mapping[str, Any]) -> list[Any]:
        actor = self.session.actor
        shape = tuple(tuple((way.script, len(way.patterns)) for way in term.ways) for term in self.terms)
        key = (actor.user_id, actor.places, actor.system, self._wide, self.kinds, shape, lazily)
        statement = self.index.remembered(key, lambda: self._statement(lazily))
        return list(self.session.core(statement, parameters).all())

    # -- parameters ----------------------------------------------------------------------------------------------

    def _parameters(self) -> dict[str, Any]:
        given: dict[str, Any] = {
            "now": self.session.now,
            "at": self.session.at,
            "query": self.index.driver.query(self.terms[0].ways),
        }
        for number, term in enumerate(self.terms):
            for place, way in enumerate(term.ways):
                for index, pattern in enumerate(way.patterns):
                    given[f"{_name(number, place, index)}_part"] = pattern
                for form, held in way.forms.items():
                    given[f"{_name(number, place, 0)}_{form}"] = held
        if len(self.terms) > 1:
            phrase = " ".join(term.text for term in sorted(self.terms, key=lambda term: term.place))
            given["phrase_whole"], given["phrase_start"] = f"\x02 {phrase} \x03", f"\x02 {phrase}"
        return given

    def _rarest_first(self) -> None:
        """The term with the fewest candidates leads; of common ones no more is counted than tells them apart."""
        leading = [term for term in self.terms if term.indexed]
        for most in (_FEW, _MANY) if len(leading) > 1 else ():
            counts = [
                self.index.driver.count(self.index.driver.query(term.ways), most).label(f"n{number}")
                for number, term in enumerate(leading)
            ]
            found = self.session.core(select(*counts)).one()
            if min(found) < most or most == _MANY:
                self._few = min(found) < _FEW
                leading = [leading[found.index(min(found))]]
                break
        self.terms.sort(key=lambda term: term is not leading[0])

    # -- the statement -------------------------------------------------------------------------------------------

    def _statement(self, lazily: bool) -> Select[Any]:
        source = self._one() if len(self.terms) == 1 else self._several()
        if lazily:
            # Without a limit of its own the sorted subquery would be taken apart.
            ordered = source.order_by(source.selected_columns.key)
            ordered = ordered.limit(-1) if self.session.dialect == "sqlite" else ordered.offset(literal(0))
            hits = ordered.subquery("hits")
            first = select(hits.c.shown_id, hits.c.key).where(self._visible(hits))
        else:
            hits = source.subquery("hits")
            best = func.min(hits.c.key)
            first = (
                select(hits.c.shown_id, best.label("key"))
                .where(self._visible(hits))
                .group_by(hits.c.shown_id)
                .order_by(best)
            )
        found = first.limit(bindparam("some", type_=BIGINT)).subquery("best")
        shown, matched = SEARCH_DOCUMENT.alias("shown"), SEARCH_DOCUMENT.alias("matched")
        return (
            select(
                found.c.key,
                found.c.shown_id,
                shown.c.type.label("shown_type"),
                _record(matched).label("matched_id"),
                matched.c.type.label("matched_type"),
                matched.c.account_id,
            )
            .select_from(found)
            .join(shown, shown.c.id == found.c.shown_id)
            .join(matched, matched.c.id == found.c.key.bitwise_and(literal(_KEY - 1, BIGINT)))
            .order_by(found.c.key)
        )

    def _one(self) -> Select[Any]:
        rows = SEARCH_DOCUMENT.alias("d")
        (term,) = self.terms
        return select(*_identity(rows), self._key(rows, self._tier(0, term, rows.c.body))).where(
            self.index.driver.candidates(rows, bindparam("query")), self._holds(0, term, rows.c.body)
        )

    def _several(self) -> Select[Any]:
        """Whatever matches holds the leading term, or hangs on what holds it."""
        found = SEARCH_DOCUMENT.alias("f")
        holding = (
            select(*_whole(found))
            .where(self.index.driver.candidates(found, bindparam("query")), self._holds(0, self.terms[0], found.c.body))
            .cte("holding")
        )
        shown, beneath = SEARCH_DOCUMENT.alias("s"), SEARCH_DOCUMENT.alias("b")
        accounts = [each.type.name for each in self.index.plan.indexed.values() if each.is_account]
        # Some come in by two ways; of each hit only the best is kept anyway.
        rows = union_all(
            select(*_whole(holding)),
            select(*_whole(shown)).where(
                shown.c.shown_id.in_(select(holding.c.id).where(holding.c.id == holding.c.shown_id)),
                shown.c.shown_id != shown.c.id,
            ),
            select(*_whole(beneath)).where(
                beneath.c.account_id.in_(select(holding.c.id).where(holding.c.type.in_(accounts))),
                beneath.c.id != beneath.c.account_id,
            ),
        ).subquery("d")
        whole, above = SEARCH_DOCUMENT.alias("h"), SEARCH_DOCUMENT.alias("a")
        joined = (
            select(
                *_identity(rows),
                rows.c.size,
                (rows.c.body + func.coalesce(whole.c.body, "")).label("own"),
                func.coalesce(above.c.body, "").label("above"),
            )
            .select_from(rows)
            .join(whole, whole.c.id == _other(rows.c.shown_id, rows), isouter=True)
            .join(
                above,
                and_(above.c.id == _other(rows.c.account_id, rows), self._account_visible(rows.c.account_id)),
                isouter=True,
            )
            .subquery("joined")
        )
        terms = list(enumerate(self.terms))
        in_own = [self._holds(number, term, joined.c.own) for number, term in terms]
        anywhere = [or_(own_, self._holds(number, term, joined.c.above))
                    for own_, (number, term) in zip(in_own, terms, strict=True)]  # fmt: skip
        tiers = [self._tier(number, term, joined.c.own) for number, term in terms]
        rank = case(
            (self._at(joined.c.own, "phrase_whole"), 0),
            (self._at(joined.c.own, "phrase_start"), 1),
            else_=sum(tiers[1:], tiers[0]) + 2,
        )
        return select(*_identity(joined), self._key(joined, rank)).where(*anywhere, or_(*in_own))

    # -- what they hold ------------------------------------------------------------------------------------------

    def _at(self, body: ColumnElement[Any], parameter: str) -> ColumnElement[bool]:
        found: ColumnElement[bool] = self._position(body, bindparam(parameter, type_=_TEXT)) > 0
        return found

    def _whole_way(self, number: int, place: int, way: Way, body: ColumnElement[Any]) -> ColumnElement[bool]:
        return and_(*(self._at(body, f"{_name(number, place, index)}_part") for index in range(len(way.patterns))))

    def _holds(self, number: int, term: Term, body: ColumnElement[Any]) -> ColumnElement[bool]:
        return or_(*(self._whole_way(number, place, way, body) for place, way in enumerate(term.ways)))

    def _tier(self, number: int, term: Term, body: ColumnElement[Any]) -> ColumnElement[Any]:
        """How well a term stands in a body: the whole title, its beginning, a word's beginning, anywhere.

        Within each the original script is best, then pinyin, then initials, then the pieces of a number.
        """
        whens: list[tuple[ColumnElement[bool], int]] = []
        for tier, form in enumerate(_FORMS):
            for place, way in enumerate(term.ways):
                value = tier * len(_SCRIPTS) + _SCRIPTS.index(way.script)
                if form == "part":
                    whens.append((self._whole_way(number, place, way, body), value))
                elif form in way.forms:
                    whens.append((self._at(body, f"{_name(number, place, 0)}_{form}"), value))
        return case(*whens, else_=_ELSEWHERE)

    def _key(self, rows: Any, rank: ColumnElement[Any]) -> ColumnElement[Any]:
        """Rank, then accounts before people before the rest, then short titles, then the older document."""
        ranks = {each.type.name: each.rank for each in self.types}
        kind = case(ranks, value=rows.c.type, else_=_CLASSES - 1)
        order = type_coerce((rank * _CLASSES + kind) * _SIZES + rows.c.size, BIGINT)
        return type_coerce(order * literal(_KEY, BIGINT) + rows.c.id, BIGINT).label("key")

    # -- who may see them ----------------------------------------------------------------------------------------

    def _visible(self, rows: FromClause) -> ColumnElement[bool]:
        plain: list[str] = []
        parts: list[ColumnElement[bool]] = []
        for indexed in self.types:
            conditions = self._conditions(indexed, rows)
            if conditions:
                parts.append(and_(rows.c.type == indexed.type.name, *conditions))
            else:
                plain.append(indexed.type.name)
        return or_(*([rows.c.type.in_(plain)] if plain else []), *parts)

    def _conditions(self, indexed: Indexed, rows: FromClause) -> list[ColumnElement[bool]]:
        """What a document of a type must meet."""
        session, sight = self.session, self._sight
        found: list[ColumnElement[bool]] = []
        permissions = [permission for permission, _ in indexed.parts if permission is not None]
        granted = [permission for permission in permissions if session.can(permission)]
        if len(granted) < len(permissions):
            found.append(or_(rows.c.permission.is_(None), rows.c.permission.in_(granted)))
        at: Any = bindparam("at", type_=Moment()) if indexed.type.dated else None
        seen = sight.sees(indexed.type, _record(rows) if indexed.has_others else rows.c.id, at)
        if seen is not None:
            found.append(seen)
        ways: list[ColumnElement[bool]] = []
        for _, target in indexed.shown:
            if self.kinds is not None and target.name not in self.kinds:
                continue
            seen = sight.sees(target, rows.c.shown_id)
            if seen is None and len(indexed.shown) > 1:
                others = bare(target.table).alias()
                seen = exists(select(1).select_from(others).where(others.c.id == rows.c.shown_id))
            ways.append(true() if seen is None else seen)
        if ways and not any(way is true() for way in ways):
            found.append(or_(*ways))
        return found

    def _account_visible(self, account_id: ColumnElement[Any]) -> ColumnElement[bool]:
        accounts = [each.type for each in self.index.plan.indexed.values() if each.is_account]
        parts = [self._sight.sees(each, account_id) for each in accounts]
        return or_(*(true() if part is None else part for part in parts)) if parts else false()


def _name(term: int, way: int, pattern: int) -> str:
    return f"t{term}w{way}p{pattern}"


def _identity(rows: FromClause) -> tuple[ColumnElement[Any], ...]:
    """What visibility is decided by, and what is shown."""
    return rows.c.id, rows.c.type, rows.c.record_id, rows.c.permission, rows.c.shown_id


def _whole(rows: FromClause) -> tuple[ColumnElement[Any], ...]:
    """What a match is decided by, too."""
    return (*_identity(rows), rows.c.account_id, rows.c.size, rows.c.body)


def _other(id_: ColumnElement[Any], rows: FromClause) -> ColumnElement[Any]:
    """The id of another document, or null where it is the same: nothing needs to be looked up then."""
    return func.nullif(id_, rows.c.id)


def _record(rows: FromClause) -> ColumnElement[Any]:
    return func.coalesce(rows.c.record_id, rows.c.id)
