"""The targets by name, imported when they are tried."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module

from torture.fuzz.target import Target

__all__ = ["TARGETS", "target"]

TARGETS: Mapping[str, str] = {
    "expressions": "expressions.Expressions",
    "builds": "builds.Builds",
    "mappings": "mappings.Mappings",
    "csv": "tables.Tables",
    "vcards": "cards.Cards",
    "calendars": "calendars.Calendars",
    "spreadsheets": "sheets.Sheets",
    "xml": "xml.Xml",
}
"""Where each is, by the name that the command knows it by."""


def target(name: str) -> type[Target]:
    """The target of this name."""
    module, _, attribute = TARGETS[name].partition(".")
    found: type[Target] = getattr(import_module(f"torture.fuzz.targets.{module}"), attribute)
    return found
