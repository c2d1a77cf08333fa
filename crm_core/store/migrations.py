"""Migrations: Alembic's operations, with one line of revisions and one version table per plugin.

The loader gives the order in which plugins are migrated; revisions of one plugin know nothing of another's, so
that a plugin may leave without breaking the rest. Alembic is imported only when a revision is run or made.
"""

from __future__ import annotations

from pathlib import Path

from crm_core.store.migrating.comparing import drift, unmigrated
from crm_core.store.migrating.planning import Plan, PluginPlan, plan
from crm_core.store.migrating.revisions import MigrationSource, Revision, read_revisions
from crm_core.store.migrating.running import Progress, downgrade, upgrade
from crm_core.store.migrating.versions import check_current, current, current_of
from crm_core.store.migrating.writing import draft_revision, make_revision

__all__ = [
    "MigrationSource",
    "Plan",
    "PluginPlan",
    "Progress",
    "Revision",
    "check_current",
    "current",
    "current_of",
    "downgrade",
    "draft_revision",
    "drift",
    "kernel_source",
    "make_revision",
    "plan",
    "read_revisions",
    "unmigrated",
    "upgrade",
]


def kernel_source(location: Path | None = None) -> MigrationSource:
    """The kernel's own migrations: its records and the store's technical tables."""
    import pkgutil
    from importlib import import_module

    from crm_core import domain
    from crm_core.records import KERNEL, Types, declared, link
    from crm_core.store.tables import TECHNICAL_TABLES

    for module in pkgutil.iter_modules(domain.__path__, f"{domain.__name__}."):
        import_module(module.name)
    types = Types(record_type for record_type in declared.values() if record_type.plugin == KERNEL)
    link(types)
    return MigrationSource.of(KERNEL, location or Path(__file__).parents[1] / "migrations", types, TECHNICAL_TABLES)
