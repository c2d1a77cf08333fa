"""The modules of the kernel that a plugin may import from: those that the documentation speaks of.

What they export is what stands in their ``__all__``. Everything else may change in any version.
"""

from __future__ import annotations

from importlib import import_module

__all__ = ["PUBLIC_MODULES", "exports"]

PUBLIC_MODULES = (
    "crm_core",
    "crm_core.assembly",
    "crm_core.cli",
    "crm_core.errors",
    "crm_core.exchange",
    "crm_core.expressions",
    "crm_core.fields",
    "crm_core.fields.columns",
    "crm_core.hooks",
    "crm_core.inspection",
    "crm_core.jobs",
    "crm_core.leaving",
    "crm_core.records",
    "crm_core.store.engine",
    "crm_core.store.migrations",
    "crm_core.store.policy",
    "crm_core.testing",
    "crm_core.testing.company",
    "crm_core.testing.filling",
    "crm_core.testing.postgresql",
    "crm_core.testing.statements",
    "crm_core.testing.strategies",
    "crm_core.testing.two_teams",
    "crm_core.translation",
    "crm_core.views",
    "crm_core.views.briefing_text",
    "crm_core.views.html",
)
"""In order of the alphabet; the table in the documentation is tested against it."""


def exports(module: str) -> frozenset[str]:
    """The names that a public module exports, its public submodules included."""
    prefix = f"{module}."
    below = {name.removeprefix(prefix) for name in PUBLIC_MODULES if name.startswith(prefix)}
    return frozenset({*import_module(module).__all__, *below})
