"""Records and views as JSON takes them: what may be read, all of it, and nothing else."""

import datetime as dt
import json
from decimal import Decimal

from crm_core import Account, Change, HistoryEvent, Money
from crm_core.views import as_data, overview

from .test_overview import account


def test_a_record_has_its_fields_and_custom_fields(crm):
    with crm.system_session("test") as session:
        acme = account(session, "Acme", "li.wei")
        acme.revenue = Money(Decimal("10.50"), "CNY")
    with crm.session("li.wei", read_only=True) as session:
        told = as_data(session, session.require(Account, acme.id))
    assert json.loads(json.dumps(told)) == told
    assert (told["id"], told["name"], told["grade"]) == (acme.id, "Acme", None)
    assert told["revenue"] == {"amount": "10.5", "currency": "CNY"}
    assert told["created_at"].endswith("+00:00")


def test_an_overview_has_every_part_with_its_facts(crm):
    with crm.system_session("test") as session:
        acme = account(session, "Acme", "li.wei")
        acme.grade = "B"
    with crm.session("li.wei", read_only=True) as session:
        view = overview(session, session.require(Account, acme.id))
        told = as_data(session, view)
    assert json.loads(json.dumps(told)) == told
    assert set(told) == {each.name for each in type(view).__attrs_attrs__}
    assert {"name": "grade", "label": "Grade", "value": "B"} in told["facts"]
    assert [each["text"] for each in told["quality"]["ask"]] == [str(each) for each in view.quality.ask] != []
    assert told["names"] == {str(id_): name for id_, name in view.names.items()}


def test_a_history_is_told_by_its_change(crm):
    with crm.system_session("first", reason="fair") as session:
        acme = account(session, "Acme", "li.wei")
    with crm.system_session("second") as session:
        session.require(Account, acme.id).revenue = Money(Decimal(10), "CNY")
    with crm.session("li.wei", read_only=True) as session:
        first, second = as_data(session, session.history(acme))
    assert (first["principal"], first["reason"], first["operation"]) == ("first", "fair", "create")
    assert first["after"]["name"] == "Acme"
    assert second["before"] == {"revenue": None}
    assert second["after"] == {"revenue": {"amount": "10", "currency": "CNY"}}


def test_grounds_lists_and_plain_values(crm):
    with crm.system_session("test") as session:
        acme = account(session, "Acme", "li.wei")
    with crm.session("li.wei", read_only=True) as session:
        (ground,) = as_data(session, session.explain(session.require(Account, acme.id)))
        assert ground["kind"] == "own"
        assert "owner" in ground["text"]
        day = dt.date(2026, 1, 2)
        assert as_data(session, {1: (day, Decimal("1.50"), None)}) == {"1": ["2026-01-02", "1.5", None]}
        event = HistoryEvent(dt.datetime(2026, 1, 2, tzinfo=dt.UTC), "a", None, "session", 1, 1,
                             Change("gone.type", 1, "create", {}, {"size": Decimal(2)}), "gone")  # fmt: skip
        told = as_data(session, event)
    assert told["after"] == {"size": "2"}
    assert told["inactive"] == "gone"
