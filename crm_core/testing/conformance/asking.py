"""Asking a plugin's gathering hooks directly, and what they answered as texts that can be searched and compared."""

from __future__ import annotations

import datetime as dt
import inspect
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from crm_core.domain.pools import SIGNALS
from crm_core.hooks.values import Touch

if TYPE_CHECKING:
    from crm_core.assembly.crm import Crm
    from crm_core.hooks.implementations import Implementation
    from crm_core.store.session import CrmSession
    from crm_core.testing.conformance.subject import Subject

__all__ = ["ASKED", "Answer", "answers", "arguments", "implementations", "place_of"]

ASKED = (
    "crm_gather_overview", "crm_gather_timeline", "crm_gather_news", "crm_gather_actions", "crm_gather_handover",
    "crm_gather_signals",
)  # fmt: skip
"""The hooks that are asked while somebody looks."""

CONTACT = "crm_check_contact"
_YEAR = dt.timedelta(days=366)


@attrs.frozen
class Answer:
    """What one implementation answered: its parts as texts, in order, or the error that it ended with."""

    call: Implementation
    parts: tuple[str, ...] = ()
    error: Exception | None = None

    @property
    def text(self) -> str:
        """All of it."""
        return "\n".join(self.parts) if self.error is None else str(self.error)


def implementations(crm: Crm, plugin: str, hooks: Sequence[str]) -> Iterator[Implementation]:
    """The plugin's implementations of these hooks."""
    for hook in hooks:
        yield from (call for call in crm.build.dispatcher.implementations(hook) if call.plugin == plugin)


def place_of(subject: Subject, call: Implementation) -> str:
    """Where an implementation stands in the source, with the name of its hook."""
    code = getattr(inspect.unwrap(call.function), "__code__", None)
    if code is None:
        return call.hook
    path = Path(code.co_filename)
    shown = path.relative_to(subject.folder.parent) if path.is_relative_to(subject.folder.parent) else path.name
    return f"{shown}:{code.co_firstlineno} {call.hook}"


def arguments(crm: Crm, session: CrmSession, accounts: Sequence[int]) -> Mapping[str, Mapping[str, Any]]:
    """What each gathering hook is asked with: everything about these accounts."""
    kinds = frozenset(crm.build.policy.vocabularies.get(SIGNALS, {}))
    about: dict[str, Any] = {"session": session, "accounts": accounts}
    user = session.actor.user_id
    return {
        "crm_gather_overview": about,
        "crm_gather_timeline": {**about, "since": None, "until": None, "limit": 10_000},
        "crm_gather_news": {**about, "since": session.now - _YEAR},
        "crm_gather_actions": {**about, "user_id": user},
        "crm_gather_handover": {**about, "user_id": None},
        "crm_gather_signals": {**about, "kinds": kinds, "since": None, "until": session.now + _YEAR},
    }


def answers(crm: Crm, plugin: str, session: CrmSession, accounts: Sequence[int]) -> list[Answer]:
    """What the plugin answers about these accounts, and what it says against a touch of each."""
    asked = arguments(crm, session, accounts)
    found = [_answer(call, [asked[call.hook]]) for call in implementations(crm, plugin, ASKED)]
    touches: list[Mapping[str, Any]] = [
        {"session": session, "touch": Touch(account_id=account, purpose="visit", at=session.now)}
        for account in accounts
    ]
    found += [_answer(call, touches) for call in implementations(crm, plugin, (CONTACT,))]
    return found


def _answer(call: Implementation, asked: Sequence[Mapping[str, Any]]) -> Answer:
    parts: list[str] = []
    try:
        for each in asked:
            parts += [_text(part) for part in call(each) or ()]
    except Exception as error:  # what it is does not matter: whoever looked would have seen a part that failed
        return Answer(call, error=error)
    return Answer(call, tuple(sorted(parts)))


def _text(part: Any) -> str:
    values = attrs.asdict(part) if attrs.has(type(part)) else {"answer": part}
    return ", ".join(f"{name}={value!r}" for name, value in values.items() if value not in (None, "", ()))
