"""Exports: tables as CSV, JSON lines and spreadsheets; people as cards; activities as a calendar."""

from __future__ import annotations

import csv
import io
import tempfile
from pathlib import Path

import msgspec

from crm_core import CrmSession, RecordType, Scope
from crm_core.exchange import run_export
from crm_core.exchange.calendars import export_calendar
from crm_core.exchange.cards import export_cards
from crm_core.testing.conformance.marks import marks_in
from torture.leaks.asker import Asker

__all__ = ["exports"]

GROUP = "exports"


def exports(asker: Asker) -> None:
    """Every type in every form."""
    keys = "erp" if asker.oracle.widest(asker.user, "external_ref.read") == Scope.ALL else None
    with tempfile.TemporaryDirectory(prefix="crm-leaks-") as folder, asker.session() as session:
        for record_type in asker.types:
            for suffix in ("csv", "jsonl", "xlsx"):
                path = Path(folder) / f"records.{suffix}"
                run_export(session, record_type.name, None, path, all_dates=True, with_keys=keys)
                _table(asker, record_type, suffix, path)
        _cards(asker, Path(folder), session)
        for login in (None, asker.login):
            _calendar(asker, Path(folder), session, login)


def _table(asker: Asker, record_type: RecordType, suffix: str, path: Path) -> None:
    name = record_type.name
    ids, text = _read(suffix, path)
    seen = asker.seen(name, ever=True)
    asker.tally.ids(GROUP, suffix, name, ids, seen, asker.ids(name))
    due = {word for id_ in seen for word in asker.words(record_type, id_)}
    shown = marks_in(text)
    asker.tally.said(GROUP, f"words of {suffix}", name, shown, asker.hidden(shown), due)


def _read(suffix: str, path: Path) -> tuple[list[int], str]:
    if suffix == "xlsx":
        from openpyxl import load_workbook

        book = load_workbook(path)
        rows = [list(row) for sheet in book for row in sheet.iter_rows(values_only=True)]
        book.close()
        return [int(str(row[0])) for row in rows[1:] if row[0] is not None], str(rows)
    text = path.read_text(encoding="utf-8-sig")
    if suffix == "csv":
        return [int(row["id"]) for row in csv.DictReader(io.StringIO(text, newline=""))], text
    return [msgspec.json.decode(line)["id"] for line in text.split("\n") if line], text


def _unfolded(path: Path) -> str:
    """Long lines are broken, by the rules of both forms, before a space."""
    return path.read_bytes().replace(b"\r\n ", b"").replace(b"\r\n\t", b"").decode()


def _cards(asker: Asker, folder: Path, session: CrmSession) -> None:
    contact = asker.crm.types["contact"]
    for version in ("3.0", "4.0"):
        path = folder / "people.vcf"
        written = export_cards(session, None, path, version=version)
        text = _unfolded(path)
        seen = asker.seen("contact")
        asker.tally.number(GROUP, f"cards {version}", "contact", written, len(seen))
        names = {word for id_ in seen for word in marks_in(str(asker.oracle.rows["contact"][id_]["name"]))}
        shown = marks_in(text)
        asker.tally.said(GROUP, f"words of cards {version}", contact.name, shown, asker.hidden(shown), names)


def _calendar(asker: Asker, folder: Path, session: CrmSession, login: str | None) -> None:
    path = folder / "activities.ics"
    export_calendar(session, path, user=login)
    shown = marks_in(_unfolded(path))
    rows = asker.oracle.rows["activity"]
    due = {
        word
        for id_ in asker.seen("activity")
        if rows[id_]["planned_start"] is not None and login is None
        for word in marks_in(str(rows[id_]["subject"]))
    }
    asker.tally.said(GROUP, "calendar", "activity", shown, asker.hidden(shown), due)
