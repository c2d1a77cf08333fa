"""Assembly: from a build file and what is installed to a build, judged before anything starts."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import attrs

from crm_core.assembly import drivers, kernel
from crm_core.assembly.build import Build, LoadedPlugin
from crm_core.assembly.build_file import BuildFile, read
from crm_core.assembly.catalogue import Catalogue, policy
from crm_core.assembly.contributions import Contributions, contributions
from crm_core.assembly.discovery import Discovery, installed
from crm_core.assembly.jobs import chosen_jobs
from crm_core.assembly.manifest import HOOK_API, Manifest
from crm_core.assembly.report import AssemblyReport, PluginEntry
from crm_core.assembly.selection import Candidate, select
from crm_core.assembly.structuring import structure
from crm_core.assembly.switched_off import EVERY, SwitchedOff, matches
from crm_core.assembly.verdicts import Verdicts
from crm_core.errors import BuildError, CrmError, Problem, nearest
from crm_core.hooks import SPECS, Dispatcher, going, mistakes, unknown_records
from crm_core.records import KERNEL, link
from crm_core.records.types import mapper_registry

__all__ = ["assemble"]


def assemble(
    given: str | Path | Mapping[str, Any] | BuildFile,
    *,
    strict: bool | None = None,
    discovery: Discovery = installed,
    without: Collection[str] = (),
    locked: bool | None = None,
) -> Build:
    """Judge and load a build.

    ``given`` is the path of a build file, its content as a mapping, or a :class:`BuildFile`; ``strict``
    outranks what it says. Strict, everything that is wrong is raised at once as
    :class:`~crm_core.errors.BuildError`; otherwise a broken plugin and whatever requires it are left out, and
    the report says why. Mistakes in the build file itself are raised in any case.

    ``without`` names plugins to leave out this time, with what requires them, as if ``[crm] disabled`` named them;
    ``"*"`` stands for all. Nothing of a plugin that is switched off is imported, not even its manifest. ``locked``
    outranks what the file says: whether what is installed must be what its lock names.
    """
    file, problems = read(given)
    strict = file.crm.strict if strict is None else strict
    verdicts = Verdicts(file=problems)
    found = list(discovery())
    _switch_off(file, without, {each.name for each in found}, verdicts)
    candidates = [Candidate(kernel.manifest, kernel.FOUND), *_selected(file, found, verdicts)]
    catalogue = Catalogue()
    loaded: list[LoadedPlugin] = []
    for candidate in candidates:
        plugin = _load(candidate, file, catalogue, loaded, verdicts)
        if plugin is not None:
            loaded.append(plugin)
    _check_sections(file, loaded, {each.name for each in found}, verdicts)
    off = frozenset(verdicts.off) | {each.name for each in found if matches(each.name, without)}
    verdicts.file += drivers.mistakes(file.drivers, off)
    verdicts.warnings += drivers.switched_off(file.drivers, off, file.crm.disabled).values()
    settings = {plugin.name: plugin.settings for plugin in loaded if plugin.settings is not None}
    if _time_zone_is_wrong(verdicts):
        file = attrs.evolve(file, crm=attrs.evolve(file.crm, time_zone="UTC"))
    decided = policy(file, catalogue, settings, verdicts)
    jobs = chosen_jobs(file, catalogue.jobs, verdicts)
    if verdicts.file or KERNEL in verdicts.plugins or (strict and verdicts.plugins):
        raise _refused(file, verdicts)
    link(catalogue.types)
    dispatcher = Dispatcher(((plugin.name, plugin.namespace) for plugin in loaded), judged=True)
    build = Build(
        file=file,
        plugins=tuple(loaded),
        off=off,
        types=catalogue.types,
        permissions=catalogue.permissions,
        policy=decided,
        dispatcher=dispatcher,
        transforms=catalogue.transforms,
        commands=catalogue.commands,
        jobs=jobs,
        foreign_names=tuple(catalogue.foreign_names),
        report=_report(file, strict, loaded, dispatcher, verdicts),
    )
    return _held_to_its_lock(build, strict) if (file.crm.locked if locked is None else locked) else build


def _refused(file: BuildFile, verdicts: Verdicts) -> BuildError:
    """Everything that is wrong and, where only plugins are, how to go on without them."""
    problems = [file.told(problem) for problem in verdicts.causes()]
    where = file.where[:1].upper() + file.where[1:]
    if verdicts.file or KERNEL in verdicts.plugins:
        return BuildError("{where} cannot be assembled:", problems, where=where)
    return BuildError(
        "{where} cannot be assembled.",
        problems,
        mend="Until that is mended, 'crm {without} ...' or 'crm --tolerant ...' goes on without it, and strict = false "
        "in [crm] does so every time:",
        where=where,
        without=" ".join(f"--without {left.plugin}" for left in verdicts.plugins.values() if left.because is None),
    )


def _held_to_its_lock(build: Build, strict: bool) -> Build:
    """The build when it is what its lock says; tolerant, with the differences as warnings."""
    from crm_core.assembly.lock import check_lock

    found = check_lock(build)
    if found and strict:
        raise BuildError(
            "What is installed is not what {where} was locked with:", found, mend="", where=build.file.where
        )
    warnings = (*build.report.warnings, *found)
    return attrs.evolve(build, report=attrs.evolve(build.report, warnings=warnings, not_as_locked=tuple(found)))


def _switch_off(file: BuildFile, without: Collection[str], there: set[str], verdicts: Verdicts) -> None:
    for name in file.crm.plugins:
        if name in file.crm.disabled:
            verdicts.switch_off(SwitchedOff(name, "disabled"))
        elif name != KERNEL and matches(name, without):
            verdicts.switch_off(SwitchedOff(name, "without"))
    known = {*file.crm.plugins, *there}
    for name in sorted(set(without) - known - {EVERY}):
        verdicts.file.append(
            Problem("without", "There is no plugin {name!r} to leave out.", "Did you mean {near}?",
                    {"name": name, "near": nearest(name, known)})
        )  # fmt: skip


def _selected(file: BuildFile, found: list[Any], verdicts: Verdicts) -> list[Candidate]:
    if KERNEL in file.crm.plugins:
        verdicts.file.append(Problem("crm.plugins", "The kernel itself is always loaded.", "Remove 'crm'."))
    return select([name for name in file.crm.plugins if name != KERNEL], found, verdicts)


def _load(
    candidate: Candidate, file: BuildFile, catalogue: Catalogue, loaded: list[LoadedPlugin], verdicts: Verdicts
) -> LoadedPlugin | None:
    """One plugin, imported, asked for its contributions and added to the catalogue.

    ``None`` when it is left out.
    """
    manifest = candidate.manifest
    verdicts.reject_for(manifest.name, manifest.requires)
    if manifest.name in verdicts.plugins:
        return None
    namespace, reasons = _imported(manifest, loaded)
    new = Contributions()
    if not reasons:
        new, reasons = contributions(manifest.name, namespace)
        known = {*catalogue.types, *(each.name for each in new.types)}
        owners = {manifest.name, *(each.name for each in loaded)}
        reasons += unknown_records(manifest.name, namespace, known, owners)
    reasons += catalogue.clashes(manifest, new)
    # Of a plugin that could not be looked into, nobody knows whether it has settings.
    settings, wrong = (None, []) if reasons and new.settings is None else _settings(manifest.name, new, file)
    reasons += wrong
    plugin = LoadedPlugin(
        manifest=manifest,
        namespace=namespace,
        types=new.types,
        settings=settings,
        folder=_folder(manifest),
        distribution=candidate.found.distribution,
        distribution_version=candidate.found.version,
    )
    reasons += _folder_mistakes(plugin)
    if not reasons and new.types:
        reasons += _mapping_mistakes(manifest.name)
    if reasons:
        verdicts.reject(manifest.name, *reasons)
        return None
    if new.types and plugin.migrations is None and manifest.name != KERNEL:
        verdicts.warnings.append(
            Problem(manifest.name, "It has records but no migrations, so 'crm migrate' makes no tables for them.",
                    "Name the folder with its revisions as migrations in the manifest.")
        )  # fmt: skip
    verdicts.warnings += going(manifest.name, namespace)
    catalogue.add(manifest, new)
    return plugin


def _imported(manifest: Manifest, loaded: list[LoadedPlugin]) -> tuple[object, list[Problem]]:
    """The module with the implementations, and what is wrong with them."""
    try:
        namespace = import_module(manifest.module)
    except CrmError as error:
        return None, [Problem(manifest.name, "{module} cannot be imported: {error}", "",
                              {"module": manifest.module, "error": error.text()})]  # fmt: skip
    except Exception as error:
        return None, [Problem(manifest.name, "{module} cannot be imported: {error}.",
                              "Mend the plugin, or install what it needs.",
                              {"module": manifest.module, "error": f"{type(error).__name__}: {error}"})]  # fmt: skip
    twin = next((plugin.name for plugin in loaded if plugin.namespace is namespace), None)
    if twin is not None:
        return None, [Problem(manifest.name, "Its module {module} is that of {twin}, too.",
                              "Give each plugin a module of its own.",
                              {"module": manifest.module, "twin": twin})]  # fmt: skip
    return namespace, mistakes(manifest.name, namespace)


def _settings(name: str, new: Contributions, file: BuildFile) -> tuple[Any, list[Problem]]:
    section = file.plugins.get(name, {})
    if new.settings is not None:
        return structure(section, new.settings, f"plugins.{name}")
    if section:
        return None, [Problem(f"plugins.{name}", "The plugin has no settings.", "Remove the section.")]
    return None, []


def _folder(manifest: Manifest) -> Path | None:
    """Where the package of the plugin lies; found, like the manifest itself, without importing the module."""
    package = manifest.module.rpartition(".")[0] or manifest.module
    try:
        spec = find_spec(package)
    except (ImportError, ValueError):
        return None
    places = list(spec.submodule_search_locations or ()) if spec else []
    return Path(places[0]) if places else None


def _folder_mistakes(plugin: LoadedPlugin) -> list[Problem]:
    return [
        Problem(plugin.name, "The manifest names {what}={given!r}, but {folder} has no such folder.",
                "Correct the manifest, or install the distribution with its data files.",
                {"what": what, "given": given, "folder": str(plugin.folder or "the plugin")})
        for what, given, place in (
            ("migrations", plugin.manifest.migrations, plugin.migrations),
            ("locale", plugin.manifest.locale, plugin.locale),
        )
        if given is not None and (place is None or not place.is_dir())
    ]  # fmt: skip


def _mapping_mistakes(name: str) -> list[Problem]:
    """Whether SQLAlchemy can map the records; each plugin has a registry, so the others remain whole."""
    try:
        mapper_registry(name).configure(cascade=True)
    except Exception as error:
        reason = error.text() if isinstance(error, CrmError) else f"{type(error).__name__}: {error}"
        return [Problem(name, "Its records cannot be mapped: {error}", "Mend the plugin.", {"error": reason})]
    return []


def _check_sections(file: BuildFile, loaded: list[LoadedPlugin], there: set[str], verdicts: Verdicts) -> None:
    """Sections of plugins that are not loaded: misspelt, or kept for later."""
    names = {plugin.name for plugin in loaded} - {KERNEL}
    for name in file.plugins:
        if name in names or name in verdicts.plugins:
            continue
        if name in verdicts.off:
            verdicts.ignore(f"plugins.{name}", name)
            continue
        problem = Problem(f"plugins.{name}", "The plugin is not in the build.",
                          "Add it to plugins in [crm], or remove the section." if name in there else
                          "Did you mean {near}?", {"near": nearest(name, names | there)})  # fmt: skip
        (verdicts.warnings if name in there else verdicts.file).append(problem)


def _time_zone_is_wrong(verdicts: Verdicts) -> bool:
    return any(problem.path == "crm.time_zone" for problem in verdicts.file)


def _report(
    file: BuildFile, strict: bool, loaded: list[LoadedPlugin], dispatcher: Dispatcher, verdicts: Verdicts
) -> AssemblyReport:
    return AssemblyReport(
        name=file.crm.name,
        contract=HOOK_API,
        source=str(file.source) if file.source else None,
        strict=strict,
        loaded=tuple(
            PluginEntry(
                name=plugin.name,
                version=plugin.manifest.version,
                label=plugin.manifest.label,
                description=plugin.manifest.description,
                distribution=plugin.distribution,
                distribution_version=plugin.distribution_version,
                requires=plugin.manifest.requires,
                records=tuple(each.name for each in plugin.types),
            )
            for plugin in loaded
        ),
        hooks={
            hook: tuple(call.plugin for call in dispatcher.implementations(hook))
            for hook in SPECS
            if dispatcher.implementations(hook)
        },
        drivers=file.drivers,
        left_out=tuple(verdicts.plugins.values()),
        off=tuple(verdicts.off[name] for name in sorted(verdicts.off)),
        warnings=tuple(file.told(problem) for problem in verdicts.warnings),
    )
