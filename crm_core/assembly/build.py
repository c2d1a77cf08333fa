"""A build: the plugins that fit together, and all that the rest of the kernel needs to know of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from crm_core.assembly.build_file import BuildFile
from crm_core.assembly.manifest import Command, Manifest
from crm_core.assembly.report import AssemblyReport
from crm_core.hooks import Dispatcher, Job
from crm_core.records import RecordType, Types
from crm_core.store.policy import Policy

if TYPE_CHECKING:
    import click

    from crm_core.store.migrations import MigrationSource

__all__ = ["Build", "LoadedPlugin"]


@attrs.frozen(kw_only=True)
class LoadedPlugin:
    """A plugin of a build, imported and fit; ``settings`` is ``None`` where it has none."""

    manifest: Manifest
    namespace: object
    types: tuple[RecordType, ...] = ()
    settings: Any = None
    folder: Path | None = None
    distribution: str | None = None
    distribution_version: str | None = None

    @property
    def name(self) -> str:
        """The name, as in the build file."""
        return self.manifest.name

    @property
    def migrations(self) -> Path | None:
        """The folder with its revisions, if it has one."""
        return self.folder / self.manifest.migrations if self.folder and self.manifest.migrations else None

    @property
    def locale(self) -> Path | None:
        """The folder with its message catalogues, if it has one."""
        return self.folder / self.manifest.locale if self.folder and self.manifest.locale else None


@attrs.frozen(kw_only=True)
class Build:
    """The outcome of assembly. ``plugins`` are in load order, the kernel first under the name ``crm``.

    ``off`` names the plugins that are switched off, also those that only this run leaves out.
    ``foreign_names`` are files about other systems, each with the plugin that brings it.
    """

    file: BuildFile
    plugins: tuple[LoadedPlugin, ...]
    types: Types
    permissions: Mapping[str, str]
    policy: Policy
    dispatcher: Dispatcher
    transforms: Mapping[str, Callable[..., Any]]
    commands: Mapping[str, click.Command | Command]
    jobs: Mapping[str, Job]
    report: AssemblyReport
    off: frozenset[str] = frozenset()
    foreign_names: tuple[tuple[str, Path], ...] = ()

    @property
    def settings(self) -> Mapping[str, Any]:
        """The settings of each plugin by its name."""
        return self.policy.settings

    def plugin(self, name: str) -> LoadedPlugin | None:
        """The loaded plugin of this name."""
        return next((plugin for plugin in self.plugins if plugin.name == name), None)

    def migration_sources(self) -> list[MigrationSource]:
        """Where each plugin's migrations are, in load order."""
        from crm_core.store.migrations import MigrationSource, kernel_source

        sources = [kernel_source()]
        for plugin in self.plugins:
            if plugin.migrations is not None:
                sources.append(MigrationSource.of(plugin.name, plugin.migrations, self.types))
        return sources
