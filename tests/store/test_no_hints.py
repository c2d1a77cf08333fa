"""Refusals and answers that tell nothing of what one may not see."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import delete, func, select, update

from crm_core.domain.accounts import Account
from crm_core.domain.activities import Activity
from crm_core.domain.contacts import Affiliation, Contact
from crm_core.errors import NotFound, UnsupportedStatement
from crm_core.store.history import history
from crm_core.store.session import CrmSession

from .access_records import Channel, Secret
from .conftest import Company, like, refusal

MISSING = 999_999_999


def test_what_is_not_seen_is_answered_like_what_is_not_there(company: Company) -> None:
    """The same words for both, for every way to name a record."""
    works: dict[str, Callable[[CrmSession, int], Any]] = {
        "require": lambda s, id_: s.require(Account, id_),
        "update_many": lambda s, id_: s.update_many(Account, [{"id": id_, "name": "x"}]),
        "update_many with a seen one": lambda s, id_: s.update_many(
            Account, [{"id": company.beta, "name": "x"}, {"id": id_, "name": "x"}]),
        "delete_many": lambda s, id_: s.delete_many(Account, [id_]),
        "add": lambda s, id_: s.add_one(Affiliation(account_id=id_, contact_id=company.bob)),
        "add with two": lambda s, id_: s.add_one(Affiliation(account_id=company.beta, contact_id=id_)),
        "add_many": lambda s, id_: s.add_many(Activity, [{"kind": "call", "subject": "x", "account_id": id_}]),
        "add to an optional": lambda s, id_: s.add_one(Activity(kind="call", subject="x", series_id=id_)),
        "point there": lambda s, id_: s.update_many(Activity, [{"id": company.beta_visit, "account_id": id_}]),
        "point there by assignment": lambda s, id_: setattr(
            s.require(Activity, company.beta_visit), "contact_id", id_),
        "point there by criteria": lambda s, id_: s.execute(update(Activity).values(account_id=id_)),
        "extension": lambda s, id_: s.add_many(Secret, [{"id": id_}]),
        "history": lambda s, id_: history(s, Account.crm_type, id_),
        "explain": lambda s, id_: s.explain(like(Account, id_)),
        "refresh": lambda s, id_: s.refresh(like(Account, id_)),
        "update by criteria": lambda s, id_: s.execute(update(Account).where(Account.id == id_).values(grade="A")),
        "delete by criteria": lambda s, id_: s.execute(delete(Account).where(Account.id == id_)),
    }  # fmt: skip
    hidden = {"add with two": company.ann, "point there by assignment": company.ann,
              "add to an optional": company.acme_visit}  # fmt: skip
    for name, work in works.items():
        id_ = hidden.get(name, company.acme)
        invisible = refusal(company, "wang", lambda s, id_=id_, work=work: work(s, id_))
        missing = refusal(company, "wang", lambda s, work=work: work(s, MISSING))
        assert invisible.replace(str(id_), "ID") == missing.replace(str(MISSING), "ID"), name
        assert "Acme" not in invisible
        if name not in ("explain", "update by criteria", "delete by criteria"):
            assert invisible.startswith("NotFound"), (name, invisible)


def test_the_unseen_one_is_named_not_the_one_that_may_not_be_changed(company: Company) -> None:
    ids = sorted((company.acme, company.beta))
    rows = [{"id": id_, "name": "x"} for id_ in (*ids, MISSING)]
    text = refusal(company, "mei", lambda s: s.update_many(Account, rows))
    assert text.startswith("NotFound")
    assert str(MISSING) in text


def test_ids_are_not_made_up(company: Company) -> None:
    """An id that is taken by an invisible record is refused like one that is free."""

    def by_object(session: CrmSession, cls: type[Any], id_: int) -> None:
        record = cls(name="x")
        record.id = id_
        session.add(record)
        session.flush()

    for cls in (Account, Contact, Channel):
        texts = set()
        for id_ in (company.acme, MISSING):
            for work in (
                lambda s, c=cls, i=id_: by_object(s, c, i),
                lambda s, c=cls, i=id_: s.add_many(c, [{"id": i, "name": "x"}]),
            ):
                with company.session("wang") as session:
                    with pytest.raises(UnsupportedStatement) as caught:
                        work(session)
                    texts.add(str(caught.value).replace(str(id_), "ID"))
                    session.rollback()
        assert len(texts) == 1
    with company.session("wang") as session:
        id_ = session.next_id()
        session.add_many(Channel, [{"id": id_, "name": "x"}])
        other = Channel(name="y")
        other.id = session.next_id()
        session.add(other)
    with company.session("wang") as session:
        assert set(session.scalars(select(Channel.name))) == {"x", "y"}


def test_deletes_with_dependants_that_are_not_seen(company: Company) -> None:
    """They go too (and are journalled), and the answer is the same as without them."""
    with company.session("wang") as session:
        shared = session.add_one(Contact(name="Cai")).id
        session.add(Affiliation(account_id=company.beta, contact_id=shared))
        alone = session.add_one(Contact(name="Dai")).id
        session.add(Affiliation(account_id=company.beta, contact_id=alone))
    with company.session() as session:
        session.add(Affiliation(account_id=company.acme, contact_id=shared))
        session.add(Activity(kind="call", subject="x", account_id=company.acme, contact_id=shared))
    counts = []
    for id_ in (shared, alone):
        with company.session("wang") as session:
            counts.append(session.delete_many(Contact, [id_]))
    assert counts[0] == counts[1]
    with company.session() as session:
        assert session.scalar(select(func.count()).select_from(Affiliation)) == 2


def test_history_and_the_past_of_what_hangs_on_the_invisible(company: Company) -> None:
    """Scope all on activities is no sight of those at accounts that one does not see."""
    before = dt.datetime.now(dt.UTC)
    with company.session() as session:
        session.update_many(Activity, [{"id": company.acme_visit, "subject": "Changed"}])
    with company.session("han") as session:
        assert session.get(Activity, company.acme_visit) is None
        with pytest.raises(NotFound):
            history(session, Activity.crm_type, company.acme_visit)
    with company.session("han", as_of=before) as session:
        assert session.list(Activity) == []
        assert session.get(Activity, company.acme_visit) is None
    with company.session("qian", as_of=before) as session:
        assert {activity.subject for activity in session.list(Activity)} == {"See Acme", "See Beta"}
    with company.session() as session:
        session.delete_many(Account, [company.acme])
    for login, count in (("han", 0), ("wu", 2), ("zhou", 1), ("qian", 2)):
        with company.session(login, as_of=before) as session:
            assert len(session.list(Activity)) == count, login
