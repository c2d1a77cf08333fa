"""Where a build file speaks of a plugin: what is the plugin's own there, and which rules of others name it."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from enum import Enum
from typing import Any

import attrs

from crm_core.assembly.build_file import BuildFile

__all__ = ["OWN_TABLES", "Mention", "mentions", "quoted", "speaks_of"]

OWN_TABLES = ("custom_fields", "retired_fields", "jobs", "merge", "vocabularies")
"""Sections whose tables are named after the records, jobs and words of plugins."""

OF_RECORDS = ("duties", "acceptance")
"""Sections whose tables each name their record type."""

_UNTOUCHED = ("crm", "source", "composed", "drivers", *OWN_TABLES)
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
    sections = [each.name for each in attrs.fields(type(file)) if each.name not in _UNTOUCHED]
    for section in sections:
        for path, text in _texts(getattr(file, section), section):
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


def _texts(value: Any, path: str) -> Iterator[tuple[str, str]]:
    """Every text of a section, with its path."""
    if attrs.has(type(value)):
        for each in attrs.fields(type(value)):
            if each.name not in _PROSE:
                yield from _texts(getattr(value, each.name), f"{path}.{each.name}")
    elif isinstance(value, Mapping):
        for key, each in value.items():
            if isinstance(key, str):
                yield f"{path}.{quoted(key)}", key
            yield from _texts(each, f"{path}.{quoted(str(key))}")
    elif isinstance(value, str):
        yield path, value
    elif isinstance(value, Iterable) and not isinstance(value, Enum | bytes):
        for number, each in enumerate(value):
            yield from _texts(each, f"{path}[{number}]")


def quoted(key: str) -> str:
    """A key as TOML wants it."""
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else f'"{key}"'
