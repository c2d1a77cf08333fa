"""What a build may set under ``[plugins.key_accounts]``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import attrs

from crm_core import CrmSession

__all__ = ["Settings", "settings_of"]

_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")


def _default_weights() -> dict[str, Decimal]:
    points = {"revenue": 30, "growth": 20, "margin": 20, "strategic_fit": 15, "share_of_wallet": 15}
    return {name: Decimal(weight) for name, weight in points.items()}


def _weights(_: Any, __: attrs.Attribute[Mapping[str, Decimal]], value: Mapping[str, Decimal]) -> None:
    for name, weight in value.items():
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} is no dimension; write it in snake_case, such as share_of_wallet.")
        if not 0 <= weight <= 1000:
            raise ValueError(f"The weight of {name} is {weight}; give 0 to 1000.")
    if not any(value.values()):
        raise ValueError("No dimension has a weight; give at least one a weight above 0.")


def _threshold(_: Any, __: attrs.Attribute[Decimal], value: Decimal) -> None:
    if not 0 < value <= 100:
        raise ValueError(f"The threshold is {value}; give points above 0, at most 100.")


@attrs.frozen(kw_only=True)
class Settings:
    """The settings of the plugin.

    ``weights`` name the dimensions of the value score; only their proportions count. An alert is made when the score
    moves by ``alert_threshold`` points or more.
    """

    weights: Mapping[str, Decimal] = attrs.field(factory=_default_weights, validator=_weights)
    alert_threshold: Decimal = attrs.field(default=Decimal(10), validator=_threshold)


def settings_of(session: CrmSession) -> Settings:
    """The settings of the session's build."""
    found: Settings = session.policy.settings["key_accounts"]
    return found
