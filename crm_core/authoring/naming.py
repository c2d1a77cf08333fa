"""Names for plugins, records and fields, from what people call them."""

from __future__ import annotations

import keyword
import re
from collections.abc import Collection

from crm_core.assembly.manifest import NAME
from crm_core.errors import DeclarationError

__all__ = ["FIELD_LENGTH", "checked_name", "class_name", "in_words", "snake", "unique"]

FIELD_LENGTH = 40
"""The longest name that is proposed: with table and suffix it is still a name to PostgreSQL (63 bytes)."""

_PLUGIN_LENGTH = 30
_RESERVED = frozenset({"self", "cls"})
"""What the methods of every record call their own arguments."""

_KERNEL = frozenset({"crm", "core", "crm_core", "kernel"})


def checked_name(name: str) -> str:
    """The name of a new plugin; raises :class:`~crm_core.errors.DeclarationError` with a name that would do."""
    bare = re.sub(r"^crm[-_ ]+", "", name)
    if not NAME.fullmatch(name) or bare != name:
        raise DeclarationError(
            "{name!r} is no name for a plugin.",
            mend="Write it in snake_case and without 'crm', which the distribution adds: {better}.",
            name=name,
            better=snake(bare)[:_PLUGIN_LENGTH].strip("_") or "my_vertical",
        )
    if len(name) > _PLUGIN_LENGTH:
        raise DeclarationError(
            "The name {name!r} has more than {most} characters.",
            mend="Its tables begin with it, and databases shorten long names: use {better}.",
            name=name,
            most=_PLUGIN_LENGTH,
            better=name[:_PLUGIN_LENGTH].strip("_"),
        )
    if name in _KERNEL or keyword.iskeyword(name):
        raise DeclarationError(
            "The name {name!r} is taken by the kernel or by Python.",
            mend="Name the plugin after what it is about: my_{name}.",
            name=name,
        )
    return name


def snake(text: str) -> str:
    """A name in snake_case: ``customerID`` is ``customer_id``, ``客户`` is ``ke_hu``; empty without letters."""
    if not text.isascii():
        text = " ".join(_latin(text))
    text = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", text)
    text = re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", text)
    text = re.sub(r"[^A-Za-z0-9]+", "_", text).strip("_").lower()
    return re.sub(r"^(?=\d)", "n_", text)


def _latin(text: str) -> list[str]:
    """Chinese as pinyin, other letters without their marks."""
    import unicodedata

    from pypinyin import lazy_pinyin

    pieces = lazy_pinyin(text)
    return [unicodedata.normalize("NFKD", each).encode("ascii", "ignore").decode() for each in pieces]


def in_words(name: str) -> str:
    """What a name means in words, as labels are made of it: ``unit_price`` is ``Unit price``."""
    return name.removesuffix("_id").replace("_", " ").capitalize()


def class_name(name: str) -> str:
    """A name as that of a class: ``unit_price`` is ``UnitPrice``."""
    return "".join(part.capitalize() for part in name.split("_"))


def unique(name: str, taken: Collection[str]) -> str:
    """A name that is not taken, nor a word of Python: the second ``price`` is ``price_2``."""
    name = name[:FIELD_LENGTH].strip("_")
    number, found = 1, name
    while found in taken or keyword.iskeyword(found) or found in _RESERVED:
        number += 1
        found = f"{name}_{number}"
    return found
