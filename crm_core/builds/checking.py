"""A build judged as a whole, before anybody works with it: what is wrong, what nobody may do, who meets whom."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Literal

import attrs

import crm_core
from crm_core.assembly import AssemblyReport, Build, Crm, assemble
from crm_core.assembly.lock import check_lock, lock_file
from crm_core.builds.acceptance import Accepted, accept, counts
from crm_core.errors import BuildError, Problem
from crm_core.inspection.uses import uses
from crm_core.records import KERNEL
from crm_core.translation import language_of
from crm_core.translation.update import catalogue_path, flaws

__all__ = ["BuildCheck", "Meeting", "Setting", "Untranslated", "check_build"]


@attrs.frozen
class Setting:
    """A setting of a plugin with its value; ``by`` says whether the build file chose it or it is the default."""

    name: str
    value: Any
    by: Literal["file", "default"]


@attrs.frozen
class Meeting:
    """A hook or a field that several plugins touch; hooks in the order of the calls."""

    what: Literal["hook", "field"]
    name: str
    plugins: tuple[str, ...]
    veto: bool = False


@attrs.frozen
class Untranslated:
    """A plugin's catalogue for the language of the build: texts that it lacks, and some that nothing says any more."""

    plugin: str
    language: str
    missing: tuple[str, ...]
    unused: tuple[str, ...]


@attrs.frozen(kw_only=True)
class BuildCheck:
    """What a check found.

    ``errors`` keep the build from starting; ``warnings`` deserve a look. ``ungranted`` are the permissions that no role
    grants but by ``*``.
    """

    report: AssemblyReport | None
    errors: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()
    settings: tuple[Setting, ...] = ()
    meetings: tuple[Meeting, ...] = ()
    ungranted: tuple[str, ...] = ()
    translations: tuple[Untranslated, ...] = ()
    accepted: tuple[Accepted, ...] = ()

    @property
    def right(self) -> bool:
        """Whether nothing keeps the build from starting, and its data are as it expects, where they were asked."""
        return not self.errors and not any(each.problem for each in self.accepted)


def check_build(
    source: Path | str | Mapping[str, Any], *, without: tuple[str, ...] = (), data: bool = False
) -> BuildCheck:
    """Judge a build: as strictly as it can be, and as far as it can be loaded where it is broken.

    ``data`` asks its database, too, whether it is as ``[acceptance]`` expects; nothing is written.
    """
    errors: tuple[Problem, ...] = ()
    try:
        build = assemble(source, strict=True, without=without, locked=False)
    except BuildError as error:
        errors = error.problems or (Problem("", error.problem, error.mend, error.values),)
        try:
            build = assemble(source, strict=False, without=without, locked=False)
        except BuildError:
            return BuildCheck(report=None, errors=errors)
    return BuildCheck(
        report=attrs.evolve(build.report, strict=build.file.crm.strict),  # not as it was loaded to be looked at
        errors=errors,
        warnings=(*build.report.warnings, *_lock(build), *_idle_roles(build)),
        settings=tuple(_settings(build)),
        meetings=(*_hooks(build), *_fields(build)),
        ungranted=tuple(_ungranted(build)),
        translations=tuple(_translations(build)),
        accepted=tuple(_accepted(build)) if data and not errors else (),
    )


def _lock(build: Build) -> list[Problem]:
    file = lock_file(build)
    if file is None or not (file.exists() or build.file.crm.locked):
        return []
    try:
        return check_lock(build)
    except BuildError as error:
        return [Problem("", error.problem, error.mend, error.values)]


def _accepted(build: Build) -> list[Accepted]:
    """What the build expects of its data; what must stay the same has nothing to be compared with here."""
    file = attrs.evolve(build.file, crm=attrs.evolve(build.file.crm, locked=False))
    with Crm.open(file, strict=False) as crm:
        return accept(file.acceptance, counts(crm, file.acceptance))


def _idle_roles(build: Build) -> Iterator[Problem]:
    for name, role in sorted(build.policy.roles.items()):
        if not any(fnmatchcase(permission, pattern) for pattern, _ in role.grants for permission in build.permissions):
            yield Problem(f"roles.{name}", "The role grants nothing in this build.", "Grant something, or remove it.")


def _settings(build: Build) -> Iterator[Setting]:
    for name, settings in sorted(build.settings.items()):
        written = build.file.plugins.get(name, {})
        for field in attrs.fields(type(settings)):
            by: Literal["file", "default"] = "file" if field.name in written else "default"
            yield Setting(f"{name}.{field.name}", getattr(settings, field.name), by)


def _hooks(build: Build) -> Iterator[Meeting]:
    for hook, plugins in build.report.hooks.items():
        if len(plugins) > 1 and not hook.startswith("crm_register_"):
            yield Meeting("hook", hook, plugins, hook in build.report.vetoers)


def _fields(build: Build) -> Iterator[Meeting]:
    """Fields that plugins touch in which others have a share: by their source, where it speaks of the record."""
    order = {plugin.name: number for number, plugin in enumerate(build.plugins)}
    for (record, field), found in sorted(uses(build).items()):
        owner = build.types[record].plugin if record in build.types else KERNEL
        touching = {use.by for use in found if use.kind == "code" and use.certain and use.by in order} - {owner, KERNEL}
        if touching and len(touching | {owner} - {KERNEL}) > 1:
            plugins = tuple(sorted(touching | {owner}, key=lambda name: order.get(name, -1)))
            yield Meeting("field", f"{record}.{field}", plugins)


def _ungranted(build: Build) -> Iterator[str]:
    # Whoever may do everything holds it by accident: nobody thought of it.
    patterns = {pattern for role in build.policy.roles.values() for pattern, _ in role.grants} - {"*"}
    for permission in sorted(build.permissions):
        if not any(fnmatchcase(permission, pattern) for pattern in patterns):
            yield permission


def _translations(build: Build) -> Iterator[Untranslated]:
    language = language_of(build.file.crm.locale)
    if language is None or language == "en":
        return
    for plugin in build.plugins:
        kernel = Path(crm_core.__file__).parent
        folder = kernel if plugin.name == KERNEL else plugin.folder
        if folder is None:
            continue
        places = () if plugin.locale is None else (plugin.locale / language / "LC_MESSAGES" / f"{plugin.name}.po",)
        catalogue = catalogue_path(kernel, language) if plugin.name == KERNEL else next(iter(places), None)
        found = list(flaws(folder, catalogue or catalogue_path(folder, language), language))
        missing = tuple(sorted(flaw.text for flaw in found if flaw.what != "unused"))
        unused = tuple(sorted(flaw.text for flaw in found if flaw.what == "unused"))
        if missing or unused:
            yield Untranslated(plugin.name, language, missing, unused)
