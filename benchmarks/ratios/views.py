"""The views of a large customer: how long an overview and a beginning of a day take, and how many statements."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from sqlalchemy import event

from benchmarks.ratios.pages import median_ms
from benchmarks.report import Figure
from crm_core import (
    Account,
    AccountRelation,
    Activity,
    Affiliation,
    Contact,
    ContactPoint,
    Membership,
    Ownership,
    PointKind,
    Status,
    Unit,
    User,
)
from crm_core.assembly import Crm
from crm_core.translation import Translator
from crm_core.views import overview, today
from crm_core.views.html import overview_page

PEOPLE, ACTIVITIES, SUBSIDIARIES = 200, 5_000, 300
SMALL = 5


def view_figures(url: str, database: str) -> list[Figure]:
    """A customer with 200 people, 5,000 activities and 300 subsidiaries beside one with five of each."""
    with Crm.open({"crm": {"database": url}}, check=False) as crm:
        crm.migrate()
        large, small = _fill(crm)
        with crm.store.engine.begin() as connection:
            connection.exec_driver_sql("ANALYZE")
        figures = []
        for login in ("seller", "director"):
            with crm.session(login, read_only=True) as session:
                many, few = session.require(Account, large), session.require(Account, small)
                slow = median_ms(partial(overview, session, many), 20)
                fast = median_ms(partial(overview, session, few), 20)
                with _counted(crm) as one:
                    overview(session, many)
                with _counted(crm) as other:
                    view = overview(session, few)
                assert len(one) == len(other), "the number of statements depends on what is shown"
                detail = f"{slow:.0f} ms beside {fast:.0f} ms, {len(one)} statements each"
                figures.append(Figure(database, f"overview of a large account, {login} (ms)", slow, "<=", 500, detail))
        with crm.session("seller", read_only=True) as session:
            view = overview(session, session.require(Account, large))
            page = median_ms(lambda: overview_page(session, view, Translator("zh_CN")), 10)
            figures.append(Figure(database, "page of HTML of a large account (ms)", page, "<=", 200, f"{page:.0f} ms"))
            begun = median_ms(lambda: today(session), 10)
            detail = f"{begun:.0f} ms; {ACTIVITIES} activities at {SUBSIDIARIES + 1} accounts, all recorded since"
            figures.append(Figure(database, "news and next actions (ms)", begun, "<=", 1500, detail))
    return figures


def _fill(crm: Crm) -> tuple[int, int]:
    now = dt.datetime.now(dt.UTC)
    with crm.system_session("bench", streaming=True) as session:
        (unit,) = session.add_many(Unit, [{"name": "All"}])
        seller, director = session.add_many(
            User, [{"login": login, "name": login.title()} for login in ("seller", "director")]
        )
        session.add_many(
            Membership,
            [{"user_id": seller, "unit_id": unit, "role": "sales"},
             {"user_id": director, "unit_id": unit, "role": "administrator"}],
        )  # fmt: skip
        large = _customer(session, seller, now, PEOPLE, ACTIVITIES, SUBSIDIARIES)
        small = _customer(session, seller, now, SMALL, SMALL, SMALL)
    return large, small


def _customer(session: Any, seller: int, now: dt.datetime, people: int, done: int, below: int) -> int:
    ids = session.add_many(Account, [{"name": f"Account {number}"} for number in range(below + 1)])
    top = ids[0]
    session.add_many(Ownership, [{"account_id": id_, "user_id": seller} for id_ in ids])
    session.add_many(
        AccountRelation,
        # Three levels: ten below the top, ten below each of these, and the rest beneath them.
        [{"account_id": id_, "other_id": ids[number // 10] if number else top, "kind": "subsidiary"}
         for number, id_ in enumerate(ids[1:])],
    )  # fmt: skip
    persons = session.add_many(Contact, [{"name": f"Person {number}"} for number in range(people)])
    session.add_many(
        Affiliation,
        [{"account_id": top, "contact_id": id_, "role": "buyer", "valid_from": now - dt.timedelta(days=number + 1)}
         for number, id_ in enumerate(persons)],
    )  # fmt: skip
    session.add_many(
        ContactPoint,
        [{"contact_id": id_, "kind": PointKind.EMAIL, "value": f"p{id_}@example.com"} for id_ in persons],
    )
    session.add_many(
        Activity,
        [{"kind": "visit", "subject": f"Visit {number}", "account_id": top, "user_id": seller,
          "contact_id": persons[number % people], "status": Status.HELD,
          "started_at": now - dt.timedelta(hours=number + 1)}
         for number in range(done)],
    )  # fmt: skip
    return int(top)


@contextmanager
def _counted(crm: Crm) -> Iterator[list[str]]:
    seen: list[str] = []

    def note(*args: Any) -> None:
        seen.append(args[2])

    event.listen(crm.store.engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(crm.store.engine, "before_cursor_execute", note)
