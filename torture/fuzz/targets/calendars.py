"""Calendars: every event is taken or told, and what is taken comes back when it is exported and read again."""

from __future__ import annotations

import datetime as dt
import random
import re
from collections.abc import Callable
from pathlib import Path

from crm_core.exchange.calendars import EventReport, export_calendar, import_events
from torture.fuzz.scene import NOW, SceneTarget, sometimes
from torture.fuzz.target import Loss
from torture.fuzz.targets.entries import check_counts, one_line
from torture.fuzz.texts import encoded, text

__all__ = ["Calendars"]

_SINCE, _UNTIL = NOW - dt.timedelta(days=400), NOW + dt.timedelta(days=400)
_TIMES = (
    "20261201T090000", "20261201T090000Z", "20261201", "20260329T013000", "20261025T023000", "20240229",
    "00010101T000000", "99991231T235959Z", "20261201T240000", "20261301", "2026-12-01", "20261201T0900",
    "19000101T120000",
)  # fmt: skip
_ZONES = (
    "", "", "", ";TZID=Asia/Shanghai", ";TZID=Europe/Berlin", ";TZID=China Standard Time", ";TZID=Own",
    ";TZID=Nowhere/Land", ";TZID=\"/citadel/Own\"", ";VALUE=DATE", ";VALUE=DATE-TIME", ";TZID=", ";X=1",
)  # fmt: skip
_RULE = (
    ("FREQ", ("DAILY", "WEEKLY", "MONTHLY", "YEARLY", "HOURLY", "SECONDLY", "NEVER")),
    ("INTERVAL", ("1", "2", "0", "-1", "99999999", "7")), ("COUNT", ("1", "5", "0", "100000", "-3")), ("UNTIL", _TIMES),
    ("BYDAY", ("MO", "MO,TU", "-1FR", "2WE,-2SU", "53MO", "XX", "+1MO", "0MO")),
    ("BYMONTHDAY", ("31", "-1", "30", "1,15,-1", "32", "0")), ("BYMONTH", ("2", "1,12", "13", "0")),
    ("BYSETPOS", ("1", "-1", "366", "0")), ("BYYEARDAY", ("366", "-1", "400")), ("BYWEEKNO", ("53", "1", "-1")),
    ("BYHOUR", ("9", "24", "9,17")), ("BYEASTER", ("0", "1")), ("WKST", ("SU", "MO", "Q")),
    ("RSCALE", ("GREGORIAN", "CHINESE")),
)  # fmt: skip
_LENGTHS = ("PT1H", "P1D", "-PT1H", "P1W", "PT0S", "P99999999D", "PT", "P1Y", "1H")
_MAILS = (
    "mailto:min@acme.example", "MAILTO:li@crm.example", "mailto:nobody@x.cn", "min@acme.example", "mailto:", "CN=x",
)  # fmt: skip
_OWN = (
    "BEGIN:VTIMEZONE\nTZID:Own\nBEGIN:STANDARD\nDTSTART:19700101T000000\nTZOFFSETFROM:+0800\nTZOFFSETTO:+0800\nEND:STANDARD\n"
    "END:VTIMEZONE",
    "BEGIN:VTIMEZONE\nTZID:Own\nBEGIN:STANDARD\nDTSTART:16010101T030000\nTZOFFSETFROM:+0200\nTZOFFSETTO:+0100\n"
    "RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10\nEND:STANDARD\nBEGIN:DAYLIGHT\nDTSTART:16010101T020000\nTZOFFSETFROM:+0100\n"
    "TZOFFSETTO:+0200\nRRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=3\nEND:DAYLIGHT\nEND:VTIMEZONE",
    "BEGIN:VTIMEZONE\nTZID:Own\nEND:VTIMEZONE",
    "BEGIN:VTIMEZONE\nTZID:Own\nBEGIN:STANDARD\nDTSTART:20000101\nTZOFFSETFROM:+9900\nTZOFFSETTO:x\nEND:STANDARD\nEND:VTIMEZONE",
)
_PIECES = (
    "BEGIN:VEVENT\r\n", "END:VEVENT\r\n", "BEGIN:VCALENDAR\r\n", "END:VCALENDAR\r\n", "BEGIN:VALARM\r\n", "DTSTART",
    "DTEND", "DURATION:", "RRULE:", "RDATE", "EXDATE", "RECURRENCE-ID", "UID:", "STATUS:CANCELLED", "METHOD:CANCEL\r\n",
    "METHOD:REPLY\r\n", "X-WR-TIMEZONE:", "SUMMARY:", "ATTENDEE:", "X-CRM-UID:", ";RANGE=THISANDFUTURE",
    ";VALUE=PERIOD:20261201T090000Z/PT1H", "\r\n ", *_TIMES, *_ZONES[3:], *_LENGTHS,
    *(f"{name}={value};" for name, values in _RULE for value in values),
)  # fmt: skip


class Calendars(SceneTarget):
    """iCalendar."""

    name = "calendars"
    words = tuple(each.encode() for each in _PIECES)

    def seeds(self) -> list[bytes]:
        """Single events and those that come again."""
        return [
            b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:1\r\nDTSTAMP:20261101T000000Z\r\n"
            b"DTSTART;TZID=Asia/Shanghai:20261201T090000\r\nDTEND;TZID=Asia/Shanghai:20261201T100000\r\nSUMMARY:Visit\r\n"
            b"ATTENDEE;CN=Min:mailto:min@acme.example\r\nORGANIZER:mailto:li@crm.example\r\nLOCATION:Ulm\r\nEND:VEVENT\r\n"
            b"END:VCALENDAR\r\n",
            b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\n"
            + _OWN[1].encode().replace(b"\n", b"\r\n")
            + b"\r\nBEGIN:VEVENT\r\nUID:2\r\n"
            b"DTSTART;TZID=Own:20261001T090000\r\nDURATION:PT1H\r\nRRULE:FREQ=WEEKLY;BYDAY=MO,TH;COUNT=9\r\n"
            b"EXDATE;TZID=Own:20261008T090000\r\nSUMMARY:Weekly\r\nEND:VEVENT\r\nBEGIN:VEVENT\r\nUID:2\r\n"
            b"RECURRENCE-ID;TZID=Own:20261012T090000\r\nDTSTART;TZID=Own:20261013T100000\r\nSUMMARY:Moved\r\nEND:VEVENT\r\n"
            b"END:VCALENDAR\r\n",
            b"BEGIN:VCALENDAR\r\nMETHOD:PUBLISH\r\nX-WR-TIMEZONE:Europe/Berlin\r\nBEGIN:VEVENT\r\nDTSTART;VALUE=DATE:20261224\r\n"
            b"RDATE;VALUE=DATE:20261225,20270101\r\nSUMMARY:\xe5\x81\x87\r\n \xe6\x9c\x9f\r\nCATEGORIES:call,x\r\n"
            b"BEGIN:VALARM\r\nACTION:DISPLAY\r\nTRIGGER:-PT15M\r\nEND:VALARM\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n",
        ]

    def make(self, chance: random.Random) -> bytes:
        """Calendars with events of all kinds, and zones of their own."""
        lines = ["BEGIN:VCALENDAR", "VERSION:2.0"]
        if chance.random() < 0.15:
            lines.append(f"METHOD:{chance.choice(('CANCEL', 'PUBLISH', 'REPLY', 'request'))}")
        if chance.random() < 0.2:
            lines.append(f"X-WR-TIMEZONE:{chance.choice(('Asia/Shanghai', 'Own', '../x'))}")
        if chance.random() < 0.5:
            lines += chance.choice(_OWN[:2] if chance.random() < 0.7 else _OWN).split("\n")
        for number in range(chance.choice((1, 1, 1, 2, 4))):
            lines += self._event(chance, number)
        lines.append("END:VCALENDAR")
        return encoded(chance, "\n".join(lines) + chance.choice(("\n", "")))

    def _event(self, chance: random.Random, number: int) -> list[str]:
        def when(name: str) -> str:
            return f"{name}{chance.choice(_ZONES)}:{chance.choice(_TIMES[:3] if chance.random() < 0.7 else _TIMES)}"

        lines = ["BEGIN:VEVENT", when("DTSTART")]
        possible: dict[str, Callable[[], str]] = {
            "uid": lambda: f"UID:{chance.choice((str(number), '1', 'activity-4-x@crm-core', text(chance, 2)))}",
            "end": lambda: when("DTEND"),
            "length": lambda: f"DURATION:{chance.choice(_LENGTHS)}",
            "rule": lambda: f"RRULE:{self._rule(chance)}",
            "more": lambda: f"{when('RDATE')},{chance.choice(_TIMES)}",
            "less": lambda: f"{when('EXDATE')},{chance.choice(_TIMES)}",
            "moved": lambda: when("RECURRENCE-ID"),
            "summary": lambda: f"SUMMARY:{one_line(text(chance))}",
            "place": lambda: f"LOCATION:{one_line(text(chance))}",
            "note": lambda: f"DESCRIPTION:{one_line(text(chance, 9))}",
            "status": lambda: f"STATUS:{chance.choice(('CANCELLED', 'CONFIRMED', 'TENTATIVE', 'x'))}",
            "who": lambda: f"ATTENDEE;PARTSTAT={chance.choice(('DECLINED', 'ACCEPTED'))}:{chance.choice(_MAILS)}",
            "whose": lambda: f"ORGANIZER;CN={one_line(text(chance, 1))}:{chance.choice(_MAILS)}",
            "kind": lambda: f"CATEGORIES:{chance.choice(('call', 'meeting,call', 'Meeting', one_line(text(chance))))}",
            "period": lambda: "RDATE;VALUE=PERIOD:20261203T090000Z/PT2H,20261204T090000Z/20261204T100000Z",
        }
        for name in chance.sample(sorted(possible), chance.randint(0, 8)):
            lines.append(possible[name]())
        if chance.random() < 0.97:
            lines.append("END:VEVENT")
        return lines

    def _rule(self, chance: random.Random) -> str:
        parts = [(name, values) for name, values in _RULE[1:] if chance.random() < 0.2]
        names = [(_RULE[0][0], _RULE[0][1][:4] if chance.random() < 0.9 else _RULE[0][1]), *parts]
        return ";".join(f"{name}={chance.choice(values)}" for name, values in names)

    def attempt(self, data: bytes) -> str:
        """Take it in; let it out; take that in again, here and elsewhere."""
        scene = self.scene
        path = scene.file("in.ics", data)
        scene.put_back()
        if sometimes(data, 40):
            scene.command("import", str(path), "--dry-run", "--rejects", str(scene.folder / "told.csv"))
        report = self._taken(path)
        check_counts(data, "VEVENT", "events", len(report.events), report)
        if report.created and sometimes(data, 2):
            self._go_round(report)
        told = {each.partition(":")[0] for event in report.events for each in event.untaken}
        why = {re.sub("[0-9'\"].*", "", each.reason)[:60] for each in report.first_rejects}
        return f"{report.created > 0} {report.created > 1} {sorted(told)[:3]} {sorted(why)[:2]}"

    def _taken(self, path: Path) -> EventReport:
        return import_events(
            self.scene.crm, path, rejects_path=self.scene.folder / "rejects.csv", since=_SINCE, until=_UNTIL
        )

    def _go_round(self, report: EventReport) -> None:
        path = self.scene.folder / "out.ics"
        self._written(path)
        first = path.read_bytes()
        back = self._taken(path)
        if back.rejected or back.change_set is not None:
            reasons = "; ".join(each.reason for each in back.first_rejects)
            raise Loss("an export is not what is here already", f"{reasons} {back.as_json()}")
        self.scene.put_back()
        elsewhere = self._taken(path)
        if elsewhere.rejected:
            raise Loss("an export cannot be read elsewhere", "; ".join(each.reason for each in elsewhere.first_rejects))
        self._written(path)
        before, after = _events(first), _events(path.read_bytes())
        if before != after:
            raise Loss("an event that is read again elsewhere is another one",
                       f"{sorted(before - after)[:2]} became {sorted(after - before)[:2]}")  # fmt: skip

    def _written(self, path: Path) -> None:
        with self.scene.crm.system_session("fuzz", read_only=True) as session:
            export_calendar(session, path)


def _events(data: bytes) -> set[str]:
    """Events without what is about the copy: our own key, and when it was changed."""
    unfolded = data.decode().replace("\r\n ", "")
    events = re.findall("BEGIN:VEVENT\r\n(.*?)END:VEVENT\r\n", unfolded, re.DOTALL)
    about = r"(?m)^(DTSTAMP|LAST-MODIFIED|SEQUENCE|X-CRM-UID|UID:activity)[:;-].*\r\n"
    return {re.sub(about, "", each) for each in events}
