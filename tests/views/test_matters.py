"""Matters of data quality tell their texts only to whoever may read the records that these are from."""

from __future__ import annotations

import datetime as dt
import json

import pytest

from crm_core import Account, Contact, Crm, QualityIssue, Unit, User, activities, contacts, organisation, ownership
from crm_core.cli.application import Application
from crm_core.cli.running import run
from crm_core.exchange import contacts_moved
from crm_core.translation import Translator
from crm_core.views import next_actions, open_items, overview
from crm_core.views import stewardship as quality
from crm_core.views.showing import kind_labels

SECRET, LABEL = "Secret takeover talk (Ann)", "Hangs on somebody who moved"
BARE = {"account.read": "all", "contact.read": "all", "quality_issue.read": "all", "user.read": "all"}
ROLES = {
    "bare": BARE, "reader": {**BARE, "activity.read": "all"}, "narrow": {**BARE, "activity.read": "own"},
    "apart": {**BARE, "activity.read": "own"},
    "own": {**BARE, "quality_issue.read": "own", "activity.read": "own"},
    "steward": {**BARE, "quality.decide": "all"},
}  # fmt: skip
TOLD = [("reader", True), ("own", True), ("narrow", True), ("bare", False), ("apart", False), ("steward", False)]
BUILD = {
    "crm": {"time_zone": "Asia/Shanghai"},
    "roles": {name: {"permissions": permissions} for name, permissions in ROLES.items()},
}


@pytest.fixture
def crm(database_url, tmp_path):
    """Ann left Acme, where a talk with her was planned; Own and Narrow are responsible there, the others are not."""
    with Crm.open(BUILD, database=database_url, check=False) as crm:
        crm.migrate()
        with crm.system_session("init") as session:
            unit = session.add_one(Unit(name="All"))
            acme = session.add_one(Account(name="Acme"))
            ann = session.add_one(Contact(name="Ann"))
            contacts.affiliate(session, ann, acme, since_always=True)
            for role in ROLES:
                user = session.add_one(User(login=role, name=role.title()))
                organisation.join(session, user, unit, role=role, since_always=True)
            for role in ("own", "narrow"):
                ownership.assign(session, acme, to=role, since_always=True, role="owner" if role == "own" else "backup")
            start = dt.datetime.now(dt.UTC) + dt.timedelta(days=30)
            activities.plan(session, "visit", "Secret takeover talk", start=start, account=acme, contact=ann)
            (file := tmp_path / "moved.csv").write_text(f"id,employer\n{ann.id},\n", encoding="utf-8")
        contacts_moved(crm, file)
        yield crm


@pytest.fixture
def left_to(crm):
    """Leave the matter to somebody."""

    def leave(login, **values):
        with crm.system_session("test") as session:
            (issue,) = session.list(QualityIssue)
            assert issue.subject == SECRET
            (user,) = session.list(User, f'login == "{login}"')
            issue.assignee_id = user.id
            for name, value in values.items():
                setattr(issue, name, value)
            return issue.account_id

    return leave


def told(crm, login, account_id):
    """What somebody is told of the matter: in open items, next actions and the queue."""
    with crm.session(login, read_only=True) as session:
        (item,) = [each for each in open_items(session, [account_id]) if each.kind == "quality_issue"]
        (action,) = [each for each in next_actions(session) if each.kind == "mend"]
        (entry,) = quality.queue(session, kinds=["moved"])
        return item.title, item.text, action.values["about"], entry.problem.values["about"]


@pytest.mark.parametrize(("login", "reads"), TOLD)
def test_the_text_is_for_whoever_reads_what_it_is_about(crm, left_to, login, reads):
    expected = (SECRET, LABEL, SECRET, SECRET) if reads else (LABEL, "", LABEL, LABEL)
    assert told(crm, login, left_to(login)) == expected


def test_what_no_plugin_of_the_build_knows_is_told_to_nobody(crm, left_to):
    assert told(crm, "reader", left_to("reader", record_type="gone.deal")) == (LABEL, "", LABEL, LABEL)


def test_it_is_called_what_its_record_is_called(crm, left_to):
    account_id = left_to("own")
    with crm.session("own", read_only=True) as session:
        kinds = {each.kind for each in open_items(session, [account_id])}
        view = overview(session, session.require(Account, account_id))
        (asked,) = [each for each in view.quality.ask if each.kind == "question"]
        for language, label in (("en", "Matter of data quality"), ("zh_CN", "数据质量事项")):
            translator = Translator(language)
            assert kind_labels(session, translator, kinds)["quality_issue"] == label
            assert translator.record(session.types["quality_issue"]) == label
        assert str(asked) == f"{SECRET} ({LABEL})"  # it is still asked about, and nothing that one plans
        assert [each for each in view.open if each.kind == "quality_issue"] == []


@pytest.mark.parametrize(("login", "reads"), TOLD)
def test_whoever_closes_a_matter_on_the_command_line_is_told_no_more(
    crm, left_to, login, reads, database_url, tmp_path, monkeypatch, capsys
):
    left_to(login)
    with crm.system_session("test", read_only=True) as session:
        (issue,) = session.list(QualityIssue)
    lines = ["[crm]", f"database = {json.dumps(database_url)}"]
    for role, permissions in ROLES.items():
        lines += [f"[roles.{role}.permissions]", *(f'"{name}" = "{scope}"' for name, scope in permissions.items())]
    (tmp_path / "crm.toml").write_text("\n".join(lines), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    for options in ((), ("--json",)):
        command = ["--user", login, "quality", "close", str(issue.id), "--dry-run", *options]
        assert run(command, Application({"LANG": ""})) == 0
        out = capsys.readouterr().out
        assert (SECRET in out) == reads and (reads or options or LABEL in out)
