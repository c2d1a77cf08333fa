"""A plugin whose statement the database refuses is named, and the rest of the view is as if it were not there.

PostgreSQL then refuses whatever follows in the transaction, unless somebody goes back to before it.
"""

from __future__ import annotations

import datetime as dt
import sys
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest
from sqlalchemy import func, select

from crm_core import (
    Account,
    Contact,
    Crm,
    Manifest,
    Panel,
    Unit,
    User,
    activities,
    contacts,
    hookimpl,
    organisation,
    ownership,
)
from crm_core.assembly import given
from crm_core.errors import HookError, PermissionDenied
from crm_core.testing.statements import counted
from crm_core.views import as_data, next_actions, open_items, overview, timeline, whats_new

NOON = dt.datetime(2026, 2, 3, 12, tzinfo=dt.UTC)
ASKED = ("overview", "timeline", "news", "actions", "handover", "signals")

failure: dict[str, Callable[[Any], object]] = {}
"""What the plugin does wrong in each of its hooks, if anything."""


def _asked(session: Any) -> list[Any]:
    for fail in failure.values():
        fail(session)
    return []


def _told(session: Any, accounts: Any) -> list[Panel]:
    names = session.execute(select(Account.id, Account.name).where(Account.id.in_(accounts)))
    return [Panel(account_id=id_, name="told", title=name) for id_, name in names]


def _implementation(hook: str, answer: Callable[..., Any]) -> Any:
    def asked(session: Any, accounts: Any) -> Any:
        return answer(session, accounts)

    asked.__name__ = f"crm_gather_{hook}"
    return hookimpl(asked)


def _plugin(name: str, **hooks: Callable[..., Any]) -> Manifest:
    """A plugin that implements these hooks, in a module of its own."""
    module = sys.modules[f"refused_{name}"] = ModuleType(f"refused_{name}")
    for hook, answer in hooks.items():
        setattr(module, f"crm_gather_{hook}", _implementation(hook, answer))
    return Manifest(name=name, version="1", crm_core=">=0.1,<1", module=module.__name__)


def refused(session: Any) -> None:
    """Ask what cannot be answered: on PostgreSQL a division by zero, on SQLite a number that is too large."""
    nothing = Account.id - Account.id
    if session.dialect == "postgresql":
        session.execute(select(Account.id / nothing)).all()
    else:
        session.execute(select(func.abs(nothing + -(2**63)))).all()


def written(session: Any) -> None:
    """Write what the database refuses."""
    session.add(User(login="li.wei", name="Another"))
    session.flush()


def left_pending(session: Any) -> None:
    """Leave something to be written by whoever asks next."""
    session.add(User(login="li.wei", name="Another"))


def removed(session: Any) -> None:
    """Leave a change and something to be deleted, and fail for another reason."""
    first, second = session.execute(select(Account).order_by(Account.id).limit(2)).scalars()
    first.name = "Spoilt"
    session.delete(second)
    raise RuntimeError("no more")


def ended(session: Any) -> None:
    """End the transaction of whoever asks, and fail then."""
    session.rollback()
    refused(session)


@pytest.fixture
def crm(database_url: str, fill_database: Any) -> Iterator[Crm]:
    fill_database(_customers)
    with _opened(database_url) as opened:
        yield opened
    failure.clear()


def _opened(url: str) -> Crm:
    manifests = [
        _plugin("refuser", **{hook: lambda session, accounts: _asked(session) for hook in ASKED}),
        _plugin("teller", overview=_told),  # it comes after the other
    ]
    build = {"crm": {"name": "refused", "database": url, "plugins": ["refuser", "teller"]}}
    return Crm.open(build, check=False, discovery=given(*manifests))


def _customers(url: str) -> None:
    with _opened(url) as opened:
        opened.migrate()
        with opened.system_session("init") as session:
            unit = session.add_one(Unit(name="Sales"))
            session.add(User(login="li.wei", name="李伟"))
            session.flush()
            organisation.join(session, "li.wei", unit, role="sales", since_always=True)
            for name in ("Acme", "Delta"):
                account = session.add_one(Account(name=name))
                ownership.assign(session, account, to="li.wei", since_always=True)
                person = session.add_one(Contact(name=f"Ann of {name}"))
                contacts.affiliate(session, person, account, role="buyer", from_=dt.date(2025, 2, 1))
                activities.plan(session, "visit", "Visit", start=NOON, account=account, user="li.wei")
        with opened.system_session("others") as session:
            for account in session.list(Account):
                account.note = "What somebody else has learned"


def acme(session: Any) -> Account:
    (found,) = session.list(Account, "name == 'Acme'")
    return found


VIEWS: dict[str, tuple[Callable[[Any], Any], set[str]]] = {
    "overview": (
        lambda session: overview(session, acme(session)),
        {"crm_gather_overview", "crm_gather_timeline", "crm_gather_handover"},
    ),
    "timeline": (lambda session: timeline(session, session.list(Account)), {"crm_gather_timeline"}),
    "next_actions": (next_actions, {"crm_gather_actions"}),
    "whats_new": (whats_new, {"crm_gather_news"}),
    "open_items": (lambda session: open_items(session, [each.id for each in session.list(Account)]),
                   {"crm_gather_handover"}),
}  # fmt: skip
"""The views, and what the plugin is asked for in each."""


def shown(session: Any, view: str) -> tuple[Any, set[str]]:
    """The view without its moment and without whose part failed; and the hooks that failed."""
    looked = VIEWS[view][0](session)
    data = as_data(session, looked)
    data = {name: value for name, value in data.items() if name not in ("at", "since", "look", "failed")}
    return data, {each.hook for each in looked.failed}


@pytest.mark.parametrize(
    ("wrong", "reads"),
    [pytest.param(wrong, reads, id=f"{wrong.__name__}-{'reading' if reads else 'writing'}")
     for wrong in (refused, written, left_pending, removed, ended)
     for reads in (True, False)
     if reads or wrong is not ended],
)  # fmt: skip
def test_what_a_plugin_breaks_in_the_database_is_only_its_own_part(
    crm: Crm, wrong: Callable[[Any], object], reads: bool
) -> None:
    for view, (_, asked) in VIEWS.items():
        failure.clear()
        with crm.session("li.wei", read_only=reads) as session:
            whole, failed = shown(session, view)
            assert whole and not failed, view
        with crm.session("li.wei", read_only=reads) as session:
            failure["now"] = wrong
            rest, failed = shown(session, view)
            assert (rest, failed) == (whole, asked), view
            # Nothing is left over for whoever goes on, and nothing to be written.
            failure.clear()
            assert shown(session, view) == (whole, set()), view
            assert not (session.new or session.dirty or session.deleted)
    with crm.system_session("look", read_only=True) as session:
        assert {each.name for each in session.list(Account)} == {"Acme", "Delta"}
        assert session.count(User) == 1


def test_what_was_written_before_a_plugin_failed_is_kept(crm: Crm) -> None:
    failure["now"] = written
    with crm.session("li.wei") as session:
        account = acme(session)
        account.note = "written here"
        pending = session.add_one(Contact(name="Somebody new"))
        assert overview(session, account).failed
        assert account.note == "written here"
        assert pending in session
    failure.clear()
    with crm.session("li.wei", read_only=True) as session:
        assert acme(session).note == "written here"
        assert [each.name for each in session.list(Contact, "name == 'Somebody new'")] == ["Somebody new"]


@pytest.mark.parametrize("fails", [True, False], ids=["failing", "answering"])
@pytest.mark.parametrize("how", ["commit", "rollback"])
def test_who_has_written_is_told_that_a_plugin_ended_their_transaction(crm: Crm, how: str, fails: bool) -> None:
    """Else half of what they write would be there, or what they wrote first would be gone without a word."""

    def end(session: Any) -> None:
        getattr(session, how)()
        if fails:
            raise RuntimeError("no more")

    failure["now"] = end
    with (
        pytest.raises(HookError, match=r"refuser: crm_gather_handover ended the transaction of whoever asked it"),
        crm.session("li.wei") as session,
    ):
        account = acme(session)
        account.note = "written here"
        session.flush()
        open_items(session, [account.id])


def test_a_mistake_of_whoever_looks_is_not_blamed_on_a_plugin(crm: Crm) -> None:
    with crm.session("li.wei", read_only=True) as session:
        account = acme(session)
        account.note = "not to be written"
        with pytest.raises(PermissionDenied, match="read-only"):
            open_items(session, [account.id])
        session.expire(account)


def test_signs_of_life_that_the_database_refuses_leave_the_session_usable(crm: Crm) -> None:
    with crm.system_session("look", read_only=True) as session:
        ids = [each.id for each in session.list(Account)]
        failure["now"] = refused
        found = session.store.dispatch.gather_signals(session, ids, {"order"}, None, NOON)
        assert [each.plugin for each in found.failed] == ["refuser"]
        words = "division by zero" if crm.store.dialect == "postgresql" else "integer overflow"
        assert words in found.failed[0].error and "SELECT" not in found.failed[0].error
        assert session.count(Account) == 2
        # A session of the system beside somebody's own transaction, as handovers use one.
    with crm.session("li.wei") as session:
        acme(session).note = "mine"
        with session.as_system("look") as system:
            assert open_items(system, ids).failed
            assert system.count(Account) == 2
    with crm.session("li.wei", read_only=True) as session:
        assert acme(session).note == "mine"


def test_who_only_looks_pays_two_statements_where_the_database_needs_them(crm: Crm) -> None:
    with crm.session("li.wei", read_only=True) as session:
        ids = [each.id for each in session.list(Account)]
        with counted(crm) as seen:
            session.store.dispatch.gather_overview(session, ids)
    about_savepoints = [each for each in seen if "SAVEPOINT" in each]
    needed = ["SAVEPOINT crm_apart", "RELEASE SAVEPOINT crm_apart"] if crm.store.dialect == "postgresql" else []
    assert about_savepoints == needed
    assert len(seen) == len(needed) + 1


def test_after_a_failure_the_rest_is_still_planned_once(crm: Crm) -> None:
    """Going back to a savepoint takes back what was set after it, and nothing that was set before."""
    if crm.store.dialect != "postgresql":
        pytest.skip("SQLite has no plans to keep")
    failure["now"] = refused
    mode = "SHOW plan_cache_mode"
    with crm.system_session("look", read_only=True) as session:
        ids = [each.id for each in session.list(Account)]
        with session._reading.each_by_itself():
            assert session.store.dispatch.gather_overview(session, ids).failed
            assert session.connection().exec_driver_sql(mode).scalar() == "force_generic_plan"
        assert session.connection().exec_driver_sql(mode).scalar() == "auto"
