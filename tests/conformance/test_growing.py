"""Rows are multiplied until there are many of them; where only one may hold at a time, one after the other."""

from __future__ import annotations

import datetime as dt
from itertools import pairwise

import pytest

from crm_core import Account
from crm_core.domain.ownership import Ownership, OwnershipRole
from crm_core.testing import Check, verify
from crm_core.testing.conformance.growing import customers, multiply, multiply_all
from crm_core.testing.conformance.intervals import spread
from crm_core.testing.conformance.population import company, populate
from crm_core.testing.conformance.views import OVERVIEWS, plain

OPEN = (None, None)
NOW = dt.datetime(2025, 6, 1, tzinfo=dt.UTC)
YEAR = dt.timedelta(days=365)


def inside(function, database_url, plugin="project_sales"):
    """Run a function as if it were a check, so that it has databases of its own."""
    report = verify(plugin, checks=(Check("mine", "It holds.", lambda s: function(s) or (), database=True),),
                    database_url=database_url)  # fmt: skip
    assert report.ok, report.text()
    return report


def owner_rows(crm, account, users, times):
    return [
        {"account_id": account, "user_id": user, "role": OwnershipRole.OWNER, "scope": "", "valid_from": start,
         "valid_to": end}
        for user, (start, end) in zip(users, times, strict=True)
    ]  # fmt: skip


@pytest.mark.parametrize(
    "there",
    [
        [],
        [(None, NOW)],
        [(NOW, None)],
        [(None, NOW), (NOW + YEAR, None)],
        [(NOW, NOW + YEAR), (NOW + 2 * YEAR, NOW + 3 * YEAR)],
    ],
    ids=["none", "before", "after", "around", "between"],
)
def test_rows_that_exclude_each_other_follow_one_another_beside_those_that_are_there(there, database_url):
    def look(subject):
        with subject.crm() as crm:
            ids = company(crm).ids
            with crm.system_session("test") as session:
                account = session.add_one(Account(name="Busy"))
                session.flush()
                users = [ids["user"][number % 4] for number in range(20)]
                session.add_many(Ownership, owner_rows(crm, account.id, users[: len(there)], there))
            with crm.system_session("test") as session:
                rows = spread(session, Ownership.crm_type, owner_rows(crm, account.id, users, [OPEN] * 20))
                session.add_many(Ownership, rows)  # and the kernel refuses none of them
            with crm.system_session("test") as session:
                held = session.list(Ownership, f"account_id == {account.id}", all_dates=True, limit=None)
                assert len(held) == 20 + len(there)
                if not there:
                    times = sorted((each.valid_from, each.valid_to) for each in held if each.valid_to)
                    assert all(one[1] == other[0] for one, other in pairwise(times))
                    assert session.count(Ownership, f"account_id == {account.id}") == 1

    inside(look, database_url)


def test_rows_without_room_are_left_out_and_helpers_keep_their_times(database_url):
    def look(subject):
        with subject.crm() as crm:
            ids = company(crm).ids
            with crm.system_session("test") as session:
                first, second = (session.add_one(Account(name=name)).id for name in "ab")
                session.flush()
                session.add_many(Ownership, owner_rows(crm, first, ids["user"][:1], [OPEN]))
                session.flush()
                rows = owner_rows(crm, first, ids["user"], [OPEN] * 4)
                rows += owner_rows(crm, second, ids["user"][:1], [OPEN])
                # A helper excludes nobody.
                rows += [{**rows[0], "role": OwnershipRole.COLLABORATOR}] * 3
                kept = spread(session, Ownership.crm_type, rows)
                owners = [each for each in kept if each["role"] is OwnershipRole.OWNER]
                assert [each["account_id"] for each in owners] == [second]
                assert owners[0]["valid_from"] < session.now and owners[0]["valid_to"] is None
                assert [each for each in kept if each not in owners] == rows[5:]

    inside(look, database_url)


def test_two_hundred_rows_of_one_project_are_no_remark(database_url):
    """Scores of a project, and who is in charge of it, are exclusive: in former times they could not be multiplied."""

    def look(subject):
        with subject.crm() as crm:
            population = populate(subject, crm, company(crm), each=8)
            one = customers(crm, 1, population.ids["user"][0])
            made = multiply_all(subject, crm, population, one, 10, "mine")
            assert {name: len(ids) for name, ids in made.items()}.keys() == {each.name for each in subject.types}
            projects = {"project_sales.project": made["project_sales.project"][:1]}
            exclusive = [each for each in subject.types if each.exclusive]
            assert exclusive
            for record_type in exclusive:
                with crm.system_session("test", read_only=True) as session:
                    rows = session.list(record_type.cls, limit=None, all_dates=True)
                    some = [{field.name: getattr(row, field.name) for field in record_type.fields} for row in rows[:4]]
                again = multiply(crm, record_type, some, {**one, **made, **projects}, 200)
                assert isinstance(again, list) and len(again) == 200, again

    assert inside(look, database_url).results[0].notes == ()


def test_a_customer_with_more_rows_is_shown_with_more(database_url):
    """Otherwise it would be no wonder that a look takes as many statements."""

    def look(subject):
        with subject.crm() as crm:
            population = populate(subject, crm, company(crm), each=8)
            one = customers(crm, 1, population.ids["user"][0])
            told = []
            for more in (10, 190):
                multiply_all(subject, crm, population, one, more, "mine")
                with crm.session("zhou", read_only=True) as session:
                    account = session.require(Account, one["account"][0])
                    told.append({name: len(str(plain(look(session, account)))) for name, look in OVERVIEWS.items()})
            few, many = told
            assert many["overview()"] > few["overview()"] and many["timeline()"] > 3 * few["timeline()"]
            assert few["briefings()"] > 100

    inside(look, database_url)
