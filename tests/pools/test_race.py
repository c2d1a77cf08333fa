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

from crm_core import Account, Ownership, PoolEvent, User, organisation
from crm_core.fields import Address

from .conftest import BUILD, POOLS, Founder

QUICKER = "Somebody else claimed the account {id} a moment ago."
YOURS = "You own the account {id} already."
FULL = "You own as many accounts as the pool {pool} allows: {most} in all."


@pytest.mark.parametrize("grade", ["A", None])
def test_each_account_has_one_owner_no_limit_is_exceeded_and_losers_are_told(
    make_company: Founder, database_url: str, grade: str | None, pytestconfig: pytest.Config
) -> None:
    """On PostgreSQL eight processes claim a thousand accounts; on SQLite, where one writes at a time, fewer."""
    large = bool(pytestconfig.getoption("postgresql")) and grade is None
    accounts, people, each = (1000, 4, 200) if large else (60, 2, 20)
    limits = {"*": each} if grade is None else {grade: each}
    rules = {"north": POOLS["north"] | {"in_all": limits}}
    company = make_company(rules)
    with company.session() as session:
        logins = [f"seller{number}" for number in range(people)]
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
    build: dict[str, Any] = copy.deepcopy(BUILD)
    build["crm"]["database"] = database_url
    build["pools"] = rules
    # Everybody twice, so that one's own claims meet, too.
    processes = [
        subprocess.Popen(
            [sys.executable, Path(__file__).with_name("race.py"), json.dumps(build), login, str(number)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for number, login in enumerate(logins * 2)
    ]  # fmt: skip
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n", process.communicate()
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    found = []
    for process in processes:
        out, err = process.communicate(timeout=300)
        assert process.returncode == 0, err
        found.append(json.loads(out))

    told: Counter[str] = Counter()
    won: Counter[str] = Counter()
    for each_one in found:
        told.update(each_one["told"])
        won[each_one["login"]] += len(each_one["won"])
    full = FULL if grade is None else FULL.replace("in all", "({grade})")
    assert set(told) <= {QUICKER, YOURS, full}, told
    assert told[full] >= people
    assert told[QUICKER] + told[YOURS] > 0
    assert won == dict.fromkeys(logins, each)
    with company.session() as session:
        rows = session.list(Ownership, limit=None, all_dates=True)
        owners: dict[int, int] = {row.account_id: row.user_id for row in rows}
        assert len(owners) == len(rows) == people * each
        by_user = Counter(owners.values())
        assert set(by_user.values()) == {each}
        events = {(event.account_id, event.user_id) for event in session.list(PoolEvent, limit=None)}
        assert events == set(owners.items())
        mine = {login: {id_ for one in found if one["login"] == login for id_ in one["won"]} for login in logins}
        assert {id_: company.users[login] for login, ids in mine.items() for id_ in ids} == owners
