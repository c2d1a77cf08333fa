"""What a build may set under ``[plugins.partner_credit]``."""

from __future__ import annotations

from typing import Any

import attrs

from crm_core import CrmSession

__all__ = ["Settings", "settings_of"]


def _percentage(_instance: Any, _attribute: Any, value: int) -> None:
    if not 0 < value <= 100:
        raise ValueError("Give a percentage from 1 to 100.")


@attrs.frozen(kw_only=True)
class Settings:
    """``warn_at`` is the percentage of the limit from which the overview warns."""

    warn_at: int = attrs.field(default=80, validator=_percentage)


def settings_of(session: CrmSession) -> Settings:
    """The settings of the build that a session belongs to."""
    settings = session.policy.settings.get("partner_credit")
    return settings if isinstance(settings, Settings) else Settings()
