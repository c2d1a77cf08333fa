"""Calendars: events as activities, activities as events, and nothing passed over."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

import icalendar
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event, select

from crm_core.assembly import Crm
from crm_core.domain import ownership
from crm_core.domain.accounts import Account
from crm_core.domain.activities import Activity, Participant, Status, hold, plan
from crm_core.domain.contacts import Affiliation, Contact, ContactPoint, PointKind
from crm_core.domain.organisation import Membership, Unit, User
from crm_core.errors import ExchangeError, PermissionDenied
from crm_core.exchange.calendars import EventReport, export_calendar, finding, import_events, importing
from crm_core.store import parts

Take = Callable[..., EventReport]
UTC = dt.UTC
START = "DTSTART;TZID=Asia/Shanghai:20260901T100000"
ALWAYS: Any = {"since": dt.datetime(1990, 1, 1, tzinfo=UTC), "until": dt.datetime(2030, 1, 1, tzinfo=UTC)}
LISTED = {count: ",".join(map(str, range(count))) for count in (24, 60)}
FILES = {  # taken, rejected, activities, between 1990 and 2030
    "event_with_escaped_character2.ics": (0, 1, 0), "event_with_escaped_character4.ics": (0, 1, 0),
    "event_with_recurrence.ics": (1, 0, 100), "event_with_rsvp.ics": (0, 1, 0),
    "event_with_unicode_organizer.ics": (0, 1, 0), "issue_104_mark_events_broken.ics": (1, 0, 1),
    "issue_156_RDATE_with_PERIOD_list.ics": (1, 0, 3), "issue_184_broken_representation_of_period.ics": (1, 0, 1),
    "issue_355_url_escaping_2.ics": (1, 0, 1), "issue_464_invalid_rdate.ics": (0, 1, 0),
    "issue_64_event_with_non_ascii_summary.ics": (0, 1, 0), "issue_82_expected_output.ics": (0, 1, 0),
    "rfc_7265_request_status.ics": (0, 1, 0), "rfc_9074_example_2.ics": (1, 0, 1), "rfc_9074_example_4.ics": (1, 0, 1),
}  # fmt: skip


def calendar(*events: tuple[str, ...] | list[str], before: str = "") -> str:
    body = "".join("BEGIN:VEVENT\r\n" + "\r\n".join(lines) + "\r\nEND:VEVENT\r\n" for lines in events)
    return f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//y\r\n{before}{body}END:VCALENDAR\r\n"


@pytest.fixture
def take(crm: Crm, tmp_path: Path) -> Take:
    def take_(text: str | bytes, **options: Any) -> EventReport:
        path = tmp_path / "calendar.ics"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return import_events(crm, path, **{**ALWAYS, **options})

    return take_


@pytest.fixture
def look(crm: Crm) -> Callable[[], list[Activity]]:
    def look_() -> list[Activity]:
        with crm.system_session("test", read_only=True) as session:
            return list(session.scalars(select(Activity).order_by(Activity.planned_start, Activity.id)))

    return look_


Look = Callable[[], list[Activity]]


class TestSharedFiles:
    @pytest.mark.parametrize("name", FILES)
    def test_whole_or_rejected(self, crm: Crm, shared_data: Path, tmp_path: Path, name: str) -> None:
        path = shared_data / "icalendar" / name
        report = import_events(crm, path, rejects_path=tmp_path / "r.jsonl", **ALWAYS)
        assert (len(report.events), report.rejected, report.created) == FILES[name]
        assert all(each.reason for each in report.first_rejects)
        kept = {"DTSTART", "DTEND", "RRULE", "RDATE", "EXDATE", "UID", "SUMMARY", "DESCRIPTION", "STATUS"}
        for event_ in report.events:
            told = {text.partition(":")[0] for text in event_.untaken}
            (found,) = icalendar.Calendar.from_ical(path.read_bytes(), multiple=True)
            assert {*found, *(each.name for each in found.subcomponents)} <= kept | told
        assert import_events(crm, path, **ALWAYS).change_set is None

    def test_a_line_that_is_none_is_told(self, crm: Crm, shared_data: Path) -> None:
        report = import_events(crm, shared_data / "icalendar" / "issue_104_mark_events_broken.ics")
        assert "Content line could not be parsed" in report.events[0].untaken[0]


class TestTimes:
    @pytest.mark.parametrize(
        ("lines", "start", "end"),
        [
            ((START, "DTEND;TZID=Asia/Shanghai:20260901T113000"), "2026-09-01T02:00", "2026-09-01T03:30"),
            (("DTSTART:20260901T100000Z", "DURATION:PT45M"), "2026-09-01T10:00", "2026-09-01T10:45"),
            (("DTSTART:20260901T100000",), "2026-09-01T02:00", None),
            (("DTSTART;VALUE=DATE:20260901",), "2026-08-31T16:00", "2026-09-01T16:00"),
            (("DTSTART;VALUE=DATE:20260901", "DTEND;VALUE=DATE:20260904"), "2026-08-31T16:00", "2026-09-03T16:00"),
            (("DTSTART;TZID=China Standard Time:20260901T100000",), "2026-09-01T02:00", None),
            (("DTSTART;TZID=Mine:20260901T100000",), "2026-09-01T04:30", None),
        ],
    )
    def test_beginnings_and_ends(self, take: Take, look: Look, lines: Any, start: str, end: str | None) -> None:
        zone = ("BEGIN:VTIMEZONE\r\nTZID:Mine\r\nBEGIN:STANDARD\r\nDTSTART:19700101T000000\r\nTZOFFSETFROM:+0530\r\n"
                "TZOFFSETTO:+0530\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\n")  # fmt: skip
        assert take(calendar(("UID:1", "SUMMARY:A", *lines), before=zone)).rejected == 0
        (activity,) = look()
        assert activity.planned_start == dt.datetime.fromisoformat(start).replace(tzinfo=UTC)
        assert activity.planned_end == (dt.datetime.fromisoformat(end).replace(tzinfo=UTC) if end else None)

    @pytest.mark.parametrize(
        ("lines", "days"),
        [
            (("RRULE:FREQ=WEEKLY;COUNT=3",), ["09-01 02", "09-08 02", "09-15 02"]),
            (("RRULE:FREQ=DAILY;UNTIL=20260903T020000Z", "EXDATE;TZID=Asia/Shanghai:20260902T100000"),
             ["09-01 02", "09-03 02"]),
            (("RDATE;TZID=Asia/Shanghai:20260905T120000",), ["09-01 02", "09-05 04"]),
            (("RRULE:FREQ=MONTHLY;BYDAY=1MO;COUNT=2",), ["09-01 02", "09-07 02", "10-05 02"]),
        ],
    )  # fmt: skip
    def test_what_comes_again(self, take: Take, look: Look, lines: Any, days: list[str]) -> None:
        report = take(calendar(("UID:1", "SUMMARY:A", START, *lines)))
        assert report.rejected == 0, report.first_rejects
        found = look()
        assert [f"{each.planned_start:%m-%d %H}" for each in found] == days
        assert [each.series_id for each in found] == [None, *[found[0].id] * (len(found) - 1)]

    def test_nine_o_clock_stays_nine_o_clock(self, take: Take, look: Look) -> None:
        take(
            calendar(("UID:1", "SUMMARY:A", "DTSTART;TZID=Europe/Berlin:20261020T090000", "RRULE:FREQ=WEEKLY;COUNT=2"))
        )
        assert [f"{each.planned_start:%d %H:%M}" for each in look()] == ["20 07:00", "27 08:00"]

    def test_the_window(self, take: Take, look: Look) -> None:
        text = calendar(("UID:1", "SUMMARY:A", START, "RRULE:FREQ=DAILY"))
        window = {"since": dt.datetime(2026, 9, 3, tzinfo=UTC), "until": dt.datetime(2026, 9, 6, tzinfo=UTC)}
        assert take(text, **window).created == 3
        assert [f"{each.planned_start:%d}" for each in look()] == ["03", "04", "05"]
        report = take(text)
        assert "at most 1000 are taken" in report.first_rejects[0].reason
        report = take(text, until=dt.datetime(2026, 8, 1, tzinfo=UTC))
        assert "takes place at no time between 1990-01-01 and 2026-08-01" in report.first_rejects[0].reason
        assert "--since and --until" in report.first_rejects[0].reason
        with pytest.raises(ExchangeError, match="ends before it begins"):
            take(text, until=dt.datetime(1980, 1, 1, tzinfo=UTC))

    @pytest.mark.parametrize(
        ("lines", "reason"),
        [
            (("DTSTART;TZID=Mars/Base:20260901T100000",), "There is no time zone 'Mars/Base'"),
            ((START, "DTEND:20260101T000000Z"), "It ends before it begins"),
            ((START, "RRULE:FREQ=HOURLY;COUNT=3"), "more often than daily"),
            ((START, "RRULE:FREQ=SOMETIMES"), "cannot be read"),
            ((START, "RRULE:FREQ=DAILY;INTERVAL=0"), "every 0 times. Its INTERVAL is 1 or more."),
            (
                (START, f"RRULE:FREQ=DAILY;BYHOUR={LISTED[24]};BYMINUTE={LISTED[60]};BYSECOND={LISTED[60]}"),
                "at most 1000 are taken",
            ),
            (
                (
                    START,
                    f"RRULE:FREQ=DAILY;COUNT=9000000;BYHOUR={LISTED[24]};BYMINUTE={LISTED[60]};BYSECOND={LISTED[60]}",
                ),
                "at most 1000 are taken",
            ),
            (("DTSTART:00010901T100000", "RRULE:FREQ=DAILY;COUNT=2;BYMONTH=2;BYMONTHDAY=30"), "the year 1 on"),
            ((START, "DTSTART:20260101T000000Z"), "several DTSTART"),
            ((START, "RECURRENCE-ID:20260901T020000Z", "RRULE:FREQ=DAILY;COUNT=2"), "rule of its own"),
            (("DTSTART:yesterday",), "cannot be read"),
        ],
    )
    def test_what_is_rejected(self, take: Take, lines: Any, reason: str) -> None:
        report = take(calendar(("UID:1", "SUMMARY:A", *lines), ("UID:2", "SUMMARY:B", START)))
        assert (report.rejected, report.created) == (1, 1)
        assert reason in report.first_rejects[0].reason

    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None)
    @given(st.text(max_size=60) | st.sampled_from(["RRULE:FREQ=DAILY;COUNT=x", "DTEND:", "DURATION:P", "EXDATE:x"]))
    def test_any_line_is_read_or_rejected(self, crm: Crm, tmp_path_factory: pytest.TempPathFactory, line: str) -> None:
        path = tmp_path_factory.mktemp("any") / "a.ics"
        path.write_bytes(calendar(("UID:1", START, line)).encode("utf-8", "replace"))
        report = import_events(crm, path, dry_run=True)
        assert len(report.events) + report.rejected == report.read

    def test_other_components_and_encodings(self, take: Take, look: Look) -> None:
        todo = "BEGIN:VTODO\r\nSUMMARY:x\r\nEND:VTODO\r\n"
        report = take(calendar(("SUMMARY:客户拜访", START), before=todo).encode("gb18030"))
        assert (report.read, report.rejected, report.created) == (2, 1, 1)
        assert "A VTODO is nothing that is imported here" in report.first_rejects[0].reason
        assert look()[0].subject == "客户拜访"
        assert take(calendar(("SUMMARY:客户拜访", START)).encode("gb18030")).change_set is None

    @pytest.mark.parametrize("encoding", ["utf-8", "gb18030"])
    def test_folded_inside_of_a_character(self, take: Take, look: Look, encoding: str) -> None:
        subject = "与客户讨论年度采购框架协议及明年价格调整方案并确认交货计划和付款条件"
        data = f"SUMMARY:{subject}".encode(encoding)
        folded = b"\r\n ".join(data[place : place + 20] for place in range(0, len(data), 20))
        text = calendar(("UID:1", START, "SUMMARY:x")).encode(encoding)
        assert take(text.replace(b"SUMMARY:x", folded)).rejected == 0
        assert look()[0].subject == subject

    def test_an_event_without_its_end_takes_no_other_with_it(self, take: Take, look: Look) -> None:
        text = calendar(("UID:1", START, "SUMMARY:A", "BEGIN:VALARM"), ("UID:2", START, "SUMMARY:B"))
        report = take(text.replace("END:VEVENT\r\n", "", 1))
        assert (report.read, report.rejected) == (2, 1)
        assert "END:VEVENT is missing" in report.first_rejects[0].reason
        assert [each.subject for each in look()] == ["B"]


class TestWhatCalendarsSay:
    """What is easily passed over: methods, zones of whole calendars, exceptions by day, those who declined."""

    DAILY = ("UID:1", "SUMMARY:A", START, "RRULE:FREQ=DAILY;COUNT=4")

    @pytest.mark.parametrize("own", [(), ("RECURRENCE-ID;TZID=Asia/Shanghai:20260902T100000",)])
    def test_taken_back(self, take: Take, look: Look, own: tuple[str, ...]) -> None:
        take(calendar(self.DAILY, ("UID:2", "SUMMARY:B", START)))
        # The method may stand behind the events, and an event that is taken back needs no beginning.
        text = calendar(("UID:1", *own), ("UID:3", START)).replace("END:VCALENDAR", "METHOD:CANCEL\r\nEND:VCALENDAR")
        report = take(text)
        assert (report.read, report.rejected, report.created, report.updated) == (2, 1, 0, 1 if own else 4)
        assert "nothing was made of it here" in report.first_rejects[0].reason
        assert {(each.subject, each.planned_start.day) for each in look() if each.status is Status.CANCELLED} == {
            ("A", day) for day in ((2,) if own else (1, 2, 3, 4))
        }  # fmt: skip
        assert take(text).change_set is None

    def test_what_was_held_is_not_taken_back(self, crm: Crm, take: Take, look: Look) -> None:
        take(calendar(("UID:1", "SUMMARY:A", START)))
        with crm.system_session("x") as session:
            (activity,) = session.scalars(select(Activity))
            hold(session, activity, started=activity.planned_start)
        report = take(calendar(("UID:1", START), before="METHOD:CANCEL\r\n"))
        assert (look()[0].status, report.updated) == (Status.HELD, 0)
        assert report.events[0].untaken == ("STATUS: It was held here.",)
        report = take(calendar((START,), before="METHOD:CANCEL\r\n"))
        assert "does not say which it is" in report.first_rejects[0].reason

    @pytest.mark.parametrize("method", ["REPLY", "COUNTER", "REFRESH", "ADD"])
    def test_messages_are_no_plan(self, take: Take, look: Look, method: str) -> None:
        text = calendar(("UID:1", START)) + calendar(("UID:1", START), before=f"METHOD:{method}\r\n")
        report = take(text)
        assert (report.created, report.rejected) == (1, 1)
        assert f"no plan but a message: {method}" in report.first_rejects[0].reason

    def test_zones_of_whole_calendars(self, take: Take, look: Look) -> None:
        floating = ("SUMMARY:A", "DTSTART:20260901T100000")
        text = calendar(("UID:1", *floating), before="X-WR-TIMEZONE:Europe/Berlin\r\nX-WR-CALNAME:Mine\r\n")
        text += calendar(("UID:2", *floating), ("UID:3", "SUMMARY:A", "DTSTART;VALUE=DATE:20260902"))
        text += calendar(("UID:4", "SUMMARY:B", "DTSTART:20260903T100000"), before="X-WR-TIMEZONE:Mars/Base\r\n")
        report = take(text)
        assert [f"{each.planned_start:%d %H:%M}" for each in look()] == ["01 02:00", "01 08:00", "01 16:00", "03 02:00"]
        assert report.about == (
            (2, ("X-WR-CALNAME: There is no field for it.",)),
            (27, ("X-WR-TIMEZONE: There is no time zone 'Mars/Base'.",)),
        )
        assert report.as_json()["calendars"][0]["line"] == 2

    @pytest.mark.parametrize("zone", ["x" * 300, "America", "../" * 90 + "etc/passwd", "\u4e0a" * 120])
    def test_a_zone_that_no_file_could_hold_is_none(self, take: Take, look: Look, zone: str) -> None:
        report = take(calendar(("UID:1", "SUMMARY:A", "DTSTART:20260903T100000"),
                               ("UID:2", "SUMMARY:B", f"DTSTART;TZID={zone}:20260903T100000"),
                               before=f"X-WR-TIMEZONE:{zone}\r\n"))  # fmt: skip
        assert [each.subject for each in look()] == ["A"]
        assert "There is no time zone" in report.about[0][1][0]
        assert "time zone" in report.first_rejects[0].reason or "cannot be read" in report.first_rejects[0].reason

    def test_a_mark_at_the_beginning_is_no_part_of_a_text(
        self, crm: Crm, take: Take, look: Look, tmp_path: Path
    ) -> None:
        take(calendar(("UID:1", "SUMMARY:\ufeffA", "LOCATION: \ufeff Ulm", "DESCRIPTION:\ufeff\ufeffx\ry",
                       "DTSTART:20260903T100000Z")))  # fmt: skip
        assert [(each.subject, each.planned_place, each.note) for each in look()] == [("A", "Ulm", "x\ny")]
        with crm.system_session("x", read_only=True) as session:
            export_calendar(session, tmp_path / "a.ics")
        assert import_events(crm, tmp_path / "a.ics").change_set is None

    @pytest.mark.timeout(60)
    def test_properties_without_end_take_as_long_as_they_are(self, take: Take) -> None:
        report = take(calendar(("UID:1", START, *(f"X-A{number}:1" for number in range(60_000)))))
        assert (report.created, len(report.events[0].untaken)) == (1, 60_000)

    def test_zones_that_stand_behind(self, take: Take, look: Look) -> None:
        zone = ("BEGIN:VTIMEZONE\r\nTZID:Mine\r\nBEGIN:STANDARD\r\nDTSTART:19700101T000000\r\n"
                "TZOFFSETFROM:+0530\r\nTZOFFSETTO:+0530\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\n")  # fmt: skip
        moved = ("UID:1", "SUMMARY:B", "RECURRENCE-ID;TZID=Mine:20260902T100000", "DTSTART;TZID=Mine:20260902T150000")
        text = calendar(("UID:1", "SUMMARY:A", "DTSTART;TZID=Mine:20260901T100000", "RRULE:FREQ=DAILY;COUNT=3"), moved)
        assert take(text.replace("END:VCALENDAR", zone + "END:VCALENDAR")).rejected == 0
        assert [f"{each.planned_start:%d %H:%M}" for each in look()] == ["01 04:30", "02 09:30", "03 04:30"]

    def test_a_day_is_taken_out_and_useless_ones_are_told(self, take: Take, look: Look) -> None:
        without = ("EXDATE;VALUE=DATE:20260902,20261003", "EXDATE:20260903T030000Z", "EXDATE:20500101T000000Z")
        report = take(calendar((*self.DAILY, *without), ("UID:2", "SUMMARY:B", START, without[1])))
        assert [each.planned_start.day for each in look() if each.subject == "A" and each.planned_start] == [1, 3, 4]
        assert report.events[0].untaken == (
            "EXDATE: The event does not take place at 2026-10-03 00:00, which it takes out.",
            "EXDATE: The event does not take place at 2026-09-03 11:00, which it takes out.",
        )
        assert report.events[1].untaken == ("EXDATE: The event does not come again.",)

    def test_all_later_times_are_rejected(self, take: Take, look: Look) -> None:
        later = ("UID:1", "SUMMARY:B", "RECURRENCE-ID;RANGE=THISANDFUTURE;TZID=Asia/Shanghai:20260903T100000", START)
        report = take(calendar(self.DAILY, later))
        assert "It changes all later times of the event, too" in report.first_rejects[0].reason
        assert [each.subject for each in look()] == ["A"] * 4

    def test_who_declined_takes_no_part(self, crm: Crm, take: Take, look: Look) -> None:
        with crm.system_session("init") as session:
            wei = session.add_one(Contact(name="Wei"))
            session.add(ContactPoint(contact_id=wei.id, kind=PointKind.EMAIL, value="wei@acme.cn"))
        report = take(calendar(("UID:1", "SUMMARY:A", START, "ATTENDEE;PARTSTAT=declined:mailto:wei@acme.cn")))
        assert look()[0].contact_id is None
        assert report.events[0].untaken == ("ATTENDEE: wei@acme.cn has declined.",)


class TestImport:
    @pytest.fixture
    def people(self, crm: Crm) -> dict[str, int]:
        with crm.system_session("init") as session:
            li = session.add_one(User(login="li", name="Li", email="li@us.cn"))
            wang = session.add_one(User(login="wang", name="Wang", email="wang@us.cn"))
            acme = session.add_one(Account(name="Acme"))
            wei, twin = session.add_one(Contact(name="Wei")), session.add_one(Contact(name="Twin"))
            session.add(Affiliation(account_id=acme.id, contact_id=wei.id))
            for contact, mail in ((wei, "wei@acme.cn"), (wei, "both@acme.cn"), (twin, "both@acme.cn")):
                session.add(ContactPoint(contact_id=contact.id, kind=PointKind.EMAIL, value=mail))
            return {"li": li.id, "wang": wang.id, "acme": acme.id, "wei": wei.id}

    def test_who_takes_part(self, crm: Crm, people: dict[str, int], take: Take, look: Look) -> None:
        report = take(calendar((
            "UID:1", "SUMMARY:Visit", START, "CATEGORIES:Visit,Fair", "LOCATION:Ulm", "DESCRIPTION:a\\nb",
            "STATUS:TENTATIVE",
            "ORGANIZER:MAILTO:LI@us.cn", "ATTENDEE:mailto:Wei@acme.cn", "ATTENDEE:mailto:wang@us.cn",
            "ATTENDEE:mailto:both@acme.cn", "ATTENDEE:mailto:nobody@x.cn", "ATTENDEE:urn:x", "X-A:1",
        )))  # fmt: skip
        (activity,) = look()
        assert (activity.kind, activity.planned_place, activity.note) == ("visit", "Ulm", "a\nb")
        assert (activity.user_id, activity.contact_id, activity.account_id) == (
            people["li"],
            people["wei"],
            people["acme"],
        )
        with crm.system_session("x", read_only=True) as session:
            pairs = {(each.contact_id, each.user_id) for each in session.scalars(select(Participant))}
        assert pairs == {(people["wei"], None), (None, people["wang"])}
        assert set(report.events[0].untaken) == {
            "ATTENDEE: It has no e-mail address: urn:x.", "ATTENDEE: Several people have the address both@acme.cn.",
            "ATTENDEE: Nobody has the address nobody@x.cn.", "X-A: There is no field for it.",
            "CATEGORIES: No kind of activity is called Fair.", "STATUS: It is planned here, not TENTATIVE.",
        }  # fmt: skip

    def test_whose_it_is(self, people: dict[str, int], take: Take, look: Look) -> None:
        take(
            calendar(("UID:1", "SUMMARY:A", START), ("UID:2", "SUMMARY:B", START, "ATTENDEE:mailto:wang@us.cn")),
            user="li",
        )
        assert [each.user_id for each in look()] == [people["li"], people["wang"]]

    def test_a_second_import_updates(self, crm: Crm, take: Take, look: Look) -> None:
        text = calendar(("UID:1", "SUMMARY:A", START, "RRULE:FREQ=WEEKLY;COUNT=4"))
        done = take(text, dry_run=True)
        assert done.change_set is None and look() == []
        take(text)
        assert take(text).as_json()["unchanged"] == 4
        first = look()[0]
        with crm.system_session("x") as session:
            activity = session.require(Activity, first.id)
            hold(session, activity, started=activity.planned_start)
        moved = ("UID:1", "SUMMARY:B", "RECURRENCE-ID;TZID=Asia/Shanghai:20260908T100000",
                 "DTSTART;TZID=Asia/Shanghai:20260909T140000", "SEQUENCE:2")  # fmt: skip
        text = calendar(moved, ("UID:1", "SUMMARY:A", START, "RRULE:FREQ=WEEKLY;COUNT=4",
                                "EXDATE;TZID=Asia/Shanghai:20260915T100000"))  # fmt: skip
        report = take(text)
        # The one that was cancelled is no time of the event any more.
        assert (report.created, report.updated, report.unchanged) == (0, 2, 1), report
        assert [(each.subject, f"{each.planned_start:%d %H}", each.status) for each in look()] == [
            ("A", "01 02", Status.HELD), ("B", "09 06", Status.PLANNED), ("A", "15 02", Status.CANCELLED),
            ("A", "22 02", Status.PLANNED),
        ]  # fmt: skip
        assert take(text).change_set is None
        with crm.system_session("x") as session:
            assert report.change_set is not None
            session.undo(report.change_set)
        assert [each.subject for each in look()] == ["A"] * 4

    def test_many_times_in_parts(self, crm: Crm, take: Take, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(importing, "AT_ONCE", 500)
        monkeypatch.setattr(finding, "in_parts", lambda ids, size=200: parts.in_parts(ids, size))
        text = calendar(*((f"UID:{each}", "SUMMARY:A", START, "RRULE:FREQ=DAILY;COUNT=300") for each in range(4)))
        assert take(text).created == 1200
        named: list[int] = []

        def note(*args: Any) -> None:
            if args[2].startswith("SELECT") and "activity" in args[2] and "external_ref" not in args[2]:
                named.append(len(args[3]))

        event.listen(crm.store.engine, "before_cursor_execute", note)
        logs = self.logs_of(monkeypatch)
        report = take(text)
        event.remove(crm.store.engine, "before_cursor_execute", note)
        assert (report.change_set, report.as_json()["unchanged"]) == (None, 1200)
        assert named and max(named) <= 210
        # Two events have the five hundred times that are looked up at once.
        assert len(logs) == 3

    def test_the_journal_goes_with_each_batch(self, take: Take, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(importing, "_BATCH", 2)
        logs = self.logs_of(monkeypatch)
        assert take(calendar(*((f"UID:{each}", "SUMMARY:A", START) for each in range(6)))).created == 6
        assert logs == [0, 0, 0]

    def logs_of(self, monkeypatch: pytest.MonkeyPatch) -> list[int]:
        """How much of the journal is in memory whenever a batch is looked up."""
        logs: list[int] = []
        looked_up = importing.Known.of

        def of(session: Any, events: Any, system: str) -> Any:
            logs.append(len(session.writer.log))
            return looked_up(session, events, system)

        monkeypatch.setattr(importing.Known, "of", of)
        return logs

    def test_cancelled_and_long(self, take: Take, look: Look) -> None:
        report = take(
            calendar(("UID:1", f"SUMMARY:{'x' * 250}", START, "STATUS:CANCELLED"), ("UID:1", "SUMMARY:twice", START))
        )
        assert (look()[0].status, len(look()[0].subject)) == (Status.CANCELLED, 200)
        assert "Its end was cut off" in report.events[0].untaken[0]
        assert "stands in line 4 already" in report.first_rejects[0].reason

    def test_who_may_not_import(self, crm: Crm, people: dict[str, int], take: Take) -> None:
        with pytest.raises(PermissionDenied, match="may not import data"):
            take(calendar(("UID:1", START)), login="li")


class TestExport:
    @pytest.fixture
    def crm(self, open_crm: Callable[..., Crm]) -> Crm:
        crm = open_crm({"crm": {"time_zone": "Europe/Berlin"}})
        with crm.system_session("init") as session:
            unit = session.add_one(Unit(name="East"))
            for login in ("li", "wang"):
                user = session.add_one(User(login=login, name=login, email=f"{login}@us.cn"))
                session.add(Membership(user_id=user.id, unit_id=unit.id, role="sales"))
            acme, other = session.add_one(Account(name="Acme")), session.add_one(Account(name="Other"))
            ownership.assign(session, acme, to="li")
            ownership.assign(session, other, to="wang")
            wei = session.add_one(Contact(name="Wei"))
            session.add(Affiliation(account_id=acme.id, contact_id=wei.id))
            session.add(ContactPoint(contact_id=wei.id, kind=PointKind.EMAIL, value="wei@acme.cn"))
            start = dt.datetime(2026, 7, 1, 8, 30, tzinfo=UTC)
            (first,) = plan(session, "visit", "Visit; A", start=start, end=start + dt.timedelta(hours=1), account=acme,
                            contact=wei, user="li", place="Ulm", contacts=[wei])  # fmt: skip
            first.note = "secret"
            last = dt.datetime(2026, 10, 26, 23, tzinfo=UTC)
            plan(session, "task", "Whole days", start=dt.date(2026, 10, 24), end=last, account=other, user="wang")
            session.flush()
            (held,) = plan(session, "call", "Held", start=start, account=acme, user="li")
            hold(session, held, started=start + dt.timedelta(days=1), ended=start + dt.timedelta(days=1, hours=2))
            session.add(Activity(kind="task", subject="Some time", account_id=acme.id))
        return crm

    def written(self, crm: Crm, path: Path, login: str | None = None, **options: Any) -> dict[str, Any]:
        session = crm.session(login, read_only=True) if login else crm.system_session("x", read_only=True)
        with session:
            count = export_calendar(session, path, **options)
        found = icalendar.Calendar.from_ical(path.read_bytes())
        events = {str(each["summary"]): each for each in found.walk("VEVENT")}
        assert len(events) == count
        return events

    def test_what_calendars_read(self, crm: Crm, tmp_path: Path) -> None:
        events = self.written(crm, tmp_path / "a.ics")
        assert set(events) == {"Visit; A", "Whole days", "Held"}
        visit = events["Visit; A"]
        assert (visit["dtstart"].dt.isoformat(), visit["dtend"].dt.isoformat()) == (
            "2026-07-01T10:30:00+02:00", "2026-07-01T11:30:00+02:00",
        )  # fmt: skip
        assert visit["dtstart"].params["TZID"] == "Europe/Berlin"
        assert (str(visit["location"]), str(visit["description"]), str(visit["status"])) == (
            "Ulm",
            "secret",
            "CONFIRMED",
        )
        assert (str(visit["organizer"]), str(visit["attendee"]), visit["attendee"].params["CN"]) == (
            "mailto:li@us.cn", "mailto:wei@acme.cn", "Wei",
        )  # fmt: skip
        assert events["Whole days"]["dtstart"].dt == dt.date(2026, 10, 24)
        assert events["Whole days"]["dtend"].dt == dt.date(2026, 10, 27)
        assert events["Held"]["dtstart"].dt.isoformat() == "2026-07-02T10:30:00+02:00"
        assert "BEGIN:VTIMEZONE" in (tmp_path / "a.ics").read_text()

    def test_one_s_own(self, crm: Crm, tmp_path: Path) -> None:
        assert set(self.written(crm, tmp_path / "a.ics", user="wang")) == {"Whole days"}
        with crm.system_session("x") as session:
            activity = session.scalars(select(Activity).where(Activity.subject == "Held")).one()
            wang = session.scalars(select(User).where(User.login == "wang")).one()
            session.add(Participant(activity_id=activity.id, user_id=wang.id))
        assert set(self.written(crm, tmp_path / "a.ics", user="wang")) == {"Whole days", "Held"}
        assert set(self.written(crm, tmp_path / "a.ics", where='kind == "visit"')) == {"Visit; A"}

    def test_only_what_the_session_sees(self, crm: Crm, tmp_path: Path) -> None:
        assert set(self.written(crm, tmp_path / "a.ics", "li")) == {"Visit; A", "Held"}
        assert set(self.written(crm, tmp_path / "a.ics", "wang", user="li")) == set()

    def test_it_comes_back_and_is_known(self, crm: Crm, tmp_path: Path) -> None:
        path = tmp_path / "a.ics"
        self.written(crm, path)
        report = import_events(crm, path, **ALWAYS)
        assert (report.rejected, report.created, report.change_set) == (0, 0, None), report
        path.write_text(path.read_text().replace("SUMMARY:Visit\\; A", "SUMMARY:New").replace("T103000", "T110000"))
        report = import_events(crm, path, **ALWAYS)
        assert report.updated == 1
        again = self.written(crm, path)
        assert again["New"]["dtstart"].dt.isoformat() == "2026-07-01T11:00:00+02:00"
        assert again["Held"]["dtstart"].dt.isoformat() == "2026-07-02T10:30:00+02:00"

    @pytest.mark.parametrize(
        ("start", "told"),
        [
            ("2026-10-25T00:30", "DTSTART;TZID=Europe/Berlin:20261025T023000"),
            ("2026-10-25T01:30", "DTSTART:20261025T013000Z"),  # half past two once more
            ("2037-07-01T08:00", "DTSTART;TZID=Europe/Berlin:20370701T100000"),
            ("2040-07-01T08:00", "DTSTART:20400701T080000Z"),  # what a VTIMEZONE says no more
            ("1893-03-01T12:00", "DTSTART:18930301T120000Z"),
        ],
    )
    def test_a_time_that_clocks_alone_do_not_tell_comes_back(
        self, crm: Crm, tmp_path: Path, start: str, told: str
    ) -> None:
        begins = dt.datetime.fromisoformat(start).replace(tzinfo=UTC)
        with crm.system_session("x") as session:
            plan(session, "call", "Odd", start=begins, end=begins + dt.timedelta(minutes=7), user="li")
        events = self.written(crm, tmp_path / "a.ics")
        assert events["Odd"]["dtstart"].dt.timestamp() == begins.timestamp()
        assert told in (tmp_path / "a.ics").read_text()
        report = import_events(crm, tmp_path / "a.ics")
        assert (report.rejected, report.change_set) == (0, None)

    def test_what_came_from_another_calendar_goes_back_under_its_own_key(self, crm: Crm, tmp_path: Path) -> None:
        path, back = tmp_path / "theirs.ics", tmp_path / "ours.ics"
        weekly = (
            "UID:w@them",
            "SUMMARY:Weekly",
            "DTSTART;TZID=Asia/Shanghai:20260901T100000",
            "RRULE:FREQ=WEEKLY;COUNT=2",
        )
        path.write_text(calendar(("UID:1@them", "SUMMARY:Theirs", START), weekly, ("SUMMARY:Nameless", START)))
        import_events(crm, path, user="li", **ALWAYS)

        with crm.session("li", read_only=True) as session:
            export_calendar(session, back)
        found = icalendar.Calendar.from_ical(back.read_bytes()).walk("VEVENT")
        keys = {
            (str(each["summary"]), str(each["uid"]),
             each["recurrence-id"].dt.isoformat() if "recurrence-id" in each else "")
            for each in found if not str(each["uid"]).endswith("@crm-core")
        }  # fmt: skip
        assert keys == {
            ("Theirs", "1@them", ""), ("Weekly", "w@them", "2026-09-01T02:00:00+00:00"),
            ("Weekly", "w@them", "2026-09-08T02:00:00+00:00"),
        }  # fmt: skip
        assert len(found) == 6, "their three, and those of ours that Li sees"
        report = import_events(crm, back, user="li", **ALWAYS)
        assert (report.rejected, report.created, report.change_set) == (0, 0, None), report

    def test_one_of_ours_that_somebody_lets_come_again_is_one_of_its_times(self, crm: Crm, tmp_path: Path) -> None:
        path = tmp_path / "ours.ics"
        self.written(crm, path, where='kind == "visit"')
        path.write_text(path.read_text().replace("END:VEVENT", "RRULE:FREQ=DAILY;COUNT=3\nEND:VEVENT"))
        report = import_events(crm, path, **ALWAYS)
        assert (report.rejected, report.created) == (0, 2), report
        with crm.system_session("x", read_only=True) as session:
            found = session.scalars(select(Activity).where(Activity.subject == "Visit; A").order_by(Activity.id)).all()
            assert [each.planned_start.day for each in found if each.planned_start] == [1, 2, 3]
            assert {each.series_id for each in found[1:]} == {found[0].id}
        assert import_events(crm, path, **ALWAYS).change_set is None

    def test_a_key_that_looks_like_a_time_of_another_event_is_written_as_it_is(self, crm: Crm, tmp_path: Path) -> None:
        path = tmp_path / "theirs.ics"
        path.write_text(calendar(("UID:x/20261399T000000Z", "SUMMARY:Theirs", START)))
        import_events(crm, path, user="li", **ALWAYS)
        assert str(self.written(crm, path)["Theirs"]["uid"]) == "x/20261399T000000Z"

    def test_one_that_was_held_meanwhile_keeps_its_plan_when_it_comes_back(self, crm: Crm, tmp_path: Path) -> None:
        path = tmp_path / "theirs.ics"
        path.write_text(calendar(("UID:1@them", "SUMMARY:Theirs", START)))
        import_events(crm, path, user="li", **ALWAYS)
        with crm.system_session("x") as session:
            theirs = session.scalars(select(Activity).where(Activity.subject == "Theirs")).one()
            hold(session, theirs, started=dt.datetime(2026, 9, 3, 8, tzinfo=UTC))
            planned = theirs.planned_start
        self.written(crm, path)
        assert import_events(crm, path, **ALWAYS).change_set is None
        with crm.system_session("x", read_only=True) as session:
            assert session.scalars(select(Activity).where(Activity.subject == "Theirs")).one().planned_start == planned

    def test_keys_of_a_system_that_is_named_are_for_those_who_may_read_them(self, crm: Crm, tmp_path: Path) -> None:
        path = tmp_path / "theirs.ics"
        path.write_text(calendar(("UID:1@them", "SUMMARY:Theirs", START)))
        import_events(crm, path, user="li", system="outlook", **ALWAYS)
        assert str(self.written(crm, path)["Theirs"]["uid"]).endswith("@crm-core")
        assert str(self.written(crm, path, system="outlook")["Theirs"]["uid"]) == "1@them"
        with pytest.raises(PermissionDenied, match="may not read the keys of other systems"):
            self.written(crm, path, "li", system="outlook")

    def test_no_event_lies_where_some_clocks_have_no_time(self, take: Take, crm: Crm, tmp_path: Path) -> None:
        """What was taken in must be shown by the clocks of any place."""
        ends = [
            f"DTSTART:{time}Z" for time in ("00010101T120000", "00010102T000000", "99991231T000000", "99991231T000001")
        ]
        report = take(calendar(*([f"UID:{number}", each] for number, each in enumerate(ends))))
        assert (report.created, report.rejected) == (2, 2)
        assert "some time zones lies outside" in report.first_rejects[0].reason
        with crm.system_session("x", read_only=True) as session:
            export_calendar(session, tmp_path / "a.ics")
        written = (tmp_path / "a.ics").read_text()
        assert "DTSTART:00010102T000000Z" in written
        assert "DTSTART:99991231T000000Z" in written

    def test_whom_it_is_about_comes_back_as_that(self, crm: Crm, tmp_path: Path) -> None:
        with crm.system_session("x") as session:
            wei = session.scalars(select(Contact).where(Contact.name == "Wei")).one()
            plan(session, "call", "Alone", start=dt.datetime(2026, 7, 5, 8, tzinfo=UTC), contact=wei, user="li")
        self.written(crm, tmp_path / "a.ics")
        report = import_events(crm, tmp_path / "a.ics", **ALWAYS)
        assert (report.change_set, report.rejected) == (None, 0)
        # What we write beside it is nothing that was not taken.
        assert {each.untaken for each in report.events} == {()}

    def test_a_constant_number_of_statements(self, crm: Crm, tmp_path: Path) -> None:
        counts = []
        for number in (1, 3, 200):
            with crm.system_session("x") as session:
                account = session.scalars(select(Account).where(Account.name == "Acme")).one()
                for each in range(number):
                    plan(session, "visit", f"{number} {each}", start=dt.date(2026, 1, 1), account=account, user="li")
            said: list[str] = []

            def note(*args: Any, said: list[str] = said) -> None:
                said.append(args[2])

            event.listen(crm.store.engine, "before_cursor_execute", note)
            with crm.session("li", read_only=True) as session:
                export_calendar(session, tmp_path / "a.ics", user="li")
            event.remove(crm.store.engine, "before_cursor_execute", note)
            counts.append(len(said))
        assert counts[1] == counts[2] > 0
