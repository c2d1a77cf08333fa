"""Generated rows: a small company of the kernel's records, and rows of every record type of a plugin beside it.

Rows follow from declarations. A plugin's own checks may ask for more than a declaration can say; its package can then
have a module ``conformance`` with a function ``strategies(ids)`` that gives strategies for fields by record type, where
``ids`` are the ids that exist, by record type::

    def strategies(ids):
        return {"my_vertical.rating": {"stars": st.integers(1, 5)}}

Where fields depend on each other, in place of the strategies by field one strategy that draws values by field::

        return {"my_vertical.sum": st.integers(0, 9).map(lambda one: {"one": one, "double": 2 * one})}

Records that the plugin itself keeps in line with others are named in a tuple ``DERIVED``.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import attrs

from crm_core.errors import Conflict, CrmError, Objection, ValidationError
from crm_core.store.marks import ERASED
from crm_core.testing.conformance.repeatable import without_source_constants

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

    from crm_core.assembly.crm import Crm
    from crm_core.records import Record, RecordType
    from crm_core.store.session import CrmSession
    from crm_core.testing.conformance.subject import Subject

__all__ = [
    "MODULE",
    "REFUSALS",
    "SEES_ALL",
    "SEES_OWN",
    "Liven",
    "Population",
    "company",
    "derived",
    "drawn",
    "given_fields",
    "populate",
    "row_strategy",
    "told",
    "write",
]

MODULE = "conformance"
"""The module of a plugin's package with ``strategies(ids)``."""

REFUSALS = (ValidationError, Objection, Conflict)
"""How a plugin says that it does not want a row; any other error is a mistake."""

PRINCIPAL = "conformance"
BEGINNING = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)

SEED = 20240101

Ids = Mapping[str, Sequence[int]]
Liven = Callable[["RecordType", Mapping[str, Any], frozenset[str]], dict[str, Any]]
"""Makes values that tell more of drawn ones, of a type, and without those that the plugin itself gives."""


@attrs.define
class Population:
    """What was written: ids by record type, and the refusals of rows that the plugin did not want."""

    ids: dict[str, list[int]] = attrs.field(factory=dict)
    refused: dict[str, list[CrmError]] = attrs.field(factory=dict)


def company(crm: Crm) -> Population:
    """A unit with two below it, four users with roles, six accounts with owners, people, and an activity each."""
    from crm_core.domain import contacts, organisation, ownership
    from crm_core.domain.accounts import Account
    from crm_core.domain.activities import Activity
    from crm_core.domain.contacts import Contact
    from crm_core.domain.organisation import Unit, User

    with crm.system_session(PRINCIPAL) as session:
        whole = session.add_one(Unit(name="Company"))
        session.flush()
        units = [whole, *(session.add_one(Unit(name=name, parent_id=whole.id)) for name in ("East", "West"))]
        users = [session.add_one(User(login=login, name=login.capitalize())) for login in _ROLES]
        session.flush()
        for user, (role, place) in zip(users, _ROLES.values(), strict=True):
            organisation.join(session, user, units[place], role=role, since_always=True)
        accounts = [session.add_one(Account(name=f"Account {number}")) for number in range(6)]
        people = [session.add_one(Contact(name=f"Person {number}")) for number in range(6)]
        session.flush()
        for number, (account, person) in enumerate(zip(accounts, people, strict=True)):
            ownership.assign(session, account, to=users[1 + number % 3], since_always=True)
            contacts.affiliate(session, person, account, since_always=True)
        activities = [
            session.add_one(Activity(account_id=account.id, kind="call", subject="First call", planned_start=BEGINNING))
            for account in accounts
        ]
        session.flush()
        rows: dict[str, Sequence[Record]] = {
            "unit": units, "user": users, "account": accounts, "contact": people, "activity": activities,
        }  # fmt: skip
        return Population({name: [each.id for each in found] for name, found in rows.items()})


SEES_ALL, SEES_OWN = "zhou", "li"
"""The logins of the manager of them all, and of a salesperson."""

_ROLES = {SEES_ALL: ("manager", 0), SEES_OWN: ("sales", 1), "wang": ("sales", 2), "pei": ("sales", 2)}


def drawn(strategy: SearchStrategy[Any], count: int, seed: int = SEED) -> list[Any]:
    """Up to ``count`` values of a strategy, the same ones in every run with the same seed."""
    import hypothesis
    from hypothesis import HealthCheck, Phase, given, settings

    found: list[Any] = []

    @hypothesis.seed(seed)
    @settings(
        max_examples=count, database=None, deadline=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(strategy)
    def collect(value: Any) -> None:
        found.append(value)

    with without_source_constants():
        collect()
    return found


def row_strategy(subject: Subject, crm: Crm, record_type: RecordType, ids: Ids) -> SearchStrategy[dict[str, Any]]:
    """Values by field for a new row of a type that refers to rows which exist, words of vocabularies included."""
    from hypothesis import strategies as st

    from crm_core.testing.strategies import records

    given: dict[str, SearchStrategy[Any]] = {}
    for field in record_type.fields:
        if field.target is not None:
            there = list(ids.get(field.target, ()))
            given[field.name] = _one_of(st.sampled_from(there) if there else st.nothing(), field.optional)
        elif field.vocabulary is not None:
            words = sorted(crm.build.policy.vocabularies.get(field.vocabulary, {}))
            given[field.name] = _one_of(st.sampled_from(words) if words else st.nothing(), field.optional)
    for reference in crm.build.policy.references:
        if reference.record == record_type.name and reference.type_field is not None:
            given |= {reference.type_field: st.none(), reference.id_field: st.none()}
    said = told(subject, record_type, ids)
    if isinstance(said, Mapping):
        given |= said
    rows = records(record_type.cls, **{name: each for name, each in given.items() if name != "id"})
    if not isinstance(said, Mapping):
        rows = st.tuples(rows, said).map(lambda pair: {**pair[0], **pair[1]})
    rows = rows.filter(lambda row: ERASED not in row.values())  # what a plugin says may draw it, too
    if record_type.extends is None:
        return rows
    target = given.get("id", st.sampled_from(list(ids[record_type.extends])))
    return st.tuples(rows, target).map(lambda pair: {**pair[0], "id": pair[1]})


def _one_of(strategy: SearchStrategy[Any], optional: bool) -> SearchStrategy[Any]:
    from hypothesis import strategies as st

    return st.none() | strategy if optional else strategy


def told(
    subject: Subject, record_type: RecordType, ids: Ids
) -> Mapping[str, SearchStrategy[Any]] | SearchStrategy[Mapping[str, Any]]:
    """What the package of the record's plugin says of its fields: a strategy for each, or one for some of them."""
    plugin = subject.build.plugin(record_type.plugin)
    if plugin is None:
        return {}
    package = plugin.manifest.module.rpartition(".")[0]
    if not package or find_spec(f"{package}.{MODULE}") is None:
        return {}
    strategies: Callable[[Ids], Mapping[str, Any]] = import_module(f"{package}.{MODULE}").strategies
    found: Mapping[str, SearchStrategy[Any]] | SearchStrategy[Mapping[str, Any]]
    found = strategies(ids).get(record_type.name, {})
    return found


def derived(subject: Subject) -> frozenset[str]:
    """The records that the plugin makes itself from others, so that made up ones would not stay as they are."""
    package = subject.package
    if find_spec(f"{package}.{MODULE}") is None:
        return frozenset()
    return frozenset(getattr(import_module(f"{package}.{MODULE}"), "DERIVED", ()))


def given_fields(subject: Subject, record_type: RecordType, ids: Ids) -> frozenset[str]:
    """The fields whose values the package of the record's plugin gives."""
    said = told(subject, record_type, ids)
    if isinstance(said, Mapping):
        return frozenset(said)
    return frozenset(name for values in drawn(said, 1) for name in values)


def populate(
    subject: Subject,
    crm: Crm,
    population: Population | None = None,
    *,
    each: int = 5,
    types: Iterable[str] = (),
    seed: int = SEED,
    liven: Liven | None = None,
) -> Population:
    """Write up to ``each`` rows of every record type of the plugin and of those that it requires.

    ``types`` names some of them. A row that is refused is tried again with what it must have only. Every row has a
    change set of its own. ``liven`` changes the values that follow from ``seed``; where those are refused, the drawn
    ones are written.
    """
    population = company(crm) if population is None else population
    wanted = set(types)
    for plugin in crm.build.plugins:
        for record_type in _in_order(plugin.types):
            if record_type.plugin != "crm" and (not wanted or record_type.name in wanted):
                _fill(subject, crm, record_type, population, each, seed, liven)
    return population


def _in_order(types: Iterable[RecordType]) -> list[RecordType]:
    """What is referred to comes before what refers to it; the rest in order of declaration."""
    left = {each.name: each for each in types}
    ordered: list[RecordType] = []
    while left:
        free = [each for each in left.values() if not (_needs(each) - {each.name}) & left.keys()]
        for record_type in free or [next(iter(left.values()))]:
            ordered.append(left.pop(record_type.name))
    return ordered


def _needs(record_type: RecordType) -> set[str]:
    needed = {str(field.target) for field in record_type.refs}
    return needed | {record_type.extends} if record_type.extends else needed


def _fill(
    subject: Subject,
    crm: Crm,
    record_type: RecordType,
    population: Population,
    each: int,
    seed: int,
    liven: Liven | None,
) -> None:
    ids = population.ids.setdefault(record_type.name, [])
    refused = population.refused.setdefault(record_type.name, [])
    if any(field.required and not field.optional and field.target is not None and not population.ids.get(field.target)
           for field in record_type.refs):  # fmt: skip
        return
    kept = {field.name for field in record_type.fields if field.required} | {"id"}
    given = given_fields(subject, record_type, population.ids)
    for values in _as_wanted(row_strategy(subject, crm, record_type, population.ids), each, seed):
        if len(ids) >= each:
            break
        if values.get("id") in ids:  # an account has one extension of a kind
            continue
        full = [values] if liven is None else [liven(record_type, values, given), values]
        least = [{name: value for name, value in some.items() if name in kept} for some in full]
        for attempt in (*full, *least):
            try:
                with crm.system_session(PRINCIPAL) as session:
                    new = write(session, record_type, attempt)
            except REFUSALS as error:
                refused.append(error)
            else:
                ids.append(new)
                break


def _as_wanted(strategy: SearchStrategy[Any], each: int, seed: int) -> Iterator[Any]:
    """So many values, and four times as many more, which are drawn when one is wanted.

    To draw a row costs more than to write it, and most rows are accepted.
    """
    yield from drawn(strategy, each, seed)
    yield from drawn(strategy, each * 4, seed + 1)


def write(session: CrmSession, record_type: RecordType, values: Mapping[str, Any]) -> int:
    """Add a record of these values, of an extension under the ``id`` that is among them; returns its id."""
    new = record_type.cls(**{name: value for name, value in values.items() if name != "id"})
    if "id" in values:
        new.id = values["id"]
    session.add(new)
    session.flush()
    return new.id
