"""Several people, and one person several times, claim from the same pool at once."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from crm_core import Account, Ownership, PoolEvent, User, organisation, pools
from crm_core.fields import Address

from .conftest import BUILD, POOLS, Company, Founder

QUICKER = "Somebody else claimed the account {id} a moment ago."
YOURS = "You own the account {id} already."
FULL = "You own as many accounts as the pool {pool} allows: {most} in all."


@pytest.mark.parametrize("grade", ["A", None])
def test_each_account_has_one_owner_no_limit_is_exceeded_and_losers_are_told(
    make_company: Founder, database_url: str, grade: str | None, pytestconfig: pytest.Config
) -> None:
    """Everybody claims twice at once, up to a limit: on PostgreSQL eight processes, on SQLite fewer."""
    large = bool(pytestconfig.getoption("postgresql")) and grade is None
    accounts, people, each = (1000, 4, 200) if large else (60, 2, 20)
    limits = {"*": each} if grade is None else {grade: each}
    rules = {"north": POOLS["north"] | {"in_all": limits}}
    company = make_company(rules)
    logins = fill(company, accounts, people, grade)
    # Everybody twice, so that one's own claims meet, too.
    found = race(database_url, rules, logins * 2, "once")

    told, won = counted(found)
    full = FULL if grade is None else FULL.replace("in all", "({grade})")
    assert set(told) <= {QUICKER, YOURS, full}, told
    assert told[full] >= people
    assert told[QUICKER] + told[YOURS] > 0
    assert won == dict.fromkeys(logins, each)
    assert set(Counter(owners_as_told(company, found).values()).values()) == {each}


def test_a_pool_is_emptied_each_account_goes_to_one_and_everybody_else_is_told(
    make_company: Founder, database_url: str, pytestconfig: pytest.Config
) -> None:
    """Without a limit: on PostgreSQL eight people claim a thousand accounts, on SQLite, where one writes at a time, a
    few.
    """
    accounts, people = (1000, 8) if pytestconfig.getoption("postgresql") else (60, 4)
    rules = {"north": POOLS["north"]}
    company = make_company(rules)
    found = race(database_url, rules, fill(company, accounts, people), "anew")

    told, won = counted(found)
    assert set(told) == {QUICKER}, "they met, and were told so"
    assert sum(won.values()) == accounts
    assert len(owners_as_told(company, found)) == accounts
    with company.session(read_only=True) as session:
        assert [each.free for each in pools.counts(session)] == [0]


def fill(company: Company, accounts: int, people: int, grade: str | None = None) -> list[str]:
    """People who sell in the north, and accounts that nobody owns there; gives the logins."""
    logins = [f"seller{number}" for number in range(people)]
    with company.session() as session:
        for login in logins:
            company.users[login] = session.add_one(User(login=login, name=login)).id
            session.flush()
            organisation.join(session, login, "NORTH", role="sales", since_always=True)
        session.add_many(
            Account,
            [
                {"name": f"Mill {number}", "grade": grade, "address": Address(city="Beijing")}
                for number in range(accounts)
            ],
        )
    return logins


def race(url: str, rules: dict[str, Any], logins: list[str], way: str) -> list[dict[str, Any]]:
    """A process for each of the logins; all begin to claim once all have looked. Gives what each was told."""
    build: dict[str, Any] = copy.deepcopy(BUILD)
    build["crm"]["database"] = url
    build["pools"] = rules
    processes = [
        subprocess.Popen(
            [sys.executable, Path(__file__).with_name("race.py"), json.dumps(build), login, str(number), way],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for number, login in enumerate(logins)
    ]  # fmt: skip
    found = []
    try:
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n", process.communicate()
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        for process in processes:
            out, err = process.communicate(timeout=800)
            assert process.returncode == 0, err
            found.append(json.loads(out))
    finally:
        for process in processes:
            process.kill()  # one that failed must not leave the others behind
    return found


def counted(found: list[dict[str, Any]]) -> tuple[Counter[str], Counter[str]]:
    """How often each refusal was told, and how many accounts each login won."""
    told: Counter[str] = Counter()
    won: Counter[str] = Counter()
    for each in found:
        told.update(each["told"])
        won[each["login"]] += len(each["won"])
    return told, won


def owners_as_told(company: Company, found: list[dict[str, Any]]) -> dict[int, int]:
    """Who owns what, which is what each of them was told, once for each account, and what the log of the pool says."""
    with company.session() as session:
        rows = session.list(Ownership, limit=None, all_dates=True)
        owners: dict[int, int] = {row.account_id: row.user_id for row in rows}
        assert len(owners) == len(rows) == sum(len(each["won"]) for each in found)
        events = [(event.account_id, event.user_id) for event in session.list(PoolEvent, limit=None)]
    assert sorted(events) == sorted(owners.items())
    assert {id_: company.users[each["login"]] for each in found for id_ in each["won"]} == owners
    return owners
