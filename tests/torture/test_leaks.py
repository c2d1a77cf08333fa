"""The leak torture finds what is planted, in both directions, and nothing where nothing is."""

from __future__ import annotations

import json
import random
from contextlib import closing

import pytest
from click.testing import CliRunner
from sqlalchemy import false, func, select

from crm_core import Account, Panel
from crm_core.store.visibility import Visibility
from crm_core.testing.conformance.databases import Databases
from crm_core.testing.conformance.oracle import Oracle
from torture.leaks import command, running
from torture.leaks.asker import Asker
from torture.leaks.company import Size, companies
from torture.leaks.deletions import unnamed
from torture.leaks.questions import questions
from torture.leaks.refusals import refusals
from torture.leaks.statements import statements
from torture.leaks.tally import Tally
from torture.leaks.verbs import verbs
from torture.leaks.views import views

TINY = ((Size(units=3, users=3, accounts=6, people=5, activities=6, shares=3), 2),)
TYPES = ("account", "account_address", "activity", "contact", "stakeholders.role")


@pytest.fixture(scope="module")
def company(tmp_path_factory):
    """One organisation with every plugin, for all tests that only read."""
    made = companies(Databases(None, tmp_path_factory.mktemp("leaks")), 5, TINY)
    yield next(made)
    made.close()


@pytest.fixture(autouse=True)
def few_types(monkeypatch):
    everything = Asker.types.fget
    monkeypatch.setattr(
        Asker, "types", property(lambda self: [each for each in everything(self) if each.name in TYPES])
    )


def asked(company, *groups, users=3):
    """What was found as those users ask who see least."""
    tally, oracle = Tally(), company.organisation.oracle
    least = sorted(company.organisation.logins, key=lambda user: (len(oracle.visible(user, "account")), user))
    for number, user in enumerate(least[:users]):
        with company.opened() as crm:
            for group in groups:
                group(Asker(company, crm, user, bool(number % 2), tally, random.Random(user)))
    return tally


def plant(monkeypatch, record, condition):
    """Another condition for rows of one type."""
    plain = Visibility.criterion

    def criterion(self, record_type, rows, verb="read", *, permission=None):
        found = plain(self, record_type, rows, verb, permission=permission)
        return condition if record_type.name == record and verb == "read" and not self.actor.system else found

    monkeypatch.setattr(Visibility, "criterion", criterion)


def test_nothing_is_found_where_nothing_is(company):
    found = asked(company, statements, questions, verbs, refusals, users=2)
    assert not found.wrong, [str(each) for each in found.wrong.values()]
    assert {"statement forms", "search", "verbs", "pools", "refusals and previews"} <= found.probes.keys()
    assert found.total > 1000


def test_nothing_is_found_on_either_database(database_url, tmp_path):
    server = database_url if database_url.startswith("postgresql") else None
    with closing(Databases(server, tmp_path)) as databases, closing(companies(databases, 6, TINY)) as made:
        found = asked(next(made), verbs, questions, users=2)
    assert not found.wrong, [str(each) for each in found.wrong.values()]


def test_a_record_type_that_everybody_sees_is_found(company, monkeypatch):
    plant(monkeypatch, "account_address", None)
    found = asked(company, statements, verbs)
    assert found.of("leak") > 0 and found.of("hidden") == 0
    assert {wrong.record.partition(".")[0] for wrong in found.wrong.values()} == {"account_address"}
    assert {"get", "list", "alias", "count(*)", "history"} <= {wrong.way for wrong in found.wrong.values()}


def test_records_that_should_be_seen_and_are_not_are_found(company, monkeypatch):
    plant(monkeypatch, "activity", false())
    found = asked(company, verbs)
    assert found.of("hidden") > 0 and found.of("leak") == 0
    assert {wrong.record for wrong in found.wrong.values()} == {"activity"}


def test_a_gatherer_that_sees_more_than_its_reader_is_found(company, monkeypatch):
    from crm_industrial import plugin

    def planted(session, accounts):
        names = session.as_system("planted").execute(select(Account.id, Account.name).where(Account.id.in_(accounts)))
        return [Panel(account_id=id_, name="planted", title=name) for id_, name in names]

    monkeypatch.setattr(plugin.views, "panels", planted)
    found = asked(company, views, users=1)
    assert found.of("leak") > 0
    assert any(wrong.way.startswith("industrial crm_gather_overview") for wrong in found.wrong.values())


def test_a_refusal_that_names_nothing_is_let_pass_where_all_that_hinders_it_is_hidden(company, monkeypatch):
    rows = company.organisation.oracle.rows
    owner = next(iter(rows["ownership"].values()))["user_id"]

    def judged(hidden, record, id_):
        tally = Tally()
        monkeypatch.setattr(Oracle, "sees", lambda self, user, name, other: name not in hidden)
        with company.opened() as crm:
            asker = Asker(company, crm, min(rows["user"]), False, tally, random.Random(1))
            unnamed(asker, "views", "deletion", record, id_, 1)
        assert tally.total == 1 and tally.of("leak") == 0
        return [wrong.example.partition(" (")[0] for wrong in tally.wrong.values()]

    assert judged(("ownership", "handover", "handover_item"), "user", owner) == []
    assert "of ownership something is seen" in judged(("handover", "handover_item"), "user", owner)[0]
    activity = min(rows["activity"])
    assert judged((), "activity", activity) == [f"activity {activity}: nothing keeps it from being deleted"]


def test_a_view_that_counts_what_its_reader_does_not_see_is_found(company, monkeypatch):
    """No word of it is shown, but the number differs from that of a CRM with nothing else in it."""
    from crm_industrial import plugin

    def planted(session, accounts):
        count = session.as_system("planted").scalar(select(func.count()).select_from(Account))
        return [Panel(account_id=accounts[0], name="planted", title=str(count))]

    monkeypatch.setattr(plugin.views, "panels", planted)
    found = asked(company, views, users=1)
    ways = [wrong.way for wrong in found.wrong.values() if wrong.record == "as if alone"]
    assert any(way.startswith("industrial crm_gather_overview") for way in ways)


def test_the_program_tells_what_it_found_and_ends_with_one(company, tmp_path, monkeypatch):
    plant(monkeypatch, "account_address", None)
    monkeypatch.setattr(running, "companies", lambda *_: (each for each in [company]))
    arguments = [
        "--probes",
        "1500",
        "--seed",
        "5",
        "--only",
        "verbs",
        "--database",
        "sqlite",
        "--json",
        str(tmp_path / "found.json"),
    ]
    ended = CliRunner().invoke(command.command, arguments)
    assert ended.exit_code == 1, ended.output
    assert "FOUND: verbs" in ended.output and "organisation 5000" in ended.output
    (table,) = json.loads((tmp_path / "found.json").read_text(encoding="utf-8"))["tables"]
    assert table["rows"][-1]["asked by"] == "all" and table["rows"][-1]["leaks"] > 0


def test_ways_that_were_not_asked_are_named(company, monkeypatch):
    monkeypatch.setattr(running, "companies", lambda *_: (each for each in [company]))
    monkeypatch.setattr(command, "GROUPS", {"verbs": verbs, "questions": questions, "refusals": refusals})
    options = ["--seed", "5", "--database", "sqlite", "--probes", "1"]
    ended = CliRunner().invoke(command.command, options)
    said = " ".join(ended.output.split())
    assert "SQLite: not asked in this run were questions, refusals: --probes was reached before." in said
    ended = CliRunner().invoke(command.command, [*options, "--only", "verbs"])
    assert ended.exit_code == 0 and "not asked" not in ended.output, ended.output


def test_whoever_interrupts_it_is_told_what_was_compared_until_then(company, monkeypatch):
    plant(monkeypatch, "account_address", None)

    def interrupted(*_):
        yield company
        raise KeyboardInterrupt

    monkeypatch.setattr(running, "companies", interrupted)
    ended = CliRunner().invoke(command.command, ["--seed", "5", "--only", "verbs", "--database", "sqlite"])
    assert ended.exit_code == 130, ended.output
    said = " ".join(ended.output.split())
    assert "FOUND: verbs" in said and "1 organisations with" in said
    again = "python -m torture leaks --probes 1000000 --database sqlite --only verbs --seed 5"
    assert f"It begins again by `{again}`." in said
