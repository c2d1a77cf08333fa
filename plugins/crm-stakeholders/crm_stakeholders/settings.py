"""What a build may set under ``[plugins.stakeholders]``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from crm_core import CrmSession

__all__ = ["Settings", "settings_of"]


def _words(_instance: Any, _attribute: Any, words: tuple[str, ...]) -> None:
    if not words or len(set(words)) != len(words) or not all(words):
        raise ValueError("Name at least one decision scope, and each once.")


@attrs.frozen(kw_only=True)
class Settings:
    """``needed_scopes`` are the scopes of a decision in which somebody must be known: words of the vocabulary
    ``stakeholders.scope``.
    """

    needed_scopes: tuple[str, ...] = attrs.field(
        default=("commercial", "technical", "financial", "final"), validator=_words
    )


def settings_of(session: CrmSession) -> Settings:
    """The settings of the build that a session belongs to."""
    settings = session.policy.settings.get("stakeholders")
    return settings if isinstance(settings, Settings) else Settings()
