"""What hinders a deletion, an undo or a merge is named to whoever sees a part of it, and to nobody else."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from typing import Any

import attrs
import pytest
from sqlalchemy.orm import Mapped

from crm_core.domain.accounts import Account, AccountRelation
from crm_core.domain.organisation import Membership
from crm_core.domain.ownership import Ownership
from crm_core.errors import Conflict, CrmError, MergeConflict, UndoConflict
from crm_core.fields import ref, text
from crm_core.records import Record, Types, public, record, via
from crm_core.store.merging import merge
from crm_core.store.parts import AT_ONCE
from crm_core.store.policy import Role, Scope
from crm_core.store.store import Store

from .access_records import POLICY, TYPES, grants
from .conftest import Company

UNSEEN = "It is still referred to by records that you do not see."
NAMED = "It is still referred to by records of type hindering_probe.{}."


@record("hindering_probe.topic", access=public())
class Topic(Record):
    """Something that everybody sees."""

    name: Mapped[str] = text(80)


@record("hindering_probe.remark", access=via("account_id"))
class Remark(Record):
    """Refers to it, and is seen by whoever sees the account."""

    account_id: Mapped[int] = ref("account")
    topic_id: Mapped[int | None] = ref("hindering_probe.topic", default=None, on_delete="restrict")
    name: Mapped[str] = text(80)


@record("hindering_probe.answer", access=via("account_id"))
class Answer(Record):
    """Refers to it as well, and to a remark."""

    account_id: Mapped[int] = ref("account")
    topic_id: Mapped[int | None] = ref("hindering_probe.topic", default=None, on_delete="restrict")
    remark_id: Mapped[int | None] = ref("hindering_probe.remark", default=None, on_delete="restrict")
    name: Mapped[str] = text(80)


@record("hindering_probe.trait", access=via("account_id"))
class Trait(Record):
    """Hangs on what a merge drops where both have it."""

    account_id: Mapped[int] = ref("account")
    relation_id: Mapped[int] = ref("account_relation")
    name: Mapped[str] = text(80)


TYPES_HERE = Types([*TYPES.values(), *(each.crm_type for each in (Topic, Remark, Answer, Trait))])
EDITS = Role("edits", (*grants(Scope.OWN, "read"), *grants(Scope.ALL, "create", "update", "delete", "merge")))
POLICY_HERE = attrs.evolve(POLICY, roles={**POLICY.roles, "edits": EDITS})


@pytest.fixture
def store(database_url: str, fill_database: Any) -> Iterator[Store]:
    fill_database(_tables)
    store = Store(database_url, TYPES_HERE, POLICY_HERE)
    yield store
    store.close()


def _tables(url: str) -> None:
    store = Store(url, TYPES_HERE, POLICY_HERE)
    store.create_all()
    store.close()


@pytest.fixture
def topic(company: Company) -> int:
    """Li and Wang may delete any topic, and see what is said of it at their own accounts."""
    with company.session() as session:
        for login in ("li", "wang"):
            session.add(Membership(user_id=company.users[login], unit_id=company.units["East"], role="edits"))
        return session.add_one(Topic(name="Pumps")).id


def add(company: Company, cls: type[Record], **values: Any) -> int:
    with company.session() as session:
        return session.add_one(cls(name="x", **values)).id


def refused(company: Company, login: str | None, work: Any) -> Conflict:
    with company.session(login) as session:
        with pytest.raises(Conflict) as caught:
            work(session)
            session.check()
        session.rollback()
    return caught.value


def says_nothing(error: CrmError) -> None:
    """Neither in its text nor in anything that is kept with it."""
    kept = f"{error.text()} {vars(error)}"
    assert error.record is None
    assert not [word for word in ("hindering_probe", "emark", "nswer") if word in kept], kept
    assert pickle.loads(pickle.dumps(error)).text() == error.text()


@pytest.mark.parametrize("way", ["many", "one"])
def test_whoever_sees_none_of_what_hinders_a_deletion_is_not_told_its_type(
    company: Company, topic: int, way: str
) -> None:
    def work(session: Any) -> Any:
        return session.delete_many(Topic, [topic]) if way == "many" else session.delete(session.require(Topic, topic))

    add(company, Remark, account_id=company.beta, topic_id=topic)
    error = refused(company, "li", work)
    assert error.text().startswith(UNSEEN)
    says_nothing(error)
    for login in ("wang", None):
        told = refused(company, login, work)
        assert told.text().startswith(NAMED.format("remark")) and told.record == "hindering_probe.remark"


def test_one_of_many_that_is_seen_is_enough_to_name_the_type(company: Company, topic: int) -> None:
    with company.session() as session:
        rows = [{"account_id": company.beta, "topic_id": topic, "name": "x"} for _ in range(AT_ONCE + 5)]
        session.add_many(Remark, rows)
    says_nothing(refused(company, "li", lambda s: s.delete_many(Topic, [topic])))
    add(company, Remark, account_id=company.acme, topic_id=topic)  # the last of them all
    told = refused(company, "li", lambda s: s.delete_many(Topic, [topic]))
    assert told.record == "hindering_probe.remark"


def test_of_two_types_the_one_is_named_of_which_something_is_seen(company: Company, topic: int) -> None:
    add(company, Answer, account_id=company.beta, topic_id=topic)
    add(company, Remark, account_id=company.acme, topic_id=topic)
    assert refused(company, "li", lambda s: s.delete_many(Topic, [topic])).record == "hindering_probe.remark"
    assert refused(company, "wang", lambda s: s.delete_many(Topic, [topic])).record == "hindering_probe.answer"


def test_what_was_made_a_moment_ago_is_known_to_its_maker(company: Company, topic: int) -> None:
    def work(session: Any) -> None:
        session.add_many(Remark, [{"account_id": company.acme, "topic_id": topic, "name": "x"}])
        session.delete_many(Topic, [topic])

    assert refused(company, "li", work).record == "hindering_probe.remark"


def test_neither_is_told_what_goes_along_and_is_hindered(company: Company, topic: int) -> None:
    """The account may be deleted, and so what hangs on it; what refers to that from elsewhere is out of sight."""
    remark = add(company, Remark, account_id=company.acme)
    add(company, Answer, account_id=company.beta, remark_id=remark)
    error = refused(company, "li", lambda s: s.delete_many(Account, [company.acme]))
    assert error.text().startswith(UNSEEN)
    says_nothing(error)


def test_an_undo_does_not_name_what_refers_to_what_it_would_take_away(company: Company, topic: int) -> None:
    with company.session("li") as session:
        made = session.add_one(Topic(name="Valves")).id
    change_set = session.last_change_set
    add(company, Remark, account_id=company.beta, topic_id=made)
    with company.session("li") as session:
        conflicts = session.undo(change_set, dry_run=True).conflicts
        assert [each.text() for each in conflicts] == ["something stands on it that you may not see."]
    with company.session("li") as session, pytest.raises(UndoConflict) as caught:
        session.undo(change_set)
    assert "hindering_probe" not in f"{caught.value} {vars(caught.value)}"
    add(company, Remark, account_id=company.acme, topic_id=made)
    for login in ("li", "qian", None):
        with company.session(login) as session:
            (conflict,) = session.undo(change_set, dry_run=True).conflicts
        assert conflict.text() == (f"hindering_probe.topic {made}: records of type hindering_probe.remark refer to it.")


def test_a_merge_does_not_name_what_would_go_with_what_it_drops(company: Company, topic: int) -> None:
    """A relation between the two would say nothing any more; what hangs on it would go unseen."""
    with company.session() as session:
        other = session.add_one(Account(name="Acme Ltd", industry="machinery")).id
        session.add(Ownership(account_id=other, user_id=company.users["li"]))
        kind = {"account_id": other, "other_id": company.acme, "kind": "subsidiary"}
        relation = session.add_one(AccountRelation(**kind)).id
    add(company, Trait, account_id=company.beta, relation_id=relation)

    def told(login: str | None) -> str:
        with company.session(login) as session:
            report = merge(
                session, session.require(Account, company.acme), session.require(Account, other), dry_run=True
            )
            session.rollback()
        return " ".join(each.text() for each in report.conflicts)

    assert "hindering_probe.trait" in told(None)
    said = told("li")
    assert said and "hindering_probe" not in said
    with company.session("li") as session, pytest.raises(MergeConflict) as caught:
        merge(session, session.require(Account, company.acme), session.require(Account, other))
    assert "hindering_probe" not in f"{caught.value} {vars(caught.value)}"
