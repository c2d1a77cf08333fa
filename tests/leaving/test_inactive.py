"""A database goes on working, on both kinds, while a plugin whose records it holds is switched off."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from crm_core import contacts, merging, ownership
from crm_core.domain import handovers
from crm_core.domain.accounts import Account
from crm_core.domain.contacts import Contact
from crm_core.domain.external import ExternalRef
from crm_core.errors import NotFound, UndoConflict
from crm_core.exchange import run_export
from crm_core.jobs.worker import Worker
from crm_core.store.history import change_sets, history
from crm_core.views import next_actions, open_items, overview, timeline, whats_new

from .leaver import Company, rows

Opened = Callable[..., Any]


@pytest.fixture
def off(company: Company, opened: Opened) -> Any:
    """The company's database, opened without the plugin."""
    return opened(without=("leaver",))


@pytest.mark.parametrize("login", ["li.wei", "wang.fang"])
def test_everything_that_is_looked_at_works(company: Company, off: Any, login: str, tmp_path: Path) -> None:
    with off.session(login, read_only=True) as session:
        acme = session.get(Account, company.ids["Acme"])
        assert overview(session, acme).panels == ()
        assert timeline(session, acme) is not None
        assert whats_new(session) is not None
        assert next_actions(session) is not None
        assert list(open_items(session, [acme.id], None)) is not None
        assert session.explain(acme)
        assert [hit.record_type for hit in session.search("拜访")] == []
        assert session.search("Acme")
        run_export(session, "account", None, tmp_path / "accounts.jsonl")
    with off.session(login, read_only=True, as_of=dt.datetime(2999, 1, 1, tzinfo=dt.UTC)) as session:
        assert session.get(Account, company.ids["Acme"]).name == "Acme"
        assert len(session.list(Account)) == 3


def test_the_history_shows_its_entries_to_those_who_see_everything(company: Company, off: Any) -> None:
    with off.session("li.wei", read_only=True) as session:
        events = history(session, "leaver.visit", company.ids["full"])
        assert [event.change.operation for event in events] == ["create", "update"]
        assert events[0].change.after["cost"] == {"amount": "12345678901234.5678", "currency": "CNY"}
        assert change_sets(session)
    with off.session("wang.fang", read_only=True) as session, pytest.raises(NotFound):
        history(session, "leaver.visit", company.ids["full"])


def test_the_keys_and_shares_that_name_it_can_be_listed(company: Company, off: Any) -> None:
    with off.session("li.wei", read_only=True) as session:
        assert [each.record_type for each in session.list(ExternalRef)] == ["leaver.visit"]
        assert overview(session, session.get(Account, company.ids["Gamma"]))


def test_a_worker_goes_on_and_the_plugin_hears_of_it_later(company: Company, off: Any, opened: Opened) -> None:
    with off.session("li.wei") as session:
        session.get(Account, company.ids["Beta"]).name = "Beta 2"
    Worker(off).once()
    told = {each.plugin: each.change_sets for each in opened().deliver()}
    assert told["leaver"] == 4, "the visits, the changes, the handshake of the schedule and the new name"


def test_what_hangs_on_a_customer_that_is_deleted_goes_along_and_comes_back(
    company: Company, off: Any, opened: Opened
) -> None:
    before = rows(company.crm)
    with off.session("li.wei", reason="out of business") as session:
        session.delete(session.get(Account, company.ids["Acme"]))
    gone = session.last_change_set
    left = rows(opened())
    assert [len(left[name]) for name in left] == [1, 0, 0, 0]
    with off.session("li.wei") as session:
        session.undo(gone)
    after = rows(opened())
    for found in (before, after):
        for each in found.values():
            for values in each.values():
                del values["version"]
    assert after == before
    again = opened()
    assert again.check_index().right or again.unindexed()


def test_what_refers_to_a_merged_customer_is_moved(company: Company, off: Any, opened: Opened) -> None:
    with off.session("li.wei", reason="the same") as session:
        merging.merge(session, session.get(Account, company.ids["Beta"]), session.get(Account, company.ids["Acme"]))
    found = rows(opened())
    assert found["leaver.visit"][company.ids["full"]]["account_id"] == company.ids["Beta"]
    assert set(found["leaver.profile"]) == {company.ids["Beta"]}
    with off.session("li.wei") as session:
        merging.split(session, company.ids["Acme"])
    assert set(rows(opened())["leaver.profile"]) == {company.ids["Acme"]}


def test_a_handover_moves_customers(company: Company, off: Any) -> None:
    with off.session("li.wei", reason="moved") as session:
        ownership.transfer(session, session.get(Account, company.ids["Acme"]), to="li.wei", reason="moved")
    with off.session("li.wei", reason="moved") as session:
        handover = handovers.draft(session, "wang.fang", reason="leaves")
        handovers.assign(session, handovers.items(session, handover), "li.wei")


def test_undoing_what_it_wrote_is_refused_with_how_to_mend(company: Company, off: Any) -> None:
    with off.session("li.wei") as session, pytest.raises(UndoConflict) as caught:
        session.undo(company.sets["visits"])
    told = [str(problem) for problem in caught.value.problems]
    assert f"leaver.visit {company.ids['full']}: it belongs to the plugin leaver, which is not loaded." in told
    assert "crm plugins enable NAME" in str(caught.value)
    with off.session("li.wei", read_only=True) as session:
        assert len(session.list(ExternalRef)) == 1, "nothing was changed"


def test_erasing_a_person_reaches_what_it_keeps_of_them(company: Company, off: Any, opened: Opened) -> None:
    with off.session("li.wei") as session:
        contacts.erase(session, session.get(Contact, company.ids["Ann"]), reason="asked for it")
    crm = opened()
    found = rows(crm)
    full = found["leaver.visit"][company.ids["full"]]
    assert (full["remark"], full["met"], full["mail"], full["call"]) == (None, "[erased]", None, None)
    assert full["custom"] == {"weight": "2.50"}
    assert full["subject"] == "Full 拜访"
    assert found["leaver.tie"][company.ids["tie"]]["words"] is None
    assert found["leaver.tie"][company.ids["later"]]["words"] is None
    with crm.store.engine.connect() as connection:
        from sqlalchemy import text

        kept = connection.execute(text("SELECT coalesce(before, '') || coalesce(after, '') FROM crm_change")).scalars()
        everything = "\n".join(kept)
    for word in ("Ann is", "安", "ann@acme", "13800138000", "Annie", "Ann helps"):
        assert word not in everything, word
    assert "Bob was rude" in everything, "what is kept of others stays"
    assert crm.check_index().right or crm.unindexed() == ["leaver.visit"]
