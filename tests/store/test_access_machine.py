"""Visibility on every read path, against a plain model of it, over organisations that change at random."""

from __future__ import annotations

import datetime as dt
import itertools
import os
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test
from sqlalchemy import delete, select, update

from crm_core.domain.accounts import Account, AccountRelation
from crm_core.domain.activities import Activity, Participant
from crm_core.domain.contacts import Affiliation, Contact, ContactPoint, PointKind
from crm_core.domain.organisation import Membership, Unit, User
from crm_core.domain.ownership import Ownership, OwnershipRole, Share
from crm_core.errors import Conflict, PermissionDenied
from crm_core.store.session import CrmSession
from crm_core.store.store import Store
from crm_core.store.tables import TECHNICAL_TABLES

from .access_looks import LOOKS, counts, navigations, one_by_one
from .access_model import DATED, Model, Row
from .access_records import POLICY

CLASSES: dict[str, Any] = {
    cls.crm_type.name: cls
    for cls in (Account, Contact, Affiliation, Activity, Participant, ContactPoint, AccountRelation, Ownership, Share,
                Membership, Unit, User)
}  # fmt: skip
NAVIGATIONS = {
    "affiliation": ("account", "contact"), "activity": ("account", "contact", "user"), "share": ("account", "user"),
    "participant": ("activity", "contact"), "contact_point": ("contact", "account"), "ownership": ("account", "user"),
    "account_relation": ("account", "other"),
}  # fmt: skip
# What an update writes, where access does not depend on it.
HARMLESS = {
    "account": "grade", "contact": "language", "activity": "place", "contact_point": "label", "affiliation": "title",
}  # fmt: skip

picks = st.integers(0, 1_000_000)
roles = st.sampled_from(["sales", "sales", "clerk", "manager", "deputy", "director", "admin", "dispatcher", "guest"])
days = st.sampled_from([None, None, None, -10, -1, 1, 10])
dates = st.tuples(days, days).map(lambda pair: pair if None in pair or pair[0] < pair[1] else (None, pair[1]))
maybe = st.booleans()
roots = st.sampled_from(["account", "contact"])
parts = st.sampled_from(OwnershipRole)


class AccessMachine(RuleBasedStateMachine):
    """Writes as the system, looks as anybody."""

    store: Store

    @initialize()
    def begin(self) -> None:
        self.now, self.numbers = dt.datetime.now(dt.UTC), itertools.count()
        self.model = Model({role.name: role.grants for role in POLICY.roles.values()})
        tables = [record_type.table for record_type in self.store.types.values()]
        with self.store.engine.begin() as connection:
            if self.store.dialect == "sqlite":
                connection.exec_driver_sql("PRAGMA defer_foreign_keys=ON")
            for table in (*tables, *(each for each in TECHNICAL_TABLES if each.name in EMPTIED)):
                connection.execute(delete(table))
        self.unit(0, top=True)
        for role in ("sales", "manager", "sales"):
            self.user(0, role, False, (None, None))

    # -- writing -----------------------------------------------------------------------------------------------

    def add(self, kind: str, created_by: int | None = None, /, **values: Any) -> int:
        """Write one record, and note it."""
        stored = {name: self.moment(value) if name.startswith("valid_") else value for name, value in values.items()}
        with self.store.session(principal="machine") as session:
            record = session.add_one(CLASSES[kind](**stored))
            session.flush()
            if created_by is not None:
                table = CLASSES[kind].crm_type.table
                session.core(update(table).where(table.c.id == record.id).values(created_by=created_by))
            id_: int = record.id
        plain = {name: getattr(value, "value", value) for name, value in values.items()}
        self.model.rows[id_] = Row(kind, id_, plain, created_by)
        return id_

    def moment(self, day: float | None) -> dt.datetime | None:
        return None if day is None else self.now + dt.timedelta(days=day)

    def pick(self, kind: str, number: int) -> int:
        ids = sorted(self.model.ids(kind))
        return ids[number % len(ids)]

    def perhaps(self, kind: str, wanted: bool, number: int) -> int | None:
        return self.pick(kind, number) if wanted and self.model.ids(kind) else None

    def has(self, *kinds: str) -> bool:
        return all(self.model.ids(kind) for kind in kinds)

    @rule(above=picks)
    def unit(self, above: int, top: bool = False) -> None:
        self.add("unit", name="u", parent_id=None if top else self.pick("unit", above))

    @rule(which=picks, above=picks)
    def move_unit(self, which: int, above: int) -> None:
        unit, parent = self.pick("unit", which), self.pick("unit", above)
        with self.store.session(principal="machine") as session:
            if self.model.beneath(parent, unit):
                try:
                    session.update_many(Unit, [{"id": unit, "parent_id": parent}])
                    session.check()
                except Conflict:
                    session.rollback()
                    return
                raise AssertionError("a unit above itself")
            session.update_many(Unit, [{"id": unit, "parent_id": parent}])
        self.model.rows[unit].values["parent_id"] = parent

    @rule(unit=picks, role=roles, twice=maybe, when=dates)
    def user(self, unit: int, role: str, twice: bool, when: tuple[Any, Any]) -> None:
        user = self.add("user", login=f"user{next(self.numbers)}", name="n")
        self.membership(user, unit, role, when)
        if twice:
            self.membership(user, unit + 1, "deputy", (None, None))

    def membership(self, user: int, unit: int, role: str, when: tuple[Any, Any]) -> None:
        self.add("membership", user_id=user, unit_id=self.pick("unit", unit), role=role, valid_from=when[0],
                 valid_to=when[1])  # fmt: skip

    @rule(user=picks, unit=picks, role=roles, when=dates)
    def another_place(self, user: int, unit: int, role: str, when: tuple[Any, Any]) -> None:
        self.membership(self.pick("user", user), unit, role, when)

    @rule(user=picks, owned=maybe)
    def account(self, user: int, owned: bool) -> None:
        account = self.add("account", name="a")
        if owned:
            owner = self.pick("user", user)
            self.add("ownership", account_id=account, user_id=owner, role=OwnershipRole.OWNER, scope="")

    @rule(creator=picks, created=maybe, account=picks, linked=maybe, when=dates)
    def contact(self, creator: int, created: bool, account: int, linked: bool, when: tuple[Any, Any]) -> None:
        contact = self.add("contact", self.perhaps("user", created, creator), name="c")
        if linked and self.has("account"):
            self.add("affiliation", account_id=self.pick("account", account), contact_id=contact, valid_from=when[0],
                     valid_to=when[1])  # fmt: skip

    @precondition(lambda self: self.has("account", "contact"))
    @rule(account=picks, contact=picks, when=dates)
    def affiliation(self, account: int, contact: int, when: tuple[Any, Any]) -> None:
        self.add("affiliation", account_id=self.pick("account", account), contact_id=self.pick("contact", contact),
                 valid_from=when[0], valid_to=when[1])  # fmt: skip

    @rule(number=picks, account=maybe, contact=maybe, user=maybe, created=maybe)
    def activity(self, number: int, account: bool, contact: bool, user: bool, created: bool) -> None:
        values = {"account_id": self.perhaps("account", account, number),
                  "user_id": self.perhaps("user", user, number // 5),
                  "contact_id": self.perhaps("contact", contact, number // 3)}  # fmt: skip
        id_ = self.add("activity", self.perhaps("user", created, number // 7), kind="call", subject="s", **values)
        if values["account_id"] is None and values["contact_id"] is not None:
            self.model.rows[id_].values["account_id"] = self.model.only_place(values["contact_id"])

    @precondition(lambda self: self.has("activity"))
    @rule(number=picks, contact=maybe, user=maybe)
    def participant(self, number: int, contact: bool, user: bool) -> None:
        self.add("participant", activity_id=self.pick("activity", number), user_id=self.perhaps("user", user, number),
                 contact_id=self.perhaps("contact", contact, number // 3))  # fmt: skip

    @rule(number=picks, contact=maybe, account=maybe, created=maybe)
    def point(self, number: int, contact: bool, account: bool, created: bool) -> None:
        self.add("contact_point", self.perhaps("user", created, number), kind=PointKind.PHONE, value="110",
                 contact_id=self.perhaps("contact", contact, number // 3),
                 account_id=self.perhaps("account", account, number // 5))  # fmt: skip

    @precondition(lambda self: self.has("account"))
    @rule(one=picks, other=picks, when=dates)
    def relation(self, one: int, other: int, when: tuple[Any, Any]) -> None:
        self.add("account_relation", account_id=self.pick("account", one), other_id=self.pick("account", other),
                 kind="partner", valid_from=when[0], valid_to=when[1])  # fmt: skip

    @precondition(lambda self: self.has("account"))
    @rule(account=picks, user=picks, role=parts, scope=st.sampled_from(["", "east"]), when=dates)
    def own(self, account: int, user: int, role: OwnershipRole, scope: str, when: tuple[Any, Any]) -> None:
        values = {"account_id": self.pick("account", account), "user_id": self.pick("user", user), "scope": scope,
                  "valid_from": when[0], "valid_to": when[1]}  # fmt: skip
        overlaps = self.model.overlaps({**values, "role": role.value})
        try:
            self.add("ownership", **values, role=role)
        except Conflict:
            assert overlaps
        else:
            assert not overlaps, "two owners at once"

    @precondition(lambda self: self.has("account"))
    @rule(account=picks, receiver=picks, to_unit=maybe, role=st.sampled_from(["reader", "editor", "guest"]), when=dates)
    def share(self, account: int, receiver: int, to_unit: bool, role: str, when: tuple[Any, Any]) -> None:
        self.add("share", account_id=self.pick("account", account), role=role, reason="r", valid_from=when[0],
                 user_id=None if to_unit else self.pick("user", receiver),
                 unit_id=self.pick("unit", receiver) if to_unit else None, valid_to=when[1])  # fmt: skip

    @rule(kind=st.sampled_from(sorted(DATED)), which=picks)
    def end(self, kind: str, which: int) -> None:
        rows = [row for row in self.model.of(kind) if row["valid_to"] is None and (row["valid_from"] or -99) < -1]
        if not rows:
            return
        row = rows[which % len(rows)]
        with self.store.session(principal="machine") as session:
            session.update_many(CLASSES[kind], [{"id": row.id, "valid_to": self.moment(-1)}])
        row.values["valid_to"] = -1

    @rule(kind=st.sampled_from(["account", "contact", "activity", "share", "affiliation"]), which=picks)
    def remove(self, kind: str, which: int) -> None:
        if self.has(kind):
            id_ = self.pick(kind, which)
            with self.store.session(principal="machine") as session:
                session.delete_many(CLASSES[kind], [id_])
            self.model.delete([id_])

    # -- looking -----------------------------------------------------------------------------------------------

    def session(self, user: int, wide: bool, **options: Any) -> CrmSession:
        session = self.store.session(self.model.rows[user]["login"], **options)
        session.visibility.__dict__["wide"] = wide
        return session

    @rule(who=picks, kind=st.sampled_from(sorted(NAVIGATIONS)), also=roots, wide=maybe)
    def look(self, who: int, kind: str, wide: bool, also: str) -> None:
        user = self.pick("user", who)
        for each in (kind, also):
            self.look_at(user, each, wide)

    def look_at(self, user: int, kind: str, wide: bool) -> None:
        cls, everything = CLASSES[kind], self.model.ids(kind)
        expected, at_all = self.model.visible(user, kind), self.model.visible(user, kind, day=None)
        with self.session(user, wide, read_only=True) as session:
            for way, find in LOOKS.items():
                found = list(find(session, cls))
                assert (sorted(found), way) == (sorted(expected), way), self.story(user, kind)
            for way, number in counts(session, cls).items():
                assert (number, way) == (len(expected), way), self.story(user, kind)
            for way, ids in one_by_one(session, cls, everything).items():
                assert (ids, way) == (at_all, way), self.story(user, kind)
            whole = session.scalars(select(cls.id), execution_options={"all_dates": True})
            assert set(whole) == at_all
            for name in NAVIGATIONS.get(kind, ()):
                self.navigate(session, user, kind, name, expected)

    def navigate(self, session: CrmSession, user: int, kind: str, name: str, expected: set[int]) -> None:
        wanted = {}
        for id_ in expected:
            target = self.model.rows[id_][f"{name}_id"]
            seen = target is not None and self.model.may(user, self.model.rows[target])
            wanted[id_] = target if seen else None
        for way, found in navigations(session, CLASSES[kind], name).items():
            assert (found, way) == (wanted, way), self.story(user, f"{kind}.{name}")

    @rule(who=picks, kind=st.sampled_from(sorted(CLASSES)), day=st.sampled_from([-5, 5, -20, 20]), wide=maybe)
    def look_at_another_day(self, who: int, kind: str, day: int, wide: bool) -> None:
        """The rows are those of the day; the rights are those of today."""
        user = self.pick("user", who)
        expected = self.model.visible(user, kind, day=day)
        with self.session(user, wide, at=self.moment(day)) as session:
            for way in ("entities", "alias", "list", "exists", "pages"):
                assert (sorted(LOOKS[way](session, CLASSES[kind])), way) == (sorted(expected), way)
            assert session.count(CLASSES[kind]) == len(expected)

    @rule(who=picks, kind=st.sampled_from(sorted(CLASSES)), wide=maybe)
    def look_at_the_past(self, who: int, kind: str, wide: bool) -> None:
        """As of now the recorded past is the present; as of long ago there was nothing."""
        user, cls = self.pick("user", who), CLASSES[kind]
        today = self.model.visible(user, kind)
        for as_of, ids in ((dt.datetime.now(dt.UTC), today), (self.now - dt.timedelta(9), set())):
            with self.session(user, wide, as_of=as_of) as session:
                assert {record.id for record in session.list(cls, limit=None)} == ids
                assert session.count(cls) == len(ids)
                every = self.model.visible(user, kind, day=None) if ids else ids
                assert {id_ for id_ in self.model.ids(kind) if session.get(cls, id_) is not None} >= every

    # -- changing as somebody ----------------------------------------------------------------------------------

    @rule(who=picks, kind=st.sampled_from(sorted(HARMLESS)), some=picks, wide=maybe, remove=maybe)
    def change(self, who: int, kind: str, some: int, wide: bool, remove: bool) -> None:
        """A change by criteria touches what is seen and may be changed; it is taken back again."""
        user, cls = self.pick("user", who), CLASSES[kind]
        aimed = {id_ for number, id_ in enumerate(sorted(self.model.ids(kind))) if some >> (number % 20) & 1}
        seen = self.model.visible(user, kind) & aimed
        verb = "delete" if remove else "update"
        allowed = self.model.changeable(user, kind, verb)
        change: Any = delete(cls) if remove else update(cls).values(**{HARMLESS[kind]: "X"})
        with self.session(user, wide) as session:
            try:
                count = session.execute(change.where(cls.id.in_(aimed))).rowcount
            except PermissionDenied:
                assert not seen or not seen <= allowed, self.story(user, kind)
                session.rollback()
                return
            assert seen <= allowed, self.story(user, kind)
            assert count == len(seen)
            table = cls.crm_type.table
            if remove:
                remaining = self.model.after_delete(seen) & self.model.ids(kind)
                assert set(session.core(select(table.c.id)).scalars()) == remaining
            else:
                changed = session.core(select(table.c.id).where(table.c[HARMLESS[kind]] == "X")).scalars()
                assert set(changed) == seen
            session.rollback()

    # -- at the end --------------------------------------------------------------------------------------------

    def teardown(self) -> None:
        """Everybody looks once more, in both shapes of the criterion."""
        if not hasattr(self, "model"):
            return
        for number, user in enumerate(sorted(self.model.ids("user"))):
            with self.session(user, bool(number % 2), read_only=True) as session:
                for kind, cls in CLASSES.items():
                    found = set(session.scalars(select(cls.id)))
                    assert found == self.model.visible(user, kind), self.story(user, kind)

    def story(self, user: int, kind: str) -> str:
        rows = "\n".join(f"{row.kind} {row.id} by {row.created_by}: {row.values}" for row in self.model.rows.values())
        return f"user {user} looking at {kind}\n{rows}"


EMPTIED = frozenset({"crm_change", "crm_change_set", "crm_unit_closure"})
# A longer search: HYPOTHESIS_PROFILE=thorough pytest tests/store/test_access_machine.py
THOROUGH = os.environ.get("HYPOTHESIS_PROFILE") == "thorough"


@pytest.mark.timeout(3600 if THOROUGH else 300)
def test_visibility_agrees_with_the_model(store: Store) -> None:
    machine = type("Machine", (AccessMachine,), {"store": store})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=500 if THOROUGH else 12,
            stateful_step_count=60 if THOROUGH else 25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.parametrize("places", [1, 2])
def test_an_activity_with_a_person_alone_is_seen_where_they_work(store: Store, places: int) -> None:
    machine = type("Machine", (AccessMachine,), {"store": store})()
    machine.begin()
    for number in range(places):
        machine.account(number, True)
    machine.contact(0, False, 0, True, (-1, 1))
    for number in range(1, places):
        machine.affiliation(number, 0, (None, None))
    machine.activity(2, False, True, True, True)
    (filed,) = [row["account_id"] for row in machine.model.of("activity")]
    assert (filed is not None) is (places == 1)
    machine.teardown()
