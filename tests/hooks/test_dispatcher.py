"""What a call does when an implementation fails, family by family."""

from __future__ import annotations

import datetime as dt
from types import SimpleNamespace

import attrs
import pytest
from structlog.testing import capture_logs

from crm_core import Account
from crm_core.errors import HookError, Objection, Problem
from crm_core.hooks import Failed, Finding, News, NextAction, OpenItem, Panel, Signal, TimelineEntry, Touch, only_for
from crm_core.store.changes import Change, ChangeBatch

NOON = dt.datetime(2026, 11, 23, 12, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)
BATCH = SimpleNamespace(type=SimpleNamespace(name="account"))
TOUCH = Touch(account_id=1, purpose="visit", at=NOON)


def entry(account_id: int = 1, hours: int = 0, record_id: int = 1) -> TimelineEntry:
    at = NOON + dt.timedelta(hours=hours)
    return TimelineEntry(
        at=at, account_id=account_id, kind="visit", title="Visit", record_type="activity", record_id=record_id
    )


def panel(account_id: int) -> Panel:
    return Panel(account_id=account_id, name="score", title="Score")


# Nobody there


def test_hooks_that_nobody_implements_are_not_called_and_answer_nothing(dispatcher) -> None:
    empty = dispatcher()

    assert not empty.hears_changes()
    empty.check_changes(None, BATCH)
    empty.on_changes(None, BATCH)
    assert empty.check_contact(None, TOUCH) == ()
    assert list(empty.gather_timeline(None, [1])) == []
    assert len(empty.gather_overview(None, [1])) == 0
    assert empty.hears_commits() == ()
    assert empty.committed("a", None, []) is None
    assert empty.collect("crm_register_records") == []


def test_the_order_of_calls_is_the_order_of_plugins(dispatcher, plugin, session) -> None:
    order: list[str] = []

    def telling(name: str):
        def crm_on_changes():
            order.append(name)

        return plugin(name, crm_on_changes)

    dispatcher(telling("b"), telling("c"), telling("a")).on_changes(session, BATCH)

    assert order == ["b", "c", "a"]


def test_an_implementation_receives_only_what_it_names(dispatcher, plugin, session) -> None:
    received = []

    def crm_on_changes(batch):
        received.append(batch)

    dispatcher(plugin("a", crm_on_changes)).on_changes(session, BATCH)

    assert received == [BATCH]


# Registration


def test_registrations_are_collected_with_their_plugin(dispatcher, plugin) -> None:
    def crm_register_permissions():
        return {"deal.close": "Close deals"}

    calls = dispatcher(plugin("a", crm_register_permissions), plugin("b", crm_register_permissions))

    assert [name for name, _ in calls.collect("crm_register_permissions")] == ["a", "b"]
    assert calls.collect("crm_register_permissions", plugin="b") == [("b", {"deal.close": "Close deals"})]


def test_a_failing_registration_names_plugin_and_hook_and_keeps_its_cause(dispatcher, plugin) -> None:
    def crm_register_transforms():
        raise LookupError("no table")

    with pytest.raises(HookError, match=r"a: crm_register_transforms failed: LookupError: no table") as raised:
        dispatcher(plugin("a", crm_register_transforms)).collect("crm_register_transforms")

    assert isinstance(raised.value.__cause__, LookupError)


# Checks


def test_all_objections_are_raised_together_and_name_their_plugins(dispatcher, plugin, session) -> None:
    def text(batch):
        return "One {text} alone."

    def texts(batch):
        yield "First."
        yield Problem("budget", "{n} over.", "Ask {n} people.", {"n": 2})

    def raising(batch):
        raise Objection("No {what}.", mend="Wait.", what="money", field="amount")

    def listing(batch):
        raise Objection("Several:", [Problem("a", "One."), Problem("", "Two.")])

    def silent(batch):
        return None

    def lone(batch):
        return Problem("x", "Alone.")

    plugins = []
    for function in (text, texts, silent, raising, listing, lone):
        name = function.__name__
        function.__name__ = "crm_check_changes"
        plugins.append(plugin(name, function))
    calls = dispatcher(*plugins)

    with pytest.raises(Objection) as raised:
        calls.check_changes(session, BATCH)

    assert raised.value.plugin == "text, texts, raising, listing, lone"
    assert str(raised.value).splitlines() == [
        "Objections to the change of account, by text, texts, raising, listing, lone:",
        "  - text: One {text} alone.",
        "  - texts: First.",
        "  - texts: budget: 2 over. Ask 2 people.",
        "  - raising: amount: No money. Wait.",
        "  - listing: a: One.",
        "  - listing: Two.",
        "  - lone: x: Alone.",
    ]


def test_a_failing_check_stops_the_change_and_the_others_are_still_asked(dispatcher, plugin, session) -> None:
    asked = []

    def failing():
        raise ZeroDivisionError("budget of nobody")

    def crm_check_changes():
        asked.append("b")
        return ["No."]

    failing.__name__ = "crm_check_changes"
    calls = dispatcher(plugin("a", failing), plugin("b", crm_check_changes))

    with pytest.raises(HookError, match="a: crm_check_changes failed: ZeroDivisionError") as raised:
        calls.check_changes(session, BATCH)

    assert isinstance(raised.value.__cause__, ZeroDivisionError)
    assert asked == ["b"]


def test_an_answer_that_is_no_objection_is_a_failure(dispatcher, plugin, session) -> None:
    def crm_check_changes():
        return [5]

    with pytest.raises(HookError, match="expected texts or Problem values, not 5"):
        dispatcher(plugin("a", crm_check_changes)).check_changes(session, BATCH)


def test_an_elevated_session_is_made_once_only_if_asked_for_and_closed(dispatcher, plugin, session) -> None:
    def crm_check_changes(session):
        assert session.calls == []

    dispatcher(plugin("a", crm_check_changes)).check_changes(session, BATCH)
    assert session.calls == []

    seen = []

    def asking(system):
        seen.append(system)

    asking.__name__ = "crm_check_changes"
    dispatcher(plugin("a", asking), plugin("b", asking)).check_changes(session, BATCH)

    assert session.calls == ["system for crm_check_changes", "closed"]
    assert seen[0] is seen[1]


def test_findings_say_who_warns_and_who_vetoes(dispatcher, plugin, session) -> None:
    def warning(touch):
        return [Finding("warning", "Two invoices are overdue.")]

    def raising(touch):
        raise Objection("Consent was withdrawn.")

    warning.__name__ = raising.__name__ = "crm_check_contact"
    found = dispatcher(plugin("debts", warning), plugin("consent", raising)).check_contact(session, TOUCH)

    assert found == (
        Finding("warning", "Two invoices are overdue.", "debts"),
        Finding("veto", "consent: Consent was withdrawn.", "consent"),
    )
    assert [finding.vetoes for finding in found] == [False, True]


def test_a_failing_contact_check_is_no_consent_and_the_others_are_asked(dispatcher, plugin, session) -> None:
    asked = []

    def failing(touch):
        return ["no finding"]

    def crm_check_contact(touch):
        asked.append(touch)

    failing.__name__ = "crm_check_contact"

    with pytest.raises(HookError, match="expected Finding values, not 'no finding'"):
        dispatcher(plugin("a", failing), plugin("b", crm_check_contact)).check_contact(session, TOUCH)

    assert asked == [TOUCH]


# Gathering


def test_a_timeline_is_the_latest_entries_of_all_plugins(dispatcher, plugin, session) -> None:
    def early(accounts, since, until, limit):
        assert (list(accounts), since, until, limit) == ([1, 2], None, NOON, 2)
        return [entry(1, 1), entry(2, 3)]

    def late(accounts):
        yield entry(1, 2)

    early.__name__ = late.__name__ = "crm_gather_timeline"
    found = dispatcher(plugin("a", early), plugin("b", late)).gather_timeline(session, [1, 2], until=NOON, limit=2)

    assert [part.at.hour for part in found] == [15, 14]
    assert found.failed == ()


def test_a_failing_gatherer_is_a_failed_part_and_the_rest_stands(dispatcher, plugin, session) -> None:
    def failing(accounts):
        yield entry()
        raise RuntimeError("no connection")

    def objecting(accounts):
        raise Objection("Not now.")

    def crm_gather_timeline(accounts):
        return [entry(record_id=7)]

    failing.__name__ = objecting.__name__ = "crm_gather_timeline"
    calls = dispatcher(plugin("a", failing), plugin("b", objecting), plugin("c", crm_gather_timeline))

    with capture_logs() as logs:
        found = calls.gather_timeline(session, [1])

    assert [part.record_id for part in found] == [7]
    assert [(each.plugin, each.hook) for each in found.failed] == [
        ("a", "crm_gather_timeline"),
        ("b", "crm_gather_timeline"),
    ]
    assert "RuntimeError: no connection" in found.failed[0].error
    assert [log["plugin"] for log in logs] == ["a", "b"]
    assert isinstance(logs[0]["exc_info"].__cause__, RuntimeError)


def test_an_entry_of_an_account_that_nobody_asked_about_is_a_failure(dispatcher, plugin, session) -> None:
    def crm_gather_timeline():
        return [entry(99)]

    found = dispatcher(plugin("a", crm_gather_timeline)).gather_timeline(session, [1])

    assert found.parts == ()
    assert "nobody asked about account 99" in found.failed[0].error


def test_panels_come_in_the_order_of_accounts_then_of_plugins(dispatcher, plugin, session) -> None:
    def crm_gather_overview(accounts):
        return [panel(account) for account in sorted(accounts)]

    calls = dispatcher(plugin("b", crm_gather_overview), plugin("a", crm_gather_overview))

    found = calls.gather_overview(session, [2, 1])

    assert [(part.account_id, part.plugin) for part in found] == [(2, "b"), (2, "a"), (1, "b"), (1, "a")]


def test_a_failing_panel_is_a_failed_part(dispatcher, plugin, session) -> None:
    def crm_gather_overview():
        return [entry()]

    found = dispatcher(plugin("a", crm_gather_overview)).gather_overview(session, [1])

    assert isinstance(found.failed[0], Failed)
    assert "expected Panel values" in found.failed[0].error


def test_nobody_is_asked_about_no_accounts(dispatcher, plugin, session) -> None:
    def crm_gather_overview():
        raise AssertionError

    assert dispatcher(plugin("a", crm_gather_overview)).gather_overview(session, []).failed == ()


# Events


def test_a_failing_listener_is_rolled_back_and_the_others_are_told(dispatcher, plugin, session) -> None:
    told = []

    def failing(session):
        raise KeyError("tier")

    def crm_on_changes(session):
        told.append("b")

    failing.__name__ = "crm_on_changes"

    with capture_logs() as logs:
        dispatcher(plugin("a", failing), plugin("b", crm_on_changes)).on_changes(session, BATCH)

    assert told == ["b"]
    assert session.calls == ["savepoint", "rolled back", "savepoint", "released"]
    (failure,) = session.info["failed_hooks"]
    assert isinstance(failure, HookError)
    assert str(failure).startswith("a: crm_on_changes failed: KeyError: 'tier'")
    # The whole list is legible where somebody prints it.
    assert repr(session.info["failed_hooks"]) == f"[HookError({str(failure)!r})]"
    assert [log["event"] for log in logs] == ["hook failed"]


def test_what_the_database_refuses_is_the_failure_of_whoever_wrote_it(dispatcher, plugin, session) -> None:
    def crm_on_changes(session):
        session.refuse_to_flush = True

    dispatcher(plugin("a", crm_on_changes)).on_changes(session, BATCH)

    assert "the database refuses" in str(session.info["failed_hooks"][0])


def test_an_objection_comes_too_late_in_a_listener(dispatcher, plugin, session) -> None:
    def crm_on_changes():
        raise Objection("No.")

    dispatcher(plugin("a", crm_on_changes)).on_changes(session, BATCH)

    assert "Objection: No." in str(session.info["failed_hooks"][0])


def test_changes_are_heard_by_checks_and_by_listeners(dispatcher, plugin) -> None:
    def crm_on_changes(): ...

    def crm_check_changes(): ...

    assert dispatcher(plugin("a", crm_on_changes)).hears_changes()
    assert dispatcher(plugin("a", crm_check_changes)).hears_changes()


def batch_of(name: str, *operations: str) -> ChangeBatch:
    record = SimpleNamespace(name=name)
    return ChangeBatch(record, [Change(name, number, each, {}, {}) for number, each in enumerate(operations)])


def test_a_listener_that_is_for_another_record_is_not_called_and_costs_no_savepoint(
    dispatcher, plugin, session
) -> None:
    told = []

    @only_for("contact", Account)
    def crm_on_changes(batch):
        told.append(batch.type.name)

    calls = dispatcher(plugin("a", crm_on_changes))
    for name in ("account", "activity", "contact", "ownership"):
        calls.on_changes(session, batch_of(name, "create"))

    assert told == ["account", "contact"]
    assert session.calls == ["savepoint", "released"] * 2
    assert [calls.hears_changes(name) for name in ("account", "activity")] == [True, False]


def test_a_listener_that_is_for_deletions_gets_the_whole_batch_where_there_is_one(dispatcher, plugin, session) -> None:
    told = []

    @only_for(operations=("delete",))
    def crm_on_changes(batch):
        told.append([change.operation for change in batch])

    calls = dispatcher(plugin("a", crm_on_changes))
    for operations in (("create", "update"), ("create", "delete")):
        calls.on_changes(session, batch_of("account", *operations))

    assert told == [["create", "delete"]]
    assert calls.hears_changes("whatever")


def test_both_the_record_and_the_operation_must_be_those(dispatcher, plugin, session) -> None:
    told = []

    @only_for("account", operations=("update",))
    def crm_check_changes(batch):
        told.append((batch.type.name, batch.changes[0].operation))

    calls = dispatcher(plugin("a", crm_check_changes))
    for name in ("account", "contact"):
        for operation in ("create", "update", "delete"):
            calls.check_changes(session, batch_of(name, operation))

    assert told == [("account", "update")]


def test_the_systems_session_is_opened_only_for_whoever_is_called(dispatcher, plugin, session) -> None:
    @only_for("account")
    def crm_check_changes(system): ...

    calls = dispatcher(plugin("a", crm_check_changes))
    calls.check_changes(session, batch_of("contact", "create"))
    assert session.calls == []

    calls.check_changes(session, batch_of("account", "create"))
    assert session.calls == ["system for crm_check_changes", "closed"]


def test_beside_whoever_is_only_for_some_records_the_others_hear_all(dispatcher, plugin, session) -> None:
    told = []

    @only_for("account")
    def crm_check_changes(): ...

    def crm_on_changes(batch):
        told.append(batch.type.name)

    calls = dispatcher(plugin("a", crm_check_changes), plugin("b", crm_on_changes))
    calls.on_changes(session, batch_of("contact", "create"))

    assert told == ["contact"]
    assert calls.hears_changes("contact")


def test_commits_are_told_plugin_by_plugin_and_a_failure_is_returned(dispatcher, plugin) -> None:
    told = []

    def failing(crm, change_sets):
        raise OSError("mail server")

    def crm_on_committed(crm, change_sets):
        told.append((crm, change_sets))

    failing.__name__ = "crm_on_committed"
    calls = dispatcher(plugin("a", failing), plugin("b", crm_on_committed))

    assert calls.hears_commits() == ("a", "b")
    with capture_logs():
        failure = calls.committed("a", "crm", [1])
    assert isinstance(failure, HookError)
    assert told == []
    assert calls.committed("b", "crm", [1]) is None
    assert told == [("crm", [1])]


# Values


def test_values_refuse_words_that_nobody_could_draw() -> None:
    with pytest.raises(ValueError, match="level"):
        Finding("perhaps", "?")
    with pytest.raises(ValueError, match="severity"):
        attrs.evolve(panel(1), severity="pink")


# What is open, signs of life, news and next actions


def test_open_items_are_those_of_accounts_that_were_asked_about(dispatcher, plugin, session) -> None:
    item = OpenItem(account_id=1, kind="visit", title="Visit", record_type="activity", record_id=5)
    asked: list[object] = []

    def crm_gather_handover(accounts, user_id):
        asked.extend([list(accounts), user_id])
        return [item]

    calls = dispatcher(plugin("a", crm_gather_handover))

    assert calls.gather_handover(session, [1], 7).parts == (item,)
    assert asked == [[1], 7]
    assert [each.hook for each in calls.gather_handover(session, [2]).failed] == ["crm_gather_handover"]


def test_signals_of_other_kinds_and_times_are_left_out(dispatcher, plugin, session) -> None:
    inside, late, other = Signal(1, "order", NOON), Signal(1, "order", NOON + HOUR), Signal(1, "visit", NOON)

    def crm_gather_signals(kinds):
        return [late, other, inside, Signal(1, "order", NOON - HOUR)]

    found = dispatcher(plugin("a", crm_gather_signals)).gather_signals(session, [1], {"order"}, NOON, NOON + HOUR)

    assert found.parts == (inside,)


def test_the_latest_news_come_first_and_old_ones_not_at_all(dispatcher, plugin, session) -> None:
    def news(hours: int) -> News:
        at = NOON + hours * HOUR
        return News(account_id=1, at=at, kind="payment", text="Paid", record_type="a.bill", record_id=hours)

    def crm_gather_news(accounts):
        return [news(1), news(-1), news(2)]

    found = dispatcher(plugin("a", crm_gather_news)).gather_news(session, [1], NOON)

    assert [each.record_id for each in found] == [2, 1]


def test_a_user_without_accounts_has_next_actions_too(dispatcher, plugin, session) -> None:
    action = NextAction(kind="training", title="Learn", reason="It is Monday.", urgency=10)

    def crm_gather_actions(user_id):
        return [action]

    def broken(user_id):
        raise ValueError("no")

    broken.__name__ = "crm_gather_actions"
    found = dispatcher(plugin("a", crm_gather_actions), plugin("b", broken)).gather_actions(session, 7, [])

    assert found.parts == (action,)
    assert [each.plugin for each in found.failed] == ["b"]


def test_urgency_lies_between_0_and_100() -> None:
    with pytest.raises(ValueError):
        NextAction(kind="x", title="x", reason="x", urgency=101)
