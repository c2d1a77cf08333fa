"""Compliance: what must be updated or confirmed when, by whom, computed from the journal."""

from __future__ import annotations

import datetime as dt
from typing import Any

import attrs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event

from crm_core import Account, Affiliation, Contact, ContactPoint, PointKind, contacts, duties, organisation, ownership
from crm_core.domain.contacts import Consent
from crm_core.domain.duties import DutyConfirmation
from crm_core.errors import NotFound, PermissionDenied, UnsupportedStatement
from crm_core.store.history import change_sets
from crm_core.store.tables import CHANGE_SET
from crm_core.views.duties import Obligation

from .conftest import START, World, refusal

DAY = dt.timedelta(days=1)


def standing(world: World, login: str | None = None, duty: str | None = "contact_details") -> dict[str, Obligation]:
    with world.session(login, read_only=True) as session:
        return {each.account: each for each in duties.obligations(session, duty=duty)}


def new_number(world: World, login: str | None, account: str, value: str = "+8613900139000") -> None:
    with world.session(login) as session:
        session.require(ContactPoint, world.points[account]).value = value


def test_only_the_accounts_of_the_rule_count(world: World) -> None:
    assert set(standing(world)) == {"Acme", "Cave", "Delta"}
    acme = standing(world)["Acme"]
    assert (acme.user_id, acme.since, acme.last, acme.due) == (world.users["li"], None, None, START + 90 * DAY)
    assert acme.fulfilled and acme.days_left == 90 and acme.overdue_days == 0 and acme.label == "Contact details"


def test_it_is_overdue_from_the_moment_it_is_due(world: World) -> None:
    world.clock.forward(90)
    acme = standing(world)["Acme"]
    assert not acme.fulfilled and acme.overdue_days == 0 and acme.days_left == 0
    world.clock.forward(10.5)
    assert standing(world)["Acme"].overdue_days == 10


def test_a_person_who_updates_fulfils_it(world: World) -> None:
    world.clock.forward(100)
    new_number(world, "li", "Acme")
    assert standing(world)["Acme"].last == world.clock.now
    assert standing(world)["Acme"].due == world.clock.now + 90 * DAY
    assert not standing(world)["Cave"].fulfilled


def test_each_account_is_confirmed_by_itself(world: World) -> None:
    moments = {}
    for account in ("Acme", "Cave"):
        moments[account] = world.clock.forward(10)
        with world.session("qian") as session:
            duties.confirm(session, "contact_details", session.require(Account, world.accounts[account]))
    found = standing(world)
    assert {account: found[account].last for account in moments} == moments
    assert found["Delta"].last is None


def test_what_the_system_writes_does_not_count(world: World) -> None:
    world.clock.forward(100)
    new_number(world, None, "Acme")
    assert standing(world)["Acme"].last is None


def test_other_fields_do_not_count(world: World) -> None:
    with world.session("li") as session:
        session.require(ContactPoint, world.points["Acme"]).label = '"value":'
        session.require(Contact, world.people["Acme"]).language = "zh"
    assert standing(world)["Acme"].last is None
    world.clock.forward(1)
    with world.session("li") as session:
        session.require(ContactPoint, world.points["Acme"]).consent = Consent.GIVEN
    assert standing(world)["Acme"].last == world.clock.now


def test_a_new_record_counts_and_one_of_the_account_itself_too(world: World) -> None:
    world.clock.forward(5)
    with world.session("li") as session:
        session.add_one(
            ContactPoint(account_id=world.accounts["Acme"], kind=PointKind.EMAIL, value="info@acme.example")
        )
    assert standing(world)["Acme"].last == world.clock.now


def test_what_was_undone_does_not_count_until_it_is_brought_back(world: World) -> None:
    def last() -> list[dt.datetime | None]:
        """Among all, and where only an account or a colleague is asked for."""
        chosen: list[dict[str, Any]] = [{}, {"accounts": [world.accounts["Acme"]]}, {"user": "li"}]
        with world.session(read_only=True) as session:
            found = [duties.obligations(session, duty="contact_details", **each) for each in chosen]
        return [each.last for one in found for each in one if each.account == "Acme"]

    world.clock.forward(100)
    new_number(world, "li", "Acme")
    updated = world.clock.now
    with world.session("li") as session:
        (made, *_) = change_sets(session, 1)
        session.undo(made.id)
    assert last() == [None] * 3
    world.clock.forward(1)
    with world.session("li") as session:
        session.undo(change_sets(session, 1)[0].id)
    assert last() == [updated] * 3


def test_what_was_undone_is_looked_for_among_what_was_written_there(world: World) -> None:
    """However many others wrote and took back, a briefing about one account does not take longer by them."""
    new_number(world, "li", "Acme")
    with world.session("li") as session:
        session.undo(change_sets(session, 1)[0].id)
        postgresql = session.dialect == "postgresql"

    def look() -> int:
        with world.session(read_only=True) as session:
            connection: Any = session.core_connection().connection.driver_connection
            steps = 0

            def step() -> int:
                nonlocal steps
                steps += 1
                return 0

            if not postgresql:
                connection.set_progress_handler(step, 10)
            try:
                (acme,) = duties.obligations(session, duty="contact_details", accounts=[world.accounts["Acme"]])
                (mine,) = duties.obligations(session, duty="contact_details", user="gao")
            finally:
                if not postgresql:
                    connection.set_progress_handler(None, 0)
        assert (acme.last, mine.account) == (None, "Delta")
        return steps

    before = look()
    with world.session() as session:
        (one,) = change_sets(session, 1)
        values = {"principal": "test", "source": "undo", "at": one.at, "user_id": None, "reason": None}
        high = one.id + 1
        rows = [
            {**values, "id": id_, "xid": id_, "place": id_, "undoes": id_ - 1 if (id_ - high) % 2 else None}
            for id_ in range(high, high + 5000)
        ]
        session.core_connection().execute(CHANGE_SET.insert(), rows)
    assert look() <= before * 1.1 + 5


def test_whoever_looked_confirms_that_nothing_changed(world: World) -> None:
    world.clock.forward(100)
    with world.session("li") as session:
        acme = session.require(Account, world.accounts["Acme"])
        made = duties.confirm(session, "contact_details", acme, note="rang them")
        assert (made.user_id, made.confirmed_at) == (world.users["li"], world.clock.now)
    assert standing(world)["Acme"].last == world.clock.now
    with world.session("li") as session:
        session.undo(change_sets(session, 1)[0].id)
        assert session.count(DutyConfirmation) == 0
    assert standing(world)["Acme"].last is None


def test_who_may_confirm(world: World) -> None:
    with world.session() as session:
        acme = session.require(Account, world.accounts["Acme"])
        delta = session.require(Account, world.accounts["Delta"])
        cave = session.require(Account, world.accounts["Cave"])
        ownership.assign(session, cave, to="mei", role="collaborator", since_always=True)
    assert refusal(world, "zhou", lambda s: duties.confirm(s, "contact_details", acme)) == ""
    assert refusal(world, "mei", lambda s: duties.confirm(s, "contact_details", cave)) == ""
    unseen = refusal(world, "li", lambda s: duties.confirm(s, "contact_details", delta))
    assert unseen.startswith(f"NotFound: There is no account {delta.id}")
    with world.session("li") as session, pytest.raises(NotFound, match="Did you mean contact_details"):
        duties.confirm(session, "contact_detials", acme)


def test_a_reader_confirms_nothing(world: World) -> None:
    with world.session() as session:
        cave = session.require(Account, world.accounts["Cave"])
    with world.session("mei") as session, pytest.raises(PermissionDenied):
        duties.confirm(session, "contact_details", cave)


def test_every_place_counts_by_itself(world: World) -> None:
    with world.session() as session:
        acme = session.require(Account, world.accounts["Acme"])
        ownership.assign(session, acme, to="wang", role="backup", since_always=True)
        second = session.add_one(Contact(name="Second"))
        session.add_one(Affiliation(account_id=acme.id, contact_id=second.id))
        gone = session.add_one(Contact(name="Gone"))
        session.add_one(Affiliation(account_id=acme.id, contact_id=gone.id, valid_to=START + DAY))
    world.clock.forward(40)
    with world.session("li") as session:
        contacts.confirm(session, session.require(Affiliation, world.places["Acme"]))
    # The second was never confirmed: the account is as fresh as the oldest of its places.
    acme_now = standing(world, duty="places")["Acme"]
    assert (acme_now.user_id, acme_now.last, acme_now.overdue_days) == (world.users["wang"], START, 10)
    with world.session("li") as session:
        for place in session.list(Affiliation, f"contact_id == {second.id}"):
            contacts.confirm(session, place)
    assert standing(world, duty="places")["Acme"].last == world.clock.now


def test_nobody_is_responsible_where_nobody_has_the_part(world: World) -> None:
    assert {each.user_id for each in standing(world, duty="places").values()} == {None}


def test_roles_make_responsible_whoever_has_a_part(world: World) -> None:
    with world.session() as session:
        ownership.assign(session, session.require(Account, world.accounts["Acme"]), to="zhou", role="collaborator",
                         from_=START)  # fmt: skip
    acme = standing(world, duty="places")["Acme"]
    assert (acme.user_id, acme.since) == (world.users["zhou"], START)


def test_a_successor_starts_at_nought(world: World) -> None:
    world.clock.forward(120)
    with world.session() as session:
        ownership.transfer(session, session.require(Account, world.accounts["Acme"]), to="wang")
    assert standing(world)["Acme"].overdue_days == 0 and not standing(world)["Acme"].fulfilled
    world.clock.forward(7)
    assert standing(world)["Acme"].overdue_days == 7


def test_at_another_moment(world: World) -> None:
    world.clock.forward(100)
    new_number(world, "li", "Acme")
    world.clock.forward(50)
    with world.session() as session:
        ownership.transfer(session, session.require(Account, world.accounts["Acme"]), to="wang")
    with world.session(read_only=True) as session:
        (then,) = [e for e in duties.obligations(session, at=START + 95 * DAY) if e.label and e.account == "Acme"
                   and e.duty == "contact_details"]  # fmt: skip
    assert (then.user_id, then.last, then.overdue_days) == (world.users["li"], None, 5)
    with world.session(at=START + 95 * DAY) as session:
        assert then in duties.obligations(session)
    with world.session(as_of=START + 95 * DAY) as session, pytest.raises(UnsupportedStatement):
        duties.obligations(session)
    with world.session(read_only=True) as session:
        assert duties.obligations(session, at=START - DAY) == []


def test_what_is_due_soon(world: World) -> None:
    world.clock.forward(80)
    with world.session("li", read_only=True) as session:
        assert duties.due(session, "li") == []
        assert [each.account for each in duties.due(session, "li", within_days=10)] == ["Acme"]
    world.clock.forward(20)
    with world.session("zhou", read_only=True) as session:
        assert [each.account for each in duties.due(session, "wang")] == ["Cave"]


def test_one_sees_what_one_may_see(world: World) -> None:
    world.clock.forward(100)
    expected = {"li": {"Acme"}, "wang": {"Cave"}, "zhou": {"Acme", "Cave"}, "gao": {"Delta"}, "mei": {"Cave"},
                "sun": {"Acme", "Cave", "Delta"}, None: {"Acme", "Cave", "Delta"}}  # fmt: skip
    for login, seen in expected.items():
        assert set(standing(world, login)) == seen, login
        with world.session(login, read_only=True) as session:
            found = duties.report(session)
        assert {each.account for each in found.due if each.duty == "contact_details"} == seen
        for each in found.units:
            if login == "li":
                assert each.name == "East" and each.whole.total == 1


def test_who_may_not_read_a_record_learns_nothing_of_its_updates(world: World) -> None:
    from crm_core.store.policy import Role, Scope

    world.crm.build.policy.roles["clerk"] = Role(  # type: ignore[index]
        "clerk", (("account.read", Scope.ALL), ("ownership.read", Scope.ALL), ("affiliation.read", Scope.ALL))
    )
    assert standing(world, "mei") == {}
    assert standing(world, "mei", duty=None).keys() == {"Acme", "Beta", "Cave", "Delta"}
    world.crm.build.policy.roles["clerk"] = Role(
        "clerk", (("account.read", Scope.ALL), ("contact_point.read", Scope.ALL))
    )  # type: ignore[index]
    assert standing(world, "mei", duty=None) == {}


def test_an_update_of_what_one_does_not_see_is_none_to_them(world: World) -> None:
    """Mei sees every customer and every person, but only her own customers' numbers."""
    from crm_core.store.policy import Role, Scope

    everything = ("account.read", "ownership.read", "affiliation.read", "contact.read")
    world.crm.build.policy.roles["clerk"] = Role(  # type: ignore[index]
        "clerk", (*((each, Scope.ALL) for each in everything), ("contact_point.read", Scope.OWN))
    )
    world.clock.forward(80)
    new_number(world, "li", "Acme")
    world.clock.forward(20)
    told = {login: standing(world, login)["Acme"].last for login in ("li", "mei")}
    assert told["li"] == START + 80 * DAY
    assert told["mei"] != told["li"]


def test_units_roll_up(world: World) -> None:
    world.clock.forward(100)
    new_number(world, "wang", "Cave")
    with world.session() as session:
        organisation.join(session, "li", "North", role="sales", since_always=True)
    with world.session(read_only=True) as session:
        found = duties.report(session)
    units = {each.name: each for each in found.units}
    assert [each.name for each in found.units] == ["East", "North", "West"]
    assert (units["East"].own.total, units["East"].whole.total, units["East"].depth) == (1, 2, 0)
    assert (units["North"].own.total, units["North"].own.fulfilled, units["North"].depth) == (2, 1, 1)
    assert (units["East"].whole.fulfilled, units["East"].whole.share) == (1, 0.5)
    people = {each.name: each for each in found.people}
    assert (people["Li"].overdue, people["Li"].worst_days, people["Wang"].share) == (1, 10, 1.0)
    assert people[""].id is None and people[""].total == 4
    assert found.whole.total == 7 and {each.name for each in found.duties} == {"Contact details", "Places"}
    with world.session(read_only=True) as session:
        assert {each.account for each in duties.report(session, unit="West").due} == {"Delta"}
        assert duties.report(session, unit="West", user="li").whole.share is None


def test_the_number_of_statements_is_constant(world: World) -> None:
    def count() -> int:
        statements: list[str] = []
        with world.session("zhou", read_only=True) as session:
            session.get(Account, 1)

            def note(*args: object) -> None:
                statements.append(str(args[2]))

            event.listen(world.crm.store.engine, "before_cursor_execute", note)
            try:
                duties.report(session)
            finally:
                event.remove(world.crm.store.engine, "before_cursor_execute", note)
        return len(statements)

    before = count()
    with world.session() as session:
        for number in range(30):
            account = session.add_one(Account(name=f"More {number}", grade="A"))
            ownership.assign(session, account, to="li", since_always=True)
            person = session.add_one(Contact(name="x"))
            session.add_one(Affiliation(account_id=account.id, contact_id=person.id))
    assert count() == before <= 11


@attrs.frozen
class Step:
    """Something that happens ``wait`` days after what was before."""

    wait: int
    what: str
    who: str


STEPS = st.builds(
    Step,
    wait=st.integers(1, 60),
    what=st.sampled_from(["write", "confirm", "transfer", "undo"]),
    who=st.sampled_from(["li", "wang"]),
)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(steps=st.lists(STEPS, max_size=6), look=st.integers(0, 400))
def test_compliance_agrees_with_a_plain_model(world: World, steps: list[Step], look: int) -> None:
    """Every example has an account of its own; the model knows only what happened when."""
    clock, began = world.clock, world.clock.forward(1)
    with world.session() as session:
        account = session.add_one(Account(name="Model", grade="A"))
        ownership.assign(session, account, to="li", from_=began)
        person = session.add_one(Contact(name="Person"))
        session.add_one(Affiliation(account_id=account.id, contact_id=person.id))
        point = session.add_one(ContactPoint(contact_id=person.id, kind=PointKind.OTHER, value="0"))
    fresh: list[tuple[dt.datetime, int]] = []
    taken_back: set[int] = set()
    owners = [(began, "li")]
    for number, step in enumerate(steps, 1):
        clock.forward(step.wait)
        if step.what == "transfer":
            if owners[-1][1] != step.who:
                with world.session() as session:
                    ownership.transfer(session, session.require(Account, account.id), to=step.who)
                owners.append((clock.now, step.who))
            continue
        with world.session("qian") as session:
            if step.what == "write":
                session.require(ContactPoint, point.id).value = str(number)
            elif step.what == "confirm":
                duties.confirm(session, "contact_details", session.require(Account, account.id))
            elif fresh and fresh[-1][1] not in taken_back:
                session.undo(fresh[-1][1])
                taken_back.add(fresh[-1][1])
            session.commit()
            if step.what != "undo":
                assert session.last_change_set is not None
                fresh.append((clock.now, session.last_change_set))
    at = min(began + look * DAY, clock.now) if steps else clock.now
    # What is confirmed and taken back leaves no row behind; what is written and taken back does not count, either.
    last = max((moment for moment, id_ in fresh if id_ not in taken_back and moment <= at), default=None)
    since, owner = [each for each in owners if each[0] <= at][-1]
    due = (last or began) + 90 * DAY
    with world.session(read_only=True) as session:
        (found,) = [e for e in duties.obligations(session, duty="contact_details", at=at) if e.account_id == account.id]
    assert (found.last, found.due, found.user_id) == (last, due, world.users[owner])
    assert found.fulfilled == (at < due)
    assert found.overdue_days == (0 if at < due else (at - max(due, since)).days)
