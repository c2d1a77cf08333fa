"""Where a build file speaks of a plugin: what is the plugin's own there, and which rules of others name it."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

import attrs

from crm_core.assembly.build_file import SECTIONS, BuildFile
from crm_core.assembly.texts import quoted, texts_in

__all__ = ["OWN_TABLES", "Mention", "mentions", "speaks_of"]

OWN_TABLES = ("custom_fields", "retired_fields", "jobs", "merge", "vocabularies")
"""Sections whose tables are named after the records, jobs and words of plugins."""

OF_RECORDS = ("duties", "acceptance")
"""Sections whose tables each name their record type."""

_UNTOUCHED = ("crm", "drivers", *OWN_TABLES)
_PROSE = ("label", "help")


@attrs.frozen
class Mention:
    """A place in the build file. ``own`` goes with the plugin; the rest is for whoever wrote the rule to change."""

    path: str
    text: str
    own: bool


def mentions(file: BuildFile, plugin: str, words: Collection[str] = ()) -> tuple[Mention, ...]:
    """All places that name a plugin; ``words`` are names of its own without its prefix, such as signals."""
    found: list[Mention] = []
    settings = file.plugins.get(plugin)
    if settings is not None:
        found.append(Mention(f"plugins.{plugin}", ", ".join(sorted(settings)), own=True))
    for section in OWN_TABLES:
        table = getattr(file, section)
        found += [
            Mention(f"{section}.{quoted(name)}", ", ".join(each) if isinstance(each, Mapping) else "", own=True)
            for name, each in table.items()
            if speaks_of(plugin, name)
        ]
    for role, grants in file.roles.items():
        found += [
            Mention(f"roles.{role}.permissions.{quoted(pattern)}", scope.name.lower(), own=True)
            for pattern, scope in grants.permissions.items()
            if speaks_of(plugin, pattern)
        ]
    gone: set[str] = set()
    for section in OF_RECORDS:
        for name, rule in (getattr(file, section, None) or {}).items():
            record = getattr(rule, "record", "")
            if speaks_of(plugin, record):
                gone.add(f"{section}.{name}")
                found.append(Mention(f"{section}.{name}", record, own=True))
    for section in sorted(set(SECTIONS) - set(_UNTOUCHED)):
        for path, text in texts_in(getattr(file, section), section, _PROSE):
            ours = path.startswith((f"plugins.{plugin}.", "roles.")) or any(
                path.startswith(f"{each}.") for each in gone
            )
            if not ours and _names(plugin, words, text):
                found.append(Mention(path, text, own=False))
    return tuple(found)


def speaks_of(plugin: str, name: str) -> bool:
    """Whether a record, permission or job is named as a plugin's own."""
    return name.startswith(f"{plugin}.")


def _names(plugin: str, words: Collection[str], text: str) -> bool:
    if re.search(rf"(?<![\w.]){re.escape(plugin)}\.", text):
        return True
    return not set(re.findall(r"\w+", text)).isdisjoint(words)
