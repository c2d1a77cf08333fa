"""Erasing a person who was once merged: nothing of theirs stays with others, and nothing of others goes."""

from __future__ import annotations

import datetime as dt

import attrs
import pytest
from sqlalchemy import select

from crm_core import Account, Contact, ContactPoint, PointKind, contacts, merging
from crm_core.fields.field import Field
from crm_core.fields.kinds import TextKind
from crm_core.store.dispatch import NoPlugins
from crm_core.store.store import Store
from crm_core.store.tables import CHANGE, CHANGE_SET

from .conftest import Company
from .records import KERNEL_TYPES, POLICY, Hint

HOBBY = Field(TextKind(80), name="hobby", optional=True, default=None, personal=True)
SECRETS = ("Secretname", "密名", "1971-03-04", "tulips", "bassoon", "private@qq.example", "backdoor")


@pytest.fixture
def company(company: Company) -> Company:
    """The company, with a personal custom field of people."""
    return company.with_policy(attrs.evolve(POLICY, custom={"contact": {"hobby": HOBBY}}))


def person(company: Company, **values: object) -> int:
    """Somebody whose every value is a secret."""
    with company.session() as session:
        made = session.add_one(
            Contact(
                **{"name": "Ann Secretname", "local_name": "密名", "birthday": dt.date(1971, 3, 4), "note": "tulips"}
                | values
            )
        )
        made.custom = {"hobby": "bassoon"}
        for value, label in (("private@qq.example", None), ("shared@b.example", "backdoor")):
            session.add(ContactPoint(contact_id=made.id, kind=PointKind.EMAIL, value=value, label=label))
        return made.id


def other(company: Company, **values: object) -> int:
    """Somebody who shares an address with them."""
    with company.session() as session:
        made = session.add_one(Contact(**{"name": "Bob Ownname", "salutation": "Dr"} | values))
        session.add(ContactPoint(contact_id=made.id, kind=PointKind.EMAIL, value="shared@b.example"))
        session.add(ContactPoint(contact_id=made.id, kind=PointKind.EMAIL, value="own@b.example", label="desk"))
        return made.id


def merge(company: Company, target: int, source: int, **options: object) -> None:
    with company.session() as session:
        merging.merge(session, session.require(Contact, target), session.require(Contact, source), **options)


def split(company: Company, source: int) -> int:
    with company.session() as session:
        merging.split(session, source)
    assert session.last_change_set is not None
    return session.last_change_set


def erase(company: Company, id_: int) -> None:
    with company.session() as session:
        contacts.erase(session, session.require(Contact, id_), reason="asked for it")


def journal(company: Company) -> str:
    """All that the journal says, in order."""
    with company.session(read_only=True) as session:
        rows = session.core(select(CHANGE).order_by(CHANGE.c.change_set_id, CHANGE.c.position)).all()
        reasons = session.core(select(CHANGE_SET.c.reason)).scalars()
        return "\n".join([*map(str, rows), *map(str, reasons)])


def remains(company: Company) -> list[str]:
    found = journal(company)
    return [secret for secret in SECRETS if secret in found]


def test_what_a_merge_wrote_into_somebody_else_goes(company: Company) -> None:
    gone, stays = person(company), other(company)
    merge(company, stays, gone, reason="Ann Secretname again")
    split(company, gone)
    assert remains(company) == list(SECRETS)
    erase(company, gone)
    assert remains(company) == []
    found = journal(company)
    assert all(own in found for own in ("Bob Ownname", "Dr", "own@b.example", "desk"))
    with company.session() as session:
        kept = session.require(Contact, stays)
        assert (kept.name, kept.salutation, kept.local_name, kept.custom) == ("Bob Ownname", "Dr", None, {})
        assert {point.value for point in session.list(ContactPoint, f"contact_id == {stays}")} == {
            "shared@b.example", "own@b.example",
        }  # fmt: skip


def test_also_what_was_written_over_meanwhile_and_what_came_back_again(company: Company) -> None:
    gone, stays = person(company), other(company)
    merge(company, stays, gone)
    for value in ("Something else", "密名"):
        with company.session() as session:
            session.require(Contact, stays).local_name = value
    taken = split(company, gone)
    with company.session() as session:
        session.undo(taken)
    split(company, gone)
    assert remains(company) == list(SECRETS)
    erase(company, gone)
    assert remains(company) == []
    assert "Something else" in journal(company)


def test_also_what_went_on_from_there(company: Company) -> None:
    gone, between, last = person(company), other(company, language="fr"), other(company, name="Cid Lastname")
    merge(company, between, gone)
    merge(company, last, between)
    for id_ in (between, gone):
        split(company, id_)
    erase(company, gone)
    assert remains(company) == []
    found = journal(company)
    assert all(own in found for own in ("Bob Ownname", "Cid Lastname", '"fr"', "own@b.example"))


def test_what_somebody_else_said_of_themselves_stays(company: Company) -> None:
    """Before the merge and after the split they may be called the same, and that is theirs."""
    gone, stays = person(company, name="Zhang San"), other(company, name="Zhang San")
    merge(company, stays, gone)
    split(company, gone)
    with company.session() as session:
        session.require(Contact, stays).local_name = "密名"
    mine = [line for line in journal(company).splitlines() if f", {stays}, " in line]
    erase(company, gone)
    after = [line for line in journal(company).splitlines() if f", {stays}, " in line]
    assert len(mine) == len(after) == 4
    assert [mine[0], mine[3]] == [after[0], after[3]]  # its creation, and what was written at last
    assert "密名" in after[3] and "密名" not in after[1] + after[2]


def test_who_was_merged_into_them_and_taken_apart_keeps_all(company: Company) -> None:
    gone, stays = other(company), person(company)
    own = journal(company)
    merge(company, gone, stays)
    split(company, stays)
    erase(company, gone)
    found = journal(company)
    assert "Ownname" not in found and "own@b.example" not in found
    assert [line for line in own.splitlines() if "Ownname" not in line and "own@b" not in line and "shared" not in line
            and line not in found.splitlines()] == []  # fmt: skip
    with company.session() as session:
        assert session.require(Contact, stays).local_name == "密名"
        assert len(session.list(ContactPoint, f"contact_id == {stays}")) == 2


def test_one_who_went_into_two_others_in_turn(company: Company) -> None:
    gone, first, last = person(company), other(company), other(company, name="Cid Lastname")
    for id_ in (first, last):
        merge(company, id_, gone)
        if id_ == first:
            split(company, gone)
    erase(company, last)  # they are one, so that both are erased: and the first was never either of them
    assert remains(company) == []
    found = journal(company)
    assert "Lastname" not in found and "Bob Ownname" in found


def test_what_was_deleted_while_its_plugin_was_switched_off(company: Company) -> None:
    """The journal keeps such rows as they lay in the table."""
    mark = Field(TextKind(80), name="mark", optional=True, default=None, personal=True)
    policy = attrs.evolve(POLICY, custom={"merge_probe.hint": {"mark": mark}})
    company = company.with_policy(policy)
    acme, gone = company.account("li"), company.person(None)
    with company.session() as session:
        hint = session.add_one(Hint(account_id=acme, contact_id=gone, note="likes tulips"))
        hint.custom = {"mark": "bassoon"}
    off = Company(
        Store(str(company.store.engine.url.render_as_string(False)), KERNEL_TYPES, policy, NoPlugins()), company.users
    )
    with off.session() as session:
        session.delete(session.require(Account, acme))
    off.store.close()
    assert remains(company) == ["tulips", "bassoon"]
    erase(company, gone)
    assert remains(company) == []
