"""The two decorators of the contract.

``hookspec`` declares a hook, ``hookimpl`` marks a plugin's answer to it.
"""

from __future__ import annotations

import pluggy

__all__ = ["PROJECT", "hookimpl", "hookspec"]

PROJECT = "crm_core"
"""The project name under which pluggy keeps our markers apart from those of other frameworks."""

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)
"""Marks a function of a plugin as its implementation of the hook of the same name."""
