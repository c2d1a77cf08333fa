"""Message catalogues: ``.po`` files, read as they are."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

__all__ = ["read"]


def read(path: Path) -> Mapping[str, str]:
    """The translations in a catalogue by their originals; none where there is no such file.

    Entries that a translator marked as fuzzy are guesses, and left out.
    """
    try:
        changed = path.stat().st_mtime_ns
    except OSError:
        return {}
    return _read(path, changed)


@lru_cache(maxsize=64)
def _read(path: Path, changed: int) -> Mapping[str, str]:
    from babel.messages.pofile import read_po

    with path.open("rb") as file:
        catalogue = read_po(file, ignore_obsolete=True)
    return {
        str(message.id): str(message.string)
        for message in catalogue
        if message.id and message.string and not message.fuzzy
    }
