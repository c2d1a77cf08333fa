"""Transforms of texts."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["join", "lower", "part", "prefix", "replace", "shorten", "split", "strip", "title", "upper"]


def strip(value: str, *, characters: str | None = None) -> str | None:
    """Without white space (or ``characters``) at both ends; nothing when nothing is left."""
    return str(value).strip(characters) or None


def upper(value: str) -> str:
    """In capital letters."""
    return str(value).upper()


def lower(value: str) -> str:
    """In small letters."""
    return str(value).lower()


def title(value: str) -> str:
    """Each word with a capital; an apostrophe begins no word."""
    from string import capwords

    return capwords(str(value))


def prefix(value: str, *, text: str) -> str:
    """With ``text`` in front."""
    return f"{text}{value}"


def part(value: str, *, separator: str, index: int = 0) -> str | None:
    """One piece of a text cut at ``separator``: the first by default, the last with ``index = -1``."""
    pieces = str(value).split(separator)
    return pieces[index].strip() or None if -len(pieces) <= index < len(pieces) else None


def replace(value: str, *, old: str, new: str) -> str:
    """With every ``old`` replaced by ``new``."""
    return str(value).replace(old, new)


def shorten(value: str, *, length: int) -> str:
    """At most ``length`` characters; what is cut off is marked by an ellipsis."""
    text = str(value)
    return text if len(text) <= length else text[: length - 1] + "…"


def join(value: Sequence[object] | str, *, separator: str = " ") -> str | None:
    """Several columns as one text; empty ones leave no gap."""
    if isinstance(value, str):
        return value
    return separator.join(text for each in value if each is not None and (text := str(each).strip())) or None


def split(value: str, *, separator: str = ",") -> frozenset[str]:
    """A text as tags."""
    return frozenset(text for each in str(value).split(separator) if (text := each.strip()))
