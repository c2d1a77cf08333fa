"""What a migration would do, told before it is done."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import attrs
from sqlalchemy import Engine

from crm_core.store.migrating.revisions import MigrationSource, Revision, read_revisions
from crm_core.store.migrating.versions import current, no_revisions, position

__all__ = ["Plan", "PluginPlan", "plan"]


@attrs.frozen
class PluginPlan:
    """One plugin's part of a plan: from revision ``current`` to ``head`` by way of ``pending``.

    ``None`` stands for a database in which the plugin has nothing.
    In the plan of a downgrade, ``pending`` are the revisions that are undone.
    """

    plugin: str
    current: str | None
    head: str | None
    pending: tuple[Revision, ...] = ()

    def __str__(self) -> str:
        if not self.pending:
            return f"{self.plugin}: {self.current or 'nothing'}, up to date"
        lines = [f"{self.plugin}: {self.current or 'nothing'} -> {self.head or 'nothing'}"]
        return "\n".join([*lines, *(f"  {revision.id}  {revision.doc}" for revision in self.pending)])


@attrs.frozen
class Plan:
    """The parts of a plan in the order in which they are run; ``str(plan)`` is what people read."""

    plugins: tuple[PluginPlan, ...]

    @property
    def empty(self) -> bool:
        """Whether there is nothing to do."""
        return not any(part.pending for part in self.plugins)

    def __iter__(self) -> Iterator[PluginPlan]:
        return iter(self.plugins)

    def __getitem__(self, plugin: str) -> PluginPlan:
        return next(part for part in self.plugins if part.plugin == plugin)

    def __str__(self) -> str:
        return "\n".join(str(part) for part in self.plugins)


def plan(engine: Engine, sources: Sequence[MigrationSource]) -> Plan:
    """What :func:`upgrade` would do; nothing is changed.

    Raises :class:`~crm_core.errors.MigrationError` where the database holds a revision that is not installed,
    or a plugin has tables and no revisions.
    """
    found = current(engine)
    return Plan(tuple(_part(source, found.get(source.plugin)) for source in sources))


def _part(source: MigrationSource, version: str | None) -> PluginPlan:
    line = read_revisions(source)
    pending = line[position(source, line, version) :]
    if source.tables and not line:
        raise no_revisions(source)
    return PluginPlan(source.plugin, version, line[-1].id if line else None, pending)
