"""Reminders hang on the credit lines of another plugin."""

from __future__ import annotations

import datetime as dt

import pytest

from crm_core import Account, Crm, Objection
from crm_core.exchange import read_mapping, run_import
from crm_partner_credit.lines import CreditLine
from crm_partner_dunning.notices import Notice


@pytest.fixture
def crm(database_url):
    build = {"crm": {"plugins": ["partner_credit", "partner_dunning"]}}
    with Crm.open(build, database=database_url, check=False) as crm:
        crm.migrate()
        yield crm


@pytest.fixture
def acme(crm):
    with crm.system_session("init") as session:
        acme = session.add_one(Account(name="Acme"))
        session.flush()
        line = CreditLine()
        line.id = acme.id
        session.add(line)
        session.flush()
        session.add_many(Notice, [
            {"line_id": acme.id, "level": 1, "sent_on": dt.date(2025, 1, 7), "settled_on": dt.date(2025, 1, 9)},
            {"line_id": acme.id, "level": 3, "sent_on": dt.date(2025, 2, 7)},
        ])  # fmt: skip
    return acme.id


def test_it_does_not_load_without_the_plugin_that_it_requires():
    from crm_core import BuildError

    with pytest.raises(BuildError, match="partner_credit"):
        Crm.open({"crm": {"plugins": ["partner_dunning"]}}, database="sqlite://", check=False)


def test_the_overview_shows_what_is_not_settled(crm, acme):
    with crm.system_session("look", read_only=True) as session:
        panels = crm.build.dispatcher.gather_overview(session, [acme])
    (panel,) = [panel for panel in panels if panel.plugin == "partner_dunning"]
    assert (panel.rows[1:], panel.severity) == ((("2025-02-07", "3"),), "bad")


def test_the_next_reminder_is_due_when_the_patience_is_over(crm, acme):
    with crm.system_session("look", read_only=True) as session:
        (action,) = crm.build.dispatcher.gather_actions(session, 1, [acme]).parts
    assert action.values["level"] == 3
    assert action.due < dt.datetime.now(dt.UTC)


def test_levels_are_one_to_three(crm, acme):
    with pytest.raises(Objection, match="There is no level 4"), crm.system_session("test") as session:
        session.add(Notice(line_id=acme, level=4, sent_on=dt.date(2025, 3, 1)))


def test_accounts_are_found_by_their_reminders(crm, acme):
    with crm.system_session("look", read_only=True) as session:
        found = session.list(CreditLine, "any(partner_dunning.notices, level == 3)")
    assert [line.id for line in found] == [acme]


def test_a_reminder_is_imported_by_the_key_of_the_account_that_its_line_extends(crm, tmp_path):
    (tmp_path / "debts.csv").write_text("no,name,sent\nC1,Acme,2025-02-07\nC2,Beta,2025-02-08\n", encoding="utf-8")
    sections = [
        {"record": "account", "file": "debts.csv", "key": "no", "fields": {"name": "name"}},
        {"record": "partner_credit.line", "file": "debts.csv", "key": "no", "only_if": {"no": "C1"}},
        {"record": "partner_dunning.notice", "file": "debts.csv", "key": "no",
         "fields": {"line_id": {"column": "no", "lookup": "partner_credit.line"}, "sent_on": "sent"}},
    ]  # fmt: skip
    report = run_import(crm, read_mapping({"source": {"system": "erp"}, "section": sections}), tmp_path)
    # Beta has no credit line.
    assert [(each.created, each.rejected) for each in report.sections] == [(2, 0), (1, 0), (1, 1)]


def test_they_go_with_the_account_and_come_back_with_it(crm, acme):
    with crm.system_session("delete") as session:
        session.delete(session.require(Account, acme))
    with crm.system_session("look", read_only=True) as looking:
        assert looking.list(Notice) == []
    with crm.system_session("undo") as undoing:
        undoing.undo(session.last_change_set)
    with crm.system_session("look", read_only=True) as looking:
        assert len(looking.list(Notice)) == 2
