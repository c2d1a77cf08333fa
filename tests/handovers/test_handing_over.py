"""From the draft to the deed: who takes over what, and what goes with it."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select

from crm_core import (
    Account,
    Activity,
    Conflict,
    Crm,
    Handover,
    HandoverItem,
    NotFound,
    Ownership,
    OwnershipRole,
    PermissionDenied,
    QualityIssue,
    User,
    ValidationError,
    handovers,
    ownership,
    quality,
)
from crm_core.domain.handovers import HandoverState, ItemState
from crm_core.views import next_actions

from .conftest import Company, found

DAY = dt.timedelta(days=1)


def states(company: Company, id_: int) -> list[str]:
    with company.system(read_only=True) as session:
        handover = session.require(Handover, id_)
        return [handover.state.value, *sorted({item.state.value for item in handovers.items(session, handover)})]


class TestDrafting:
    def test_the_first_matching_rule_names_the_successor(self, company: Company) -> None:
        with company.session() as session:
            handover = handovers.draft(
                session,
                "li",
                rules=[("address.city == 'Shanghai'", "wang"), ("icontains(name, 'firm')", "sun")],
                to_pool=True,
                reason="leaves",
            )
            found = handovers.items(session, handover)
            assert [item.successor_id for item in found] == [
                company.users["wang"] if number in (0, 2) else company.users["sun"] for number in range(6)
            ]
            assert not any(item.to_pool for item in found)
            assert handover.state is HandoverState.DRAFTED

    def test_a_rule_may_name_the_pool(self, company: Company) -> None:
        def drafted(*rules: tuple[str, str | None]) -> list[str | None]:
            logins = {id_: login for login, id_ in company.users.items()}
            with company.session() as session:
                handover = handovers.draft(session, "li", rules=rules, to="sun")
                found = handovers.items(session, handover)
                told = ["the pool" if item.to_pool else logins[item.successor_id or 0] for item in found]
                session.rollback()
                return told

        suzhou = ("address.city == 'Suzhou'", None)
        assert drafted(suzhou) == ["sun", "the pool", "sun", "sun", "sun", "the pool"]
        wang = ("name in ('Firm 0', 'Firm 1')", "wang")
        assert drafted(wang, suzhou) == ["wang", "wang", "sun", "sun", "sun", "the pool"]
        assert drafted(suzhou, wang) == ["wang", "the pool", "sun", "sun", "sun", "the pool"]
        company.done(rules=[suzhou], to="wang", split=Decimal("0.3"), split_until=dt.date(2099, 1, 1))
        assert list(company.owners().values()) == ["wang", "", "wang", "wang", "wang", ""]
        with company.session() as session:  # nobody shares with a pool
            assert len(handovers.splits(session)) == 4

    def test_in_turn_one_or_the_pool_for_the_rest(self, company: Company) -> None:
        rules = [("address.city == 'Suzhou'", "qian")]
        with company.session() as session:
            handover = handovers.draft(session, "li", rules=rules, round_robin=["wang", "sun"])
            logins = {id_: login for login, id_ in company.users.items()}
            found = [logins[item.successor_id] for item in handovers.items(session, handover) if item.successor_id]
            assert found == ["wang", "qian", "sun", "wang", "sun", "qian"]
            session.rollback()
        with company.session() as session:
            found = handovers.items(session, handovers.draft(session, "li", rules=rules, to_pool=True))
            assert [item.to_pool for item in found] == [True, False, True, True, True, False]
            session.rollback()
        with company.session() as session:
            found = handovers.items(session, handovers.draft(session, "li", to="sun", scope="name == 'Firm 3'"))
            assert [(item.account_id, item.successor_id) for item in found] == [
                (company.accounts[3], company.users["sun"])
            ]

    def test_every_role_present_or_to_come(self, company: Company) -> None:
        with company.system() as session:
            other = session.require(Account, company.other)
            for role in (OwnershipRole.COLLABORATOR, OwnershipRole.BACKUP):
                ownership.assign(session, other, to="li", role=role, since_always=True)
            ownership.assign(session, other, to="li", role=OwnershipRole.MENTOR, from_=session.clock() + DAY)
            ownership.assign(session, other, to="li", scope="spare parts", since_always=True)
            past = ownership.assign(session, other, to="li", scope="past", since_always=True)
            session.flush()
            past.valid_to = session.clock() - DAY
        with company.session() as session:
            handover = handovers.draft(session, "li", to="wang", scope="name == 'Other'")
            found = {(item.role.value, item.scope) for item in handovers.items(session, handover)}
        assert found == {("collaborator", ""), ("backup", ""), ("mentor", ""), ("owner", "spare parts")}

    def test_what_another_open_handover_covers_is_left_out(self, company: Company) -> None:
        with company.session() as session:
            handovers.draft(session, "li", to="wang", scope="address.city == 'Shanghai'")
        with company.session() as session:
            rest = handovers.items(session, handovers.draft(session, "li", to="sun"))
            assert [item.account_id for item in rest] == [company.accounts[each] for each in (1, 3, 4, 5)]
        with company.session() as session, pytest.raises(Conflict, match="nothing to hand over of li"):
            handovers.draft(session, "li", to="sun")

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"to": "li"}, "cannot take over from themselves"),
            ({"to": "gone"}, "not active"),
            ({"rules": [("name == 'Firm 1'", "gone")]}, "not active"),
            ({"to": "wang", "to_pool": True}, "only one of to, round_robin and to_pool"),
            ({"to": "wang", "split": Decimal("1.5"), "split_until": dt.date(2099, 1, 1)}, "1.5 is no share"),
            ({"to": "wang", "split": Decimal("0.5")}, "ends one day"),
        ],
    )
    def test_what_cannot_be_is_refused(self, company: Company, options: dict[str, object], message: str) -> None:
        with company.system() as session:
            session.add(User(login="gone", name="Gone", active=False))
        with company.session() as session, pytest.raises(ValidationError, match=message):
            handovers.draft(session, "li", **options)  # type: ignore[arg-type]

    def test_only_whoever_may_change_the_accounts_drafts(self, company: Company) -> None:
        for login in ("li", "wang"):
            with pytest.raises((PermissionDenied, Conflict)), company.session(login) as session:
                handovers.draft(session, "li", to="wang" if login == "li" else "sun")

    def test_one_drafts_what_one_sees(self, company: Company) -> None:
        with company.system() as session:
            far = session.add_one(Account(name="Far"))
            ownership.assign(session, far, to="sun", since_always=True)
        with company.session() as session, pytest.raises(Conflict, match="nothing to hand over"):
            handovers.draft(session, "sun", to="wang")
        with company.session("qian") as session:
            assert len(handovers.items(session, handovers.draft(session, "sun", to="wang"))) == 1


class TestAnswering:
    def test_the_successor_sees_what_is_offered_and_nothing_else(self, company: Company) -> None:
        with company.session("sun") as session:
            assert session.list(Account) == []
        with company.session() as session:
            handover = handovers.draft(session, "li", to="sun", scope="address.city == 'Suzhou'")
            handovers.offer(session, handover)
        offered = [company.accounts[1], company.accounts[5]]
        with company.session("sun") as session:
            assert [account.id for account in session.list(Account, order="name")] == offered
            grounds = [str(ground) for ground in session.explain(session.require(Account, offered[0]))]
            assert grounds == ["it is shared with you as reader, because: handover of Li"]
            assert [item.account_id for item in handovers.waiting_for(session, company.users["sun"])] == offered
            assert session.require(Handover, handover.id).leaver_id == company.users["li"]

    def test_a_refused_account_is_seen_no_more(self, company: Company) -> None:
        id_ = company.offered(to="sun", scope="address.city == 'Suzhou'")
        with company.session("sun") as session:
            first, second = handovers.waiting_for(session, company.users["sun"])
            handovers.refuse(session, first, note="too far")
            handovers.accept(session, second)
        with company.session("sun") as session:
            assert [account.id for account in session.list(Account)] == [company.accounts[5]]
            assert session.get(HandoverItem, first.id) is None
        with company.session() as session:
            item = session.require(HandoverItem, first.id)
            assert (item.state, item.note) == (ItemState.REFUSED, "too far")
            handovers.refuse(session, session.require(HandoverItem, second.id))
        with company.session("sun") as session:
            assert session.list(Account) == []
            assert session.get(Handover, id_) is None

    def test_what_was_refused_goes_to_somebody_else(self, company: Company) -> None:
        id_ = company.offered(to="sun")
        with company.session("sun") as session:
            handovers.refuse(session, handovers.waiting_for(session, company.users["sun"]))
        with company.session() as session:
            handover = session.require(Handover, id_)
            found = handovers.items(session, handover)
            handovers.assign(session, found[:2], "wang")
            handovers.assign(session, found[2:], to_pool=True)
            assert {item.state for item in found} == {ItemState.DRAFTED}
            handovers.offer(session, handover)
        with company.session("wang") as session:
            assert len(handovers.waiting_for(session, company.users["wang"])) == 2
            handovers.accept(session, handovers.waiting_for(session, company.users["wang"]))
        with company.session() as session:
            handovers.do(session, session.require(Handover, id_))
        assert list(company.owners().values()) == ["wang", "wang", "", "", "", ""]

    def test_whoever_was_not_asked_cannot_answer(self, company: Company) -> None:
        company.offered(to="sun", scope="name == 'Firm 1'")
        with company.session("li") as session, pytest.raises(PermissionDenied):
            handovers.accept(session, session.scalars(select(HandoverItem)).all())
        with company.session("wang") as session:
            assert session.scalars(select(HandoverItem)).all() == []

    def test_nothing_is_offered_without_a_successor(self, company: Company) -> None:
        with company.session() as session:
            handover = handovers.draft(session, "li")
            with pytest.raises(Conflict, match=r"that have no successor yet: 6\."):
                handovers.offer(session, handover)
            handovers.assign(session, handovers.items(session, handover), "sun")
            session.require(User, company.users["sun"])
        with company.session("qian") as session:
            session.require(User, company.users["sun"]).active = False
        with company.session() as session, pytest.raises(Conflict, match="sun is not active"):
            handovers.offer(session, session.require(Handover, handover.id))

    def test_each_verb_says_what_it_is_not_for(self, company: Company) -> None:
        id_ = company.done()
        with company.session() as session:
            handover = session.require(Handover, id_)
            found = handovers.items(session, handover)
            for verb in (handovers.accept, handovers.refuse):
                with pytest.raises(Conflict, match="is done"):
                    verb(session, found)
            with pytest.raises(Conflict, match="is done"):
                handovers.assign(session, found, "sun")
            with pytest.raises(Conflict, match="nothing to offer"):
                handovers.offer(session, handover)
            with pytest.raises(Conflict, match="is done"):
                handovers.cancel(session, handover)
            with pytest.raises(Conflict, match="is done"):
                handovers.do(session, handover)
            with pytest.raises(ValidationError, match="one successor, or to the pool"):
                handovers.assign(session, found)

    def test_cancelling_ends_what_was_lent(self, company: Company) -> None:
        id_ = company.offered(to="sun")
        with company.session() as session:
            handovers.cancel(session, session.require(Handover, id_))
        with company.session("sun") as session:
            assert session.list(Account) == []
        with company.session() as session:
            found = handovers.items(session, session.require(Handover, id_))
            with pytest.raises(Conflict, match="is cancelled"):
                handovers.accept(session, found)
            with pytest.raises(Conflict, match="is cancelled"):
                handovers.assign(session, found, "wang")
        assert set(company.owners().values()) == {"li"}


class TestDoing:
    def test_ownership_and_open_work_go_over(self, company: Company) -> None:
        id_ = company.accepted(rules=[("address.city == 'Shanghai'", "wang")], to="sun")
        with company.session(reason="Li leaves") as session:
            deed = handovers.do(session, session.require(Handover, id_))
        assert (deed.items, deed.ended, deed.begun, dict(deed.moved), deed.later) == (6, 6, 6, {"activity": 6}, False)
        assert list(company.owners().values()) == ["wang", "sun", "wang", "sun", "sun", "sun"]
        assert states(company, id_) == ["done", "done"]
        with company.system() as session:
            planned = session.scalars(select(Activity).where(Activity.status == "planned").order_by(Activity.id)).all()
            logins = {each: login for login, each in company.users.items()}
            assert [logins[each.user_id or 0] for each in planned] == ["wang", "sun", "wang", "sun", "sun", "sun"]
            held = session.scalars(select(Activity.user_id).where(Activity.status == "held")).all()
            assert set(held) == {company.users["li"]}  # who held it does not change
            first = session.require(Account, company.accounts[0])
            assert ownership.owner(session, first, at=session.now - DAY).login == "li"
        with company.session("li") as session:
            assert session.list(Account) == []
        with company.session("sun") as session:
            assert [str(each) for each in session.explain(session.require(Account, company.accounts[1]))] == [
                f"you are its owner since {deed.effective.astimezone(ZoneInfo('Asia/Shanghai')).date().isoformat()}"
            ]

    def test_what_the_leaver_is_to_mend_goes_over(self, company: Company) -> None:
        ids = [company.left_to("li", account, f"Mend {number}") for number, account in enumerate(company.accounts[:3])]
        theirs = company.left_to("wang", company.accounts[0], "Is Wang's already")
        id_ = company.accepted()
        before = company.state()
        with company.session(reason="Li leaves") as session:
            deed = handovers.do(session, session.require(Handover, id_))
        assert dict(deed.moved) == {"activity": 6, "quality_issue": 3}
        with company.session("qian") as session:
            session.require(User, company.users["li"]).active = False
        with company.session("wang", read_only=True) as session:
            assert [each.id for each in quality.assigned(session, company.users["wang"])] == [*ids, theirs]
            mends = {each.record_id for each in next_actions(session) if each.kind == "mend"}
            assert mends == {*ids, theirs}
            assert quality.assigned(session, company.users["li"]) == []
        with company.session("qian") as session:
            session.require(User, company.users["li"]).active = True
        with company.session("wang") as session:
            quality.close(session, session.require(QualityIssue, ids[2]))
        with company.session(reason="not these") as session:
            found = handovers.items(session, session.require(Handover, id_))
            taken = handovers.take_back(session, [found[0], found[2]])
            assert (taken.records["quality_issue"], dict(taken.kept)) == (1, {"quality_issue": 1})
        with company.session(reason="Li stays") as session:
            assert handovers.undo(session, session.require(Handover, id_)).records["quality_issue"] == 1
        after = company.state()
        finished = after.pop(("quality_issue", ids[2]))  # what the successor finished stays theirs
        assert (finished["assignee_id"], finished["state"].value) == (company.users["wang"], "done")
        assert before.pop(("quality_issue", ids[2]))["assignee_id"] == company.users["li"]
        assert after == before

    def test_what_is_to_be_mended_of_an_account_in_a_pool_is_nobodys(self, company: Company) -> None:
        company.left_to("li", company.accounts[0], "Mend it")
        company.done(to=None, to_pool=True)
        with company.system(read_only=True) as session:
            assert session.scalars(select(QualityIssue.assignee_id)).all() == [None]

    def test_all_must_be_accepted_unless_partial_is_said(self, company: Company) -> None:
        id_ = company.offered(to="sun")
        with company.session("sun") as session:
            handovers.accept(session, handovers.waiting_for(session, company.users["sun"])[:2])
        with company.session() as session:
            handover = session.require(Handover, id_)
            with pytest.raises(Conflict, match=r"not accepted yet: 4 of 6\."):
                handovers.do(session, handover)
            assert handovers.do(session, handover, partial=True).items == 2
            assert handover.state is HandoverState.OFFERED
        assert list(company.owners().values()) == ["sun", "sun", "li", "li", "li", "li"]
        with company.session("sun") as session:
            handovers.accept(session, handovers.waiting_for(session, company.users["sun"]))
        with company.session() as session:
            handovers.do(session, session.require(Handover, id_))
        assert states(company, id_) == ["done", "done"]

    def test_back_to_the_pool_the_row_ends_and_nobody_is_in_charge(self, company: Company) -> None:
        company.done(to=None, to_pool=True)
        assert set(company.owners().values()) == {""}
        with company.system() as session:
            planned = session.scalars(select(Activity.user_id).where(Activity.status == "planned")).all()
            assert set(planned) == {None}

    def test_a_row_that_has_not_begun_goes_over_as_it_is(self, company: Company) -> None:
        with company.system() as session:
            other = session.require(Account, company.other)
            start = session.clock() + 10 * DAY
            ownership.transfer(session, other, to="li", from_=start)
        company.done(scope="name == 'Other'", to="sun")
        with company.system() as session:
            rows = session.scalars(
                select(Ownership).where(Ownership.account_id == company.other).order_by(Ownership.id),
                execution_options={"all_dates": True},
            ).all()
            assert [(row.user_id, row.valid_from, row.valid_to) for row in rows] == [
                (company.users["wang"], None, start), (company.users["sun"], start, None),
            ]  # fmt: skip

    def test_who_has_the_part_already_gets_no_second_row(self, company: Company) -> None:
        with company.system() as session:
            other = session.require(Account, company.other)
            for login in ("li", "sun"):
                ownership.assign(session, other, to=login, role=OwnershipRole.COLLABORATOR, since_always=True)
        company.done(scope="name == 'Other'", to="sun")
        with company.system() as session:
            rows = session.scalars(
                select(Ownership.user_id).where(
                    Ownership.account_id == company.other, Ownership.role == OwnershipRole.COLLABORATOR
                )
            ).all()
            assert rows == [company.users["sun"]]

    def test_custom_values_of_a_row_stay_with_the_successor(self, database_url: str) -> None:
        fields = {"ownership": {"quota": {"kind": "number", "scale": 0}}}
        with Crm.open({"crm": {"database": database_url}, "custom_fields": fields}, check=False) as crm:
            crm.store.create_all()
            company = found(crm)
            with company.system() as session:
                row = session.scalars(select(Ownership).where(Ownership.account_id == company.accounts[0])).one()
                row.custom = {"quota": 7}
            company.done(scope="name == 'Firm 0'")
            with company.system() as session:
                rows = session.scalars(
                    select(Ownership).where(Ownership.account_id == company.accounts[0]).order_by(Ownership.id),
                    execution_options={"all_dates": True},
                )
                assert [(row.user_id, row.custom) for row in rows] == [
                    (company.users["li"], {"quota": 7}), (company.users["wang"], {"quota": 7}),
                ]  # fmt: skip

    def test_what_begins_later_and_goes_to_the_pool_never_begins(self, company: Company) -> None:
        with company.system() as session:
            other = session.require(Account, company.other)
            ownership.transfer(session, other, to="li", from_=session.clock() + 10 * DAY)
        id_ = company.accepted(scope="name == 'Other'", to=None, to_pool=True)
        before = company.state()
        with company.session() as session:
            deed = handovers.do(session, session.require(Handover, id_))
            assert (deed.ended, deed.begun) == (1, 0)
        with company.system() as session:
            rows = session.scalars(
                select(Ownership.user_id).where(Ownership.account_id == company.other),
                execution_options={"all_dates": True},
            )
            assert rows.all() == [company.users["wang"]]
        with company.session() as session:
            handovers.undo(session, session.require(Handover, id_))
        assert company.state() == before

    def test_the_successor_cannot_do_it_themselves(self, company: Company) -> None:
        id_ = company.offered(to="sun")
        with company.session("sun") as session:
            handovers.accept(session, handovers.waiting_for(session, company.users["sun"]))
            with pytest.raises(PermissionDenied):
                handovers.do(session, session.require(Handover, id_))
            session.rollback()
        assert set(company.owners().values()) == {"li"}

    def test_one_who_does_not_see_it_finds_none(self, company: Company) -> None:
        id_ = company.accepted(to="sun")
        with company.session("wang") as session, pytest.raises(NotFound):
            session.require(Handover, id_)


class TestSplits:
    def test_shares_hold_from_the_deed_until_their_day(self, company: Company) -> None:
        until = dt.datetime.now(dt.UTC) + 100 * DAY
        id_ = company.done(split=Decimal("0.3"), split_until=until, scope="address.city == 'Suzhou'")
        with company.session() as session:
            found = handovers.splits(session)
            assert [(each.account_id, each.leaver_id, each.successor_id, each.share, each.until) for each in found] == [
                (id_, company.users["li"], company.users["wang"], Decimal("0.3"), until)
                for id_ in (company.accounts[1], company.accounts[5])
            ]
            assert len(handovers.splits(session, [company.accounts[1]])) == 1
            assert handovers.splits(session, at=until) == []
            assert handovers.splits(session, at=session.clock() - DAY) == []
        with company.session("sun") as session:
            assert handovers.splits(session) == []
        with company.session() as session:
            handovers.take_back(session, handovers.items(session, session.require(Handover, id_))[0])
        with company.session() as session:
            assert [each.account_id for each in handovers.splits(session)] == [company.accounts[5]]


def test_nothing_goes_back_where_no_pool_takes_it(company: Company) -> None:
    with company.system() as session:
        session.require(Account, company.accounts[0]).name = "Nowhere"
    with company.session() as session:
        handover = handovers.draft(session, "li", to_pool=True)
        with pytest.raises(Conflict, match=rf"No pool takes the account {company.accounts[0]}, so that"):
            handovers.offer(session, handover)
        session.rollback()
    with company.session() as session:
        handover = handovers.draft(session, "li", scope='name != "Nowhere"', to_pool=True)
        handovers.offer(session, handover)
        session.commit()
        # Meanwhile another one is taken out of the pool's reach: what was accepted is judged again.
        session.require(Account, company.accounts[1]).name = "Nowhere"
        session.flush()
        with pytest.raises(Conflict, match="No pool takes"):
            handovers.do(session, handover)


def test_an_item_that_was_written_by_hand_takes_nothing_back(company: Company) -> None:
    """Whoever may change items must not undo by them what others did out of their sight."""
    with company.system() as session:
        ownership.transfer(session, session.require(Account, company.other), to="sun")
        session.check()
        rows = session.list(Ownership, f"account_id == {company.other}", all_dates=True, limit=None)
        moved = [["ownership", row.id] for row in rows]
        session.commit()
        foreign = session.last_change_set
    with company.session() as session:
        handover = handovers.draft(session, "li", to="wang", scope="name == 'Firm 0'")
        (item,) = handovers.items(session, handover)
        item.state, item.moved, item.change_sets = ItemState.DONE, moved, [foreign]
        session.commit()
        with pytest.raises(Conflict, match="does not say what the handover did"):
            handovers.take_back(session, item)


def test_where_there_is_no_pool_none_is_named_but_for_helpers(company: Company, database_url: str) -> None:
    with company.system() as session:
        ownership.assign(session, session.require(Account, company.other), to="li", role=OwnershipRole.BACKUP)
    with Crm.open({"crm": {}}, database=database_url, check=False) as crm, crm.session("zhou") as session:
        for options in ({"rules": [("name == 'Nobody'", None)], "to": "wang"}, {"to_pool": True}):
            with pytest.raises(Conflict, match=r"This build has no pools"):
                handovers.draft(session, "li", **options)
        helped = handovers.draft(session, "li", scope="name == 'Other'", to_pool=True)
        assert [item.to_pool for item in handovers.items(session, helped)] == [True]
        handovers.assign(session, handovers.items(session, helped), to_pool=True)
        owned = handovers.items(session, handovers.draft(session, "li", scope="name == 'Firm 0'"))
        with pytest.raises(Conflict, match=r"This build has no pools"):
            handovers.assign(session, owned, to_pool=True)
