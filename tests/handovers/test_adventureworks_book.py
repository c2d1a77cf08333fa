"""The book of person 275 of AdventureWorks, 77 stores, goes to three successors by city and comes back."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, func, select

from crm_core import Account, Crm, CrmSession, Handover, User, activities, handovers, ownership
from crm_core.domain.external import ExternalRef
from crm_core.domain.handovers import HandoverState
from crm_core.domain.ownership import Ownership
from crm_core.exchange import run_import

EXAMPLE = Path(__file__).parents[2] / "examples" / "imports" / "adventureworks"
STORES = 77
SOON = dt.timedelta(days=7)


def import_all(url: str, data: Path) -> None:
    with Crm.open(EXAMPLE / "crm.toml", database=url, check=False) as crm:
        crm.store.create_all()
        run_import(crm, EXAMPLE / "mapping.toml", data / "adventureworks")


@pytest.fixture
def crm(database_url: str, fill_database: Any, shared_data: Path) -> Iterator[Crm]:
    fill_database(import_all, shared_data)
    with Crm.open(EXAMPLE / "crm.toml", database=database_url, check=False) as crm:
        with crm.system_session("plans") as session:  # some open work: a visit and a promise at every third store
            leaver = person(session, "275")
            for store in book(session, leaver)[::3]:
                activities.plan(session, "visit", "Spring range", start=session.now + SOON, account=store, user=leaver)
                (call,) = activities.plan(session, "call", "Stock", start=session.now, account=store, user=leaver)
                activities.hold(session, call, next_step="Send the list", next_step_due=session.now + SOON)
        yield crm


def person(session: CrmSession, key: str) -> User:
    """One of ours by the number under which AdventureWorks knows them."""
    refs = select(ExternalRef.record_id).where(ExternalRef.record_type == "user", ExternalRef.key == key)
    found = session.scalar(refs)
    assert found is not None
    return session.require(User, found)


def book(session: CrmSession, owner: User) -> list[Account]:
    ids = select(Ownership.account_id).where(Ownership.user_id == owner.id)
    return list(session.scalars(select(Account).where(Account.id.in_(ids)).order_by(Account.id)))


def everything(crm: Crm) -> dict[tuple[str, int], dict[str, Any]]:
    """Every declared field of every record but the handover's own."""
    found: dict[tuple[str, int], dict[str, Any]] = {}
    with crm.system_session("look", read_only=True) as session:
        for name, record_type in crm.types.items():
            if name not in ("handover", "handover_item", "share"):
                ids = session.core(select(record_type.table.c.id)).scalars().all()
                for id_, values in session.writer.rows(record_type, ids).items():
                    custom = {"custom": values.get("custom") or {}}
                    found[name, id_] = {key: values.get(key) for key in record_type.by_name} | custom
    return found


def owners(crm: Crm, accounts: list[int]) -> Counter[str]:
    with crm.system_session("look", read_only=True) as session:
        query = select(User.login, func.count()).join(Ownership, Ownership.user_id == User.id)
        query = query.where(Ownership.account_id.in_(accounts)).group_by(User.login)
        return Counter({row[0]: row[1] for row in session.execute(query)})


class TestTheBook:
    def test_three_successors_by_city_take_one_back_undo_all(self, crm: Crm) -> None:
        with crm.system_session("look", read_only=True) as session:
            leaver, first, second, third = (person(session, key).login for key in ("275", "276", "277", "279"))
            stores = book(session, person(session, "275"))
            assert len(stores) == STORES
            ids = [store.id for store in stores]
            cities = {store.id: (store.address.city or "") if store.address else "" for store in stores}
        rules = [("address.city < 'F'", first), ("address.city < 'O'", second), ("address.city != None", third)]
        expected = Counter(first if city < "F" else second if city < "O" else third for city in cities.values())
        assert min(expected.values()) >= 10 and len(expected) == 3
        before_owner = owners(crm, ids)

        with crm.system_session("personnel", reason="275 retires") as session:
            handover = handovers.draft(session, leaver, rules=rules, reason="retires")
            handovers.offer(session, handover)
        # Each successor sees what is offered to them beside their own stores, and nothing else.
        for login in (first, second, third):
            with crm.session(login) as session:
                offered = handovers.waiting_for(session, session.user_id)
                assert len(offered) == expected[login]
                own = session.scalar(select(func.count()).where(Ownership.user_id == session.user_id))
                assert session.count(Account) == own + expected[login]
                strange = set(ids) - {item.account_id for item in offered}
                assert not any(session.get(Account, id_) for id_ in strange)
                handovers.accept(session, offered)
        before = everything(crm)
        with crm.system_session("personnel", reason="275 retires") as session:
            deed = handovers.do(session, session.require(Handover, handover.id))
        assert (deed.items, deed.ended, deed.begun, dict(deed.moved)) == (STORES, STORES, STORES, {"activity": 26})
        assert owners(crm, ids) == expected
        with crm.session(leaver) as session:
            assert session.count(Account) == 0
        with crm.session(second) as session:  # the promises have followed the responsibility
            from crm_core.views import open_items

            mine = [id_ for id_, city in cities.items() if "F" <= city < "O"]
            kinds = Counter(item.kind for item in open_items(session, mine, session.user_id))
            assert kinds["visit"] == kinds["promise"] == sum(id_ in mine for id_ in ids[::3])

        with crm.system_session("personnel", reason="that one stays") as session:
            item = handovers.items(session, session.require(Handover, handover.id))[0]
            handovers.take_back(session, item)
            back = item.account_id
        with crm.system_session("look", read_only=True) as session:
            assert ownership.owner(session, session.require(Account, back)).login == leaver
        assert sum(owners(crm, [id_ for id_ in ids if id_ != back]).values()) == STORES - 1
        assert leaver not in owners(crm, [id_ for id_ in ids if id_ != back])

        with crm.system_session("personnel", reason="275 does not retire") as session:
            assert handovers.undo(session, session.require(Handover, handover.id)).items == STORES - 1
        assert everything(crm) == before
        assert owners(crm, ids) == before_owner == Counter({leaver: STORES})
        with crm.system_session("look", read_only=True) as session:
            assert session.require(Handover, handover.id).state is HandoverState.UNDONE
        for login in (first, second, third):
            with crm.session(login) as session:
                own = session.scalar(select(func.count()).where(Ownership.user_id == session.user_id))
                assert session.count(Account) == own

    def test_the_deed_takes_few_statements_however_many_stores(self, crm: Crm) -> None:
        counts = []
        for scope in ("address.city < 'C'", "address.city >= 'C'"):
            with crm.system_session("personnel") as session:
                handover = handovers.draft(session, person(session, "275"), to=person(session, "276"), scope=scope)
                handovers.offer(session, handover)
                handovers.accept(session, handovers.items(session, handover))
            statements: list[str] = []

            def note(_conn: Any, _cursor: Any, statement: str, *_rest: Any, into: list[str] = statements) -> None:
                into.append(statement)

            with crm.system_session("personnel") as session:
                found = session.require(Handover, handover.id)
                size = len(handovers.items(session, found))
                event.listen(crm.store.engine, "before_cursor_execute", note)
                try:
                    handovers.do(session, found)
                    session.commit()
                finally:
                    event.remove(crm.store.engine, "before_cursor_execute", note)
            counts.append((size, len(statements)))
        (few, small), (many, large) = counts
        assert many > 3 * few
        assert large <= small + 3 < 60, counts  # another block of ids at most
