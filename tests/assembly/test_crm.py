"""The CRM as an application: sessions, hooks on a real database, delivery."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import select
from structlog.testing import capture_logs

from crm_core.assembly import Crm, given
from crm_core.domain.accounts import Account
from crm_core.domain.organisation import Membership, Unit, User
from crm_core.errors import HookError, MigrationError, NotFound, Objection
from crm_core.hooks import TimelineEntry, Touch

NOON = dt.datetime(2026, 11, 23, 12, tzinfo=dt.UTC)


@pytest.fixture
def open_crm(database_url: str) -> Iterator[Any]:
    opened: list[Crm] = []

    def make(*manifests: Any, **options: Any) -> Crm:
        config = {"crm": {"plugins": [each.name for each in manifests]}}
        crm = Crm.open(config, database=database_url, check=False, discovery=given(*manifests), **options)
        opened.append(crm)
        crm.store.create_all()
        return crm

    yield make
    for crm in opened:
        crm.close()


def names(crm: Crm) -> list[str]:
    with crm.system_session("test", read_only=True) as session:
        return list(session.scalars(select(Account.name).order_by(Account.name)))


def add(crm: Crm, name: str) -> Any:
    with crm.system_session("test") as session:
        session.add_one(Account(name=name))
    return session


def test_a_database_without_tables_is_refused_until_it_is_migrated(database_url) -> None:
    with pytest.raises(MigrationError, match="migrate"):
        Crm.open({}, database=database_url)

    with Crm.open({}, database=database_url, check=False) as crm:
        assert not crm.plan().empty
        seen = []
        done = crm.migrate(lambda plugin, revision: seen.append(plugin))
        assert [part.plugin for part in done.plugins] == ["crm"]
        assert set(seen) == {"crm"}
        assert crm.plan().empty
        crm.migrate()

    with Crm.open({}, database=database_url) as crm:
        assert names(crm) == []


def test_the_build_file_names_the_database(tmp_path) -> None:
    (tmp_path / "crm.toml").write_text('[crm]\ndatabase = "sqlite:///acme.db"', encoding="utf-8")

    with Crm.open(tmp_path / "crm.toml", check=False) as crm:
        crm.migrate()

    assert (tmp_path / "acme.db").exists()


def test_a_session_is_that_of_a_user_by_login_or_by_record(open_crm) -> None:
    crm = open_crm()
    with crm.system_session("test") as session:
        unit, user = Unit(name="East"), User(login="li.wei", name="Li Wei")
        session.add_all([unit, user])
        session.add(Membership(user_id=user.id, unit_id=unit.id, role="sales"))

    for who in ("li.wei", user):
        with crm.session(who, reason="trade fair", read_only=True) as session:
            assert session.actor.user_id == user.id
            assert session.reason == "trade fair"
            assert session.can("account.create")
    with pytest.raises(NotFound), crm.session("nobody"):
        pass
    assert crm.types is crm.build.types
    assert crm.report is crm.build.report


def test_a_check_is_asked_before_anything_is_committed(open_crm, write_plugin) -> None:
    source = """
        from sqlalchemy import func, select
        from crm_core.domain.accounts import Account

        @hookimpl
        def crm_check_changes(system, batch):
            total = system.scalar(select(func.count()).select_from(Account))
            if batch.type.name == "account" and total > 1:
                yield f"{total} accounts are too many."
    """
    crm = open_crm(write_plugin("crm_checking", source))
    add(crm, "One")

    with pytest.raises(Objection, match=r"crm_checking: 2 accounts are too many\."):
        add(crm, "Two")

    assert names(crm) == ["One"]


def test_a_failing_check_stops_the_change_set(open_crm, write_plugin) -> None:
    source = """
        @hookimpl
        def crm_check_changes():
            raise LookupError("no budget")
    """
    crm = open_crm(write_plugin("crm_check_failing", source))

    with pytest.raises(HookError, match="crm_check_failing: crm_check_changes failed: LookupError"):
        add(crm, "One")

    assert names(crm) == []


LISTENING = """
    from crm_core.domain.accounts import Account

    @hookimpl
    def crm_on_changes(session, batch):
        for change in batch.of("create"):
            if batch.type.name == "account" and change.after["name"] == "One":
                session.add_one(Account(name="{name}"))
        {ending}
"""


def test_a_failing_listener_is_rolled_back_the_others_and_the_change_set_stand(open_crm, write_plugin) -> None:
    crm = open_crm(
        write_plugin("crm_alisten", LISTENING.format(name="Refused", ending='raise KeyError("tier")')),
        write_plugin("crm_blisten", LISTENING.format(name="Followed", ending="")),
    )

    with capture_logs():
        session = add(crm, "One")

    assert names(crm) == ["Followed", "One"]
    assert {str(error.plugin) for error in session.info["failed_hooks"]} == {"crm_alisten"}


def test_what_the_database_refuses_in_a_listener_harms_nobody_else(open_crm, write_plugin) -> None:
    source = """
        from crm_core.domain.organisation import Unit

        @hookimpl
        def crm_on_changes(session, batch):
            if batch.type.name == "account":
                session.execute(__import__("sqlalchemy").text("SELECT * FROM there_is_no_such_table"))
    """
    crm = open_crm(write_plugin("crm_refused", source))

    with capture_logs():
        session = add(crm, "One")

    assert names(crm) == ["One"]
    assert session.info["failed_hooks"]


def test_gatherers_and_contact_checks_are_asked_on_a_session(open_crm, write_plugin) -> None:
    source = """
        import datetime as dt
        from crm_core.domain.accounts import Account

        @hookimpl
        def crm_gather_timeline(session, accounts):
            for account in accounts:
                name = session.get(Account, account).name
                yield TimelineEntry(at=dt.datetime(2026, 1, 1, tzinfo=dt.UTC), account_id=account, kind="note",
                                    title=name, record_type="account", record_id=account)

        @hookimpl
        def crm_gather_overview(session, accounts):
            return [Panel(account_id=account, name="n", title="N") for account in accounts]

        @hookimpl
        def crm_check_contact(session, touch):
            return [Finding("veto", "Not on Mondays.")]
    """
    crm = open_crm(write_plugin("crm_gathering", source))
    add(crm, "One")
    calls = crm.build.dispatcher
    with crm.system_session("test", read_only=True) as session:
        account = session.scalar(select(Account.id))
        (entry,) = calls.gather_timeline(session, [account])
        (panel,) = calls.gather_overview(session, [account])
        (finding,) = calls.check_contact(session, Touch(account_id=account, purpose="visit", at=NOON))

    assert isinstance(entry, TimelineEntry)
    assert entry.title == "One"
    assert panel.plugin == "crm_gathering"
    assert finding.vetoes


DELIVERED = """
    from crm_core.domain.accounts import Account

    told = []
    broken = []

    @hookimpl
    def crm_on_committed(crm, change_sets):
        if broken:
            raise OSError("mail server")
        told.extend(change.after["name"] for each in change_sets for change in each.changes)
        {ending}
"""


def test_committed_changes_are_told_to_each_plugin_from_where_it_stands(open_crm, write_plugin) -> None:
    crm = open_crm(
        write_plugin("crm_told", DELIVERED.format(ending="")),
        write_plugin("crm_told_too", DELIVERED.format(ending="")),
    )
    one, two = (crm.build.plugin(name).namespace for name in ("crm_told", "crm_told_too"))
    for name in ("A", "B", "C"):
        add(crm, name)

    two.broken.append(True)
    with capture_logs():
        first, second = crm.deliver()

    assert (first.plugin, first.change_sets, first.failure) == ("crm_told", 3, None)
    assert one.told == ["A", "B", "C"]
    assert (second.change_sets, two.told) == (0, [])
    assert "OSError: mail server" in str(second.failure)

    two.broken.clear()
    add(crm, "D")
    assert [each.change_sets for each in crm.deliver()] == [1, 4]
    assert two.told == ["A", "B", "C", "D"]
    assert [each.change_sets for each in crm.deliver()] == [0, 0]


def test_a_run_can_be_limited(open_crm, write_plugin) -> None:
    crm = open_crm(write_plugin("crm_limited", DELIVERED.format(ending="")))
    for name in ("A", "B", "C"):
        add(crm, name)

    assert [each.change_sets for each in crm.deliver(limit=2)] == [2]
    assert [each.change_sets for each in crm.deliver(limit=2)] == [1]


def test_a_plugin_that_answers_changes_by_changes_does_not_keep_a_run_going(open_crm, write_plugin) -> None:
    ending = """with crm.system_session("echo") as session:
            session.add_one(Account(name="Echo"))"""
    crm = open_crm(write_plugin("crm_echo", DELIVERED.format(ending=ending)))
    add(crm, "A")

    assert [each.change_sets for each in crm.deliver()] == [1]
    assert names(crm) == ["A", "Echo"]


def test_two_crms_in_one_process_are_strangers(tmp_path, write_plugin) -> None:
    manifest = write_plugin("crm_stranger", DELIVERED.format(ending=""))
    config = {"crm": {"plugins": ["crm_stranger"]}}
    with (
        Crm.open(config, database=f"sqlite:///{tmp_path}/one.db", check=False, discovery=given(manifest)) as one,
        Crm.open({}, database=f"sqlite:///{tmp_path}/two.db", check=False) as two,
    ):
        one.store.create_all()
        two.store.create_all()
        add(one, "A")

        assert (names(one), names(two)) == (["A"], [])
        assert (len(one.deliver()), two.deliver()) == (1, [])
