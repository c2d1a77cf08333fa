"""Fields with readers of their own: closed in every form, open to those who have the permission."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import String as Text
from sqlalchemy import case, cast, exists, func, literal, select, type_coerce, union, update
from sqlalchemy.exc import InvalidRequestError
from sqlalchemy.orm import Bundle, Load, aliased, defer, joinedload, load_only, selectinload, undefer, undefer_group
from sqlalchemy.orm.attributes import PASSIVE_NO_FETCH, get_history

from crm_core.domain.accounts import Account
from crm_core.domain.activities import Activity
from crm_core.domain.contacts import Affiliation, Contact
from crm_core.domain.organisation import Membership, Unit
from crm_core.errors import CrmError, ExpressionError, PermissionDenied
from crm_core.fields import Money
from crm_core.store.history import history
from crm_core.store.session import CrmSession
from crm_core.store.visibility import Visibility
from crm_core.testing.statements import counted

from .access_records import Secret, Term
from .conftest import Company

C = aliased(Contact)
NOTE = "Bob is in debt"


@pytest.fixture
def told(company: Company) -> Company:
    """Wang sees Bob without his note; Tao owns Beta too, and may read notes and limits."""
    from crm_core.domain.ownership import Ownership, OwnershipRole

    with company.session() as session:
        session.add(Ownership(account_id=company.beta, user_id=company.users["tao"], role=OwnershipRole.BACKUP))
        session.add_many(Secret, [{"id": company.beta, "limit": Money(5, "EUR"), "nick": "Goldmine"}])
    return company


def first(session: CrmSession, *options: Any) -> Contact:
    return session.scalars(select(Contact).options(*options)).one()


CLOSED: dict[str, Callable[[CrmSession], Any]] = {
    "attribute": lambda s: first(s).note,
    "get": lambda s: s.get(Contact, first(s).id).note,
    "list": lambda s: s.list(Contact)[0].note,
    "alias": lambda s: s.scalars(select(C)).one().note,
    "column": lambda s: s.scalars(select(Contact.note)).all(),
    "column of an alias": lambda s: s.scalars(select(C.note)).all(),
    "subquery": lambda s: s.scalars(select(select(Contact.note).subquery())).all(),
    "column of an entity's subquery": lambda s: s.scalars(select(select(Contact).subquery().c.note)).all(),
    "computed column of a subquery": lambda s: s.scalars(
        select(select(func.length(Contact.note).label("n")).subquery().c.n)).all(),
    "cte": lambda s: s.scalars(select(select(Contact.note).cte())).all(),
    "union": lambda s: s.scalars(union(select(Contact.note), select(literal("x")))).all(),
    "scalar subquery": lambda s: s.scalar(select(select(func.max(Contact.note)).scalar_subquery())),
    "bundle": lambda s: s.execute(select(Bundle("b", Contact.id, Contact.note))).all(),
    "label": lambda s: s.scalars(select(Contact.note.label("name"))).all(),
    "function": lambda s: s.scalars(select(func.length(Contact.note))).all(),
    "cast": lambda s: s.scalars(select(cast(Contact.note, Text))).all(),
    "type_coerce": lambda s: s.scalars(select(type_coerce(Contact.note, Text))).all(),
    "case": lambda s: s.scalars(select(case((Contact.note.like("%debt%"), 1), else_=0))).all(),
    "filter": lambda s: s.scalars(select(Contact).where(Contact.note.like("%debt%"))).all(),
    "filter of an alias": lambda s: s.scalars(select(C).where(C.note.is_not(None))).all(),
    "filter in exists": lambda s: s.scalar(select(exists().where(Contact.note.like("%debt%")))),
    "filter along a navigation": lambda s: s.scalars(
        select(Affiliation).where(Affiliation.contact.has(Contact.note.like("%debt%")))).all(),
    "condition of a join": lambda s: s.scalars(
        select(Affiliation).join(Affiliation.contact.and_(Contact.note.like("%debt%")))).all(),
    "condition of a loader": lambda s: s.scalars(
        select(Affiliation).options(joinedload(Affiliation.contact.and_(Contact.note.like("%debt%"))))).all(),
    "order": lambda s: s.scalars(select(Contact.id).order_by(Contact.note)).all(),
    "group": lambda s: s.scalars(select(func.count()).select_from(Contact).group_by(Contact.note)).all(),
    "having": lambda s: s.scalars(select(func.count(Contact.id)).having(func.max(Contact.note) > "A")).all(),
    "window": lambda s: s.scalars(
        select(func.count().over(partition_by=Contact.note)).select_from(Contact)).all(),
    "undefer": lambda s: first(s, undefer(Contact.note)).note,
    "undefer of everything": lambda s: first(s, undefer("*")).note,
    "undefer of a group": lambda s: first(s, undefer_group("x")).note,
    "undefer by load": lambda s: first(s, Load(Contact).undefer(Contact.note)).note,
    "load_only": lambda s: first(s, load_only(Contact.note)).note,
    "defer without a bar": lambda s: first(s, defer(Contact.note, raiseload=False)).note,
    "load_only of another, then touched": lambda s: first(s, load_only(Contact.name)).note,
    "undefer of an alias": lambda s: s.scalars(select(C).options(undefer(C.note))).one().note,
    "undefer along a navigation": lambda s: s.scalars(
        select(Affiliation).options(joinedload(Affiliation.contact).undefer(Contact.note))).one().contact.note,
    "undefer of everything along a navigation": lambda s: s.scalars(
        select(Affiliation).options(selectinload(Affiliation.contact).undefer("*"))).one().contact.note,
    "get with options": lambda s: s.get(Contact, first(s).id, options=[undefer(Contact.note)]).note,
    "refresh": lambda s: s.refresh(first(s), ["note"]),
    "expired": lambda s: _expired(s).note,
    "expired by name": lambda s: _expired(s, ["note"]).note,
    "query": lambda s: s.query(Contact.note).all(),
    "update where": lambda s: s.execute(update(Contact).where(Contact.note.like("%debt%")).values(language="en")),
    "filter language": lambda s: s.list(Contact, 'note == "x"'),
    "order language": lambda s: s.list(Contact, order="note"),
    "place in an order": lambda s: s.cursor(first(s), "note"),
    "count by the filter language": lambda s: s.count(Contact, 'contains(note, "debt")'),
    "money": lambda s: s.get(Secret, _beta(s)).limit,
    "money's amount": lambda s: s.scalars(select(Secret.limit)).all(),
    "money in a filter": lambda s: s.scalars(select(Secret).where(Secret.limit == Money(5, "EUR"))).all(),
    "money's column": lambda s: s.scalars(select(Secret._limit_amount)).all(),  # type: ignore[attr-defined]
    "money opened": lambda s: s.scalars(select(Secret).options(undefer(Secret._limit_amount))).one().limit,  # type: ignore[attr-defined]
    "sort key": lambda s: s.scalars(select(Secret.nick_key)).all(),  # type: ignore[attr-defined]
    "sort key in order": lambda s: s.scalars(select(Secret.id).order_by(Secret.nick_key)).all(),  # type: ignore[attr-defined]
    "sort key opened": lambda s: s.scalars(select(Secret).options(undefer(Secret.nick_key))).one().nick_key,  # type: ignore[attr-defined]
    "step to an extension": lambda s: s.list(Account, 'access_probe.nick == "Goldmine"'),
}  # fmt: skip


def _beta(session: CrmSession) -> int:
    return session.scalars(select(Account.id)).one()


def _expired(session: CrmSession, names: Any = None) -> Contact:
    contact = first(session)
    session.expire(contact, names)
    return contact


def test_closed_to_those_without_the_permission(told: Company) -> None:
    wrong = {}
    for name, form in CLOSED.items():
        with told.session("wang") as session:
            try:
                wrong[name] = form(session)
            except (PermissionDenied, ExpressionError, InvalidRequestError) as error:
                assert "in debt" not in str(error), name
                if isinstance(error, InvalidRequestError) and "raiseload" not in str(error):
                    wrong[name] = error
            except CrmError as error:
                wrong[name] = error
            finally:
                session.rollback()
    assert wrong == {}


def test_everything_else_of_the_record_stays_open(told: Company) -> None:
    with told.session("wang") as session:
        contact = first(session)
        session.expire(contact)
        assert contact.name == "Bob"
        session.refresh(contact)
        assert contact.name == "Bob"
        contact.note = "written blind"  # whoever may change the record may write what they may not read
        session.flush()
        session.expire(contact)
        assert contact.name == "Bob"
        with pytest.raises(InvalidRequestError):
            contact.note
    with told.session() as session:
        assert session.require(Contact, told.bob).note == "written blind"


def test_the_rest_of_a_record_is_changed_without_reading_them(told: Company) -> None:
    with told.session("wang") as session:
        secret = session.require(Secret, told.beta)
        secret.open = False
        session.flush()
        secret.open = False
        session.flush()
        session.require(Contact, told.bob).language = "en"
    with told.session() as session:
        secret = session.require(Secret, told.beta)
        assert (secret.open, secret.limit, secret.nick, secret.version) == (False, Money(5, "EUR"), "Goldmine", 2)
        contact = session.require(Contact, told.bob)
        assert (contact.language, contact.note) == ("en", NOTE)


def test_they_are_overwritten_without_being_read(told: Company) -> None:
    with told.session("wang") as session:
        secret = session.require(Secret, told.beta)
        secret.limit = Money(7, "EUR")
        secret.nick = "Mine"
    with told.session() as session:
        secret = session.require(Secret, told.beta)
        assert (secret.limit, secret.nick, secret.open) == (Money(7, "EUR"), "Mine", True)
        events = session.history(secret)
        assert (events[-1].change.before, events[-1].change.after) == (
            {"limit": Money(5, "EUR"), "nick": "Goldmine"}, {"limit": Money(7, "EUR"), "nick": "Mine"}
        )  # fmt: skip


def test_open_to_those_with_the_permission(told: Company) -> None:
    before = dt.datetime.now(dt.UTC)
    with told.session("tao", read_only=True) as session:
        assert first(session).note == NOTE
        assert session.get(Contact, told.bob).note == NOTE
        assert session.list(Contact)[0].note == NOTE
        assert session.list(Contact, 'contains(note, "debt")')[0].note == NOTE
        session.expunge_all()
        assert session.scalars(select(C)).one().note == NOTE
        assert session.scalars(select(C.note).where(C.note.like("%debt%")).order_by(C.note)).one() == NOTE
        contact = first(session)
        session.expire(contact)
        assert contact.note == NOTE
        session.refresh(contact)
        assert contact.note == NOTE
        session.expunge_all()
        affiliation = session.scalars(select(Affiliation).options(joinedload(Affiliation.contact))).one()
        assert affiliation.contact.note == NOTE
        session.expunge_all()
        affiliation = session.scalars(select(Affiliation).options(selectinload(Affiliation.contact))).one()
        assert affiliation.contact.note == NOTE
        session.expunge_all()
        assert session.scalars(select(Affiliation)).one().contact.note == NOTE
        secret = session.get(Secret, told.beta)
        assert (secret.limit, secret.nick) == (Money(5, "EUR"), "Goldmine")
        assert secret.nick_key.startswith("goldmine")  # type: ignore[attr-defined]
        assert any("note" in event.change.fields for event in history(session, Contact.crm_type, told.bob))
    with told.session("tao", as_of=before) as session:
        assert session.list(Contact)[0].note == NOTE
        assert session.get(Contact, told.bob).note == NOTE


@pytest.mark.parametrize(
    "statement",
    [select(Contact), select(C), select(C, Contact), select(Contact.id, Contact), select(literal(1), C),
     select(C, Unit)],
    ids=["record", "alias", "both", "behind a column", "alias behind a value", "before another"],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore:SELECT statement has a cartesian product")
def test_they_come_with_the_record_at_once(told: Company, statement: Any) -> None:
    with told.session("tao", read_only=True) as session:
        session.execute(select(Contact.id))  # asks what the reader may see at all
        with counted(told) as seen:
            rows = session.execute(statement).all()
            notes = {each.note for row in rows for each in row if isinstance(each, Contact)}
        assert notes == {NOTE}
        assert len(seen) == 1


def test_they_are_read_when_asked_for_and_not_before(told: Company) -> None:
    """Of a record that came along a navigation; the question of what changed never asks the database."""
    with told.session("tao", read_only=True) as session:
        contact = session.scalars(select(Affiliation).options(joinedload(Affiliation.contact))).one().contact
        with counted(told) as seen:
            assert not get_history(contact, "note", PASSIVE_NO_FETCH).unchanged
            assert seen == []
            assert contact.note == NOTE
            assert len(seen) == 1
            assert contact.note == NOTE
            assert len(seen) == 1


def test_history_and_past_leave_them_out(told: Company) -> None:
    before = dt.datetime.now(dt.UTC)
    with told.session() as session:
        session.update_many(Contact, [{"id": told.bob, "note": "worse"}])
    with told.session("wang") as session:
        events = history(session, Contact.crm_type, told.bob)
        assert all("note" not in event.change.fields for event in events)
        assert "name" in events[0].change.fields
    with told.session("wang", as_of=before) as session:
        contact = session.get(Contact, told.bob)
        assert (contact.name, contact.note) == ("Bob", None)
        assert [each.note for each in session.list(Contact)] == [None]
        for work in (lambda: session.list(Contact, 'note == "x"'), lambda: session.list(Contact, order="note")):
            with pytest.raises(ExpressionError):
                work()


def test_the_permission_of_a_role_that_is_over_opens_nothing(told: Company) -> None:
    now = dt.datetime.now(dt.UTC)
    with told.session() as session:
        session.execute(update(Membership).where(Membership.user_id == told.users["tao"]).values(
            valid_to=now - dt.timedelta(days=1)))  # fmt: skip
        session.add(Membership(user_id=told.users["tao"], unit_id=told.units["East"], role="reader"))
    for options in ({}, {"at": now - dt.timedelta(days=2)}):
        with told.session("tao", **options) as session:
            with pytest.raises(InvalidRequestError):
                first(session).note
            with pytest.raises(PermissionDenied):
                session.scalars(select(Activity.note)).all()


def test_what_is_gathered_needs_a_further_permission_as_much_as_what_is_probed(told: Company) -> None:
    rows = Activity.crm_type.table
    for login, found in (("tao", {told.beta_visit}), ("wang", set())):
        with told.session(login, read_only=True) as session:
            for visibility in (session.visibility, session.gathered):
                may = visibility.criterion(Activity.crm_type, rows, permission="activity.read_notes")
                assert set(session.core(select(rows.c.id).where(may)).scalars()) == found, (login, visibility)


def test_a_record_that_is_held_shows_what_was_written_in_bulk(company: Company) -> None:
    with company.session() as session:
        term = session.add_one(Term(account_id=company.acme, name="a", price=Money(5, "EUR")))
        term.custom = {"colour": "red"}
        session.flush()
        assert (term.price, term.custom) == (Money(5, "EUR"), {"colour": "red"})
        session.update_many(Term, [{"id": term.id, "price": Money(7, "USD"), "custom": {"colour": "blue"}}])
        assert (term.price, term.custom) == (Money(7, "USD"), {"colour": "blue"})
        assert (term._price_amount, term._price_currency) == (7, "USD")  # type: ignore[attr-defined]
        term.price = Money(5, "EUR")
    with company.session() as session:
        assert session.require(Term, term.id).price == Money(5, "EUR")


def test_a_list_of_the_past_is_the_same_for_whoever_sees_much(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = dt.datetime.now(dt.UTC)
    with company.session() as session:
        session.update_many(Account, [{"id": company.acme, "name": "Zenith"}, {"id": company.beta, "name": "Zulu"}])
    for wide in (False, True):
        monkeypatch.setattr(Visibility, "wide", wide)
        with company.session("li", as_of=before) as session:
            assert [each.name for each in session.list(Account, order="name")] == ["Acme"]
            assert session.list(Account, 'name == "Zenith"') == []


def test_what_held_by_the_knowledge_of_then_is_in_the_list_of_then(company: Company) -> None:
    now = dt.datetime.now(dt.UTC)
    with company.session() as session:
        ids = [session.add_one(Term(account_id=company.acme, name=name)).id for name in ("begun", "ended", "left")]
    before = dt.datetime.now(dt.UTC)
    with company.session() as session:
        session.update_many(Term, [{"id": ids[0], "valid_from": now + dt.timedelta(days=1)}])
        session.update_many(Term, [{"id": ids[1], "valid_to": now - dt.timedelta(days=1)}])
    with company.session("li") as session:
        assert [each.name for each in session.list(Term)] == ["left"]
    with company.session("li", as_of=before) as session:
        assert [each.name for each in session.list(Term, order="name")] == ["begun", "ended", "left"]
