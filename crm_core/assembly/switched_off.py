"""Plugins that are switched off: listed in the build file, kept with all their data, and never imported.

``[crm] disabled`` says so for good, ``crm --without NAME`` and ``crm --no-plugins`` for one run. This module is cheap,
because ``crm --help`` asks it before it looks at any plugin.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import attrs

__all__ = ["EVERY", "SwitchedOff", "disabled_in", "lines_of", "matches"]

EVERY = "*"
"""Stands for all plugins in ``without``."""


@attrs.frozen
class SwitchedOff:
    """A plugin that is not loaded because somebody wants it so.

    ``how``: by the build file (``disabled``), for this run (``without``), or because it requires one that is left out
    of this run (``requires``, and ``because`` names it).
    """

    plugin: str
    how: Literal["disabled", "without", "requires"]
    because: str | None = None


def matches(name: str, without: Collection[str]) -> bool:
    """Whether ``without`` names this plugin."""
    return name in without or EVERY in without


def disabled_in(file: Path) -> frozenset[str]:
    """The plugins that a build file, or one that it extends, switches off.

    Read without judging: whoever opens the build is told what is wrong with the file.
    """
    sections = [content.get("crm") for _, content in lines_of(file)]
    return frozenset(
        name for section in sections if isinstance(section, Mapping) for name in _texts(section.get("disabled", ()))
    )


def lines_of(file: Path) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    """A build file with those that it extends, the base first, each with its content; unreadable ones are left out."""
    return _lines(file, set())


def _lines(file: Path, seen: set[Path]) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    from crm_core.assembly.toml_text import read_toml

    if file in seen:
        return
    seen.add(file)
    try:
        content: Mapping[str, Any] = read_toml(file.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError):  # TOMLDecodeError and UnicodeDecodeError are ValueErrors
        return
    extended = content.get("extends", ())
    for each in _texts([extended] if isinstance(extended, str) else extended):
        yield from _lines(file.parent / each, seen)
    yield file, content


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, Iterable):
        yield from (each for each in value if isinstance(each, str))
