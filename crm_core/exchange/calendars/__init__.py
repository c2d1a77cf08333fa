"""Calendars: iCalendar (RFC 5545) in and out."""

from __future__ import annotations

from crm_core.exchange.calendars.importing import import_events
from crm_core.exchange.calendars.report import EventReport, TakenEvent
from crm_core.exchange.calendars.writing import export_calendar

__all__ = ["EventReport", "TakenEvent", "export_calendar", "import_events"]
