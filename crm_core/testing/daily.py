"""The beginning of somebody's working day, as tests of plugins look at it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

from crm_core.views import looked, next_actions, whats_new

if TYPE_CHECKING:
    from crm_core.store.session import CrmSession

__all__ = ["OpenSession", "read_news", "to_do"]

OpenSession: TypeAlias = Callable[..., "CrmSession"]
"""Opens a session of a login, as :meth:`crm_core.Crm.session` does."""


def read_news(open_session: OpenSession, login: str) -> dict[tuple[str, str], tuple[int, str]]:
    """What is new for somebody, who has read it then: by account and kind how often, and the latest in words.

    Raises :class:`AssertionError` when a plugin could not tell its part.
    """
    with open_session(login) as session:
        found = whats_new(session)
        looked(session, found)
        assert found.failed == (), found.failed
        return {
            (account.name, each.kind): (each.count, _said(each.text, each.values))
            for account in found
            for each in account.learned
        }


def to_do(open_session: OpenSession, login: str, kind: str) -> list[tuple[str, str, str]]:
    """The next actions of one kind that somebody is told, the most urgent first: account, what to do, and why.

    Raises :class:`AssertionError` when a plugin could not tell its part.
    """
    with open_session(login, read_only=True) as session:
        found = next_actions(session)
    assert found.failed == (), found.failed
    return [
        (found.accounts.get(each.account_id or 0, ""), _said(each.title, each.values), _said(each.reason, each.values))
        for each in found
        if each.kind == kind
    ]


def _said(template: str, values: Any) -> str:
    """Without values it is no template, but a text."""
    return template.format(**values) if values else template
