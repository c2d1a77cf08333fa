"""What a build may set under ``[plugins.industrial]``."""

from __future__ import annotations

from typing import Any

import attrs

from crm_core import CrmSession

__all__ = ["Settings", "settings_of"]


def _days(_: Any, attribute: attrs.Attribute[int], value: int) -> None:
    if not 0 <= value <= 3650:
        raise ValueError(f"{attribute.name} is {value}; give 0 to 3650 days.")


@attrs.frozen(kw_only=True)
class Settings:
    """The settings of the plugin.

    Within ``second_department_days`` of an expense other departments are warned (0: never); ``tell_department`` lets
    the warning name who spent. An account without a touch for ``quiet_days`` is shown as forgotten.
    """

    second_department_days: int = attrs.field(default=90, validator=_days)
    tell_department: bool = False
    quiet_days: int = attrs.field(default=60, validator=_days)


def settings_of(session: CrmSession) -> Settings:
    """The settings of the session's build."""
    found: Settings = session.policy.settings["industrial"]
    return found
