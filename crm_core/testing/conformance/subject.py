"""The plugin under test, with what checks share: manifest, distribution, source, a build of it alone, databases."""

from __future__ import annotations

import datetime as dt
import functools
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crm_core.assembly.discovery import GROUP, Discovery, Found, installed
from crm_core.assembly.manifest import Manifest
from crm_core.errors import BuildError, NotFound, nearest
from crm_core.testing.conformance.databases import Databases
from crm_core.testing.conformance.report import Finding
from crm_core.testing.conformance.sources import Source, read_sources

if TYPE_CHECKING:
    from importlib.metadata import Distribution, EntryPoint

    from crm_core.assembly.build import Build, LoadedPlugin
    from crm_core.assembly.contributions import Contributions
    from crm_core.assembly.crm import Crm
    from crm_core.records import RecordType
    from crm_core.store.migrations import MigrationSource
    from crm_core.testing.conformance.importing import Imported

__all__ = ["EXAMPLES", "Subject", "Unloadable", "build_content", "find"]

EXAMPLES = 8
"""How many rows of every record are tried where nobody says otherwise."""


class Unloadable(Exception):
    """The plugin cannot be loaded, so that there is nothing to look at; the check ``loads`` says why."""


def find(name: str, discovery: Discovery = installed) -> Found:
    """The plugin of this name, or the one that the distribution of this name brings.

    Raises :class:`~crm_core.errors.NotFound` where there is none, or more than one.
    """
    found = list(discovery())
    chosen = [each for each in found if each.name == name]
    chosen = chosen or [each for each in found if each.distribution and _plain(each.distribution) == _plain(name)]
    if len(chosen) == 1:
        return chosen[0]
    if chosen:
        raise NotFound(
            "{name!r} is not one plugin but {count}: {plugins}.",
            mend="Name one of them; two distributions with the same plugin cannot be installed together.",
            name=name,
            count=len(chosen),
            plugins=", ".join(f"{each.name} ({each.origin})" for each in chosen),
        )
    raise NotFound(
        "There is no plugin and no distribution {name!r} among those installed.",
        mend="Install it, for example by 'pip install --editable .' in its folder; or did you mean {near}?",
        name=name,
        near=nearest(name, {each.name for each in found}) or "-",
    )


def build_content(
    plugins: Sequence[str], config: Mapping[str, Any] | None, discovery: Discovery = installed
) -> dict[str, Any]:
    """The content of a build file with these plugins, all that they require, and what ``config`` says of them."""
    wanted, given = _with_requirements(plugins, discovery), dict(config or {})
    sections = {name: section for name, section in given.items() if name != "crm"}
    sections["plugins"] = {name: section for name, section in sections.get("plugins", {}).items() if name in wanted}
    kept = {key: value for key, value in given.get("crm", {}).items() if key not in ("plugins", "database")}
    return {**sections, "crm": {**kept, "plugins": wanted}}


def _with_requirements(plugins: Sequence[str], discovery: Discovery) -> list[str]:
    offers = {each.name: each for each in discovery()}
    wanted: dict[str, None] = {}

    def add(name: str) -> None:
        if name in wanted:
            return
        wanted[name] = None
        try:
            manifest = offers[name].load() if name in offers else None
        except Exception:
            return  # assembly tells of it
        if isinstance(manifest, Manifest):
            for each in manifest.requires:
                if each in offers:
                    add(each)

    for name in plugins:
        add(name)
    return list(wanted)


def _plain(distribution: str) -> str:
    return distribution.replace("_", "-").replace(".", "-").lower()


class Subject:
    """What a check looks at.

    Everything is made when first asked for, and shared by all checks of a run. ``config`` are further sections of the
    build file, for a plugin that cannot do without settings: ``{"plugins": {"my_vertical": {...}}}``. ``examples`` is
    how much is tried: so many rows of every record, and an organisation made up by chance for every four of them, the
    first one from ``seed``.
    """

    def __init__(
        self,
        found: Found,
        databases: Databases,
        *,
        discovery: Discovery = installed,
        config: Mapping[str, Any] | None = None,
        examples: int = EXAMPLES,
        seed: int = 1,
    ) -> None:
        self.examples = examples
        self.seeds = range(seed, seed + max(1, examples // 4))
        self.now = dt.datetime.now(dt.UTC).replace(microsecond=0)
        self.found = found
        self.plugin = found.name
        self.databases = databases
        self.discovery = discovery
        self.notes: dict[str, list[Finding]] = defaultdict(list)
        self.known: dict[str, Any] = {}
        """What one check of a run has found out and another one need not find out again."""
        self._config = dict(config or {})

    def note(self, check: str, what: str, **values: Any) -> None:
        """Add a remark to the result of a check, once: something that it could not look at, which is no fault.

        ``what`` is a template for ``values``, as in a finding.
        """
        remark = Finding(check, what, values=values)
        if remark not in self.notes[check]:
            self.notes[check].append(remark)

    # -- what is known without loading it ----------------------------------------------------------------------

    @functools.cached_property
    def manifest(self) -> Manifest:
        """The manifest; :class:`Unloadable` where there is none."""
        try:
            manifest = self.found.load()
        except Exception as error:
            raise Unloadable(f"the manifest cannot be imported: {error}") from error
        if not isinstance(manifest, Manifest):
            raise Unloadable(f"the entry point leads to {manifest!r}")
        return manifest

    @functools.cached_property
    def distribution(self) -> Distribution | None:
        """The metadata of the distribution; ``None`` for a plugin that lives inside an application."""
        from importlib.metadata import PackageNotFoundError, distribution

        if self.found.distribution is None:
            return None
        try:
            return distribution(self.found.distribution)
        except PackageNotFoundError:
            return None

    @property
    def manifest_module(self) -> str:
        """The module that the entry point names; that of the plugin, where an application gives the manifest."""
        entry = self.entry_point
        return self.manifest.module if entry is None else entry.module

    @functools.cached_property
    def entry_point(self) -> EntryPoint | None:
        """The entry point of the plugin; ``None`` for one that lives inside an application."""
        if self.distribution is None:
            return None
        entries = self.distribution.entry_points.select(group=GROUP, name=self.plugin)
        return next(iter(entries), None)

    @property
    def package(self) -> str:
        """The dotted name of the package with the plugin's modules."""
        return self.manifest.module.rpartition(".")[0] or self.manifest.module

    @functools.cached_property
    def folder(self) -> Path:
        """The folder of the package, found without importing the plugin's modules."""
        try:
            spec = find_spec(self.package)
        except (ImportError, ValueError) as error:
            raise Unloadable(f"{self.package} cannot be found: {error}") from error
        places = list(spec.submodule_search_locations or ()) if spec else []
        if not places:
            raise Unloadable(f"{self.package} is no package: name a module of a package as module in the manifest")
        return Path(places[0])

    @functools.cached_property
    def sources(self) -> tuple[Source, ...]:
        """The modules of the package, revisions of migrations included."""
        return tuple(read_sources(self.folder, self.package))

    @property
    def modules(self) -> tuple[Source, ...]:
        """The modules without the revisions, which Alembic runs from their files."""
        revisions = self.manifest.migrations
        if revisions is None:
            return self.sources
        return tuple(each for each in self.sources if not each.path.is_relative_to(self.folder / revisions))

    @functools.cached_property
    def project(self) -> Path | None:
        """The folder of the sources of the distribution, with its pyproject.toml; ``None`` where it is not there."""
        for folder in list(self.folder.parents)[:3]:
            if any((folder / name).is_file() for name in ("pyproject.toml", "setup.py", "setup.cfg")):
                return folder
        return None

    @functools.cached_property
    def documents(self) -> Mapping[str, str]:
        """The documentation that comes with the distribution, by file: its README and its folder ``docs``.

        Where the sources are not there, the long description of the metadata, and ``docs`` inside the package.
        """
        found: dict[str, str] = {}
        for folder in filter(None, (self.project, self.folder)):
            pages = [*folder.glob("README*"), *(folder / "docs").rglob("*.md"), *(folder / "docs").rglob("*.rst")]
            for path in sorted(pages):
                found[path.relative_to(folder).as_posix()] = path.read_text(encoding="utf-8")
        if self.project is None and self.distribution is not None:
            metadata = self.distribution.metadata
            found["README"] = str(metadata.get("Description") or metadata.get_payload() or "")  # type: ignore[attr-defined]
        return found

    # -- loaded ------------------------------------------------------------------------------------------------

    @property
    def config(self) -> dict[str, Any]:
        """The content of a build file with the plugin, and with what it requires, and with nothing else."""
        return self.config_of(self.plugin)

    def config_of(self, *plugins: str) -> dict[str, Any]:
        """The content of a build file with these plugins and everything that they require.

        Settings are those that were given for the run.
        """
        return build_content(plugins, self._config, self.discovery)

    @functools.cached_property
    def build(self) -> Build:
        """The build of the plugin and its requirements; :class:`Unloadable` where it does not assemble."""
        from crm_core.assembly.load import assemble

        try:
            return assemble(self.config, strict=True, discovery=self.discovery)
        except BuildError as error:
            raise Unloadable(str(error)) from error

    @property
    def loaded(self) -> LoadedPlugin:
        """The plugin in that build."""
        plugin = self.build.plugin(self.plugin)
        if plugin is None:
            raise Unloadable(f"the plugin {self.plugin} was left out")
        return plugin

    @property
    def types(self) -> tuple[RecordType, ...]:
        """The record types of the plugin, extensions included."""
        return self.loaded.types

    @functools.cached_property
    def contributions(self) -> Contributions:
        """What the plugin alone registers."""
        from crm_core.assembly.contributions import contributions

        return contributions(self.plugin, self.loaded.namespace)[0]

    @functools.cached_property
    def imported(self) -> Imported:
        """What importing the plugin does, measured once in a process of its own."""
        from crm_core.testing.conformance.importing import imported

        return imported(self)

    @functools.cached_property
    def migration_source(self) -> MigrationSource | None:
        """Where the plugin's migrations are; ``None`` where it has none."""
        sources = self.build.migration_sources()
        return next((source for source in sources if source.plugin == self.plugin), None)

    @property
    def earlier_sources(self) -> list[MigrationSource]:
        """The migrations that run before the plugin's: those of the kernel and of what it requires."""
        return [source for source in self.build.migration_sources() if source.plugin != self.plugin]

    # -- databases ---------------------------------------------------------------------------------------------

    @contextmanager
    def crm(self, *, migrated: bool = True, **options: Any) -> Iterator[Crm]:
        """The build opened on a database of its own, migrated or empty, which goes with the block.

        ``options`` are those of :meth:`crm_core.Crm.open`.
        """
        self.loaded  # noqa: B018 - tells why it cannot be loaded, before a database is made
        prepare = self._migrate if migrated else None
        with self.databases.new("migrated", prepare) as address, self.opened(address, **options) as crm:
            yield crm

    @contextmanager
    def opened(self, address: str, **options: Any) -> Iterator[Crm]:
        """The build opened on a database that is there, with the options of :meth:`crm_core.Crm.open`."""
        from crm_core.assembly.crm import Crm

        given = {"discovery": self.discovery, "check": False, **options}
        with Crm.open(self.config, database=address, **given) as crm:
            yield crm

    def _migrate(self, address: str) -> None:
        with self.opened(address) as crm:
            crm.migrate()
