"""The manifest and the distribution require exactly what the plugin uses."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from packaging.requirements import Requirement

from crm_core.assembly.manifest import Manifest
from crm_core.records import KERNEL
from crm_core.testing.conformance.population import MODULE
from crm_core.testing.conformance.report import Check, Finding

if TYPE_CHECKING:
    from crm_core.testing.conformance.sources import Source
    from crm_core.testing.conformance.subject import Subject

__all__ = ["CHECK"]

NAME = "requirements"
_KERNEL = "crm-core"


def _look(subject: Subject) -> Iterator[Finding]:
    packages = _packages(subject)
    used = {**_by_name(subject, set(packages.values())), **_by_declaration(subject)}
    for source, line, plugin in _by_import(subject, packages):
        if plugin not in subject.manifest.requires:
            yield Finding(
                NAME,
                "It imports the plugin {plugin}, which its manifest does not require.",
                source.where(line),
                mend="Add {plugin!r} to requires in the manifest, or do without it.",
                values={"plugin": plugin},
            )
        used[plugin] = source.where(line)
    for plugin in sorted(set(subject.manifest.requires) - set(used)):
        yield Finding(
            NAME,
            "The manifest requires {plugin}, but nothing of it is used.",
            subject.manifest_module,
            mend="Remove it from requires: whoever wants this plugin would have to install that one.",
            values={"plugin": plugin},
        )
    for plugin, where in sorted(_by_declaration(subject).items()):
        if plugin not in subject.manifest.requires:
            yield Finding(
                NAME,
                "It refers to records of the plugin {plugin}, which its manifest does not require.",
                where,
                mend="Add {plugin!r} to requires in the manifest.",
                values={"plugin": plugin},
            )
    yield from _distribution(subject)


# -- what is used ----------------------------------------------------------------------------------------------


def _packages(subject: Subject) -> dict[str, str]:
    """The packages of all other plugins there are, with their plugins."""
    found: dict[str, str] = {}
    for each in subject.discovery():
        try:
            manifest = each.load()
        except Exception as error:
            subject.note(NAME, "The manifest of {plugin} cannot be read: {error}.", plugin=each.name, error=error)
            continue
        if isinstance(manifest, Manifest) and each.name != subject.plugin:
            found[manifest.module.rpartition(".")[0] or manifest.module] = each.name
    return found


def _by_import(subject: Subject, packages: Mapping[str, str]) -> Iterator[tuple[Source, int, str]]:
    for source in subject.sources:
        for each in source.imports:
            full = f"{each.module}.{each.name}".rstrip(".")
            for package, plugin in packages.items():
                if f"{full}.".startswith(f"{package}.") and not f"{package}.".startswith(f"{subject.package}."):
                    yield source, each.line, plugin


def _by_declaration(subject: Subject) -> dict[str, str]:
    """Plugins whose records this one refers to, each with the place."""
    used: dict[str, str] = {}
    targets = [(each.extends, each.name) for each in subject.types]
    targets += [(field.target, f"{each.name}.{field.name}") for each in subject.types for field in each.refs]
    targets += [(each.target, f"{each.record}.{each.id_field}") for each in subject.contributions.references]
    for target, where in targets:
        there = subject.build.types.get(target or "")
        if there is not None and there.plugin not in (KERNEL, subject.plugin):
            used[there.plugin] = where
    return used


def _by_name(subject: Subject, plugins: set[str]) -> dict[str, str]:
    """Plugins whose names of records, permissions or vocabularies stand in the plugin's texts."""
    used: dict[str, str] = {}
    for source in subject.sources:
        for node in ast.walk(source.tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and "." in node.value:
                for plugin in plugins:
                    if re.search(rf"(?<![\w.]){re.escape(plugin)}\.\w", node.value):
                        used.setdefault(plugin, source.where(node))
    return used


# -- what the distribution says --------------------------------------------------------------------------------


def _distribution(subject: Subject) -> Iterator[Finding]:
    distribution = subject.distribution
    if distribution is None:
        subject.note(NAME, "The plugin comes with no distribution, so that there are no requirements to look at.")
        return
    wanted = {_plain(each.name): each for each in map(Requirement, distribution.requires or ())}
    where = f"{distribution.name}: dependencies"
    if _KERNEL not in wanted:
        yield Finding(
            NAME,
            "The distribution does not depend on crm-core.",
            where,
            mend='Add "crm-core" to dependencies in pyproject.toml.',
        )
    else:
        from crm_core import __version__

        if not wanted[_KERNEL].specifier.contains(__version__, prereleases=True):
            yield Finding(
                NAME,
                "The distribution depends on {requirement}; version {version} is here.",
                where,
                mend="Let dependencies allow the versions that the manifest works with.",
                values={"requirement": str(wanted[_KERNEL]), "version": __version__},
            )
    origins = {each.name: each.distribution for each in subject.discovery()}
    for plugin in sorted(subject.manifest.requires):
        origin = origins.get(plugin)
        if origin is not None and _plain(origin) not in {*wanted, _plain(distribution.name)}:
            yield Finding(
                NAME,
                "The manifest requires {plugin}, but the distribution does not depend on {origin}, which brings it.",
                where,
                mend='Add "{origin}" to dependencies in pyproject.toml.',
                values={"plugin": plugin, "origin": origin},
            )
    yield from _libraries(subject, set(wanted))


def _libraries(subject: Subject, wanted: set[str]) -> Iterator[Finding]:
    """Libraries that are imported, but that no dependency of the distribution brings."""
    from importlib.metadata import packages_distributions, requires

    brought = packages_distributions()
    always = (each for each in map(Requirement, requires(_KERNEL) or ()) if _always(each))
    kernel = {_plain(each.name) for each in always}
    own = subject.package.partition(".")[0]
    told: set[str] = set()
    plugins = {package.partition(".")[0] for package in _packages(subject)}
    for source in subject.sources:
        if source.module == f"{subject.package}.{MODULE}":
            continue  # for tests alone
        for each in source.imports:
            top = each.module.partition(".")[0]
            if each.typing or top in sys.stdlib_module_names or top in {own, "crm_core", *plugins, *told}:
                continue
            origins = {_plain(name) for name in brought.get(top, ())}
            if origins and not origins & (wanted | kernel):
                told.add(top)
                yield Finding(
                    NAME,
                    "It imports {library}, but the distribution does not depend on {origin}.",
                    source.where(each.line),
                    mend='Add "{origin}" to dependencies in pyproject.toml.',
                    values={"library": top, "origin": min(origins)},
                )


def _always(requirement: Requirement) -> bool:
    """Whether it is there without an extra of the distribution."""
    return requirement.marker is None or requirement.marker.evaluate({"extra": ""})


def _plain(distribution: str) -> str:
    return re.sub(r"[-_.]+", "-", distribution).lower()


CHECK = Check(NAME, "Manifest and distribution require exactly what the plugin uses.", _look)
