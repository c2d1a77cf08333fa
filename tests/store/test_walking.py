"""Pages that are found along an index: the same as if all that somebody sees were gathered, filtered and sorted."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select

from crm_core.domain.accounts import Account
from crm_core.domain.activities import Activity
from crm_core.domain.contacts import Affiliation, Contact
from crm_core.domain.ownership import Ownership, Share
from crm_core.store.statistics import refresh, rows_known
from crm_core.store.store import Store
from crm_core.store.visibility import WIDE
from crm_core.testing.statements import counted

from .access_records import Term
from .conftest import PLACES, Company

READERS = [login for login, _, _ in PLACES]
MANY = 90
PAGE = 7
DAY = dt.timedelta(days=1)

FORMS = {"probed": 0, "held": 10**9}
"""How many accounts there are: beside very many, those of a reader are gathered once, and rows are held to them."""

Made = Callable[[Any], Any]


@pytest.fixture
def crowd(company: Company) -> Company:
    """Accounts with few names and owners, some lent; activities that hang on them, on a person or on nobody."""
    chance = random.Random(5)
    users = company.users
    with company.session() as session:
        now = session.now
        ids = session.add_many(
            Account,
            [{"name": f"{chance.choice('abc')} {chance.choice('xy')}", "grade": chance.choice(("A", "B", None)),
              "employees": chance.choice((None, 1, 5, 9))} for _ in range(MANY)],
        )  # fmt: skip
        ids = list(ids)
        owners = [chance.choice(("li", "li", "wang", "sun", "zhou", None)) for _ in ids]
        session.add_many(
            Ownership, [{"account_id": id_, "user_id": users[login]} for id_, login in zip(ids, owners, strict=True)
                        if login is not None]
        )  # fmt: skip
        # Former owners, and those who will be.
        session.add_many(
            Ownership,
            [{"account_id": id_, "user_id": users["sun"], "role": "backup", "valid_from": now + since,
              "valid_to": now + since + 3 * DAY}
             for id_ in ids[::5] for since in (-9 * DAY, DAY)],
        )  # fmt: skip
        session.add_many(Share, [{"account_id": id_, "user_id": users["li"], "role": "reader", "reason": "a case"}
                                 for id_ in ids[::7]])  # fmt: skip
        session.add_many(
            Share,
            [{"account_id": id_, "unit_id": company.units["West"], "role": "reader", "reason": "a case"}
             for id_ in ids[::11]],
        )  # fmt: skip
        people = list(session.add_many(Contact, [{"name": f"Person {number}"} for number in range(30)]))
        session.add_many(Affiliation, [{"account_id": chance.choice(ids), "contact_id": id_} for id_ in people[:20]])
        session.add_many(
            Term,
            [{"account_id": chance.choice(ids), "name": chance.choice("kl"),
              "valid_from": chance.choice((None, now - DAY, now + DAY)),
              "valid_to": chance.choice((None, now + 2 * DAY))} for _ in range(MANY)],
        )  # fmt: skip
        session.add_many(Activity, [_activity(chance, ids, people, users, now) for _ in range(2 * MANY)])
    for login in ("li", "sun", "mei"):
        with company.session(login) as session:
            session.add_many(Activity, [{"kind": "task", "subject": "Own", "planned_start": now - DAY}] * 3)
    return company


def _activity(chance: random.Random, ids: Any, people: Any, users: Any, now: dt.datetime) -> dict[str, Any]:
    hangs = chance.choice(("account", "account", "both", "contact", "nothing"))
    return {
        "kind": chance.choice(("visit", "call")),
        "subject": "Talk",
        "account_id": chance.choice(ids) if hangs in ("account", "both") else None,
        "contact_id": chance.choice(people) if hangs in ("contact", "both") else None,
        "user_id": chance.choice((users["li"], users["sun"], users["wang"], None)),
        "planned_start": chance.choice((None, *(now + DAY * day for day in range(-4, 3)))),
    }


def _by(*names: str, down: bool = False) -> Made:
    def key(record: Any) -> Any:
        return tuple(getattr(record, name) for name in (*names, "id"))

    return lambda found: sorted(found, key=key, reverse=down)


CASES: dict[str, tuple[type[Any], str | None, str | None, Callable[[Any, dt.datetime], bool], Made, str]] = {
    "by name": (Account, None, "name", lambda each, now: True, _by("name_key"), "whole"),
    "by name, backwards": (Account, None, "name desc", lambda each, now: True, _by("name_key", down=True), "whole"),
    "by id": (Account, None, None, lambda each, now: True, _by(), "whole"),
    "newest": (Account, None, "id desc", lambda each, now: True, _by(down=True), "whole"),
    "one grade": (Account, 'grade == "A"', "name", lambda each, now: each.grade == "A", _by("name_key"), "whole"),
    "grade and size": (
        Account, 'grade == "A" and employees > 1', "name",
        lambda each, now: each.grade == "A" and (each.employees or 0) > 1, _by("name_key"), "part",
    ),
    "either": (
        Account, "employees == 1 or employees == 9", "id desc", lambda each, now: each.employees in (1, 9),
        _by(down=True), "part",
    ),
    "none such": (Account, "employees > 1 and employees < 2", "name", lambda each, now: False, _by(), "part"),
    "activities": (
        Activity, "planned_start <= now()", "planned_start desc",
        lambda each, now: each.planned_start is not None and each.planned_start <= now,
        _by("planned_start", down=True), "whole",
    ),
    "activities, forwards": (
        Activity, 'planned_start is not None and kind == "call"', "planned_start",
        lambda each, now: each.planned_start is not None and each.kind == "call", _by("planned_start"), "part",
    ),
    "activities of nobody": (
        Activity, "planned_start <= now() and account_id is None", "planned_start",
        lambda each, now: each.planned_start is not None and each.planned_start <= now and each.account_id is None,
        _by("planned_start"), "never",
    ),
    "with the absent": (
        Activity, None, "planned_start desc", lambda each, now: True,
        lambda found: [*_by("planned_start", down=True)([each for each in found if each.planned_start is not None]),
                       *_by(down=True)([each for each in found if each.planned_start is None])],
        "never",
    ),
    "mixed ways": (
        Account, None, "name desc, id", lambda each, now: True,
        lambda found: sorted(_by()(found), key=lambda each: each.name_key, reverse=True), "never",
    ),
    "without an index": (
        Account, "employees > 1", "employees", lambda each, now: (each.employees or 0) > 1, _by("employees"), "never",
    ),
    "of an owner": (Account, "owner is not None", "name", None, _by("name_key"), "never"),  # type: ignore[dict-item]
    "found by a number": (
        Account, 'registration_number == "1"', "name", lambda each, now: False, _by("name_key"), "never",
    ),
    "dated": (Term, None, "name", lambda each, now: True, _by("name"), "whole"),
}  # fmt: skip


def _seen(crowd: Company, login: str, cls: type[Any], monkeypatch: pytest.MonkeyPatch) -> set[int]:
    """What somebody sees, gathered as whole: other tests compare that with what is declared."""
    with monkeypatch.context() as patched:
        patched.setattr(Store, "_counted", lambda *_: (0, 0))
        with crowd.session(login, read_only=True) as session:
            return set(session.scalars(select(cls.id), execution_options={"all_dates": True}))


def _expected(crowd: Company, case: str, seen: set[int]) -> list[int]:
    cls, where, _, keep, arrange, _ = CASES[case]
    with crowd.session(read_only=True) as session:
        now = session.now
        if keep is None:
            records = session.list(cls, where, limit=None)
        elif cls is Term:
            records = session.list(cls, limit=None)
        else:
            records = [each for each in session.list(cls, limit=None, all_dates=True) if keep(each, now)]
        return [each.id for each in arrange([each for each in records if each.id in seen])]


@pytest.mark.parametrize("form", list(FORMS))
@pytest.mark.parametrize("login", READERS)
def test_pages_are_what_is_seen_in_order(
    crowd: Company, login: str, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = {cls: _seen(crowd, login, cls, monkeypatch) for cls in (Account, Activity, Term)}
    expected = {case: _expected(crowd, case, seen[CASES[case][0]]) for case in CASES}
    monkeypatch.setattr(Store, "_counted", lambda *_: (WIDE, FORMS[form]))
    for case, (cls, where, order, _, _, _) in CASES.items():
        found: list[int] = []
        with crowd.session(login, read_only=True) as session:
            after = None
            while True:
                page = session.list(cls, where, order=order, limit=PAGE, after=after)
                found += [each.id for each in page]
                if len(page) < PAGE:
                    break
                after = session.cursor(page[-1], order)
        assert found == expected[case], (case, login)


@pytest.mark.parametrize("form", list(FORMS))
def test_an_index_is_walked_where_it_tells_who_sees_a_row(
    crowd: Company, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Store, "_counted", lambda *_: (WIDE, FORMS[form]))
    sqlite = crowd.store.dialect == "sqlite"
    for login in ("li", "zhou"):
        for case, (cls, where, order, _, _, how) in CASES.items():
            with crowd.session(login, read_only=True) as session:
                session.can("account.read")
                with counted(crowd) as asked:
                    session.list(cls, where, order=order, limit=PAGE)
            asked = [each for each in asked if each.startswith("SELECT") and "crm_user.login" not in each]
            assert len(asked) == 1, (case, asked)
            walked = how == "part" and form == "held" if sqlite else how != "never"
            assert ("AS crm_walked" in asked[0]) is walked, (case, login, asked)
            assert ("AS crm_seen" in asked[0]) is (walked and how == "part" and not sqlite), (case, asked)
            gathers = case in ("without an index", "with the absent") and form == "held"
            assert ("IN (SELECT crm_ownership" in asked[0]) is (gathers or (walked and form == "held")), (case, asked)


@pytest.mark.parametrize("form", list(FORMS))
def test_a_walk_is_at_the_time_of_the_session(crowd: Company, form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    found: dict[Any, Any] = {}
    for accounts in (None, FORMS[form]):
        count = (0, 0) if accounts is None else (WIDE, accounts)
        monkeypatch.setattr(Store, "_counted", lambda *_, count=count: count)
        with crowd.session("zhou") as session:
            moments = (None, session.now - 2 * DAY, session.now + 3 * DAY)
        for moment in range(len(moments)):
            with crowd.session("zhou", at=moments[moment], read_only=True) as session:
                found[accounts, moment] = [each.id for each in session.list(Term, order="name", limit=MANY)]
                found[accounts, "all"] = [
                    each.id for each in session.list(Term, order="name", limit=MANY, all_dates=True)
                ]
    for moment in (0, 1, 2, "all"):
        assert found[FORMS[form], moment] == found[None, moment]
    assert len({tuple(found[None, moment]) for moment in (0, 1, 2, "all")}) == 4


@pytest.mark.parametrize("login", ["li", "sun", "zhou"])
@pytest.mark.parametrize("form", list(FORMS))
def test_what_comes_along_a_navigation_is_asked_for_anew(
    crowd: Company, login: str, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def people(count: tuple[int, int]) -> list[Any]:
        monkeypatch.setattr(Store, "_counted", lambda *_: count)
        with crowd.session(login, read_only=True) as session:
            page = session.list(Activity, "planned_start <= now()", order="planned_start desc", limit=MANY)
            return [(each.id, each.contact_id, each.contact and each.contact.id) for each in page]

    expected = people((0, 0))
    assert people((WIDE, FORMS[form])) == expected
    hidden = [id_ for id_, given, got in expected if given is not None and got is None]
    assert hidden and any(got is not None for _, _, got in expected), expected


def test_nobody_else_says_that_a_page_was_chosen(crowd: Company) -> None:
    for value in (True, object(), "crm_chosen"):
        with crowd.session("wang", read_only=True) as session:
            found = set(session.scalars(select(Account.id), execution_options={"crm_chosen": value}))
            assert crowd.acme not in found and crowd.beta in found


def test_a_statement_of_the_kernel_is_not_kept_without_its_conditions(crowd: Company) -> None:
    with crowd.session("li", read_only=True) as session:
        session.list(Account, order="name", limit=PAGE)
        session.list(Account, 'grade == "A" and employees > 1', order="name", limit=PAGE)
        assert not [*session._reading._shape.statements]


def test_few_beside_many_are_gathered(crowd: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    """For a page of fifty, with ten accounts of how many it is the same to probe and to gather."""
    store = crowd.store
    monkeypatch.setattr("crm_core.store.store._PROBED", 2)
    known = {"accounts": 50}
    monkeypatch.setattr("crm_core.store.store.rows_known", lambda *_: known["accounts"])
    with crowd.session("li", read_only=True) as session:
        own = len([*session.core(session.visibility.owned_ids()[0])])
        for accounts, some in ((0, False), (own * own // 2, False), (own * own // 2 + 1, True)):
            known["accounts"] = accounts
            store._counts.clear()
            assert store.sees_some(session) is some, accounts
            assert store.owned_count(session) == own
    for login in ("wu", "qian"):
        with crowd.session(login, read_only=True) as session:
            assert not store.sees_some(session)


def test_a_database_knows_about_how_many_rows_it_counted(crowd: Company) -> None:
    with crowd.store.reading() as connection:
        assert rows_known(connection, "crm_account") == 0
    refresh(crowd.store.engine, ["crm_account", "crm_share"])
    with crowd.store.reading() as connection:
        assert rows_known(connection, "crm_account") == MANY + 2
        assert rows_known(connection, "crm_share") > 0
        assert rows_known(connection, "crm_there_is_none") == 0
