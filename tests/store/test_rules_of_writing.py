"""Rules that every write keeps, also one that changes a part of what the rule looks at."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

import attrs
import pytest

from crm_core.domain.accounts import Account
from crm_core.domain.contacts import Affiliation, ContactPoint, PointKind
from crm_core.domain.organisation import User
from crm_core.domain.ownership import Ownership, OwnershipRole
from crm_core.errors import Conflict, NotFound, ValidationError
from crm_core.store.store import Store

from .access_records import POLICY, TYPES, Node, Term
from .conftest import Company

DAY = dt.timedelta(days=1)
NOON = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)


@pytest.fixture
def worded(company: Company, database_url: str) -> Iterator[Company]:
    """The company in a build that knows kinds of accounts."""
    vocabularies = {**POLICY.vocabularies, "account.kind": {"company": "Company", "school": "School"}}
    store = Store(database_url, TYPES, attrs.evolve(POLICY, vocabularies=vocabularies))
    yield attrs.evolve(company, store=store)
    store.close()


def problem(company: Company, cls: type[Any], id_: int, **values: Any) -> tuple[str, str]:
    """What is said of a change, and of which field; each empty if it is taken."""
    with company.session() as session:
        try:
            session.update_many(cls, [{"id": id_, **values}])
            session.check()
        except ValidationError as error:
            each = error.problems[0]
            return each.path, str(each)
        finally:
            session.rollback()
    return "", ""


def test_words_are_those_of_the_build(worded: Company) -> None:
    assert problem(worded, Account, worded.acme, kind="school") == ("", "")
    assert problem(worded, Account, worded.acme, industry="whatever") == ("", "")
    where, what = problem(worded, Account, worded.acme, kind="skool")
    assert where == "kind"
    assert "'skool' is not in the vocabulary account.kind. Known words: company, school." in what
    with worded.session() as session:
        session.add_many(Account, [{"name": "x", "kind": "school"}])
        with pytest.raises(ValidationError, match="vocabulary"):
            session.add_many(Account, [{"name": "y", "kind": "none"}])
        session.rollback()


def test_an_address_of_mail_stays_one_when_only_its_text_or_only_its_kind_changes(company: Company) -> None:
    with company.session() as session:
        mail = session.add_one(ContactPoint(contact_id=company.ann, kind=PointKind.EMAIL, value="ann@acme.example")).id
        phone = session.add_one(ContactPoint(contact_id=company.ann, kind=PointKind.PHONE, value="+49 30 1234")).id
    assert problem(company, ContactPoint, mail, value="no address")[0] == "value"
    assert problem(company, ContactPoint, mail, value="new@acme.example") == ("", "")
    assert problem(company, ContactPoint, mail, label="office") == ("", "")
    assert problem(company, ContactPoint, phone, value="extension 7")[0] == "value"
    assert problem(company, ContactPoint, phone, kind=PointKind.OTHER, value="extension 7") == ("", "")
    assert problem(company, ContactPoint, phone, kind=PointKind.EMAIL, value="no address")[0] == "value"


@pytest.mark.parametrize("kind", [PointKind.MOBILE, PointKind.PHONE, PointKind.FAX])
def test_a_number_at_which_somebody_is_reached_is_judged_like_that_of_an_account(
    company: Company, kind: PointKind
) -> None:
    given = ["138 0013 8000", "１３８００１３８０００", "+86 138-0013-8000", "021-6552 9988 ext. 12",
             "021-65529988转801", "+86 21 6552 9988 分机 12", "10086"]  # fmt: skip
    with company.session() as session:
        session.add_all([ContactPoint(contact_id=company.ann, kind=kind, value=value) for value in given])
        session.commit()
        kept = session.list(ContactPoint, f'contact_id == {company.ann} and kind == "{kind.value}"')
        assert {point.value for point in kept} >= set(given)  # as they were written
        for value in ("call me", "找王经理", "12", "+999 1", "a@b.example", "转801", "021-65529988转王芳"):
            for record, values in (
                (ContactPoint, {"contact_id": company.ann, "kind": kind, "value": value}),
                (Account, {"name": "Acme", "phone": value}),
            ):  # fmt: skip
                with pytest.raises(ValidationError, match="is no telephone number"):
                    session.add_many(record, [values])
                session.rollback()


def test_a_login_is_no_blank(company: Company) -> None:
    for login in ("", "  "):
        where, what = problem(company, User, company.users["li"], login=login)
        assert (where, "A login is needed." in what) == ("login", True)
    assert problem(company, User, company.users["li"], login="li.si") == ("", "")
    assert problem(company, User, company.users["li"], name="Li Si") == ("", "")


def test_what_holds_for_a_time_ends_after_it_begins_whichever_end_is_moved(company: Company) -> None:
    with company.session() as session:
        term = session.add_one(Term(account_id=company.acme, name="x", valid_from=NOON, valid_to=NOON + DAY)).id
        open_ = session.add_one(Term(account_id=company.acme, name="y", valid_from=NOON)).id
    assert problem(company, Term, term, valid_from=NOON + DAY)[0] == "valid_to"
    assert problem(company, Term, term, valid_to=NOON)[0] == "valid_to"
    assert problem(company, Term, term, valid_to=NOON + dt.timedelta(seconds=1)) == ("", "")
    assert problem(company, Term, open_, valid_from=NOON + 9 * DAY) == ("", "")
    assert problem(company, Term, open_, valid_to=NOON - DAY)[0] == "valid_to"
    assert problem(company, Term, open_, name="z") == ("", "")


def test_custom_fields_are_those_of_the_build_and_have_its_kinds(company: Company) -> None:
    with company.session() as session:
        term = session.add_one(Term(account_id=company.acme, name="x")).id
    assert problem(company, Term, term, custom={"colour": "red"}) == ("", "")
    assert problem(company, Term, term, custom={"colour": None}) == ("", "")
    where, what = problem(company, Term, term, custom={"color": "red"})
    assert where == "custom.color"
    assert "[custom_fields.access_probe.term.color]" in what
    assert problem(company, Term, term, custom={"colour": 7})[0] == "custom.colour"
    assert problem(company, Account, company.acme, custom={"colour": "red"})[0] == "custom.colour"


def test_rows_that_are_written_together_may_refer_to_each_other_and_to_no_others(company: Company) -> None:
    with company.session() as session:
        one, two = 10**6, 10**6 + 1
        session.add_many(Node, [
            {"id": one, "account_id": company.acme, "name": "one", "up_id": two},
            {"id": two, "account_id": company.acme, "name": "two"},
        ])  # fmt: skip
    with company.session() as session, pytest.raises(NotFound, match=r"up_id: there is no access_probe\.node 99"):
        session.add_many(Node, [{"account_id": company.acme, "name": "three", "up_id": 99}])
    with company.session("wang") as session, pytest.raises(NotFound, match=r"there is no access_probe\.node"):
        session.add_many(Node, [{"account_id": company.beta, "name": "four", "up_id": one}])
    with company.session("wang") as session, pytest.raises(NotFound, match="account_id: there is no account"):
        session.add_many(Affiliation, [{"account_id": company.acme, "contact_id": company.bob}])


def test_a_reference_that_is_known_already_is_no_leave_for_the_next(company: Company) -> None:
    """Neither one that was looked at before, nor one that was made in the same transaction."""
    with company.session("wang") as session:
        own = session.add_one(Account(name="New")).id
        session.add_many(Affiliation, [{"account_id": company.beta, "contact_id": company.bob, "role": "second"}])
        for account in (company.beta, own):
            with pytest.raises(NotFound, match="contact_id: there is no contact"):
                session.add_many(Affiliation, [{"account_id": account, "contact_id": company.ann}])
        session.rollback()


def test_nobody_who_has_left_becomes_responsible_now_or_later(company: Company) -> None:
    """What ended before may be written down; two rows of one statement are judged one by one."""
    gone, now = company.users["ned"], dt.datetime.now(dt.UTC)
    with company.session() as session:
        session.update_many(User, [{"id": gone, "active": False}])

    def owning(**dates: Any) -> dict[str, Any]:
        return {"account_id": company.acme, "user_id": gone, "role": OwnershipRole.BACKUP, **dates}

    works: dict[str, tuple[list[dict[str, Any]], bool]] = {
        "for good": ([owning()], False),
        "for a day": ([owning(valid_from=now - DAY, valid_to=now + DAY)], False),
        "from tomorrow": ([owning(valid_from=now + DAY, valid_to=now + 2 * DAY)], False),
        "until yesterday": ([owning(valid_to=now - DAY)], True),
        "before and after": ([owning(valid_to=now - DAY), owning(valid_from=now - DAY, valid_to=now + DAY)], False),
    }
    for name, (rows, allowed) in works.items():
        with company.session() as session:
            try:
                session.add_many(Ownership, rows)
                session.check()
                told = ""
            except Conflict as error:
                told = str(error)
            finally:
                session.rollback()
        assert (told == "") is allowed, name
        assert allowed or "ned is not active" in told, name
