"""Permission and scope for every verb, shares, and refusals that tell nothing of what one may not see."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from contextlib import closing
from typing import Any

import attrs
import pytest
from sqlalchemy import delete, select, update

from crm_core.domain.accounts import Account
from crm_core.domain.activities import Activity
from crm_core.domain.contacts import Contact
from crm_core.domain.external import ExternalRef
from crm_core.domain.organisation import Membership, Unit, User
from crm_core.domain.ownership import Ownership, OwnershipRole, Share
from crm_core.errors import Conflict, NotFound, PermissionDenied, ValidationError
from crm_core.fields import Money
from crm_core.store.policy import Role, Scope
from crm_core.store.session import CrmSession
from crm_core.store.store import Store
from crm_core.store.visibility import Visibility

from .access_records import POLICY, TYPES, Badge, Channel, Ledger, Memo, Node, Secret, grants
from .conftest import Company, like, refusal

DAY = dt.timedelta(days=1)


def add(company: Company, *records: Any) -> list[int]:
    with company.session() as session:
        session.add_all(records)
        session.flush()
        return [record.id for record in records]


def place(company: Company, login: str, unit: str, role: str, **dates: Any) -> None:
    add(company, Membership(user_id=company.users[login], unit_id=company.units[unit], role=role, **dates))


def share(company: Company, account: int, role: str = "reader", **values: Any) -> int:
    return add(company, Share(account_id=account, role=role, reason="a case", **values))[0]


def seen(company: Company, login: str, cls: type[Any] = Account, **options: Any) -> set[str]:
    with company.session(login, **options) as session:
        return {record.name for record in session.scalars(select(cls))}


READ = {
    "li": {"Acme"}, "wang": {"Beta"}, "zhou": {"Acme", "Beta"}, "sun": set(), "wu": {"Acme", "Beta"},
    "qian": {"Acme", "Beta"}, "mei": {"Acme", "Beta"}, "han": set(), "tao": set(), "ned": set(),
}  # fmt: skip
UPDATE = {
    "li": {"Acme"}, "wang": {"Beta"}, "zhou": {"Acme", "Beta"}, "sun": set(), "wu": {"Acme", "Beta"},
    "qian": {"Acme", "Beta"}, "mei": set(), "han": None, "tao": None, "ned": None,
}  # fmt: skip


def test_each_scope_reads_and_changes_what_it_reaches(company: Company) -> None:
    for login, readable in READ.items():
        assert seen(company, login) == readable, login
        for name, id_ in (("Acme", company.acme), ("Beta", company.beta)):
            for work in (
                lambda session, id_=id_: setattr(session.require(Account, id_), "grade", "A"),
                lambda session, id_=id_: session.update_many(Account, [{"id": id_, "grade": "A"}]),
                lambda session, id_=id_: session.execute(update(Account).where(Account.id == id_).values(grade="A")),
            ):
                text = refusal(company, login, work)
                expected = UPDATE[login]
                if name not in readable:
                    assert not text or text.startswith(("NotFound", "PermissionDenied")), (login, name, text)
                elif expected is None or name not in expected:
                    assert text.startswith("PermissionDenied"), (login, name, text)
                else:
                    assert text == "", (login, name, text)


def test_seen_but_not_to_be_changed(company: Company) -> None:
    for work in (
        lambda s: s.update_many(Account, [{"id": company.acme, "name": "x"}]),
        lambda s: s.delete_many(Account, [company.acme]),
        lambda s: s.delete(s.require(Account, company.acme)),
        lambda s: s.execute(update(Account).values(name="x")),
    ):
        assert refusal(company, "mei", work).startswith("PermissionDenied")
    assert seen(company, "qian") == {"Acme", "Beta"}


def test_a_change_by_criteria_changes_all_or_none(company: Company) -> None:
    place(company, "mei", "West", "sales")
    add(company, Ownership(account_id=company.beta, user_id=company.users["mei"], role=OwnershipRole.BACKUP))
    assert refusal(company, "mei", lambda s: s.execute(update(Account).values(grade="C"))).startswith("Permission")
    with company.session("mei") as session, pytest.raises(PermissionDenied):
        session.execute(update(Account).values(grade="C"))
    with company.session() as session:
        assert set(session.scalars(select(Account.grade))) == {None}


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ({"limit": Money(7, "USD")}, Money(7, "USD")), ({Secret.limit: Money(7, "USD")}, Money(7, "USD")),
        ({Secret._limit_amount: 7, Secret._limit_currency: "USD"}, Money(7, "USD")),  # type: ignore[attr-defined]
        ({"limit": None}, None), ({"limit": 7}, "Expected Money, not int."),
    ],
)  # fmt: skip
def test_a_change_by_criteria_writes_a_value_of_several_columns_as_one(
    company: Company, given: Any, found: Any
) -> None:
    with company.session() as session:
        session.add_many(Secret, [{"id": each, "limit": Money(5, "EUR")} for each in (company.acme, company.beta)])
    with company.session() as session:
        if isinstance(found, str):
            with pytest.raises(ValidationError, match=found):
                update(Secret).values(given)
            return
        session.execute(update(Secret).where(Secret.id == company.acme).values(given))
        limits = {record.id: record.limit for record in session.list(Secret)}
        assert limits == {company.acme: found, company.beta: Money(5, "EUR")}


def test_two_roles_in_one_unit_do_not_open_everything(company: Company) -> None:
    """Unit scope by one role and subtree scope by another reach the same: neither condition may fall away."""
    place(company, "sun", "West", "manager")
    place(company, "sun", "West", "deputy")
    assert seen(company, "sun") == set()
    for verb in ("read", "update", "delete", "create"):
        with company.session("sun") as session:
            assert session.writer.visible_ids(Account.crm_type, {company.acme, company.beta}, verb) == set()
    assert refusal(company, "sun", lambda s: s.delete_many(Account, [company.acme])).startswith("NotFound")


@pytest.mark.parametrize("wide", [False, True])
def test_shares_lend_what_their_role_allows_while_they_hold(
    company: Company, wide: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Visibility, "wide", wide)
    now = dt.datetime.now(dt.UTC)
    change = lambda s: s.update_many(Account, [{"id": company.acme, "grade": "A"}])  # noqa: E731
    remove = lambda s: s.delete_many(Account, [company.acme])  # noqa: E731
    sun, west = company.users["sun"], company.units["West"]
    for dates, holds in (({}, True), ({"valid_to": now - DAY}, False), ({"valid_from": now + DAY}, False)):
        for receiver in ({"user_id": sun}, {"unit_id": west}):
            for role, may in (("reader", False), ("editor", True), ("guest", None), ("no such role", None)):
                id_ = share(company, company.acme, role, **receiver, **dates)
                holding = holds and may is not None
                assert seen(company, "sun") == ({"Acme"} if holding else set()), (dates, receiver, role)
                assert seen(company, "sun", Contact) == ({"Ann"} if holding else set())
                text = refusal(company, "sun", change)
                assert text == "" if holding and may else text.startswith("PermissionDenied" if holding else "NotFound")
                assert refusal(company, "sun", remove).startswith("PermissionDenied" if holding else "NotFound")
                with company.session("sun") as session:
                    grounds = session.explain(like(Account, company.acme))
                    assert [ground.kind for ground in grounds] == (["share"] if holding else [])
                with company.session() as session:
                    session.delete_many(Share, [id_])
    # A unit's share is for its members, not for those of the units above and below.
    share(company, company.acme, unit_id=company.units["Root"])
    assert seen(company, "sun") == set()


def test_a_share_can_be_lent_to_somebody_without_any_role(company: Company) -> None:
    share(company, company.acme, user_id=company.users["ned"])
    assert seen(company, "ned") == {"Acme"}
    assert seen(company, "ned", Contact) == {"Ann"}


def test_creating_beneath_what_may_only_be_seen(company: Company) -> None:
    share(company, company.acme, user_id=company.users["sun"])
    for work in (
        lambda s: s.add_one(Activity(kind="call", subject="x", account_id=company.acme)),
        lambda s: s.add_many(Node, [{"account_id": company.acme, "name": "x"}]),
        lambda s: s.add_many(Secret, [{"id": company.acme}]),
        lambda s: s.add_one(Ownership(account_id=company.acme, user_id=company.users["sun"])),
        lambda s: s.add_one(Share(account_id=company.acme, user_id=company.users["sun"], role="editor", reason="me")),
    ):
        text = refusal(company, "sun", work)
        assert text.startswith("PermissionDenied"), text
        assert str(company.acme) in text


def test_moving_to_another_parent(company: Company) -> None:
    share(company, company.acme, user_id=company.users["wang"])  # wang sees Acme, and may not add to it
    visit, bob = company.beta_visit, company.bob
    moves: tuple[Callable[[CrmSession], Any], ...] = (
        lambda s: s.update_many(Activity, [{"id": visit, "account_id": company.acme}]),
        lambda s: setattr(s.require(Activity, visit), "account_id", company.acme),
        lambda s: s.execute(update(Activity).where(Activity.id == visit).values(account_id=company.acme)),
        # Without an account the activity hangs on its contact: on one that wang only sees.
        lambda s: s.update_many(Activity, [{"id": visit, "account_id": None, "contact_id": company.ann}]),
    )
    for move in moves:
        assert refusal(company, "wang", move).startswith("PermissionDenied")
    # The contact of an activity that hangs on an account is no parent: naming a person whom one sees is allowed.
    assert refusal(company, "wang", lambda s: s.update_many(Activity, [{"id": visit, "contact_id": company.ann}])) == ""
    assert refusal(company, "wang", lambda s: s.update_many(Activity, [{"id": visit, "account_id": None}])) == ""
    assert refusal(company, "wang", lambda s: s.update_many(Activity, [{"id": visit, "contact_id": bob}])) == ""


def test_moving_to_the_contact_that_remains(company: Company) -> None:
    """Emptying the account hangs an activity on its contact, which must be allowed as well."""
    share(company, company.acme, user_id=company.users["wang"])
    with company.session("wang") as session:
        session.update_many(Activity, [{"id": company.beta_visit, "contact_id": company.ann}])
    text = refusal(company, "wang", lambda s: s.update_many(Activity, [{"id": company.beta_visit, "account_id": None}]))
    assert text.startswith("PermissionDenied")


def test_public_private_administered(company: Company) -> None:
    channel, ledger, memo = add(company, Channel(name="fair"), Ledger(name="2026"),
                                Memo(user_id=company.users["li"], name="mine"))  # fmt: skip
    add(company, ExternalRef(system="erp", record_type="account", key="1", record_id=company.acme))
    everybody = {login for login in READ if login}
    assert {login for login in everybody if seen(company, login, Channel)} == everybody
    assert {login for login in everybody if seen(company, login, Ledger)} == {"wu", "qian"}
    assert {login for login in everybody if seen(company, login, Memo)} == {"li", "wu", "qian"}
    for cls, id_ in ((Ledger, ledger), (Memo, memo)):
        assert refusal(company, "wang", lambda s, c=cls, i=id_: s.update_many(c, [{"id": i, "name": "x"}])).startswith(
            "NotFound")  # fmt: skip
    for login, may in (("wang", False), ("ned", False), ("qian", True)):
        text = refusal(company, login, lambda s: s.update_many(Channel, [{"id": channel, "name": "x"}]))
        assert text == "" if may else text.startswith("PermissionDenied")
    # One's own reference data may be changed; bookkeeping may not even be created without scope all.
    with company.session("wang") as session:
        own = session.add_one(Channel(name="own")).id
    with company.session("wang") as session:
        session.update_many(Channel, [{"id": own, "name": "still own"}])
    assert refusal(company, "ned", lambda s: s.add_one(Channel(name="x"))).startswith("PermissionDenied")
    assert refusal(company, "wang", lambda s: s.add_one(Ledger(name="x"))).startswith("PermissionDenied")
    assert refusal(company, "qian", lambda s: s.add_one(Ledger(name="x"))) == ""


def test_the_shares_roles_let_nobody_create_what_hangs_on_nothing(company: Company) -> None:
    """Somebody may lend the right to create; that gives it to nobody by itself."""
    share(company, company.acme, "editor", user_id=company.users["ned"])
    for work in (
        lambda s: s.add_one(Account(name="x")),
        lambda s: s.add_many(Account, [{"name": "x"}]),
        lambda s: s.add_one(Contact(name="x")),
        lambda s: s.add_one(Activity(kind="call", subject="x")),
        lambda s: s.add_one(Memo(user_id=company.users["ned"], name="x")),
        lambda s: s.add_one(Badge(user_id=company.users["ned"], name="x")),
        lambda s: s.add_one(Activity(kind="call", subject="x", account_id=company.beta)),
    ):
        assert refusal(company, "ned", work).startswith(("PermissionDenied", "NotFound"))
    there = lambda s: s.add_one(Activity(kind="call", subject="x", account_id=company.acme))  # noqa: E731
    assert refusal(company, "ned", there) == ""
    assert refusal(company, "ned", lambda s: s.add_many(Secret, [{"id": company.acme}])) == ""


def test_nobody_gives_themselves_rights(company: Company) -> None:
    li, root = company.users["li"], company.units["Root"]
    works: tuple[Callable[[CrmSession], Any], ...] = (
        lambda s: s.add_one(Membership(user_id=li, unit_id=root, role="admin")),
        lambda s: s.add_many(Membership, [{"user_id": li, "unit_id": root, "role": "admin"}]),
        lambda s: s.execute(update(Membership).where(Membership.user_id == li).values(role="admin")),
        lambda s: s.execute(update(Unit).values(parent_id=company.units["East"])),
        lambda s: s.add_one(Unit(name="Above")),
        lambda s: s.add_one(User(login="second", name="Second")),
        lambda s: s.execute(update(User).where(User.login == "qian").values(active=False)),
        lambda s: s.execute(delete(Membership)),
    )
    for login in ("li", "zhou", "wu"):
        for work in works:
            assert refusal(company, login, work).startswith("PermissionDenied")
    assert refusal(company, "qian", works[0]) == ""


def test_what_hangs_on_public_data_needs_a_permission(company: Company) -> None:
    add(company, Badge(user_id=company.users["li"], name="gold"))
    assert {login for login in READ if seen(company, login, Badge)} == set(READ) - {"ned", "han"}


def test_deactivated_unknown_and_read_only(company: Company) -> None:
    with company.session() as session:
        # As somebody comes who had left before: whoever owns something is not deactivated just like that.
        users = User.crm_type.table
        session.core(update(users).where(users.c.id == company.users["li"]).values(active=False))
    with pytest.raises(PermissionDenied, match="not active"):
        company.session("li")
    with pytest.raises(NotFound, match="nobody"):
        company.session("nobody")
    assert seen(company, "zhou") == {"Acme", "Beta"}  # what the inactive owned is still in somebody's charge
    now = dt.datetime.now(dt.UTC)
    for options in ({"read_only": True}, {"at": now}, {"as_of": now}):
        for login in ("wang", None):
            for work in (
                lambda s: s.add_one(Account(name="x")),
                lambda s: s.add_many(Account, [{"name": "x"}]),
                lambda s: s.update_many(Account, [{"id": company.beta, "name": "x"}]),
                lambda s: s.delete_many(Account, [company.beta]),
            ):
                with company.session(login, **options) as session:
                    with pytest.raises(PermissionDenied):
                        work(session)
                        session.flush()
                    session.rollback()
    assert seen(company, "wang") == {"Beta"}


def test_two_users_with_one_login_do_not_share_their_rights(company: Company) -> None:
    second = add(company, User(login="ned", name="Another Ned"))[0]
    add(company, Membership(user_id=second, unit_id=company.units["Root"], role="admin"))
    with pytest.raises(Conflict, match="Several"):
        company.session("ned")


def test_creating_an_extension_is_no_leave_to_change_its_record(company: Company) -> None:
    """Both have one id; what was made in this transaction is free to its maker, and only that."""
    with company.session() as session:
        session.execute(delete(Membership).where(Membership.user_id == company.users["mei"]))
    add(company, Membership(user_id=company.users["mei"], unit_id=company.units["East"], role="adder"))
    with company.session("mei") as session:
        session.add_many(Secret, [{"id": company.acme, "nick": "x"}])
        with pytest.raises(PermissionDenied):
            session.update_many(Account, [{"id": company.acme, "name": "Hacked"}])
        session.rollback()


def test_what_a_lost_savepoint_created_is_no_leave_to_change(company: Company) -> None:
    with company.session("sun") as session:
        savepoint = session.begin_nested()
        account = session.add_one(Account(name="Gone"))
        session.flush()
        id_ = account.id
        savepoint.rollback()
        with pytest.raises(NotFound):
            session.update_many(Account, [{"id": id_, "name": "x"}])
        session.rollback()


def test_a_lost_update_is_refused(company: Company) -> None:
    with company.session("li") as first:
        account = first.require(Account, company.acme)
        first.commit()  # on SQLite a writer makes the others wait
        with company.session("zhou") as second:
            second.require(Account, company.acme).grade = "A"
        account.grade = "B"
        with pytest.raises(Conflict):
            first.flush()
        first.rollback()
    with company.session("li") as session:
        assert session.require(Account, company.acme).grade == "A"


def becomes(company: Company, login: str, role: str, unit: str = "East") -> None:
    """The only role of somebody from now on."""
    with company.session() as session:
        session.execute(delete(Membership).where(Membership.user_id == company.users[login]))
    place(company, login, unit, role)


def test_who_once_wrote_a_membership_may_not_change_it_for_that(company: Company) -> None:
    """Other public records may be changed by whoever made them; rights would follow from these."""
    ned, root = company.users["ned"], company.units["Root"]
    with company.session("qian") as session:
        lent = session.add_one(Membership(user_id=ned, unit_id=company.units["West"], role="reader")).id
        unit = session.add_one(Unit(name="North", parent_id=root)).id
        user = session.add_one(User(login="new", name="New")).id
        channel = session.add_one(Channel(name="own")).id
    becomes(company, "qian", "sales", "Root")
    for cls, values in (
        (Membership, {"id": lent, "role": "admin"}),
        (Unit, {"id": unit, "parent_id": None}),
        (User, {"id": user, "name": "x"}),
    ):
        text = refusal(company, "qian", lambda s, c=cls, v=values: s.update_many(c, [v]))
        assert text.startswith("PermissionDenied"), cls
        text = refusal(company, "qian", lambda s, c=cls, v=values: s.delete_many(c, [v["id"]]))
        assert text.startswith("PermissionDenied"), cls
    assert refusal(company, "qian", lambda s: s.update_many(Channel, [{"id": channel, "name": "x"}])) == ""


def test_what_hangs_on_nothing_is_its_makers_while_they_may_read_such(company: Company) -> None:
    with company.session("li") as session:
        session.add(Activity(kind="call", subject="Think", user_id=company.users["li"]))
    mine = select(Activity.subject).where(Activity.account_id.is_(None))
    for role, expected in (("sales", ["Think"]), ("reader", ["Think"]), ("looker", []), ("guest", [])):
        becomes(company, "li", role)
        with company.session("li", read_only=True) as session:
            assert session.scalars(mine).all() == expected, role


def test_what_was_assigned_before_a_rule_of_the_kernel_needs_a_permission(company: Company) -> None:
    with company.session("mei") as session:
        session.require(Account, company.acme).name = "Hacked"
        with pytest.raises(PermissionDenied), session.writer.as_kernel():
            raise AssertionError("what came before is written first")
        session.rollback()
    with company.session("mei") as session:
        with session.writer.as_kernel():
            session.require(Account, company.acme).name = "By a rule"
        session.check()
        session.rollback()
    becomes(company, "li", "reader")
    with company.session("li") as session:
        with session.writer.as_kernel(seeing={"account": [company.beta]}):
            session.require(Account, company.acme).name = "By a rule"
            session.add(Activity(kind="call", subject="x", account_id=company.beta))
        session.check()
        assert not session.writer.is_kernel
        with pytest.raises(NotFound), session.writer.as_kernel():
            session.add(Activity(kind="call", subject="x", account_id=company.beta))
        session.rollback()


def test_what_no_role_allows_is_refused_with_the_permission_it_needs(company: Company, database_url: str) -> None:
    """Before anything is looked for; but not to a rule of the kernel."""
    reading = attrs.evolve(POLICY, roles={"sales": Role("sales", grants(Scope.OWN, "read"))})
    works: dict[str, Callable[[CrmSession], Any]] = {
        "create": lambda s: s.add_one(Account(name="x")),
        "update": lambda s: s.update_many(Account, [{"id": company.acme, "name": "x"}]),
        "delete": lambda s: s.delete_many(Account, [company.acme]),
    }
    with closing(Store(database_url, TYPES, reading)) as store:
        for verb, work in works.items():
            with store.session("li") as session:
                with pytest.raises(PermissionDenied) as caught:
                    work(session)
                    session.check()
                session.rollback()
            assert str(caught.value) == (
                f"li may not {verb} records of type account. A role with the permission account.{verb} is needed."
            )
        with store.session("li") as session, session.writer.as_kernel():
            works["update"](session)
        with store.session("li", read_only=True) as session:
            assert session.require(Account, company.acme).name == "x"


def test_who_answers_for_whom(company: Company) -> None:
    """Whether permissions reach whatever somebody owns, now and later."""
    asked = ("account.read", "account.update")
    answers = {}
    for login in ("li", "zhou", "wu", "qian", "mei", "ned", "tao"):
        with company.session(login, read_only=True) as session:
            answers[login] = {
                other for other in ("li", "wang", "sun") if session.writer.answers_for(company.users[other], asked)
            }
    assert answers == {
        "li": {"li"}, "zhou": {"li", "wang"}, "wu": {"li", "wang", "sun"}, "qian": {"li", "wang", "sun"},
        "mei": set(), "ned": set(), "tao": set(),
    }  # fmt: skip
    with company.session("mei", read_only=True) as session:
        assert session.writer.answers_for(company.users["li"], ["account.read"])
        assert not session.writer.answers_for(company.users["sun"], ["account.read"])
        assert session.writer.answers_for(company.users["sun"], [])
    with company.session(read_only=True) as session:
        assert session.writer.answers_for(company.users["sun"], asked)


def test_the_system_may_whatever_there_is_to_be_allowed(company: Company) -> None:
    with company.session(read_only=True) as session:
        for permission in ("account.delete", "contact.read_notes", "system.undo", "made.up"):
            assert session.can(permission)
            assert session.visibility.reach(permission).all
    with company.session("zhou", read_only=True) as session:
        assert [session.can(each) for each in ("account.delete", "contact.read_notes", "made.up")] == [
            True,
            False,
            False,
        ]


def test_a_role_that_the_build_no_longer_has_gives_nothing(company: Company) -> None:
    place(company, "ned", "East", "forgotten")
    assert seen(company, "ned") == set()
    place(company, "ned", "East", "clerk")
    assert seen(company, "ned") == {"Acme", "Beta"}


def test_a_share_in_a_role_that_the_build_does_not_have_gives_nothing(company: Company) -> None:
    """And may be lent by whoever may lend at all: nothing is taken from that."""
    with company.session("li") as session:
        session.add(Share(account_id=company.acme, user_id=company.users["ned"], role="forgotten", reason="a case"))
    assert seen(company, "ned") == set()


@pytest.mark.parametrize("verb", ["create", "read", "update", "delete"])
def test_nobody_lends_the_one_verb_that_they_lack(company: Company, database_url: str, verb: str) -> None:
    verbs = {"create", "read", "update", "delete"}
    roles = {
        "whole": Role("whole", (("share.*", Scope.OWN), ("account.*", Scope.OWN), ("activity.*", Scope.OWN))),
        "lacking": Role("lacking", (
            ("share.*", Scope.OWN), ("account.*", Scope.OWN),
            *((f"activity.{other}", Scope.OWN) for other in sorted(verbs - {verb})),
        )),
        "lent": Role("lent", ((f"activity.{verb}", Scope.OWN),)),
    }  # fmt: skip
    made = {"account_id": company.acme, "user_id": company.users["ned"], "role": "lent", "reason": "a case"}
    with closing(Store(database_url, TYPES, attrs.evolve(POLICY, roles=roles))) as store:
        for role in ("lacking", "whole"):
            becomes(company, "li", role)
            with store.session("li") as session:
                if role == "lacking":
                    with pytest.raises(PermissionDenied, match="cannot lend the role lent"):
                        session.add_many(Share, [made])
                    session.rollback()
                else:
                    session.add_many(Share, [made])
