"""Planned against actual, series by rule, what was felt."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select

from crm_core import (
    Account,
    Activity,
    Conflict,
    Contact,
    Crm,
    Feeling,
    Money,
    Participant,
    Status,
    ValidationError,
    activities,
    organisation,
)

NINE = dt.datetime(2026, 1, 5, 9, tzinfo=ZoneInfo("Asia/Shanghai"))


def test_a_held_visit_keeps_its_plan(crm: Crm) -> None:
    with crm.system_session("test") as session:
        acme, person = session.add_one(Account(name="Acme")), session.add_one(Contact(name="Ann"))
        colleague = organisation.find_user(session, "boss")
        (visit,) = activities.plan(
            session, "visit", "Line trial", start=NINE, end=NINE + dt.timedelta(hours=1), account=acme, user="li.wei",
            place="Plant 2", contacts=[person], colleagues=[colleague],
        )  # fmt: skip
        started = NINE + dt.timedelta(minutes=10)
        activities.hold(
            session, visit, started=started, ended=started + dt.timedelta(minutes=45), outcome="Trial ordered",
            feeling="delighted", next_step="Send offer", next_step_due=dt.date(2026, 1, 9), cost=Money("35.50", "CNY"),
        )  # fmt: skip
        session.flush()
        assert (visit.status, visit.minutes, visit.feeling) == (Status.HELD, 45, Feeling.DELIGHTED)
        assert (visit.planned_start, visit.planned_place) == (NINE, "Plant 2")
        assert visit.started_at == started
        rows = session.scalars(select(Participant).where(Participant.activity_id == visit.id)).all()
        assert {(row.contact_id, row.user_id) for row in rows} == {(person.id, None), (None, colleague.id)}
        with pytest.raises(Conflict, match="held"):
            activities.cancel(session, visit)


def test_a_series_keeps_its_hour_and_can_be_cancelled_from_one_on(crm: Crm) -> None:
    with crm.system_session("test") as session:
        series = activities.plan(
            session, "call", "Weekly call", start=NINE, user="li.wei", recurrence="FREQ=WEEKLY;COUNT=4"
        )
        assert [each.planned_start for each in series] == [NINE + dt.timedelta(weeks=week) for week in range(4)]
        assert [each.series_id for each in series] == [None, *[series[0].id] * 3]
        session.flush()
        assert activities.cancel(session, series[1], reason="trade fair", rest_of_series=True) == 3
        session.flush()
        statuses = session.scalars(select(Activity.status).order_by(Activity.planned_start)).all()
        assert statuses == [Status.PLANNED, Status.CANCELLED, Status.CANCELLED, Status.CANCELLED]
        with pytest.raises(Conflict, match="cancelled"):
            activities.hold(session, series[1])


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        ("FREQ=WEEKLY", "never ends"),
        ("FREQ=SOMETIMES;COUNT=2", "cannot be used"),
        ("FREQ=DAILY;COUNT=5000", "more than"),
        ("FREQ=DAILY;UNTIL=20200101T000000", "no occurrence"),
    ],
)
def test_bad_rules_say_what_is_wrong(crm: Crm, rule: str, says: str) -> None:
    with crm.system_session("test") as session, pytest.raises(ValidationError, match=says):
        activities.plan(session, "call", "Call", start=NINE, user="li.wei", recurrence=rule)


def test_a_series_until_a_day(crm: Crm) -> None:
    with crm.system_session("test") as session:
        series = activities.plan(
            session, "call", "Call", start=NINE, user="li.wei", recurrence="FREQ=DAILY", until=dt.date(2026, 1, 8)
        )
        assert len(series) == 3


def test_kinds_come_from_the_vocabulary(crm: Crm) -> None:
    with pytest.raises(ValidationError, match="vocabulary"), crm.system_session("test") as session:
        activities.plan(session, "seance", "Spirits", start=NINE, user="li.wei")
