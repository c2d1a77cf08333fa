"""How a value of a choice reads as text."""

from __future__ import annotations

__all__ = ["in_words"]


def in_words(value: str) -> str:
    """A value as people read it: ``won_back`` is "Won back"; one with capitals of its own, like ``PhD``, keeps them."""
    text = value.replace("_", " ")
    return text.capitalize() if text.islower() else text[:1].upper() + text[1:]
