"""What became of reminders is told to whoever is responsible for the customer: paid, objected to, nothing delivered."""

from __future__ import annotations

import datetime as dt

import pytest

from crm_core import Account, Crm, Unit, User, organisation, ownership
from crm_core.cli.application import Application
from crm_core.cli.running import run
from crm_core.views import looked, whats_new
from crm_partner_credit.lines import CreditLine
from crm_partner_dunning.notices import Notice

BUILD = {
    "crm": {"plugins": ["partner_credit", "partner_dunning"]},
    "roles": {"seller": {"permissions": {"*.read": "own"}}, "control": {"permissions": {"*": "all"}}},
}
SENT = dt.date(2025, 2, 7)


@pytest.fixture
def crm(database_url):
    with Crm.open(BUILD, database=database_url, check=False) as crm:
        crm.migrate()
        with crm.system_session("init") as session:
            unit = session.add_one(Unit(name="HQ"))
            for login, name, role in (
                ("li", "Li Wei", "seller"),
                ("wu", "Wu Di", "seller"),
                ("qi", "Qi Na", "control"),
            ):
                organisation.join(session, session.add_one(User(login=login, name=name)), unit, role=role,
                                  since_always=True)  # fmt: skip
            for name, owner in (("Acme", "li"), ("Beta", "wu")):
                account = session.add_one(Account(name=name))
                ownership.assign(session, account, to=owner, since_always=True)
                line = CreditLine()
                line.id = account.id
                session.add(line)
                session.flush()
                session.add_many(
                    Notice, [{"line_id": account.id, "level": level, "sent_on": SENT} for level in (1, 2, 2)]
                )
        for login in ("li", "wu"):
            news(crm, login)
        yield crm


def news(crm, login):
    with crm.session(login) as session:
        found = whats_new(session)
        looked(session, found)
    assert found.failed == ()
    return {
        each.kind: (one.name, each.count, each.text.format(**each.values)) for one in found for each in one.learned
    }  # fmt: skip


def happen(crm, account):
    """Of three reminders one is paid, one objected to, and one becomes the last."""
    with crm.session("qi") as session:
        (found,) = session.list(Account, f'name == "{account}"')
        paid, objected, last = sorted(session.list(Notice, f"line_id == {found.id}"), key=lambda each: each.id)
        paid.settled_on = dt.date(2025, 2, 20)
        objected.objection = "The pump leaks"
        last.level = 3


def test_a_payment_a_complaint_and_deliveries_that_stop(crm):
    happen(crm, "Acme")
    assert news(crm, "li") == {
        "payment": ("Acme", 1, "They paid what reminder 1 asked for"),
        "complaint": ("Acme", 1, "They object to reminder 2: The pump leaks"),
        "delivery": ("Acme", 1, "Nothing is delivered until reminder 3 is settled"),
    }
    assert news(crm, "li") == {}
    assert news(crm, "wu") == {}


def test_a_reminder_alone_is_no_news_and_each_is_told_of_their_own(crm):
    with crm.session("qi") as session:
        session.list(Notice)[0].sent_on = dt.date(2025, 2, 8)
    happen(crm, "Beta")
    assert news(crm, "li") == {}
    assert {kind: told[0] for kind, told in news(crm, "wu").items()} == {
        "payment": "Beta", "complaint": "Beta", "delivery": "Beta",
    }  # fmt: skip


@pytest.mark.parametrize(("language", "expected"), [
    ("en", ["Payment", "Complaint", "Delivery", "They paid what reminder 1", "The pump leaks", "until reminder 3"]),
    ("zh_CN", ["付款", "投诉", "交货", "第 1 级催款函", "The pump leaks", "第 3 级催款函"]),
])  # fmt: skip
def test_the_day_begins_with_them(crm, database_url, tmp_path, capsys, language, expected):
    happen(crm, "Acme")
    file = tmp_path / "crm.toml"
    file.write_text(
        f"""
        [crm]
        database = "{database_url}"
        plugins = ["partner_credit", "partner_dunning"]
        [roles]
        seller = {{ permissions = {{ "*.read" = "own" }} }}
        """,
        encoding="utf-8",
    )
    ended = run(["--build", str(file), "--lang", language, "--user", "li", "today"], Application({}))
    out = capsys.readouterr().out
    assert ended == 0
    for each in expected:
        assert each in out
