"""Others go on working while the index is built, and it is right afterwards."""

from __future__ import annotations

import random
import threading

import pytest
from sqlalchemy.exc import OperationalError

from crm_core.domain.accounts import Account
from crm_core.errors import Conflict
from crm_core.store.search.reindex import check, reindex

from .search_records import Device, Part, Site
from .support import verify

WRITERS, ROUNDS = 3, 12


def work(store, ids, number, failures):
    """Creates, renames, moves and deletes what others do, too."""
    chance = random.Random(number)
    for turn in range(ROUNDS):
        try:
            with store.session(principal=f"writer{number}") as session:
                accounts, sites = ids["accounts"], ids["sites"]
                account = session.get(Account, chance.choice(accounts))
                if account is not None:
                    account.name = f"Renamed {number} {turn}"
                site = session.get(Site, chance.choice(sites))
                if site is not None:
                    site.account_id = chance.choice(accounts)
                    device = session.add_one(Device(site_id=site.id, name=f"Device {number} {turn}", flaw="bent"))
                    session.add(Part(device_id=device.id, label=f"Part {number} {turn}"))
                session.add_many(Account, [{"name": f"New {number} {turn} {each}"} for each in range(5)])
                if turn % 4 == 3:
                    session.delete_many(Site, [chance.choice(sites)])
        except Conflict:
            continue  # somebody else was quicker, or two waited for each other
        except Exception as error:
            failures.append(error)
            raise


@pytest.mark.parametrize("whole", [False, True])
def test_an_index_that_is_built_while_others_write(store, monkeypatch, whole):
    monkeypatch.setattr("crm_core.store.search.reindex._BATCH", 7)
    with store.session(principal="init") as session:
        accounts = session.add_many(Account, [{"name": f"Account {number}"} for number in range(40)])
        sites = session.add_many(Site, [{"account_id": id_} for id_ in accounts])
        session.add_many(Device, [{"site_id": id_, "name": f"Old {id_}"} for id_ in sites])
    failures: list[Exception] = []
    ids = {"accounts": accounts, "sites": sites}
    writers = [threading.Thread(target=work, args=(store, ids, number, failures)) for number in range(WRITERS)]
    for writer in writers:
        writer.start()
    rounds = 0
    while any(writer.is_alive() for writer in writers) or not rounds:
        try:
            reindex(store, whole=whole and not rounds)
            rounds += 1
        except Conflict:
            continue
    for writer in writers:
        writer.join()
    assert failures == []
    told = check(store)
    assert (told.missing, told.stale, told.superfluous, told.tokens) == ({}, {}, {}, True), told
    reindex(store)  # the last one may have given way to a writer
    verify(store)


class DeadlockDetected(Exception):
    """What psycopg raises when two transactions wait for each other and this one has to give way."""

    sqlstate = "40P01"


@pytest.mark.parametrize("step", ["documents_of", "take"])
def test_building_that_must_give_way_to_a_writer_says_so(store, monkeypatch, step):
    with store.session(principal="init") as session:
        session.add_one(Account(name="Account"))

    def give_way(*_: object) -> None:
        raise OperationalError("SELECT ... FOR SHARE", {}, DeadlockDetected())

    monkeypatch.setattr(f"crm_core.store.search.reindex.{step}", give_way)
    with pytest.raises(Conflict, match="Another writer holds the database"):
        reindex(store)
