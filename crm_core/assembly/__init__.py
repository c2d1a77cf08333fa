"""Assembly: which plugins make a CRM, whether they fit together, and the CRM they make.

Names are imported when they are first used, because the manifest of every plugin imports this package and
must stay cheap: ``crm --help`` reads all manifests.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from crm_core.assembly.build import Build, LoadedPlugin
    from crm_core.assembly.build_file import BuildFile, CrmSection, CustomField, RoleSection
    from crm_core.assembly.crm import Crm
    from crm_core.assembly.delivery import Delivery
    from crm_core.assembly.discovery import Discovery, Found, commands, given, installed
    from crm_core.assembly.drivers import load_driver
    from crm_core.assembly.load import assemble
    from crm_core.assembly.manifest import HOOK_API, Command, Manifest
    from crm_core.assembly.pools import read_pools
    from crm_core.assembly.report import AssemblyReport, PluginEntry, Section
    from crm_core.assembly.verdicts import LeftOut

__all__ = [
    "HOOK_API",
    "AssemblyReport",
    "Build",
    "BuildFile",
    "Command",
    "Crm",
    "CrmSection",
    "CustomField",
    "Delivery",
    "Discovery",
    "Found",
    "LeftOut",
    "LoadedPlugin",
    "Manifest",
    "PluginEntry",
    "RoleSection",
    "Section",
    "assemble",
    "commands",
    "given",
    "installed",
    "load_driver",
    "read_pools",
]

_HOMES = {
    "build": ("Build", "LoadedPlugin"),
    "build_file": ("BuildFile", "CrmSection", "CustomField", "RoleSection"),
    "crm": ("Crm",),
    "delivery": ("Delivery",),
    "discovery": ("Discovery", "Found", "commands", "given", "installed"),
    "drivers": ("load_driver",),
    "load": ("assemble",),
    "manifest": ("HOOK_API", "Command", "Manifest"),
    "pools": ("read_pools",),
    "report": ("AssemblyReport", "PluginEntry", "Section"),
    "verdicts": ("LeftOut",),
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
