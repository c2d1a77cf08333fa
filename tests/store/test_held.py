"""Objects that a session holds, when rows change under them in bulk and a savepoint takes that back."""

from __future__ import annotations

from crm_core import Account, Money


def test_what_was_changed_in_bulk_and_taken_back_is_not_shown(store) -> None:
    with store.session(principal="init") as session:
        id_ = session.add_one(Account(name="Acme", revenue=Money("1", "EUR"))).id
    with store.session(principal="work") as session:
        held = session.require(Account, id_)
        savepoint = session.begin_nested()
        session.update_many(Account, [{"id": id_, "name": "Other", "revenue": Money("2", "EUR")}])
        assert (held.name, held.revenue, held.version) == ("Other", Money("2", "EUR"), 2)
        savepoint.rollback()
        assert (held.name, held.revenue, held.version) == ("Acme", Money("1", "EUR"), 1)
        held.grade = "A"
    with store.session(principal="work") as session:
        assert session.require(Account, id_).version == 2
        session.delete(held := session.require(Account, id_))
        session.flush()
        assert held not in session


def test_what_a_released_savepoint_changed_is_taken_back_with_the_one_around_it(store) -> None:
    with store.session(principal="init") as session:
        id_ = session.add_one(Account(name="Acme")).id
    with store.session(principal="work") as session:
        held = session.require(Account, id_)
        outer = session.begin_nested()
        with session.begin_nested():
            session.update_many(Account, [{"id": id_, "name": "Other"}])
        assert held.name == "Other"
        outer.rollback()
        assert (held.name, held.version) == ("Acme", 1)
        session.delete(held)
