"""The difference of two builds, in words: what is new, what is gone, what is different, and what that can break."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

import attrs

from crm_core.builds.describing import Description
from crm_core.errors import Problem

__all__ = ["Difference", "compare"]

Weight = Literal["loses", "breaks", "changes"]
_MISSING: Any = object()


@attrs.frozen
class Difference:
    """One difference.

    ``section`` and ``name`` say of what, ``words`` in a sentence, ``before`` and ``after`` are the values (``None``
    where there is none). ``weight``: it ``loses`` sight of data, it ``breaks`` what relies on it, or it ``changes``
    something.
    """

    section: str
    name: str
    words: Problem
    before: Any = None
    after: Any = None
    weight: Weight = "changes"


def compare(before: Description, after: Description) -> list[Difference]:
    """What is different, section by section, in the order in which one would read it."""
    found: list[Difference] = []
    for section in _SECTIONS:
        old, new = before.get(section, {}), after.get(section, {})
        for name in sorted({*old, *new}):
            found += _differences(section, name, old.get(name, _MISSING), new.get(name, _MISSING))
    return [each for each in found if not _told_by_its_record(each, before, after)]


def _told_by_its_record(each: Difference, before: Description, after: Description) -> bool:
    """The fields of a record that is new or gone are told by the record."""
    if each.section != "fields":
        return False
    record = each.name.removesuffix(f".{each.name.rpartition('.')[2]}").removesuffix(".custom")
    return (record in before.get("records", {})) != (record in after.get("records", {}))


def _differences(section: str, name: str, old: Any, new: Any) -> Iterator[Difference]:
    appears, goes, weight = _SECTIONS[section]
    values = {"name": name}
    if old is _MISSING and section == "fields" and isinstance(new, Mapping) and new.get("required"):
        words = Problem(name, "The field is new, and new records must give it.", "", values)
        yield Difference(section, name, words, None, new, "breaks")
    elif old is _MISSING:
        yield Difference(section, name, Problem(name, appears, "", values), None, new)
    elif new is _MISSING:
        yield Difference(section, name, Problem(name, goes, "", values), old, None, weight)
    elif section == "hooks" and old != new:
        yield from _hook(name, old, new)
    elif isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in sorted({*old, *new}):
            if old.get(key, _MISSING) != new.get(key, _MISSING):
                yield _part(section, name, key, old.get(key), new.get(key))
    elif old != new:
        yield Difference(section, name, Problem(name, "It was {before}, and becomes {after}.", "",
                                                {"before": _told(old), "after": _told(new)}), old, new)  # fmt: skip


def _hook(name: str, old: list[str], new: list[str]) -> Iterator[Difference]:
    """Who is called, and in what order."""
    for plugin in sorted({*old, *new}):
        if plugin not in old:
            words = Problem(name, "{plugin} is called, too.", "", {"plugin": plugin})
            yield Difference("hooks", name, words, old, new)
        elif plugin not in new:
            words = Problem(name, "{plugin} is called no longer.", "", {"plugin": plugin})
            yield Difference("hooks", name, words, old, new)
    both = set(old) & set(new)
    if [each for each in old if each in both] != [each for each in new if each in both]:
        words = Problem(name, "The order of the calls was {before}, and becomes {after}.", "",
                        {"before": _told(old), "after": _told(new)})  # fmt: skip
        yield Difference("hooks", name, words, old, new)


def _part(section: str, name: str, key: str, old: Any, new: Any) -> Difference:
    values = {"key": key, "before": _told(old), "after": _told(new)}
    if section == "roles":
        if old is None:
            words, weight = "It gains {key} at the scope {after}.", "changes"
        elif new is None:
            words, weight = "It loses {key}, which it had at the scope {before}.", "breaks"
        else:
            words, weight = "The scope of {key} was {before}, and becomes {after}.", "changes"
    elif section == "vocabularies":
        words = ("The word {key} is new." if old is None else "The word {key} is gone; values that use it remain."
                 if new is None else "The label of {key} was {before}, and becomes {after}.")  # fmt: skip
        weight = "breaks" if new is None else "changes"
    elif section == "fields" and key == "required" and new:
        words, weight = "New records must give it.", "breaks"
    else:
        words, weight = "{key} was {before}, and becomes {after}.", _weight(section, key, old, new)
    return Difference(section, f"{name}.{key}", Problem(name, words, "", values), old, new, weight)  # type: ignore[arg-type]


def _weight(section: str, key: str, old: Any, new: Any) -> Weight:
    """A narrower field may refuse values that are there; another kind breaks what reads it."""
    if section != "fields":
        return "changes"
    if key in {"length", "scale"}:
        narrower = new is not None and (old is None or new < old)
        return "loses" if narrower else "changes"
    if key == "choices":
        return "breaks" if set(old or ()) - set(new or ()) else "changes"
    return "breaks" if key in {"kind", "target", "restricted"} or (key == "empty" and not new) else "changes"


def _told(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, list):
        return ", ".join(_told(each) for each in value) or "-"
    if isinstance(value, Mapping):
        return ", ".join(f"{key} = {_told(each)}" for key, each in value.items()) or "-"
    return str(value).lower() if isinstance(value, bool) else str(value)


_SECTIONS: Mapping[str, tuple[str, str, Weight]] = {
    "plugins": ("The plugin is new.", "The plugin is gone: its data are kept, and nobody sees them.", "loses"),
    "disabled": ("The plugin is switched off.", "The plugin is switched on again.", "changes"),
    "crm": ("It is set.", "It is set no longer.", "changes"),
    "records": ("The record type is new.", "The record type is gone: nobody sees its rows any more.", "loses"),
    "fields": ("The field is new.", "The field is gone: nobody sees its values any more.", "loses"),
    "hooks": ("The hook is used.", "The hook is used no longer.", "changes"),
    "permissions": ("The permission is new; a role must grant it.", "The permission is gone.", "breaks"),
    "roles": ("The role is new.", "The role is gone: whoever has it loses what it granted.", "breaks"),
    "settings": ("The setting is new.", "The setting is gone.", "breaks"),
    "vocabularies": ("The vocabulary is new.", "The vocabulary is gone.", "breaks"),
    "jobs": ("The job is new.", "The job is gone.", "breaks"),
    "rules": ("The rule is new.", "The rule is gone.", "changes"),
    "commands": ("The command is new.", "The command is gone.", "breaks"),
}
"""The sections in reading order, with the sentences for what is new and gone, and how much the latter weighs."""
