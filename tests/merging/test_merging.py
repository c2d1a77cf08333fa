"""Merging: who may, what moves, what stands in the way, and what becomes of the one that goes."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from sqlalchemy import select

from crm_core import (
    Account,
    AccountRelation,
    Activity,
    Affiliation,
    Contact,
    ContactPoint,
    ExternalRef,
    Lifecycle,
    MergeConflict,
    MergeReport,
    NotFound,
    Objection,
    Ownership,
    PermissionDenied,
    PointKind,
    Problem,
    Redirect,
    Share,
    UndoConflict,
    User,
    ValidationError,
    accounts,
    contacts,
    merging,
    ownership,
    shares,
)
from crm_core.domain.contacts import Consent
from crm_core.errors import Conflict
from crm_core.store.tables import CHANGE
from crm_core.testing.statements import counted

from .conftest import Company
from .records import Link, Plugins, Seat, Term, dangling, day, dump


def merge(company: Company, one: int, other: int, login: str | None = None, **options: Any) -> MergeReport:
    with company.session(login) as session:
        return merging.merge(session, session.require(Account, one), session.require(Account, other), **options)


def rows(company: Company, cls: Any, *fields: str) -> list[tuple[Any, ...]]:
    with company.session() as session:
        found = session.scalars(
            select(cls).order_by(cls.valid_from.nulls_first(), cls.id), execution_options={"all_dates": True}
        )
        return [tuple(getattr(row, field) for field in fields) for row in found]


# -- who may ---------------------------------------------------------------------------------------------------


def test_both_must_be_seen_and_changeable(company: Company) -> None:
    mine, theirs = company.account("li"), company.account("sun")
    with company.session("li") as session, company.session(read_only=True) as other:
        account, hidden = session.require(Account, mine), other.require(Account, theirs)
        missing = Account(name="x")
        missing.id = 10**12
        errors = []
        for source in (hidden, missing):
            with pytest.raises(NotFound) as caught:
                merging.merge(session, account, source)
            errors.append(str(caught.value).replace(str(source.id), "ID"))
        assert errors[0] == errors[1]
    with pytest.raises(PermissionDenied, match="not update it"):
        merge(company, mine, theirs, "wu")
    with company.session() as session:
        ownership.assign(session, session.require(Account, mine), to="mei", role=ownership.OwnershipRole.COLLABORATOR)
        ownership.assign(session, session.require(Account, theirs), to="mei", role=ownership.OwnershipRole.COLLABORATOR)
    with pytest.raises(PermissionDenied, match=r"account\.merge"):
        merge(company, mine, theirs, "mei")


def test_two_different_records_of_one_type(company: Company) -> None:
    acme, ann = company.account("li"), company.person(None)
    with company.session() as session:
        account, contact = session.require(Account, acme), session.require(Contact, ann)
        for other in (account, contact):
            with pytest.raises(ValidationError, match="two different records"):
                merging.merge(session, account, other)


def test_it_stands_alone(company: Company) -> None:
    one, other = company.account("li"), company.account("li")
    with company.session() as session:
        pair = session.require(Account, one), session.require(Account, other)
        assert merging.merge(session, *pair, dry_run=True).conflicts == []
        merging.merge(session, *pair, dry_run=True)  # a dry run leaves nothing behind
        pair[0].grade = "A"
        with pytest.raises(Conflict, match="stands alone"):
            merging.merge(session, *pair)
        session.rollback()


@pytest.mark.parametrize("how", ["object", "rows", "another merge", "undo", "delete", "streaming"])
def test_nothing_is_written_beside_it(company: Company, how: str) -> None:
    """It would be taken back with it, though it has nothing to do with it."""
    one, other, third = company.account("li"), company.account("li"), company.account("li", grade="C")
    earlier = company.account("li")
    with company.session(read_only=True) as session:
        head = _heads(session)[0].id
    before = dump(company.store)
    with company.session(streaming=how == "streaming") as session:
        pair = session.require(Account, one), session.require(Account, other)
        merging.merge(session, *pair)
        with pytest.raises(Conflict, match=r"A merge stands alone.*Commit the"):
            if how == "object":
                session.require(Account, third).grade = "B"
                session.flush()
            elif how == "delete":
                session.delete(session.require(Account, third))
                session.flush()
            elif how == "another merge":
                merging.merge(session, pair[0], session.require(Account, third))
            elif how == "undo":
                session.undo(head)
            else:
                session.update_many(Account, [{"id": third, "grade": "B"}])
        session.rollback()
    assert dump(company.store) == before
    with company.session() as session:
        pair = session.require(Account, one), session.require(Account, other)
        with pytest.raises(RuntimeError), session.begin_nested():
            merging.merge(session, *pair)
            raise RuntimeError
        session.require(Account, third).grade = "B"  # that merge did not happen
    with company.session() as session:
        merging.merge(session, *(session.require(Account, id_) for id_ in (one, other)))
        session.commit()
        session.require(Account, third).grade = "A"
    with company.session() as session:
        merging.split(session, other)
        assert session.require(Account, third).grade == "A"
        assert session.require(Account, earlier).grade is None


# -- what moves ------------------------------------------------------------------------------------------------


def test_nobody_sees_less_and_everybody_is_told_why(company: Company) -> None:
    one, other = company.account("li"), company.account("sun")
    with company.session() as session:
        shares.grant(session, session.require(Account, other), user="mei", reason="trade fair")
    merge(company, one, other, "qian")
    for login, words in (("li", "owner"), ("sun", "collaborator"), ("mei", "trade fair"), ("zhao", "East")):
        with company.session(login) as session:
            account = session.require(Account, one)
            assert any(words in str(ground) for ground in session.explain(account)), login
    assert rows(company, Ownership, "account_id", "user_id", "role") == [
        (one, company.users["li"], ownership.OwnershipRole.OWNER),
        (one, company.users["sun"], ownership.OwnershipRole.COLLABORATOR),
    ]


def test_an_owner_of_the_time_before_stays_an_owner(company: Company) -> None:
    one, other = company.account(None), company.account(None)
    with company.session() as session:
        for id_, login, start, end in ((one, "li", 4, None), (other, "wang", 0, 3), (other, "sun", 3, None)):
            session.add(
                Ownership(account_id=id_, user_id=company.users[login], valid_from=day(start), valid_to=day(end))
            )
    report = merge(company, one, other)
    owner, beside = ownership.OwnershipRole.OWNER, ownership.OwnershipRole.COLLABORATOR
    wanted = [
        (company.users["wang"], owner, day(0), day(3)),
        (company.users["sun"], owner, day(3), day(4)),
        (company.users["li"], owner, day(4), None),
        (company.users["sun"], beside, day(4), None),
    ]
    assert sorted(rows(company, Ownership, "user_id", "role", "valid_from", "valid_to"), key=repr) == sorted(
        wanted, key=repr
    )
    assert [str(each).partition(": ")[2] for each in report.resolved] == [
        "the owner in {} stays; this one becomes a collaborator for that time.".format(
            next(iter(report.resolved)).values["other"]
        )
    ]


def test_stages_are_cut_so_that_none_overlaps(company: Company) -> None:
    one, other = company.account(None), company.account("li")
    with company.session() as session:
        for id_, line, stage, start, end in (
            (one, "general", "customer", 2, 4),
            (other, "general", "prospect", 0, 6),
            (other, "spare", "lost", 1, None),
        ):
            session.add(
                Lifecycle(
                    account_id=id_,
                    business_line=line,
                    stage=accounts.Stage(stage),
                    valid_from=day(start),
                    valid_to=day(end),
                )
            )
    report = merge(company, one, other)
    assert [(line, stage.value, start, end) for line, stage, start, end in rows(
        company, Lifecycle, "business_line", "stage", "valid_from", "valid_to")] == [
        ("general", "prospect", day(0), day(2)), ("spare", "lost", day(1), None),
        ("general", "customer", day(2), day(4)), ("general", "prospect", day(4), day(6)),
    ]  # fmt: skip
    assert len(report.resolved) == 1
    assert report.moved["lifecycle.account_id"] == 2


def test_a_relation_between_the_two_goes_and_is_told(company: Company) -> None:
    one, other, third = company.account("li"), company.account("wang"), company.account("li")
    with company.session() as session:
        pair = session.require(Account, one), session.require(Account, other)
        relation = accounts.relate(session, pair[1], "branch", pair[0])
        accounts.relate(session, pair[1], "partner", session.require(Account, third))
        session.add(ExternalRef(system="erp", record_type="account_relation", key="r1", record_id=relation.id))
    report = merge(company, one, other, "zhao")
    assert str(report.resolved[0]) == f"account_relation {relation.id}: it was between the two, and goes."
    assert rows(company, AccountRelation, "account_id", "other_id", "kind") == [(one, third, "partner")]
    with company.session("zhao") as session:
        merging.split(session, other)
    assert len(rows(company, AccountRelation, "id")) == 2


def test_one_person_at_both(company: Company) -> None:
    one, other = company.account(None), company.account("li")
    ann, bob = company.person(one), company.person(one, name="Bob")
    with company.session() as session:
        session.add_all(
            [
                Affiliation(account_id=other, contact_id=ann, title="Buyer", valid_from=day(0), primary=True),
                Affiliation(account_id=other, contact_id=bob, role="driver", valid_from=day(0)),
            ]
        )
        (first,) = session.list(Affiliation, f"contact_id == {bob} and account_id == {one}")
        first.role = "cook"
    report = merge(company, one, other)
    assert [(row[0], row[1], row[2]) for row in rows(company, Affiliation, "contact_id", "title", "role")] == [
        (ann, "Buyer", None), (bob, None, "cook"), (bob, None, "driver"),
    ]  # fmt: skip
    assert len(report.resolved) == 1


@pytest.mark.parametrize(
    ("one", "other", "kept"),
    [
        ((Consent.GIVEN, 1), (Consent.WITHDRAWN, 2), (Consent.WITHDRAWN, 2)),
        ((Consent.WITHDRAWN, 1), (Consent.GIVEN, 2), (Consent.GIVEN, 2)),
        ((Consent.GIVEN, None), (Consent.WITHDRAWN, None), (Consent.WITHDRAWN, None)),
        ((Consent.GIVEN, 5), (Consent.WITHDRAWN, None), (Consent.WITHDRAWN, None)),
        ((Consent.UNKNOWN, None), (Consent.GIVEN, 1), (Consent.GIVEN, 1)),
        ((Consent.UNKNOWN, None), (Consent.UNKNOWN, None), (Consent.UNKNOWN, None)),
    ],
)
def test_one_address_has_one_consent(company: Company, one: Any, other: Any, kept: Any) -> None:
    people = [company.person(None), company.person(None)]
    with company.session() as session:
        for contact, (consent, at) in zip(people, (one, other), strict=True):
            session.add(ContactPoint(contact_id=contact, kind=PointKind.EMAIL, value="a@b.example", consent=consent,
                                     consent_at=day(at)))  # fmt: skip
    with company.session() as session:
        merging.merge(session, *(session.require(Contact, id_) for id_ in people))
    with company.session() as session:
        (point,) = session.list(ContactPoint)
        assert (point.contact_id, point.consent, point.consent_at) == (people[0], kept[0], day(kept[1]))


def test_people_move_with_all_they_did(company: Company) -> None:
    acme = company.account("li")
    ann, anna = company.person(acme), company.person(acme, name="Anna")
    with company.session() as session:
        session.add(Activity(kind="call", subject="x", account_id=acme, contact_id=anna))
    with company.session("li") as session:
        report = merging.merge(session, session.require(Contact, ann), session.require(Contact, anna))
        assert report.moved == {"activity.contact_id": 1, "affiliation.contact_id": 1}
    with company.session("li") as session:
        assert [row.contact_id for row in session.list(Activity)] == [ann]
        assert [row.contact_id for row in session.list(Affiliation)] == [ann]


def test_other_types_too(company: Company) -> None:
    acme = company.account("li")
    with company.session() as session:
        li, wang = (session.get(User, company.users[login]) for login in ("li", "wang"))
        report = merging.merge(session, wang, li)
        assert report.moved["ownership.user_id"] == 1
    with company.session("wang") as session:
        assert session.get(Account, acme) is not None


# -- what stands in the way ------------------------------------------------------------------------------------


def test_rows_of_which_only_one_may_hold(company: Company) -> None:
    one, other = company.account(None), company.account("li")
    ann = company.person(one)
    with company.session() as session:
        seats = [session.add_one(Seat(account_id=id_, contact_id=ann)).id for id_ in (one, other)]
        session.add_all([Term(account_id=id_, line="a", value=value) for id_, value in ((one, 1), (other, 2))])
    before = dump(company.store)
    planned = merge(company, one, other, dry_run=True)
    assert [each.path for each in planned.conflicts] == [f"merge_probe.seat {seats[1]}"]
    with pytest.raises(MergeConflict, match="End one of them first"):
        merge(company, one, other)
    assert dump(company.store) == before
    with company.session() as session:
        session.delete(session.require(Seat, seats[1]))
    assert len(merge(company, one, other).resolved) == 2  # that it goes, and which value goes with it
    assert rows(company, Term, "account_id", "value") == [(one, 1)]


def test_what_is_unseen_in_the_way_is_not_told(company: Company) -> None:
    one, other, hidden = company.account("li"), company.account("li"), company.account("sun")
    with company.session() as session:
        session.add_all([Link(account_id=other, other_id=hidden), Activity(kind="call", subject="x", account_id=other)])
    report = merge(company, one, other, "li", dry_run=True)
    assert "merge_probe.link.account_id" not in report.moved
    assert report.moved["activity.account_id"] == 1
    ann = company.person(hidden)
    with company.session() as session:
        session.add_all([Seat(account_id=id_, contact_id=ann) for id_ in (one, other)])
        session.require(Account, one)
        (row,) = session.list(Affiliation, f"contact_id == {ann}")
        session.delete(row)
    planned = merge(company, one, other, "li", dry_run=True)
    assert [each.path for each in planned.conflicts] != [""]  # the seats are at the accounts, and so they are seen
    assert merge(company, one, other, "qian", dry_run=True).moved["merge_probe.link.account_id"] == 1


class Against(Plugins):
    """Objects to every merge."""

    def check_merge(self, session: Any, record_type: str, target_id: int, source_id: int) -> frozenset[str]:
        raise Objection("No.", [Problem(record_type, "{source} stays.", values={"source": source_id})])


def test_a_plugin_may_object(company: Company) -> None:
    one, other = company.account("li"), company.account("li")
    company.store.dispatch = Against()
    assert [str(each) for each in merge(company, one, other, dry_run=True).conflicts] == [f"account: {other} stays."]
    with pytest.raises(MergeConflict, match="stays"):
        merge(company, one, other)


# -- where it went ---------------------------------------------------------------------------------------------


def test_whoever_asks_for_it_is_sent_on_if_they_see_where(company: Company) -> None:
    one, other, third = company.account("li"), company.account("li"), company.account("li")
    merge(company, other, third, "li")
    merge(company, one, other, "li")
    with company.session("li") as session:
        assert [merging.resolve(session, "account", id_) for id_ in (one, other, third, 10**12)] == [
            one,
            one,
            one,
            10**12,
        ]
        assert merging.resolve(session, Account, third) == merging.resolve(session, Account.crm_type, third) == one
        with pytest.raises(NotFound, match=f"The account {third} was merged into {one}"):
            session.require(Account, third)
    with company.session("sun") as session:
        assert merging.resolve(session, "account", third) == third
        errors = []
        for id_ in (third, 10**12):
            with pytest.raises(NotFound) as caught:
                session.require(Account, id_)
            errors.append(str(caught.value).replace(str(id_), "ID"))
        assert errors[0] == errors[1]
        for id_ in (third, 10**12):
            with pytest.raises(NotFound, match="Nothing was merged"):
                merging.split(session, id_)


def test_keys_of_other_systems_go_along(company: Company) -> None:
    one, other = company.account("li"), company.account("li")
    with company.session() as session:
        session.add(ExternalRef(system="erp", record_type="account", key="1", record_id=other))
    merge(company, one, other)
    with company.session() as session:
        assert [(each.key, each.record_id) for each in session.list(ExternalRef)] == [("1", one)]


# -- and back --------------------------------------------------------------------------------------------------


def test_a_clerk_takes_their_own_merge_apart(company: Company) -> None:
    one, other = company.account("li"), company.account("li", grade="B")
    before = dump(company.store)
    merge(company, one, other, "li", reason="the same")
    with company.session("li") as session:
        (head,) = [each for each in _heads(session) if each.source == "merge"]
        assert head.reason == "the same"
        planned = merging.split(session, other, dry_run=True)
        assert (planned.conflicts, planned.restored) == ([], {"account": 1, "ownership": 1})
        (redirect,) = [each for each in _redirects(company) if each.source_id == other]
        merging.split(session, redirect)
    assert dump(company.store) == before  # nobody became an owner by it
    with company.session("li") as session:
        assert session.require(Account, other).grade == "B"


def test_taken_apart_brought_together_and_taken_apart_again(company: Company) -> None:
    one, other = company.account("li"), company.account("li", grade="B")
    before = dump(company.store)
    merge(company, one, other)
    merged, taken = dump(company.store), 0
    for state in (before, merged, before, merged, before):
        with company.session() as session:
            if state is before:
                merging.split(session, other)
            else:
                session.undo(taken)
        taken = session.last_change_set or 0
        assert dump(company.store) == state


def _heads(session: Any) -> Any:
    from crm_core.store.history import change_sets

    return change_sets(session)


def _redirects(company: Company) -> list[Redirect]:
    with company.session(read_only=True) as session:
        return session.list(Redirect)


def test_what_was_changed_since_stands_in_the_way(company: Company) -> None:
    one, other = company.account("li"), company.account("li", grade="B")
    merge(company, one, other)
    with company.session() as session:
        session.require(Account, one).grade = "A"
    before = dump(company.store)
    with company.session() as session, pytest.raises(UndoConflict, match="grade was changed since"):
        merging.split(session, other)
    assert dump(company.store) == before


def test_an_erased_person_is_gone_from_what_went_into_them(company: Company) -> None:
    acme = company.account("li")
    ann = company.person(acme, name="Ann Secretname")
    other = company.person(acme, name="Anna Othername", birthday=dt.date(1980, 1, 2), note="Very private")
    with company.session() as session:
        for contact in (ann, other):
            session.add(ContactPoint(contact_id=contact, kind=PointKind.MOBILE, value="+8613811112222"))
        session.add(ContactPoint(contact_id=other, kind=PointKind.EMAIL, value="private@qq.example"))
    with company.session() as session:
        merging.merge(session, session.require(Contact, ann), session.require(Contact, other))
    with company.session() as session:
        contacts.erase(session, session.require(Contact, ann), reason="asked for it")
    with company.session() as session:
        journal = " ".join(f"{row.before} {row.after}" for row in session.core(select(CHANGE.c.before, CHANGE.c.after)))
    for secret in ("Secretname", "Othername", "1980-01-02", "Very private", "13811112222", "private@qq"):
        assert secret not in journal
    with company.session() as session, pytest.raises(UndoConflict, match="erased"):
        merging.split(session, other)


@pytest.mark.parametrize("erased", ["target", "source"])
def test_whoever_was_erased_is_nobodys_double(company: Company, erased: str) -> None:
    acme = company.account("li")
    gone, live = company.person(acme, name="Gone"), company.person(acme, name="Live", local_name="活")
    with company.session() as session:
        contacts.erase(session, session.require(Contact, gone), reason="asked for it")
    before = dump(company.store)
    pair = (gone, live) if erased == "target" else (live, gone)
    wanted = f"contact {gone}: it was erased. Leave it by itself. If the other one is the same person, erase that one"
    with company.session("li") as session:
        found = [session.require(Contact, id_) for id_ in pair]
        report = merging.merge(session, *found, dry_run=True)
        assert [str(each)[: len(wanted)] for each in report.conflicts] == [wanted]
        assert (report.fields, report.moved) == ([], {})
        with pytest.raises(MergeConflict, match="it was erased"):
            merging.merge(session, *found)
    assert dump(company.store) == before


# -- costs -----------------------------------------------------------------------------------------------------


def test_as_many_statements_for_many_rows_as_for_few(company: Company) -> None:
    def cost(count: int) -> int:
        one, other = company.account("li"), company.account("li")
        mei = company.users["mei"]
        days = [(id_, number) for number in range(count) for id_ in (one, other)]
        with company.session() as session:
            session.add_many(Activity, [{"account_id": id_, "kind": "call", "subject": "x"} for id_, _ in days])
            session.add_many(Share, [{"account_id": id_, "user_id": mei, "reason": f"r{n}"} for id_, n in days])
            session.add_many(
                Term,
                [{"account_id": id_, "line": "x", "valid_from": day(n), "valid_to": day(n + 1)} for id_, n in days],
            )
        with company.session("qian") as session:
            pair = session.require(Account, one), session.require(Account, other)
            with counted(company) as seen:
                merging.merge(session, *pair, dry_run=True)
            return len(seen)

    few, many = cost(2), cost(40)
    assert many <= few
    assert dangling(company.store) == []
