"""A decider who leaves in the middle of a project: whoever looks after the project is told which one it is."""

from __future__ import annotations

import json
from typing import Any

import pytest

from crm_core import Contact, ContactPoint, activities, quality
from crm_core.cli.application import Application
from crm_core.cli.running import run
from crm_core.exchange import contacts_moved
from crm_stakeholders import assign


@pytest.fixture
def deciding(company: Any) -> Any:
    """Ann decides about the project and buys for all of Acme; Bob has a say in nothing."""
    with company.session("li") as session:
        acme, ann = company.acme_of(session), company.person(session, "ann")
        assign(session, ann, acme, "decider", subject=company.project_of(session), influence=5)
        assign(session, ann, acme, "buyer")
        for who, mobile in (("ann", "+8613800138000"), ("bob", "+8613900139000")):
            session.add_one(ContactPoint(contact_id=getattr(company, who), kind="mobile", value=mobile))
        (visit,) = activities.plan(session, "visit", "Factory", start=session.now, account=acme, contact=ann, user="li")
        visit.planned_place = "Hall 3"
    return company


MOVED = "mobile,employer\n13800138000,Beta\n13900139000,Beta\n"
HANGING = [
    ("visit", "Factory", "Hall 3", "Li"), ("role", "Ann", "Decider · Third line", "Li"), ("role", "Ann", "Buyer", "Li"),
]  # fmt: skip
MATTERS = {"Factory · Hall 3 (Ann)", "Ann · Decider · Third line", "Ann · Buyer"}


class TestPeopleWhoMoved:
    @pytest.mark.parametrize("login", [None, "zhou"])
    def test_the_deal_that_hangs_on_them_is_named(self, deciding, tmp_path, login):
        (tmp_path / "moved.csv").write_text(MOVED, encoding="utf-8")
        report = contacts_moved(deciding.crm, tmp_path / "moved.csv", login=login)
        assert (len(report.moves), report.failed) == (2, ())
        assert [(each.kind, each.title, each.text, each.user) for each in report.flagged] == HANGING
        assert [each["text"] for each in report.as_json()["flagged"]] == [text for _, _, text, _ in HANGING]
        with deciding.session("li") as session:
            matters = quality.assigned(session, session.user_id)
            assert {each.subject for each in matters} == MATTERS
            # The new employer's people see the person now, and nothing of what Acme decides.
        with deciding.session("wang") as session:
            assert session.get(Contact, deciding.ann) is not None
            assert quality.queue(session, kinds=["moved"]) == []
        with deciding.crm.system_session("test") as session:
            session.undo(report.change_set)
        with deciding.session("li") as session:
            assert quality.assigned(session, session.user_id) == []

    def test_whoever_may_move_them_alone_is_told_the_same(self, deciding, tmp_path):
        """Li sees Acme alone, where the person is no more: with an employer that nobody knows."""
        (tmp_path / "moved.csv").write_text("mobile,employer\n13800138000,\n", encoding="utf-8")
        report = contacts_moved(deciding.crm, tmp_path / "moved.csv", login="li")
        assert [(each.kind, each.title, each.text, each.user) for each in report.flagged] == HANGING

    def test_it_stands_in_the_terminal_and_in_the_queue(self, deciding, database_url, tmp_path, monkeypatch, capsys):
        monkeypatch.chdir(tmp_path)
        lines = ["[crm]", f"database = {json.dumps(database_url)}", 'plugins = ["stakeholders", "project_sales"]']
        (tmp_path / "crm.toml").write_text("\n".join(lines), encoding="utf-8")
        (tmp_path / "moved.csv").write_text(MOVED, encoding="utf-8")

        def told(*args: str, lang: str = "") -> str:
            capsys.readouterr()
            assert run(list(args), Application({"LANG": lang})) == 0
            return capsys.readouterr().out

        out = told("contacts", "moved", "moved.csv", "--dry-run")
        assert "Decider · Third line" in out and "Hall 3" in out
        assert "决策者 · Third line" in told("contacts", "moved", "moved.csv", "--dry-run", lang="zh_CN.UTF-8")
        found = json.loads(told("contacts", "moved", "moved.csv", "--json"))["flagged"]
        assert [each["text"] for each in found] == [text for _, _, text, _ in HANGING]
        assert "Ann · Decider · Third line" in told("quality", "--kind", "moved")
        assert "Ann · 决策者 · Third line" in told("quality", "--kind", "moved", lang="zh_CN.UTF-8")
        assert "Ann · 决策者 · Third line" in told("--user", "li", "today", lang="zh_CN.UTF-8")
