"""Foreign names: tables whose shape is that of another system, and what becomes of them.

Each file in ``crm_core/exchange/foreign`` is about one system. Plugins add to them by files of the same form, which
they name in ``crm_register_foreign_names``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import attrs

from crm_core.assembly.structuring import structure
from crm_core.assembly.toml_text import read_toml
from crm_core.errors import ExchangeError, Problem
from crm_core.exchange.drafting.headers import plain, singular, words
from crm_core.exchange.drafting.table import Table
from crm_core.exchange.mapping_file import given_by_parts, mistakes, section_mapping
from crm_core.exchange.templates import Template, no_template

__all__ = ["Foreign", "ForeignObject", "Recognised", "foreign_names", "recognised"]

_MARKS, _OWN, _ENOUGH = 3, 2, 0.5
_OF_THE_TABLE = ("file", "encoding", "delimiter", "sheet", "header_row")
_ASIDE = frozenset({
    "sf", "sfdc", "salesforce", "data", "export", "extract", "stg", "src", "raw", "tmp", "base", "fivetran", "full",
})  # fmt: skip
"""Words of files that say nothing about their rows."""

REMARK_LABELS = (
    "An owner who is not among the users leaves the account without one: the row is rejected.",
    "Leads that were converted are accounts and contacts already, and come with these.",
)
"""What the kernel's own files remark: texts for the catalogues, which read no TOML."""


@attrs.frozen(kw_only=True)
class ForeignObject:
    """``[[object]]``: a type of records of another system.

    ``columns`` are those by which it is told from others, ``files`` further words for it in the names of files.
    ``section`` are sections of a mapping with the system's own names for columns; a field may be a list of values, of
    which the first counts whose columns a file has.
    """

    name: str
    columns: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    section: tuple[Mapping[str, Any], ...] = ()


@attrs.frozen(kw_only=True)
class Foreign:
    """A file about a system. ``marks`` are columns that show that a table is of it, ``past`` those of tables that hold
    former states. ``time_zone`` is where its moments are written down.
    """

    system: str
    label: str = ""
    time_zone: str = ""
    marks: tuple[str, ...] = ()
    past: tuple[str, ...] = ()
    object: tuple[ForeignObject, ...] = ()


@attrs.frozen
class Recognised:
    """A table of another system: what its rows are there (nothing where that is not known), and how sure that is."""

    system: Foreign
    object: ForeignObject | None
    certainty: float
    past: bool = False


def foreign_names(files: Iterable[tuple[str, Path]] = ()) -> list[Foreign]:
    """What the kernel knows of other systems, and what ``files`` of plugins add.

    Raises :class:`~crm_core.errors.ExchangeError` for a file that cannot be used.
    """
    folder = resources.files("crm_core.exchange").joinpath("foreign")
    own = [("", each) for each in folder.iterdir() if each.name.endswith(".toml")]
    systems: dict[str, Foreign] = {}
    for _, path in sorted(own, key=lambda pair: pair[1].name):
        _add(systems, _read(path, str(path.name)))
    for plugin, file in files:
        _add(systems, _read(file, f"{plugin}: {file}"))
    return list(systems.values())


def _read(path: Any, where: str) -> Foreign:
    try:
        given = read_toml(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ExchangeError(
            "{file} cannot be read: {reason}.", mend="Foreign names are TOML in UTF-8.", file=where, reason=str(error)
        ) from None
    found, problems = structure(given, Foreign, "")
    if found is None:
        raise mistakes(where, problems)
    wrong = [problem for each in found.object for section in each.section
             for problem in _wrong(section, f"object.{each.name}")]  # fmt: skip
    if wrong:
        raise mistakes(where, wrong)
    return found


def _wrong(section: Mapping[str, Any], path: str) -> Iterator[Problem]:
    """What is wrong with a section, which is one of a mapping but for its file, its remark, and lists of values."""
    mend = "Write it like a section of a mapping, without file."
    if not {"record", "key", "fields"} <= section.keys():
        yield Problem(path, "A section needs {needed}.", mend, {"needed": "record, key, fields"})
        return
    for name in _OF_THE_TABLE:
        if name in section:
            yield Problem(f"{path}.{name}", "Foreign names say nothing of the file.", mend)
    plain = {name: value for name, value in section.items() if name not in ("remark", *_OF_THE_TABLE)}
    if isinstance(plain["fields"], Mapping):
        plain["fields"] = dict(_values(plain["fields"]))
    found, problems = section_mapping({**plain, "file": "-"}, path)
    yield from problems
    if found is None:
        return
    templates = {"key": found.key}
    for name, field in found.fields.items():
        templates[f"fields.{name}.template"] = field.template
        templates[f"fields.{name}.lookup.key"] = field.lookup.key if field.lookup is not None else ""
    for name, source in templates.items():
        try:
            Template.parse(source)
        except ValueError as error:
            yield no_template(f"{path}.{name}", source, error)


def _values(fields: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Each value that a field or a part may have, those of a list one by one."""
    for name, value in fields.items():
        parts = {f"{name}.{part}": each for part, each in value.items()} if given_by_parts(value) else {name: value}
        for place, given in parts.items():
            if isinstance(given, list):
                yield from ((f"{place}[{number}]", each) for number, each in enumerate(given))
            else:
                yield place, given


def _add(systems: dict[str, Foreign], new: Foreign) -> None:
    """Objects of one name are one: what a plugin says of an account comes after what the kernel says."""
    old = systems.get(new.system)
    if old is None:
        systems[new.system] = new
        return
    objects = {each.name: each for each in old.object}
    for each in new.object:
        known = objects.get(each.name, ForeignObject(name=each.name))
        objects[each.name] = ForeignObject(
            name=each.name,
            columns=tuple(dict.fromkeys((*known.columns, *each.columns))),
            files=tuple(dict.fromkeys((*known.files, *each.files))),
            section=(*known.section, *each.section),
        )
    systems[new.system] = Foreign(
        system=old.system, label=old.label or new.label, time_zone=old.time_zone or new.time_zone,
        marks=tuple(dict.fromkeys((*old.marks, *new.marks))), past=tuple(dict.fromkeys((*old.past, *new.past))),
        object=tuple(objects.values()),
    )  # fmt: skip


def recognised(table: Table, systems: Sequence[Foreign]) -> Recognised | None:
    """Of which system a table is, if it is of one that is known."""
    header = {plain(column.header) for column in table.columns}
    best: Recognised | None = None
    for system in systems:
        marks = sum(plain(each) in header for each in system.marks)
        if marks < _MARKS:
            continue
        past = bool(system.past) and all(plain(each) in header for each in system.past)
        scored = [(score, each) for each in system.object if (score := _score(each, table, header))]
        if scored:
            score, found = max(scored, key=lambda pair: pair[0])
            certainty = min(0.98, 0.6 + 0.4 * score)
        else:
            found, certainty = None, 0.0
        if best is None or certainty > best.certainty:
            best = Recognised(system, found, certainty, past)
    return best


def _score(each: ForeignObject, table: Table, header: set[str]) -> float:
    """The share of an object's own columns that a table has, and whether its name says so, too; 0 where it is none."""
    own = sum(plain(column) in header for column in each.columns)
    named = [singular(word) for word in words(table.title)]
    wanted = [[singular(word) for word in words(name)] for name in (each.name, *each.files)]
    # sf_opportunity_line_item_data is no table of opportunities.
    said = any(_says(named, name) for name in wanted)
    share = own / len(each.columns) if each.columns else 0.0
    if own < _OWN and not said:
        return 0.0
    if not said and share < _ENOUGH:
        return 0.0
    return share + (0.5 if said else 0.0)


def _says(named: list[str], wanted: list[str]) -> bool:
    """Whether the name of a file says nothing but the object, some words around it apart."""
    rest = [word for word in named if word not in _ASIDE and not word.isdecimal()]
    return "".join(rest) == "".join(wanted)
