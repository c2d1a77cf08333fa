"""What a build may set under ``[plugins.consumer_goods]``."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import attrs

from crm_core import CrmSession

__all__ = ["Frequencies", "Settings", "settings_of"]

HIGHEST_FREQUENCY = 28
"""More than one visit a day is no frequency but a place of work."""


def _frequency(_: Any, attribute: attrs.Attribute[int], value: int) -> None:
    if not 0 <= value <= HIGHEST_FREQUENCY:
        raise ValueError(f"{attribute.name} is {value}; give 0 to {HIGHEST_FREQUENCY} visits per four weeks.")


def _weekdays(_: Any, __: attrs.Attribute[tuple[int, ...]], value: tuple[int, ...]) -> None:
    if not value or not set(value) <= set(range(1, 8)) or len(set(value)) != len(value):
        raise ValueError("Name each working day once, from 1 (Monday) to 7 (Sunday), and at least one.")


def _share(_: Any, attribute: attrs.Attribute[Decimal], value: Decimal) -> None:
    if not 0 <= value <= 1:
        raise ValueError(f"{attribute.name} is {value}; give a share from 0 to 1, such as 0.9.")


@attrs.frozen(kw_only=True)
class Frequencies:
    """Visits per four weeks of outlets that have no frequency of their own, by their class."""

    a: int = attrs.field(default=4, validator=_frequency)
    b: int = attrs.field(default=2, validator=_frequency)
    c: int = attrs.field(default=1, validator=_frequency)


@attrs.frozen(kw_only=True)
class Settings:
    """The settings of the plugin.

    ``working_days`` are the days of the week on which visits are planned (Monday is 1). From ``good_coverage`` on a
    coverage is shown as good, below ``poor_coverage`` as bad.
    """

    frequencies: Frequencies = Frequencies()
    working_days: tuple[int, ...] = attrs.field(default=(1, 2, 3, 4, 5), validator=_weekdays)
    good_coverage: Decimal = attrs.field(default=Decimal("0.9"), validator=_share)
    poor_coverage: Decimal = attrs.field(default=Decimal("0.6"), validator=_share)


def settings_of(session: CrmSession) -> Settings:
    """The settings of the session's build."""
    found: Settings = session.policy.settings["consumer_goods"]
    return found
