"""Where two permissions meet, the narrower one decides: for changing and seeing, for moving and adding."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import delete, func, select, update

from crm_core.domain import ownership, shares
from crm_core.domain.accounts import Account
from crm_core.domain.activities import Activity
from crm_core.domain.contacts import Contact
from crm_core.domain.organisation import Membership, Unit
from crm_core.domain.ownership import Ownership, OwnershipRole, Share
from crm_core.errors import NotFound
from crm_core.store.session import CrmSession
from crm_core.store.visibility import Visibility

from .access_records import Badge, Channel, Link, Memo, Secret, Term
from .conftest import Company, refusal


@pytest.fixture(params=[False, True], ids=["narrow", "wide"])
def either_plan(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways of asking who sees what."""
    monkeypatch.setattr(Visibility, "wide", request.param)


def place(company: Company, login: str, unit: str, role: str) -> None:
    with company.session() as session:
        session.add(Membership(user_id=company.users[login], unit_id=company.units[unit], role=role))


@pytest.mark.usefixtures("either_plan")
def test_what_may_be_changed_must_be_seen(company: Company) -> None:
    place(company, "sun", "West", "keeper")  # may change everything, and sees nothing
    works: tuple[Callable[[CrmSession], Any], ...] = (
        lambda s: s.update_many(Account, [{"id": company.acme, "name": "x"}]),
        lambda s: s.update_many(Contact, [{"id": company.ann, "name": "x"}]),
        lambda s: s.update_many(Activity, [{"id": company.acme_visit, "subject": "x"}]),
        lambda s: s.delete_many(Activity, [company.acme_visit]),
        lambda s: s.delete_many(Account, [company.acme]),
    )
    for work in works:
        assert refusal(company, "sun", work).startswith("NotFound")
    with company.session("sun") as session:
        assert session.execute(update(Account).values(grade="C")).rowcount == 0  # type: ignore[attr-defined]
        assert session.execute(delete(Activity)).rowcount == 0  # type: ignore[attr-defined]
    with company.session() as session:
        assert set(session.scalars(select(Account.grade))) == {None}
        assert session.count(Activity) == 2


def test_a_move_needs_the_right_to_change_at_its_end(company: Company) -> None:
    place(company, "wang", "East", "filer")  # may add to Acme, and change only what is Beta's
    added = refusal(company, "wang", lambda s: s.add_one(Activity(kind="call", subject="x", account_id=company.acme)))
    assert added == ""
    text = refusal(
        company, "wang", lambda s: s.update_many(Activity, [{"id": company.beta_visit, "account_id": company.acme}])
    )
    assert text.startswith("PermissionDenied")


def test_whoever_may_change_public_data_is_asked_for_that_alone(company: Company) -> None:
    with company.session() as session:
        channel = session.add_one(Channel(name="fair")).id
    place(company, "ned", "East", "keeper")
    assert refusal(company, "ned", lambda s: s.update_many(Channel, [{"id": channel, "name": "x"}])) == ""
    place(company, "sun", "West", "filer")
    assert refusal(company, "sun", lambda s: s.update_many(Channel, [{"id": channel, "name": "x"}])).startswith(
        "PermissionDenied"
    )


def leave(company: Company, login: str, role: str) -> None:
    """Somebody has another role from now on."""
    with company.session() as session:
        session.execute(update(Membership).where(Membership.user_id == company.users[login]).values(role=role))


def test_what_one_has_made_is_not_ones_own_for_ever(company: Company) -> None:
    with company.session("li") as session:
        channel = session.add_one(Channel(name="fair")).id
        person = session.add_one(Contact(name="Nobody's")).id
        call = session.add_one(Activity(kind="call", subject="x", user_id=company.users["li"])).id
    with company.session("li") as session:
        assert session.get(Contact, person) is not None
        assert session.get(Activity, call) is not None
    with company.session("qian") as session:
        unit = session.add_one(Unit(name="North")).id
    leave(company, "li", "guest")
    leave(company, "qian", "sales")
    rename = lambda s: s.update_many(Channel, [{"id": channel, "name": "x"}])  # noqa: E731
    assert refusal(company, "li", rename).startswith("PermissionDenied")
    with company.session("li") as session:
        assert session.list(Contact) == session.list(Activity) == []
        for record_type, id_ in ((Contact.crm_type, person), (Activity.crm_type, call)):
            assert session.writer.visible_ids(record_type, {id_}) == set()
    # From a unit everybody's rights follow: who made it may not change it by that.
    move = lambda s: s.update_many(Unit, [{"id": unit, "parent_id": company.units["East"]}])  # noqa: E731
    assert refusal(company, "qian", move).startswith("PermissionDenied")


def test_private_records_need_a_permission_of_their_owner(company: Company) -> None:
    with company.session() as session:
        session.add_all([Memo(user_id=company.users[login], name=login) for login in ("li", "ned")])
    for login, seen in (("li", {"li"}), ("ned", set()), ("wang", set())):
        with company.session(login) as session:
            assert {memo.name for memo in session.list(Memo)} == seen


def test_what_hangs_on_public_data_is_changed_by_whoever_made_it(company: Company) -> None:
    with company.session() as session:
        badge = session.add_one(Badge(user_id=company.users["li"], name="gold")).id
    with company.session("li") as session:
        own = session.add_one(Badge(user_id=company.users["wang"], name="own")).id
    for id_, login, may in ((badge, "li", False), (own, "li", True), (own, "wang", False), (badge, "qian", True)):
        for work in (
            lambda s, id_=id_: s.update_many(Badge, [{"id": id_, "name": "x"}]),
            lambda s, id_=id_: s.delete_many(Badge, [id_]),
        ):
            text = refusal(company, login, work)
            assert text == "" if may else text.startswith("PermissionDenied"), (id_, login, text)


@pytest.mark.parametrize(
    ("role", "may"), [("reader", True), ("editor", True), ("sales", False), ("confidant", False), ("admin", False)]
)
def test_nobody_lends_more_verbs_or_fields_than_they_hold(company: Company, role: str, may: bool) -> None:
    """Sales may delete as well; a confidant reads notes and limits."""
    leave(company, "ned", "editor")
    with company.session() as session:
        session.add(Ownership(account_id=company.acme, user_id=company.users["ned"], role=OwnershipRole.BACKUP))
    lent = Share(account_id=company.acme, user_id=company.users["sun"], role=role, reason="a case")
    text = refusal(company, "ned", lambda s: s.add_one(lent))
    assert text == "" if may else text.startswith("PermissionDenied")


def test_every_row_of_many_must_hang_on_what_is_lent(company: Company) -> None:
    share = Share(account_id=company.acme, user_id=company.users["ned"], role="editor", reason="a case")
    with company.session() as session:
        session.add(share)
    lent = {"kind": "call", "subject": "x", "account_id": company.acme}
    assert refusal(company, "ned", lambda s: s.add_many(Activity, [lent, lent])) == ""
    for rows in ([lent, lent | {"account_id": None}], [lent | {"account_id": None}, lent]):
        assert refusal(company, "ned", lambda s, rows=rows: s.add_many(Activity, rows)).startswith("PermissionDenied")


def test_a_share_rests_on_a_record_and_not_on_its_extension(company: Company) -> None:
    with company.session() as session:
        acme, beta = session.require(Account, company.acme), session.require(Account, company.beta)
        session.add_many(Secret, [{"id": company.beta, "nick": "Goldmine"}])
        secret = session.require(Secret, company.beta)
        shares.grant(session, acme, user="sun", reason="the account", because=beta)
        shares.grant(session, acme, user="ned", reason="its secret", because=secret)
    with company.session() as session:
        assert shares.close_reason(session, session.require(Secret, company.beta)) == 1
    with company.session() as session:
        assert [share.reason for share in session.list(Share)] == ["the account"]
        assert shares.close_reason(session, session.require(Account, company.beta)) == 1
    with company.session() as session:
        assert session.list(Share) == []


def test_what_everybody_saw_is_for_scope_all_once_it_is_deleted(company: Company) -> None:
    with company.session() as session:
        channel = session.add_one(Channel(name="fair")).id
    with company.session("li") as session:
        events = session.history(Channel, channel)
        assert [event.change.operation for event in events] == ["create"]
    with company.session() as session:
        session.delete_many(Channel, [channel])
    for login in ("li", "ned"):
        with company.session(login) as session, pytest.raises(NotFound):
            session.history(Channel, channel)
        with company.session(login, as_of=events[0].at) as session:
            assert session.list(Channel) == []
            assert session.get(Channel, channel) is None
    with company.session("qian", as_of=events[0].at) as session:
        assert [each.name for each in session.list(Channel)] == ["fair"]


def test_reading_ones_own_is_no_leave_to_change_it(company: Company) -> None:
    with company.session() as session:
        memo = session.add_one(Memo(user_id=company.users["tao"], name="mine")).id  # tao may read, and no more
    for work in (
        lambda s: s.update_many(Memo, [{"id": memo, "name": "x"}]),
        lambda s: s.delete_many(Memo, [memo]),
        lambda s: setattr(s.require(Memo, memo), "name", "x"),
    ):
        assert refusal(company, "tao", work).startswith("PermissionDenied")


@pytest.mark.usefixtures("either_plan")
def test_what_hangs_on_something_unseen_is_unseen(company: Company) -> None:
    """Han may do everything with activities, and reads only what is Han's of accounts and contacts."""
    with company.session() as session:
        free = session.add_one(Activity(kind="call", subject="Nobody's")).id
    with company.session("han") as session:
        assert session.list(Activity) == [session.require(Activity, free)]
        assert session.count(Activity) == 1
    with company.session() as session:
        session.add(Ownership(account_id=company.acme, user_id=company.users["han"], role=OwnershipRole.BACKUP))
    with company.session("han") as session:
        assert {each.id for each in session.list(Activity)} == {free, company.acme_visit}


@pytest.mark.usefixtures("either_plan")
def test_the_first_that_a_record_hangs_on_decides(company: Company) -> None:
    """An activity at an account is seen with the account, whoever it is with; without one, with its contact."""
    with company.session() as session:
        at_beta, with_ann = session.add_many(Activity, [
            {"kind": "call", "subject": "x", "account_id": company.beta, "contact_id": company.ann},
            {"kind": "call", "subject": "y", "contact_id": company.ann},
        ])  # fmt: skip
    for login, seen in (("li", {company.acme_visit, with_ann}), ("wang", {company.beta_visit, at_beta})):
        with company.session(login) as session:
            assert {each.id for each in session.list(Activity)} == seen
            assert session.writer.visible_ids(Activity.crm_type, {at_beta, with_ann}, "update") == seen & {
                at_beta, with_ann
            }  # fmt: skip


@pytest.mark.usefixtures("either_plan")
def test_what_joins_two_is_seen_with_both_and_without_any_by_whoever_made_it(company: Company) -> None:
    ends = ((company.acme, company.ann), (company.beta, company.ann), (company.acme, None), (None, company.bob))
    with company.session() as session:
        both, mixed, one, other = session.add_many(Link, [{"account_id": a, "contact_id": c} for a, c in ends])
        (nobodys,) = session.add_many(Link, [{}])
    with company.session("li") as session:
        (own,) = session.add_many(Link, [{}])
    expected = {"li": {both, one, own}, "wang": {other}, "zhou": {both, mixed, one, other},
                "qian": {both, mixed, one, other, nobodys, own}, "ned": set()}  # fmt: skip
    for login, seen in expected.items():
        with company.session(login) as session:
            assert {each.id for each in session.list(Link)} == seen, login


@pytest.mark.usefixtures("either_plan")
def test_a_contact_is_seen_by_ways_that_are_seen_themselves(company: Company) -> None:
    place(company, "ned", "East", "looker")  # reads accounts and contacts, and not who works where
    with company.session("ned") as session:
        assert {each.id for each in session.list(Account)} == {company.acme, company.beta}
        assert session.list(Contact) == []
        assert session.writer.visible_ids(Contact.crm_type, {company.ann, company.bob}) == set()


@pytest.mark.usefixtures("either_plan")
def test_neither_of_two_reaches_that_lie_apart_opens_the_other(company: Company) -> None:
    place(company, "ned", "East", "filer")  # reads what is East's
    place(company, "ned", "West", "mender")  # changes what is West's
    with company.session("sun") as session:
        west = session.add_one(Account(name="West")).id
    with company.session("ned") as session:
        assert {each.id for each in session.list(Account)} == {company.acme, company.beta}
        assert session.writer.visible_ids(Account.crm_type, {company.acme, company.beta, west}, "update") == set()
    for id_, answer in ((company.acme, "PermissionDenied"), (west, "NotFound")):
        text = refusal(company, "ned", lambda s, id_=id_: s.update_many(Account, [{"id": id_, "grade": "A"}]))
        assert text.startswith(answer)


@pytest.mark.usefixtures("either_plan")
def test_a_former_colleague_is_no_colleague(company: Company) -> None:
    """What they own is theirs, and nobody's in the unit that they left."""
    with company.session() as session:
        for membership in session.list(Membership, f"user_id == {company.users['wang']}"):
            membership.valid_to = session.now - dt.timedelta(days=1)
    with company.session("zhou") as session:
        assert [each.id for each in session.list(Account)] == [company.acme]
        assert session.writer.visible_ids(Account.crm_type, {company.beta}, "update") == set()


def test_a_unit_may_be_added_by_whoever_may_do_so_everywhere(company: Company) -> None:
    assert refusal(company, "zhou", lambda s: s.add_one(Unit(name="North"))).startswith("PermissionDenied")
    place(company, "zhou", "East", "keeper")
    assert refusal(company, "zhou", lambda s: s.add_one(Unit(name="North"))) == ""


def test_a_change_by_criteria_names_fields_that_are_there(company: Company) -> None:
    text = refusal(company, "qian", lambda s: s.execute(update(Account).values(naem="x")))
    assert "naem" in text
    assert "name" in text.partition("mean")[2]
    for value in (Account.grade, Account.name + "x", func.lower(Account.name), select(func.count()).scalar_subquery()):
        text = refusal(company, "qian", lambda s, value=value: s.execute(update(Account).values(name=value)))
        assert "computed value" in text


def test_custom_fields_are_changed_by_criteria(company: Company) -> None:
    with company.session() as session:
        session.add_many(Term, [{"account_id": company.acme, "name": "x", "custom": {"colour": "red"}}])
    with company.session("li") as session:
        session.execute(update(Term).where(Term.name == "x").values(custom={"colour": "blue"}, name="y"))
    with company.session() as session:
        assert [(each.name, each.custom) for each in session.list(Term)] == [("y", {"colour": "blue"})]
    wrong = lambda s: s.execute(update(Term).values(custom={"size": "blue"}))  # noqa: E731
    assert "no such custom field" in refusal(company, "li", wrong)


def test_ended_ownership_is_counted_where_all_dates_are_asked_for(company: Company) -> None:
    with company.session("qian") as session:
        ownership.transfer(session, session.require(Account, company.acme), to="wang")
    with company.session("qian") as session:
        ids = [each.id for each in session.list(Ownership, all_dates=True)]
        assert session.count(Ownership, all_dates=True) == len(ids) == 3
        assert session.count(Ownership) == 2
