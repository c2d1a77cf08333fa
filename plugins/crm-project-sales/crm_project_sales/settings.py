"""What a build may set under ``[plugins.project_sales]``."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from crm_core import CrmSession

__all__ = ["BEST", "Criterion", "Settings", "settings_of"]

BEST = 5
"""The best score of a criterion; the worst is 0."""


def _positive(_instance: Any, _attribute: Any, weight: Decimal) -> None:
    if weight <= 0:
        raise ValueError("A weight is greater than 0; leave the criterion out instead.")


def _score(_instance: Any, _attribute: Any, value: int) -> None:
    if not 0 <= value <= BEST:
        raise ValueError("Scores go from 0 to 5.")


@attrs.frozen(kw_only=True)
class Criterion:
    """One line of the scorecard.

    ``weight`` counts relative to the others. A score below ``knock_out_below`` decides alone: no-go; 0 never does.
    """

    label: str
    weight: Decimal = attrs.field(default=Decimal(1), validator=_positive)
    knock_out_below: int = attrs.field(default=0, validator=_score)


def _usual() -> Mapping[str, Criterion]:
    return {
        "fit": Criterion(label="Fits our range and strategy", weight=Decimal(2)),
        "funding": Criterion(label="Funding is secured", weight=Decimal(2), knock_out_below=1),
        "access": Criterion(label="Access to those who decide", weight=Decimal(3)),
        "competition": Criterion(label="Position against competitors", weight=Decimal(2)),
        "delivery": Criterion(label="We can deliver in time", weight=Decimal(2), knock_out_below=1),
        "margin": Criterion(label="Expected margin", weight=Decimal(1)),
    }


def _some(_instance: Any, _attribute: Any, criteria: Mapping[str, Criterion]) -> None:
    if not criteria:
        raise ValueError("A scorecard needs at least one criterion.")


@attrs.frozen(kw_only=True)
class Settings:
    """How projects are judged.

    ``criteria`` by name. A complete score (0 to 100) of at least ``go_from`` recommends go, one below
    ``no_go_below`` no-go, between them a review. ``bid_needs_go`` refuses to bid without a decision to go.
    """

    criteria: Mapping[str, Criterion] = attrs.field(factory=_usual, validator=_some)
    go_from: Decimal = Decimal(70)
    no_go_below: Decimal = Decimal(40)
    bid_needs_go: bool = True

    def __attrs_post_init__(self) -> None:
        if not 0 <= self.no_go_below <= self.go_from <= 100:
            raise ValueError("Thresholds are ordered: 0 <= no_go_below <= go_from <= 100.")


def settings_of(session: CrmSession) -> Settings:
    """The settings of the build that a session belongs to."""
    settings = session.policy.settings.get("project_sales")
    return settings if isinstance(settings, Settings) else Settings()
