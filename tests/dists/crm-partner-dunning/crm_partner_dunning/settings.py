"""What a build may set under ``[plugins.partner_dunning]``."""

from __future__ import annotations

from typing import Any

import attrs

from crm_core import CrmSession

__all__ = ["Settings", "settings_of"]


def _positive(_instance: Any, _attribute: Any, value: int) -> None:
    if value < 1:
        raise ValueError("Give one day or more.")


@attrs.frozen(kw_only=True)
class Settings:
    """``patience`` is the number of days after which the next reminder is due."""

    patience: int = attrs.field(default=14, validator=_positive)


def settings_of(session: CrmSession) -> Settings:
    """The settings of the build that a session belongs to."""
    settings = session.policy.settings.get("partner_dunning")
    return settings if isinstance(settings, Settings) else Settings()
