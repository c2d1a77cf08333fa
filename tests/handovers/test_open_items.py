"""What is open at accounts, and who is to do it."""

from __future__ import annotations

import datetime as dt
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event, select

from crm_core import Account, Activity, Contact, OwnershipRole, accounts, activities, contacts, ownership, quality
from crm_core.views import open_items

from .conftest import Company

DAY = dt.timedelta(days=1)


def counted(company: Company, work: Any) -> int:
    """How many statements that read are needed."""
    seen: list[str] = []

    def note(_conn: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        seen.append(statement)

    event.listen(company.crm.store.engine, "before_cursor_execute", note)
    try:
        work()
    finally:
        event.remove(company.crm.store.engine, "before_cursor_execute", note)
    return sum(statement.lstrip().startswith(("SELECT", "WITH")) for statement in seen)


class TestPlannedAndPromised:
    def test_in_order_of_when_it_is_due_with_its_colleague(self, company: Company) -> None:
        with company.session("li", read_only=True) as session:
            found = open_items(session, [company.accounts[0]])
            assert [(item.kind, item.title, item.user_id, item.reassign) for item in found] == [
                ("visit", "See 0", company.users["li"], "user_id"),
                ("promise", "Send sample 0", company.users["li"], None),
            ]
            assert len(open_items(session, company.accounts, company.users["li"])) == 12
            assert len(open_items(session, company.accounts, company.users["wang"])) == 0
            assert len(open_items(session, session.require(Account, company.accounts[0]))) == 2

    def test_only_what_one_sees(self, company: Company) -> None:
        with company.session("wang", read_only=True) as session:
            assert open_items(session, company.accounts).parts == ()
            assert open_items(session, company.accounts, company.users["li"]).parts == ()

    def test_a_promise_is_kept_by_something_later(self, company: Company) -> None:
        one, other = company.accounts[:2]
        with company.system() as session:
            for account_id, after in ((one, DAY), (other, 8 * DAY)):
                account = session.require(Account, account_id)
                (call,) = activities.plan(
                    session, "call", "Again", start=session.clock() + after, account=account, user="li"
                )
                activities.hold(session, call)
        with company.session("li", read_only=True) as session:
            promised = [item.account_id for item in open_items(session, [one, other]) if item.kind == "promise"]
            assert promised == [one]  # held before it was due: not kept yet; held when it was: kept

    def test_a_promise_follows_the_responsibility(self, company: Company) -> None:
        def owing() -> set[int | None]:
            with company.system(read_only=True) as session:
                found = open_items(session, [company.accounts[0]])
                return {item.user_id for item in found if item.kind == "promise"}

        users = company.users
        assert owing() == {users["li"]}
        with company.system() as session:
            account = session.require(Account, company.accounts[0])
            ownership.transfer(session, account, to="wang")
            backup = ownership.assign(session, account, to="li", role=OwnershipRole.BACKUP)
        assert owing() == {users["li"]}  # still responsible there, so they keep what they promised
        with company.system() as session:
            session.delete(session.require(type(backup), backup.id))
        assert owing() == {users["wang"]}
        with company.system() as session:
            ownership.release(session, session.require(Account, company.accounts[0]))
        assert owing() == {users["li"]}  # nobody is responsible: whoever made it

    def test_changes_to_come_are_open_for_everybody(self, company: Company) -> None:
        with company.system() as session:
            account = session.require(Account, company.accounts[0])
            soon = session.clock() + 20 * DAY
            ann = session.add_one(Contact(name="Ann"))
            contacts.affiliate(session, ann, account, role="buyer", from_=soon)
            bob = session.add_one(Contact(name="Bob"))
            contacts.affiliate(session, bob, account, title="Chief", since_always=True).valid_to = soon + DAY
            later = contacts.affiliate(session, bob, account, role="late", from_=soon + 500 * DAY)
            accounts.promote(session, account, "customer", at=soon + 2 * DAY, reason="contract")
            assert later.id
        with company.session("li", read_only=True) as session:
            found = [item for item in open_items(session, [company.accounts[0]]) if item.record_type != "activity"]
            assert [(item.kind, item.title, item.text, item.contact_id) for item in found] == [
                ("joins", "Ann", "buyer", ann.id),
                ("leaves", "Bob", "Chief", bob.id),
                ("stage", "general · customer", "contract", None),
            ]
            mine = open_items(session, [company.accounts[0]], company.users["li"])
            assert {item.record_type for item in mine} == {"activity"}

    def test_the_number_of_statements_does_not_grow(self, company: Company) -> None:
        def asked(ids: list[int]) -> int:
            with company.session("zhou", read_only=True) as session:
                return counted(company, lambda: open_items(session, ids))

        asked(company.accounts)
        assert asked(company.accounts[:1]) == asked(company.accounts) <= 6


class TestMattersOfDataQuality:
    def test_what_is_to_be_mended_is_open_for_whoever_it_was_left_to(self, company: Company) -> None:
        account, li = company.accounts[0], company.users["li"]
        ids = [company.left_to("li", account, "See 0 (Buyer 0)"), company.left_to("li", account, None)]
        company.left_to("wang", company.other, "Not theirs")

        def asked(user_id: int | None = None) -> list[Any]:
            with company.session("li", read_only=True) as session:
                found = open_items(session, [account, company.other], user_id)
                return [item for item in found if item.kind == "quality_issue"]

        assert [(item.title, item.text, item.user_id, item.reassign, item.record_id) for item in asked()] == [
            ("See 0 (Buyer 0)", "Hangs on somebody who moved", li, "assignee_id", ids[0]),
            ("Hangs on somebody who moved", "", li, "assignee_id", ids[1]),
        ]
        assert {item.contact_id for item in asked()} == {None}  # it would be flagged again when that person moves
        assert [item.record_id for item in asked(li)] == ids
        assert asked(company.users["wang"]) == []
        with company.session("li") as session:
            quality.close(session, quality.assigned(session, li)[0])
        assert [item.record_id for item in asked()] == ids[1:]

    def test_a_proposal_is_told_and_is_nobodys_to_do(self, company: Company) -> None:
        with company.session("li") as session:
            account = session.require(Account, company.accounts[0])
            quality.propose(session, account, {"phone": "+862112345678", "employees": 12}, reason="their new sign")
        with company.session("li", read_only=True) as session:
            found = [item for item in open_items(session, [account.id]) if item.kind == "quality_issue"]
            assert [(item.title, item.text, item.user_id, item.reassign) for item in found] == [
                ("Proposed change · Phone", "+862112345678", None, None),
                ("Proposed change · Employees", "", None, None),
            ]  # fmt: skip
            assert all(item.kind != "quality_issue" for item in open_items(session, [account.id], session.user_id))


# Each example writes to a real database, so a few dozen must do.
@settings(
    max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None
)
@given(st.lists(st.tuples(st.integers(-5, 5), st.none() | st.integers(-5, 8), st.booleans()), max_size=5))
def test_promises_against_a_model(company: Company, calls: list[tuple[int, int | None, bool]]) -> None:
    """A promise is open unless something was held after it, at its due date or later."""
    account = company.other
    with company.system() as session:
        session.delete_many(Activity, session.scalars(select(Activity.id).where(Activity.account_id == account)).all())
        base = session.clock()
        for number, (day, due, promises) in enumerate(calls):
            session.add(
                Activity(
                    kind="call",
                    subject=f"Call {number}",
                    account_id=account,
                    user_id=company.users["wang"],
                    status="held",  # type: ignore[arg-type]
                    started_at=base + day * DAY,
                    next_step=f"Step {number}" if promises else None,
                    next_step_due=None if due is None else base + due * DAY,
                )
            )
    expected = {
        f"Step {number}"
        for number, (day, due, promises) in enumerate(calls)
        if promises and not any(later > day and (due is None or later >= due) for later, _, _ in calls)
    }
    with company.session("wang", read_only=True) as session:
        assert {item.title for item in open_items(session, [account]) if item.kind == "promise"} == expected
