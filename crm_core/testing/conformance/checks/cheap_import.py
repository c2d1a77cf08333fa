"""Manifest and plugin are imported quickly, compared with the kernel, and the manifest brings nothing along."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from crm_core.testing.conformance.importing import Imported, imported
from crm_core.testing.conformance.report import Check, Finding

if TYPE_CHECKING:
    from crm_core.testing.conformance.subject import Subject

__all__ = ["CHECK", "MANIFEST_SHARE", "MODULE_SHARE"]

NAME = "cheap-import"
MANIFEST_SHARE = 0.1
"""The part of the kernel's own time that importing the manifest may take: every ``crm --help`` reads it."""

MODULE_SHARE = 0.5
"""The part of the kernel's own time that importing the rest of the plugin may take: every start of a build does."""

TRIES = 3
"""A machine with other work to do measures too much, never too little; so the best of a few counts."""


def _look(subject: Subject) -> Iterator[Finding]:
    found = subject.imported
    yield from _brought_along(subject, found)
    tried = [found]
    while len(tried) < TRIES and list(_slow(subject, tried)):
        tried.append(imported(subject))
    yield from _slow(subject, tried)


def _brought_along(subject: Subject, found: Imported) -> Iterator[Finding]:
    manifest = subject.manifest_module
    parts = manifest.split(".")
    own = {".".join(parts[:count]) for count in range(1, len(parts) + 1)}
    more = [each for each in found.by_manifest if each.startswith(f"{parts[0]}.") and each not in own]
    if more:
        yield Finding(
            NAME,
            "The module of the manifest imports other modules of the plugin: {modules}.",
            manifest,
            mend="Let it import crm_core alone, and load names in the package's __init__ when they are asked for "
            "(__getattr__): every command reads the manifests of plugins that it may not load.",
            values={"modules": ", ".join(more)},
        )
    elif any(each.partition(".")[0] == "sqlalchemy" for each in found.by_manifest):
        yield Finding(
            NAME,
            "The module of the manifest imports SQLAlchemy.",
            manifest,
            mend="Let it import Manifest from crm_core and nothing else.",
        )


def _slow(subject: Subject, tried: list[Imported]) -> Iterator[Finding]:
    limits = (
        (subject.manifest_module, min(each.manifest / each.kernel for each in tried), MANIFEST_SHARE),
        (subject.manifest.module, min(each.module / each.kernel for each in tried), MODULE_SHARE),
    )
    for module, share, most in limits:
        if share > most:
            yield Finding(
                NAME,
                "Importing it takes {share} times as long as importing the kernel; at most {most} is well.",
                module,
                mend="Import slow libraries inside the functions that need them ('python -X importtime' tells which "
                "they are), and do no work at import.",
                values={"share": f"{share:.2f}", "most": f"{most:g}"},
            )


CHECK = Check(NAME, "Importing manifest and plugin is quick, and the manifest brings nothing along.", _look)
