"""Which plugins are installed, found quickly.

``importlib.metadata`` costs a fifth of the time in which ``crm --help`` is to answer, because it reads all the
metadata of all distributions; the list of commands needs one section of one small file. Assembly asks
``importlib.metadata`` all the same: a plugin that is installed in some way that this module does not know is only
missing from the help.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from crm_core.assembly.discovery import GROUP, Found

__all__ = ["found"]

_LINE = re.compile(r"\s*([A-Za-z0-9_]+)\s*=\s*([\w.]+)\s*:\s*([\w.]+)")


def found() -> list[Found]:
    """The plugins of the distributions on ``sys.path``, by name."""
    result: dict[str, Found] = {}
    seen: set[str] = set()
    for folder in dict.fromkeys(sys.path):
        for distribution, text in _distributions(folder or "."):
            if distribution not in seen:
                seen.add(distribution)
                for name, module, attribute in _entries(text):
                    result.setdefault(name, Found(name, _loader(module, attribute), distribution))
    return [result[name] for name in sorted(result)]


def _distributions(folder: str) -> Iterator[tuple[str, str]]:
    """Name and entry points of the distributions in a folder that have any for us."""
    try:
        names = os.listdir(folder)
    except OSError:
        return
    for name in names:
        if name.endswith((".dist-info", ".egg-info")):
            try:
                text = Path(folder, name, "entry_points.txt").read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError):
                continue
            if GROUP in text:
                yield name.partition("-")[0].replace("_", "-").lower(), text


def _entries(text: str) -> Iterator[tuple[str, str, str]]:
    ours = False
    for line in text.splitlines():
        if line.startswith("["):
            ours = line.strip() == f"[{GROUP}]"
        elif ours and (match := _LINE.match(line)) is not None:
            yield match[1], match[2], match[3]


class _loader:  # noqa: N801  # a function that remembers
    def __init__(self, module: str, attribute: str) -> None:
        self.module, self.attribute = module, attribute

    def __call__(self) -> object:
        from functools import reduce
        from importlib import import_module

        return reduce(getattr, self.attribute.split("."), import_module(self.module))
