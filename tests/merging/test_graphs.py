"""Whatever hangs on two records: a merge leaves nothing dangling, and its undo brings back the database as it was."""

from __future__ import annotations

import datetime as dt
import shutil
from copy import copy
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from crm_core import (
    Account,
    AccountAddress,
    AccountRelation,
    Activity,
    Address,
    Affiliation,
    Contact,
    ContactPoint,
    ExternalRef,
    Lifecycle,
    MergeConflict,
    Ownership,
    OwnershipRole,
    Participant,
    PointKind,
    Share,
    Stage,
    Unit,
    User,
    merging,
)
from crm_core.domain.contacts import Consent
from crm_core.errors import CrmError
from crm_core.store.match_keys import check_keys
from crm_core.store.store import Store

from .records import (
    POLICY,
    TYPES,
    Clause,
    Link,
    Machine,
    Memo,
    Plugins,
    Rating,
    Review,
    Seat,
    Term,
    dangling,
    day,
    dump,
)

three = st.integers(0, 2)
days = st.one_of(st.none(), st.integers(0, 6))


@st.composite
def spans(draw: st.DrawFn) -> tuple[dt.datetime | None, dt.datetime | None]:
    start, end = draw(days), draw(days)
    if start is not None and end is not None and start >= end:
        start, end = end, start + 1
    return day(start), day(end)


ROWS = st.lists(
    st.one_of(
        st.tuples(st.just("ownership"), three, three, st.sampled_from(OwnershipRole), st.sampled_from(["", "north"]),
                  spans()),
        st.tuples(st.just("lifecycle"), three, st.sampled_from(["general", "a"]), st.sampled_from(Stage), spans()),
        st.tuples(st.just("affiliation"), three, three, st.sampled_from([None, "buyer", "user"]), st.booleans(),
                  spans()),
        st.tuples(st.just("relation"), three, three, st.sampled_from(["partner", "branch"]), spans()),
        st.tuples(st.just("point"), three, st.booleans(), st.sampled_from(["1380013800", "a@b.example"]),
                  st.sampled_from(Consent), days),
        st.tuples(st.just("address"), three, st.sampled_from(["Berlin", "上海"])),
        st.tuples(st.just("activity"), three, st.one_of(st.none(), three), st.lists(three, max_size=3)),
        st.tuples(st.just("share"), three, three, st.sampled_from(["help", "case"]), spans(),
                  st.one_of(st.none(), three)),
        st.tuples(st.just("key"), st.sampled_from(["account", "contact"]), three),
        st.tuples(st.just("machine"), three, st.one_of(st.none(), three), st.one_of(st.none(), three)),
        st.tuples(st.just("link"), three, three),
        st.tuples(st.just("term"), three, st.sampled_from(["a", "b"]), spans(), st.integers(0, 2)),
        st.tuples(st.just("seat"), three, three, spans()),
        st.tuples(st.just("rating"), three, st.integers(0, 5), st.sampled_from([None, "x"]), st.integers(0, 2)),
        st.tuples(st.just("memo"), st.one_of(st.none(), three), st.sampled_from([None, "account", "contact"]), three,
                  st.one_of(st.none(), three)),
    ),
    max_size=14,
)  # fmt: skip


class World:
    """Three accounts, three people, three users, and whatever hangs on them."""

    def __init__(self, store: Store) -> None:
        self.store = store
        store.create_all()
        with store.session(principal="init") as session:
            unit = session.add_one(Unit(name="East"))
            self.users = [session.add_one(User(login=f"u{number}", name=f"U {number}")).id for number in range(3)]
            self.unit = unit.id
            self.accounts = [
                session.add_one(
                    Account(
                        name=f"Acme {number}", tags=frozenset({str(number)}), phone=[None, "+861065529988"][number % 2]
                    )
                ).id
                for number in range(3)
            ]
            self.contacts = [session.add_one(Contact(name=f"Ann {number}")).id for number in range(3)]

    def add(self, row: tuple[Any, ...]) -> None:
        """Add what a row describes; what the rules of the kernel refuse is left out."""
        records = self.records(row)
        with self.store.session(principal="init") as session:
            for record in records:
                try:
                    with session.begin_nested():
                        session.add(record)
                        session.check()
                except CrmError:
                    pass

    def records(self, row: tuple[Any, ...]) -> list[Any]:
        what, *given_ = row
        a, c = self.accounts, self.contacts

        def dates(span: Any) -> dict[str, Any]:
            return {"valid_from": span[0], "valid_to": span[1]}

        if what == "ownership":
            return [Ownership(account_id=a[given_[0]], user_id=self.users[given_[1]], role=given_[2], scope=given_[3],
                              **dates(given_[4]))]  # fmt: skip
        if what == "lifecycle":
            return [Lifecycle(account_id=a[given_[0]], business_line=given_[1], stage=given_[2], **dates(given_[3]))]
        if what == "affiliation":
            return [Affiliation(account_id=a[given_[0]], contact_id=c[given_[1]], role=given_[2], primary=given_[3],
                                **dates(given_[4]))]  # fmt: skip
        if what == "relation" and given_[0] != given_[1]:
            return [AccountRelation(account_id=a[given_[0]], other_id=a[given_[1]], kind=given_[2], **dates(given_[3]))]
        if what == "point":
            side = {"contact_id": c[given_[0]]} if given_[1] else {"account_id": a[given_[0]]}
            kind = PointKind.EMAIL if "@" in given_[2] else PointKind.MOBILE
            return [ContactPoint(kind=kind, value=given_[2], consent=given_[3], consent_at=day(given_[4]), **side)]
        if what == "address":
            return [AccountAddress(account_id=a[given_[0]], address=Address(city=given_[1]))]
        if what == "activity":
            with self.store.session(principal="init") as session:
                person = None if given_[1] is None else c[given_[1]]
                visit = session.add_one(
                    Activity(kind="visit", subject="x", account_id=a[given_[0]], contact_id=person)
                ).id
            return [Participant(activity_id=visit, contact_id=c[each]) for each in given_[2]]
        if what == "share":
            because = {} if given_[4] is None else {"because_type": "account", "because_id": a[given_[4]]}
            return [Share(account_id=a[given_[0]], user_id=self.users[given_[1]], reason=given_[2], **dates(given_[3]),
                          **because)]  # fmt: skip
        if what == "key":
            id_ = (a if given_[0] == "account" else c)[given_[1]]
            return [ExternalRef(system="erp", record_type=given_[0], key=f"{given_[0]} {id_}", record_id=id_)]
        if what == "machine":
            spare = None if given_[1] is None else a[given_[1]]
            buyer = None if given_[2] is None else c[given_[2]]
            return [Machine(account_id=a[given_[0]], spare_for_id=spare, buyer_id=buyer, name="M")]
        if what == "link" and given_[0] != given_[1]:
            return [Link(account_id=a[given_[0]], other_id=a[given_[1]])]
        if what == "term":
            with self.store.session(principal="init") as session:
                term = Term(account_id=a[given_[0]], line=given_[1], **dates(given_[2]))
                try:
                    session.add(term)
                    session.check()
                except CrmError:
                    session.rollback()
                    return []
                id_ = term.id
            return [Clause(term_id=id_) for _ in range(given_[3])]
        if what == "seat":
            return [Seat(account_id=a[given_[0]], contact_id=c[given_[1]], **dates(given_[2]))]
        if what == "rating":
            with self.store.session(principal="init") as session:
                if session.get(Rating, a[given_[0]]) is None:
                    rating = Rating(stars=given_[1], remark=given_[2], labels=frozenset({str(given_[1])}), secret="s")
                    rating.id = a[given_[0]]
                    session.add(rating)
            return [Review(rating_id=a[given_[0]]) for _ in range(given_[3])]
        if what == "memo":
            named = (a if given_[1] == "account" else c)[given_[2]]
            about = {} if given_[1] is None else {"about_type": given_[1], "about_id": named}
            payer = None if given_[3] is None else a[given_[3]]
            return [Memo(account_id=None if given_[0] is None else a[given_[0]], payer=payer, **about)]
        return []


def refers_to(store: Store, type_name: str, id_: int) -> list[str]:
    """Who still refers to a record, whether declared or not."""
    found = []
    with store._reading.connect() as connection:
        for child, field in TYPES.referring(type_name):
            query = select(child.table.c.id).where(child.table.c[field.name] == id_)
            found += [f"{child.name} {row}" for row in connection.execute(query).scalars()]
        for extension in TYPES.extensions(type_name):
            query = select(extension.table.c.id).where(extension.table.c.id == id_)
            found += [f"{extension.name} {row}" for row in connection.execute(query).scalars()]
        for soft in POLICY.references:
            table = TYPES[soft.record].table
            query = select(table.c.id).where(table.c[soft.id_field] == id_)
            if soft.type_field is not None:
                query = query.where(table.c[soft.type_field] == type_name)
            elif soft.target != type_name:
                continue
            found += [f"{soft.record} {row}" for row in connection.execute(query).scalars()]
    return found


def merge_and_split(world: World, rows: list[tuple[Any, ...]], what: str) -> str:
    store = world.store
    for row in rows:
        world.add(row)
    assert dangling(store) == []
    before = dump(store)
    cls: Any = Account if what == "account" else Contact
    target_id, source_id = (world.accounts if what == "account" else world.contacts)[:2]
    with store.session(principal="merge") as session:
        planned = merging.merge(session, session.require(cls, target_id), session.require(cls, source_id), dry_run=True)
    assert dump(store) == before
    with store.session(principal="merge") as session:
        try:
            report = merging.merge(session, session.require(cls, target_id), session.require(cls, source_id))
        except MergeConflict as error:
            assert planned.conflicts == list(error.problems) != []
        else:
            assert planned.conflicts == []
            assert (planned.fields, planned.moved, planned.resolved) == (report.fields, report.moved, report.resolved)
    if planned.conflicts:
        assert dump(store) == before
        return "conflict"
    merged = dump(store)
    assert dangling(store) == []
    assert refers_to(store, what, source_id) == []
    table = cls.crm_type.table.name
    assert len(merged[table]) == len(before[table]) - 1
    with store.session(principal="merge") as session:
        assert merging.resolve(session, what, source_id) == target_id
        assert check_keys(session)[1:] == (0, 0)
        merging.split(session, source_id)
    undone = session.last_change_set
    assert undone is not None
    assert dump(store) == before
    with store.session(principal="merge") as session:
        assert merging.resolve(session, what, source_id) == source_id
        session.undo(undone)
    assert dump(store) == merged
    return "merged"


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, World]:
    """A database with the world in it, which each example copies."""
    path = tmp_path_factory.mktemp("world") / "crm.db"
    world = World(Store(f"sqlite:///{path}", TYPES, POLICY, Plugins()))
    world.store.scrub()
    world.store.close()
    return path, world


# Each example copies a database.
@settings(suppress_health_check=list(HealthCheck), max_examples=min(settings.default.max_examples, 40))
@given(rows=ROWS, what=st.sampled_from(["account", "contact"]))
def test_merge_then_split_is_as_it_was(template: tuple[Path, World], rows: list[tuple[Any, ...]], what: str) -> None:
    path, world = template
    with TemporaryDirectory() as folder:
        copied = Path(folder) / "crm.db"
        shutil.copy(path, copied)
        world = copy(world)
        world.store = Store(f"sqlite:///{copied}", TYPES, POLICY, Plugins())
        try:
            merge_and_split(world, rows, what)
        finally:
            world.store.close()


EVERYTHING: list[tuple[Any, ...]] = [
    ("ownership", 0, 0, OwnershipRole.OWNER, "", (day(2), None)),
    ("ownership", 1, 1, OwnershipRole.OWNER, "", (day(0), day(5))),
    ("lifecycle", 0, "general", Stage.CUSTOMER, (day(1), day(2))),
    ("lifecycle", 1, "general", Stage.PROSPECT, (None, None)),
    ("affiliation", 0, 0, "buyer", False, (day(0), day(3))),
    ("affiliation", 1, 0, None, True, (day(2), None)),
    ("affiliation", 1, 1, "user", True, (None, None)),
    ("relation", 0, 1, "partner", (None, None)),
    ("relation", 0, 2, "partner", (None, day(4))),
    ("relation", 1, 2, "partner", (day(3), None)),
    ("point", 0, True, "a@b.example", Consent.GIVEN, 1),
    ("point", 1, True, "a@b.example", Consent.WITHDRAWN, 2),
    ("point", 0, False, "1380013800", Consent.UNKNOWN, None),
    ("point", 1, False, "1380013800", Consent.GIVEN, None),
    ("address", 0, "Berlin"),
    ("address", 1, "Berlin"),
    ("activity", 1, 1, [0, 1, 2]),
    ("share", 0, 2, "help", (None, None), None),
    ("share", 1, 2, "help", (day(1), None), None),
    ("share", 2, 2, "case", (None, None), 1),
    ("key", "account", 1),
    ("key", "contact", 1),
    ("machine", 1, 0, 1),
    ("machine", 2, 1, 0),
    ("link", 0, 1),
    ("link", 1, 2),
    ("term", 0, "a", (day(1), day(3)), 1),
    ("term", 1, "a", (day(2), None), 2),
    ("term", 1, "a", (None, day(1)), 1),
    ("rating", 0, 3, None, 1),
    ("rating", 1, 5, "x", 2),
    ("memo", 1, "account", 1, 1),
    ("memo", None, "contact", 1, None),
]


@pytest.mark.parametrize("what", ["account", "contact"])
@pytest.mark.parametrize("rows", [EVERYTHING, [row for row in EVERYTHING if row[:2] != ("rating", 0)]])
def test_all_at_once_on_both_databases(database_url: str, rows: list[tuple[Any, ...]], what: str) -> None:
    store = Store(database_url, TYPES, POLICY, Plugins())
    try:
        assert merge_and_split(World(store), rows, what) == "merged"
    finally:
        store.close()


def test_rows_that_nobody_resolves_stand_in_the_way(database_url: str) -> None:
    store = Store(database_url, TYPES, POLICY, Plugins())
    rows: list[tuple[Any, ...]] = [("seat", 0, 0, (None, None)), ("seat", 1, 0, (day(1), None))]
    try:
        assert merge_and_split(World(store), rows, "account") == "conflict"
    finally:
        store.close()
