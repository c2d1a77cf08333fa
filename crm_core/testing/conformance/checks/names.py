"""The manifest says what the distribution says, and every global name begins with the plugin's."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from packaging.version import InvalidVersion, Version

from crm_core.records.types import mapper_registry
from crm_core.testing.conformance.report import Check, Finding

if TYPE_CHECKING:
    from crm_core.testing.conformance.subject import Subject

__all__ = ["CHECK"]

NAME = "names"


def _look(subject: Subject) -> Iterator[Finding]:
    yield from _manifest(subject)
    yield from _commands(subject)
    yield from _permissions(subject)
    yield from _vocabularies(subject)
    yield from _tables(subject)


def _manifest(subject: Subject) -> Iterator[Finding]:
    manifest, found = subject.manifest, subject.found
    if manifest.name != found.name:
        yield Finding(
            NAME,
            "The entry point is called {entry}, the manifest {name}.",
            subject.manifest_module,
            mend="Call both by the plugin's name.",
            values={"entry": found.name, "name": manifest.name},
        )
    if found.version is not None and _version(manifest.version) != _version(found.version):
        yield Finding(
            NAME,
            "The manifest says version {version}, its distribution {origin}.",
            subject.manifest_module,
            mend="Write the same version in both, and install the distribution again.",
            values={"version": manifest.version, "origin": found.origin},
        )


def _version(text: str) -> Version | str:
    try:
        return Version(text)
    except InvalidVersion:
        return text


def _commands(subject: Subject) -> Iterator[Finding]:
    own = subject.contributions
    for name in sorted({*subject.manifest.commands, *(each.name or "" for each in own.commands)}):
        if not re.fullmatch(rf"{subject.plugin}([_-].+)?", name.replace("-", "_")):
            yield Finding(
                NAME,
                "The command {name!r} does not begin with the plugin's name.",
                subject.manifest_module,
                mend="Call it {better!r}, or {plain!r} with subcommands: of two plugins with one command, a build "
                "can have one.",
                values={
                    "name": name,
                    "better": f"{subject.plugin.replace('_', '-')}-{name}",
                    "plain": subject.plugin.replace("_", "-"),
                },
            )


def _permissions(subject: Subject) -> Iterator[Finding]:
    for name in sorted(subject.contributions.permissions):
        if not name.startswith(f"{subject.plugin}."):
            yield Finding(
                NAME,
                "The permission {name!r} does not begin with the plugin's name.",
                f"{subject.manifest.module}.crm_register_permissions",
                mend="Call it {better!r}.",
                values={"name": name, "better": f"{subject.plugin}.{name.rpartition('.')[2]}"},
            )


def _vocabularies(subject: Subject) -> Iterator[Finding]:
    others = (each for each in subject.build.types.values() if each.plugin != subject.plugin)
    there = {field.vocabulary for each in others for field in each.fields if field.vocabulary}
    # Such as account.signal: words that several plugins give to what the kernel shows of its own records.
    known = {subject.plugin, *subject.manifest.requires, *(n for n in subject.build.types if "." not in n)}
    for name in sorted(subject.contributions.vocabularies):
        if name.partition(".")[0] not in known and name not in there:
            yield Finding(
                NAME,
                "The vocabulary {name!r} does not begin with the plugin's name, and nobody else has it.",
                f"{subject.manifest.module}.crm_register_vocabularies",
                mend="Call it {better!r}.",
                values={"name": name, "better": f"{subject.plugin}.{name.rpartition('.')[2]}"},
            )


def _tables(subject: Subject) -> Iterator[Finding]:
    for name in sorted(mapper_registry(subject.plugin).metadata.tables):
        if not name.startswith(f"{subject.plugin}__"):
            yield Finding(
                NAME,
                "The table {name} does not begin with the plugin's name.",
                name,
                mend="Declare records by @record and @extends, which name their tables.",
                values={"name": name},
            )


CHECK = Check(
    NAME, "Entry point, manifest and distribution agree; every global name begins with the plugin's name.", _look
)
