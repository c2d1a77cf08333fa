"""Filters, orders, counts and searches as oracles: whoever asks often enough must learn nothing by the answers."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import InvalidRequestError

from crm_core import CrmError, CrmSession, ExpressionError, OwnershipRole, RecordType, ValidationError
from crm_core.store.restricted import attributes_of
from crm_core.testing.conformance.marks import MARK, marks_in
from torture.leaks.asker import Asker

__all__ = ["questions"]

GROUP = "filters, orders, counts"
SEARCH = "search"
_WORDS = 5
_SEARCHES = 60


def questions(asker: Asker) -> None:
    """About every type, along every reference and every collection; then searches."""
    with asker.session() as session:
        for record_type in asker.types:
            _own_fields(asker, session, record_type)
            _restricted(asker, session, record_type)
            for field in record_type.refs:
                _along(asker, session, record_type, field.name)
                _members(asker, session, record_type, field)
        _owners(asker, session)
        _searches(asker, session)


def _own_fields(asker: Asker, session: CrmSession, record_type: RecordType) -> None:
    """A value that stands in one record finds that record, if it is seen, and is counted then."""
    name, cls, rows = record_type.name, record_type.cls, asker.oracle.rows[record_type.name]
    ever, seen = asker.seen(name, ever=True), asker.seen(name)
    for field in record_type.fields:
        marked = {id_: row[field.name] for id_, row in rows.items() if MARK.fullmatch(str(row.get(field.name)))}
        if not asker.reads(field) or field.kind.name != "text":
            continue
        for id_ in asker.sample(set(marked), _WORDS):
            where = f'{field.name} == "{marked[id_]}"'
            found = [each.id for each in session.list(cls, where, all_dates=True)]
            asker.tally.ids(GROUP, "equal to a value", name, found, {id_} & ever, {id_})
            part = f'contains({field.name}, "{marked[id_][:-1]}")'
            asker.tally.number(
                GROUP, "count of a value", name, session.count(cls, part, all_dates=True), int(id_ in ever)
            )
            condition = session.where(cls, where)
            given = session.scalars(select(cls.id).where(condition))
            asker.tally.ids(GROUP, "where() in a statement", name, given, {id_} & seen, {id_})


def _restricted(asker: Asker, session: CrmSession, record_type: RecordType) -> None:
    """A field that the user may not read answers nothing, by whatever question; one that they may read does."""
    for field in record_type.restricted:
        attribute = getattr(record_type.cls, sorted(attributes_of(field))[0])
        questions: list[tuple[str, Any]] = [
            ("a filter", lambda name=field.name: session.list(record_type.cls, f"{name} is None")),
            ("a count", lambda name=field.name: session.count(record_type.cls, f"{name} is not None")),
            ("an order", lambda name=field.name: session.list(record_type.cls, order=name)),
            ("a column", lambda given=attribute: session.execute(select(record_type.cls.id, given)).all()),
            ("an order in a statement", lambda given=attribute: session.scalars(
                select(record_type.cls.id).order_by(given)).all()),
            ("a condition in a statement", lambda given=attribute: session.scalars(
                select(record_type.cls.id).where(given.is_not(None))).all()),
        ]  # fmt: skip
        orders = field.kind.name not in ("json", "tags")
        for way, ask in questions:
            if "order" in way and not orders and asker.reads(field):
                continue  # no database is asked to put such values in order
            asker.tally.right(GROUP, f"{way} of a restricted field")
            try:
                ask()
            except (CrmError, InvalidRequestError) as error:
                if asker.reads(field):
                    asker.tally.bad("hidden", GROUP, way, f"{record_type.name}.{field.name}", str(error))
            else:
                if not asker.reads(field):
                    asker.tally.bad("leak", GROUP, way, f"{record_type.name}.{field.name}", "it answers")


def _along(asker: Asker, session: CrmSession, record_type: RecordType, reference: str) -> None:
    """Through a reference: what is not seen behind it is absent, in filters and in orders."""
    name, cls, rows = record_type.name, record_type.cls, asker.oracle.rows[record_type.name]
    field = record_type.by_name[reference]
    target = asker.crm.types[str(field.target)]
    titled = target.by_name.get(target.title or "")
    step = reference.removesuffix("_id")
    if step == reference or not asker.reads(field):
        return
    ends = {row[reference] for row in rows.values()} - {None}
    ever = asker.seen(name, ever=True)
    open_ends = {id_ for id_ in ends if asker.oracle.sees(asker.user, target.name, id_)}
    present = [each.id for each in session.list(cls, f"{step} is not None", limit=None, all_dates=True)]
    expected = {id_ for id_ in ever if rows[id_][reference] in open_ends}
    asker.tally.ids(GROUP, "a reference is there", f"{name}.{step}", present, expected, rows.keys())
    for end in asker.sample(ends, _WORDS):
        found = [each.id for each in session.list(cls, f"{step}.id == {end}", limit=None, all_dates=True)]
        behind = {id_ for id_ in ever if rows[id_][reference] == end} if end in open_ends else set()
        asker.tally.ids(GROUP, "the id behind a reference", f"{name}.{step}", found, behind, [end])
        if (
            titled is None
            or titled.restricted
            or not MARK.fullmatch(str(asker.oracle.rows[target.name][end].get(titled.name)))
        ):
            continue
        where = f'{step}.{titled.name} == "{asker.oracle.rows[target.name][end][titled.name]}"'
        found = [each.id for each in session.list(cls, where, limit=None, all_dates=True)]
        asker.tally.ids(GROUP, "a value behind a reference", f"{name}.{step}", found, behind, [end])
        count = session.count(cls, where, all_dates=True)
        asker.tally.number(GROUP, "count by a value behind a reference", f"{name}.{step}", count, len(behind))
    if titled is not None and titled.restricted is None:
        _order(asker, session, record_type, f"{step}.{titled.name}", expected)


def _order(asker: Asker, session: CrmSession, record_type: RecordType, order: str, filled: set[int]) -> None:
    """Where a record stands in an order must not tell of what is not seen: absent values come last, by id."""
    where = f"{record_type.name} by {order}"
    try:
        listed = [each.id for each in session.list(record_type.cls, order=order, limit=None, all_dates=True)]
    except ExpressionError:
        return
    tail = listed[len([id_ for id_ in listed if id_ in filled]) :]
    # A visible record behind the reference may have no title: then it stands among the absent ones, too.
    asker.tally.right(GROUP, "position in an order", len(listed))
    absent = [id_ for id_ in listed if id_ not in filled]
    if not set(absent) <= set(tail) or [id_ for id_ in tail if id_ in absent] != sorted(absent):
        asker.tally.bad("leak", GROUP, "position in an order", where, f"{listed}, absent {absent}")


def _members(asker: Asker, session: CrmSession, record_type: RecordType, field: Any) -> None:
    """Collections: whether there are members, and how many, as far as they are seen."""
    collection = field.kind.collection
    target = asker.crm.types[str(field.target)]
    if not collection or not asker.reads(field):
        return
    named = collection if record_type.plugin == target.plugin else f"{record_type.plugin}.{collection}"
    rows = asker.oracle.rows[record_type.name]
    members: defaultdict[int, int] = defaultdict(int)
    for id_ in asker.seen(record_type.name):
        if rows[id_][field.name] is not None:
            members[rows[id_][field.name]] += 1
    tops = asker.seen(target.name, ever=True)
    for way, where, expected in (
        ("any of a collection", f"any({named})", {id_ for id_ in tops if members[id_]}),
        ("none of a collection", f"none({named})", {id_ for id_ in tops if not members[id_]}),
        ("count of a collection", f"count({named}) >= 2", {id_ for id_ in tops if members[id_] >= 2}),
    ):
        try:
            found = [each.id for each in session.list(target.cls, where, limit=None, all_dates=True)]
        except ExpressionError as error:
            asker.tally.bad("hidden", GROUP, way, f"{target.name}.{named}", str(error))
            continue
        asker.tally.ids(GROUP, way, f"{target.name}.{named}", found, expected, asker.ids(target.name))


def _owners(asker: Asker, session: CrmSession) -> None:
    """The owner of an account is known to those who see that they own it."""
    account = asker.crm.types["account"]
    rows = asker.oracle.rows["ownership"]
    held = {
        rows[id_]["account_id"]: rows[id_]["user_id"]
        for id_ in asker.seen("ownership")
        if rows[id_]["role"] is OwnershipRole.OWNER and not rows[id_]["scope"]
    }
    seen = asker.seen("account")
    found = [each.id for each in session.list(account.cls, "owner is not None", limit=None)]
    asker.tally.ids(GROUP, "an owner is there", "account.owner", found, seen & held.keys(), asker.ids("account"))
    for user in asker.sample(asker.ids("user"), _WORDS):
        login = asker.company.organisation.logins[user]
        found = [each.id for each in session.list(account.cls, f'owner.login == "{login}"', limit=None)]
        expected = {id_ for id_ in seen if held.get(id_) == user}
        asker.tally.ids(GROUP, "by the owner", "account.owner", found, expected, asker.ids("account"))
    _order(asker, session, account, "owner.name", seen & held.keys())


def _searches(asker: Asker, session: CrmSession) -> None:
    """A word finds what holds it, if that is seen, and shows no word that is not."""
    plan = session.store.search.plan.indexed
    searched = {name: {field.name for _, fields in each.parts for field in fields} for name, each in plan.items()}
    marked = [each for each in asker.marked() if each[2].name in searched.get(each[0].name, ())]
    for record_type, id_, field, word in asker.chance.sample(marked, min(_SEARCHES, len(marked))):
        _search(asker, session, record_type, id_, field, word, shown=bool(plan[record_type.name].shown))
    for one, other in zip(*(asker.chance.sample(marked, min(15, len(marked))) for _ in range(2)), strict=True):
        words = {one[3], other[3]}
        hidden = asker.hidden(words)
        hits = session.search(" ".join(sorted(words)), limit=1000)
        asker.tally.right(SEARCH, "two words")
        if hits and hidden:
            asker.tally.bad("leak", SEARCH, "two words", one[0].name, f"{words}: {hits[:2]}")
    every = session.search("zq", limit=1000)
    for name in plan:
        found = [hit.record_id for hit in every if hit.record_type == name]
        extra = {id_ for id_ in found if not asker.oracle.sees(asker.user, name, id_)}
        asker.tally.right(SEARCH, "what all have in common", len(asker.ids(name)))
        if extra:
            asker.tally.bad("leak", SEARCH, "what all have in common", name, f"ids {sorted(extra)[:5]}", len(extra))
    shown = marks_in(str(every))
    asker.tally.said(SEARCH, "excerpts", "all", shown, asker.hidden(shown), set())
    for query in ("!", "", "zq*", 'zq" OR "'):
        try:
            shown = marks_in(str(session.search(query, limit=1000)))
        except ValidationError:
            continue
        asker.tally.said(SEARCH, "odd queries", "all", shown, asker.hidden(shown), set())


def _search(
    asker: Asker, session: CrmSession, record_type: RecordType, id_: int, field: Any, word: str, *, shown: bool
) -> None:
    name = record_type.name
    hits = session.search(word, limit=1000)
    asker.tally.right(SEARCH, "one word")
    sees = id_ in asker.seen(name) and asker.reads(field)
    hidden = asker.hidden({word})
    if hits and hidden:
        asker.tally.bad("leak", SEARCH, "one word", f"{name}.{field.name}", f"{word}: {hits[:2]}")
    found = {(hit.record_type, hit.record_id) for hit in hits}
    # Some are shown as what they lead to: a place as the person who has it.
    if sees and not shown and (name, id_) not in found:
        asker.tally.bad("hidden", SEARCH, "one word", f"{name}.{field.name}", f"{word} of {id_}")
    said = marks_in(str(hits)) - {word}
    asker.tally.said(SEARCH, "words beside the one", name, said, asker.hidden(said), set())
