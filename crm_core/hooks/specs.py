"""Every hook of the contract, by name."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from types import MappingProxyType, ModuleType

import attrs
import pluggy

from crm_core.hooks import checks, events, gathering, registration
from crm_core.hooks.markers import PROJECT

__all__ = ["FAMILIES", "SPECS", "HookSpec", "nearest", "new_manager"]

FAMILIES: tuple[ModuleType, ...] = (registration, checks, gathering, events)
"""The modules that declare the hooks, one per purpose."""


@attrs.frozen
class HookSpec:
    """A hook.

    Its name, its family (``registration``, ``checks`` ...), its parameters in order, and what it is for.
    """

    name: str
    family: str
    parameters: tuple[str, ...]
    doc: str

    @property
    def signature(self) -> str:
        """As people write it: ``crm_on_changes(session, batch)``."""
        return f"{self.name}({', '.join(self.parameters)})"


def _read(module: ModuleType) -> Iterable[HookSpec]:
    family = module.__name__.rpartition(".")[2]
    for name in module.__all__:
        function = getattr(module, name)
        yield HookSpec(name, family, tuple(inspect.signature(function).parameters), inspect.getdoc(function) or "")


SPECS: Mapping[str, HookSpec] = MappingProxyType({spec.name: spec for module in FAMILIES for spec in _read(module)})


def new_manager() -> pluggy.PluginManager:
    """A plugin manager that knows the contract and no plugin."""
    manager = pluggy.PluginManager(PROJECT)
    for module in FAMILIES:
        manager.add_hookspecs(module)
    return manager


def nearest(word: str, words: Iterable[str]) -> str:
    """The name that was probably meant, or all of them where none is near."""
    known = sorted(words)
    return ", ".join(get_close_matches(word, known, 1, 0.6) or known)
