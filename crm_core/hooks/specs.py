"""Every hook of the contract, by name."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType, ModuleType
from typing import Any

import attrs
import pluggy

from crm_core.hooks import checks, events, gathering, registration
from crm_core.hooks.markers import PROJECT, Deprecation, deprecation_of

__all__ = ["FAMILIES", "SPECS", "HookSpec", "new_manager", "spec_of"]

FAMILIES: tuple[ModuleType, ...] = (registration, checks, gathering, events)
"""The modules that declare the hooks, one per purpose."""


@attrs.frozen
class HookSpec:
    """A hook.

    Its name, its family (``registration``, ``checks`` ...), its parameters in order, and what it is for. ``since`` is
    the contract that brought it, ``deprecated`` says that it goes, ``deprecated_parameters`` which parameters do.
    ``types`` are the types of the parameters as they are written.
    """

    name: str
    family: str
    parameters: tuple[str, ...]
    doc: str
    since: str = ""
    deprecated: Deprecation | None = None
    deprecated_parameters: Mapping[str, Deprecation] = attrs.field(factory=dict)
    types: Mapping[str, str] = attrs.field(factory=dict)

    @property
    def signature(self) -> str:
        """As people write it: ``crm_on_changes(session, batch)``."""
        return f"{self.name}({', '.join(self.parameters)})"


def _read(module: ModuleType) -> Iterable[HookSpec]:
    family = module.__name__.rpartition(".")[2]
    for name in module.__all__:
        yield spec_of(getattr(module, name), family)


def spec_of(function: Callable[..., Any], family: str) -> HookSpec:
    """A hook as its function declares it; its documentation says ``Since 0.1.`` in a sentence."""
    doc = inspect.getdoc(function) or ""
    since = re.search(r"\bSince (\d+\.\d+)", doc)
    gone, going = deprecation_of(function)
    parameters = inspect.signature(function).parameters
    types = {name: str(each.annotation) for name, each in parameters.items()}
    return HookSpec(
        function.__name__, family, tuple(parameters), doc, since[1] if since else "", gone, going, types
    )  # fmt: skip


SPECS: Mapping[str, HookSpec] = MappingProxyType({spec.name: spec for module in FAMILIES for spec in _read(module)})


def new_manager() -> pluggy.PluginManager:
    """A plugin manager that knows the contract and no plugin."""
    manager = pluggy.PluginManager(PROJECT)
    for module in FAMILIES:
        manager.add_hookspecs(module)
    return manager
