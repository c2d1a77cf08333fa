"""The checks, one module each, in the order in which they are run: what is cheap and explains most comes first.

A new check is a module with a ``CHECK``, listed here, and a plugin that it catches in ``tests/dists/twins``; without
that twin the tests of the kit fail.
"""

from __future__ import annotations

from crm_core.testing.conformance.checks import (
    cheap_import,
    constant_statements,
    documentation,
    drift,
    erasure,
    hooks_scale,
    leaks_commands,
    leaks_hooks,
    leaks_reads,
    leaving_disabled,
    leaving_removed,
    loads,
    merging,
    migrations,
    names,
    own_tables,
    public_names,
    pure_import,
    records,
    requirements,
    round_trip,
    together,
    translations,
)
from crm_core.testing.conformance.report import Check

__all__ = ["CHECKS"]

CHECKS: tuple[Check, ...] = (
    loads.CHECK,
    cheap_import.CHECK,
    pure_import.CHECK,
    names.CHECK,
    requirements.CHECK,
    public_names.CHECK,
    translations.CHECK,
    documentation.CHECK,
    drift.CHECK,
    migrations.CHECK,
    own_tables.CHECK,
    together.CHECK,
    leaks_reads.CHECK,
    leaks_hooks.CHECK,
    leaks_commands.CHECK,
    records.CHECK,
    round_trip.CHECK,
    erasure.CHECK,
    merging.CHECK,
    leaving_disabled.CHECK,
    leaving_removed.CHECK,
    constant_statements.CHECK,
    hooks_scale.CHECK,
)  # fmt: skip
"""Every check of the kit."""
