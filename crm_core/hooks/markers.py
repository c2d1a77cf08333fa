"""The two decorators of the contract.

``hookspec`` declares a hook, ``hookimpl`` marks a plugin's answer to it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import attrs
import pluggy

__all__ = ["PROJECT", "Deprecation", "deprecated", "deprecation_of", "hookimpl", "hookspec"]

F = TypeVar("F", bound=Callable[..., Any])

PROJECT = "crm_core"
"""The project name under which pluggy keeps our markers apart from those of other frameworks."""

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)
"""Marks a function of a plugin as its implementation of the hook of the same name."""


@attrs.frozen
class Deprecation:
    """A hook, or a parameter of one, that goes: since which contract, in which it is gone, and what to use instead."""

    since: str
    removed: str
    instead: str = ""


def deprecated(hook: Deprecation | None = None, /, **parameters: Deprecation) -> Callable[[F], F]:
    """Mark a hook as one that goes, or some of its parameters by name; stands above ``@hookspec``.

    Assembly warns each plugin that implements the hook, or asks for the parameter, with the contract that removes it.
    """

    def mark(function: F) -> F:
        function.__dict__["crm_deprecated"] = (hook, dict(parameters))
        return function

    return mark


def deprecation_of(function: Callable[..., Any]) -> tuple[Deprecation | None, Mapping[str, Deprecation]]:
    """What of a hook goes: itself, and its parameters by name."""
    found: tuple[Deprecation | None, Mapping[str, Deprecation]] = function.__dict__.get("crm_deprecated", (None, {}))
    return found
