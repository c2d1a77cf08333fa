"""Fields that people must fill, and who uses them: the counterweight to every duty."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import attrs

from crm_core.errors import Problem
from crm_core.exchange.mapping import ImportMapping
from crm_core.fields import Field
from crm_core.inspection.demands import Demand, demands, writing_roles
from crm_core.inspection.filling import Filling, filling
from crm_core.inspection.uses import Use, filled_by, uses
from crm_core.records import KERNEL

if TYPE_CHECKING:
    from crm_core.assembly import Build
    from crm_core.store.session import CrmSession

__all__ = ["Demand", "FieldReport", "FieldUse", "Use", "Verdict", "field_report"]

Verdict = Literal["used", "perhaps", "unused"]


@attrs.frozen(kw_only=True)
class FieldUse:
    """One field: who demands it of whom, who uses it, and how often it is filled.

    ``verdict`` is ``unused`` where nothing uses it, ``perhaps`` where only its name occurs in code that may mean
    another record's. ``imported`` are mappings that fill it from a file. ``lines`` are what to write in the build file
    to be rid of it, ``proposal`` says it in words; both are empty for a field that is used.
    """

    record: str
    field: str
    label: str
    custom: bool
    plugin: str
    roles: tuple[str, ...]
    demands: tuple[Demand, ...]
    uses: tuple[Use, ...]
    imported: tuple[str, ...]
    filling: Filling | None
    proposal: Problem | None = None
    lines: tuple[str, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """Whether anything uses it."""
        if any(use.certain for use in self.uses):
            return "used"
        return "perhaps" if self.uses else "unused"


@attrs.frozen(kw_only=True)
class FieldReport:
    """All fields that were looked at. ``limits`` say what the method cannot see."""

    fields: tuple[FieldUse, ...]
    limits: tuple[str, ...]

    @property
    def useless(self) -> tuple[FieldUse, ...]:
        """Those that nothing uses for certain."""
        return tuple(each for each in self.fields if each.verdict != "used")

    @property
    def by_role(self) -> Mapping[str, tuple[FieldUse, ...]]:
        """By role the fields that those who have it must fill although nothing uses them for certain."""
        roles = sorted({role for each in self.useless for role in each.roles})
        return {role: tuple(each for each in self.useless if each.demands and role in each.roles) for role in roles}


LIMITS = (
    "Code is read, not run: a name that is put together while the program runs is not seen.",
    "A name in code counts for every record with a field of that name; where its module does not speak of the record, "
    "it is only perhaps a use.",
    "What people look at on a screen, type into 'crm list --where', or read in a spreadsheet leaves no trace.",
    "Programs outside of this build that read the database or its exports are not seen.",
)
"""What the method cannot see; said beside every report."""


def field_report(
    build: Build,
    session: CrmSession | None = None,
    *,
    mappings: Iterable[str | Path | ImportMapping] = (),
    everything: bool = False,
) -> FieldReport:
    """Fields that people must fill, with who uses them; with ``everything`` also those that nobody demands.

    ``session`` counts how often they are filled, in one statement per record type, over what its actor sees.
    ``mappings`` are files of imports, whose look-ups are uses. Reads the source of kernel and plugins; runs nothing of
    it.
    """
    mappings = list(mappings)
    wanted = demands(build)
    used = uses(build, mappings)
    imported = filled_by(build, mappings)
    keys = dict.fromkeys(wanted)
    if everything:
        keys |= dict.fromkeys(_all(build))
    counted = _counted(session, keys)
    found = []
    for record, name in sorted(keys, key=lambda key: (build.types[key[0]].plugin != KERNEL, key)):
        record_type = build.types[record]
        custom = build.policy.custom.get(record, {}).get(name)
        field = custom or record_type.by_name[name]
        each = FieldUse(
            record=record, field=name, label=field.label, custom=custom is not None, plugin=record_type.plugin,
            roles=writing_roles(build, record_type), demands=tuple(wanted.get((record, name), ())),
            uses=tuple(dict.fromkeys(used.get((record, name), ()))),
            imported=tuple(dict.fromkeys(imported.get((record, name), ()))),
            filling=counted.get((record, name)),
        )  # fmt: skip
        found.append(each if each.verdict == "used" else _proposed(each, field))
    return FieldReport(fields=tuple(found), limits=LIMITS)


def _all(build: Build) -> Iterable[tuple[str, str]]:
    for name, record_type in build.types.items():
        if writing_roles(build, record_type):
            yield from ((name, field.name) for field in record_type.fields)
            yield from ((name, field) for field in build.policy.custom.get(name, {}))


def _counted(session: CrmSession | None, keys: Iterable[tuple[str, str]]) -> Mapping[tuple[str, str], Filling]:
    if session is None:
        return {}
    by_record: dict[str, list[str]] = {}
    for record, name in keys:
        by_record.setdefault(record, []).append(name)
    return {
        (record, name): each
        for record, names in by_record.items()
        for name, each in filling(session, session.types[record], names).items()
    }


def _proposed(each: FieldUse, field: Field) -> FieldUse:
    kinds = {demand.kind for demand in each.demands}
    values: dict[str, Any] = {"record": each.record, "field": each.field, "plugin": each.plugin}
    if each.custom:
        problem = Problem(
            "",
            "Nothing is known to use {record}.{field}.",
            "Retire it: take its section out of the build file, and write the lines below.",
            values,
        )
    elif "duty" in kinds:
        problem = Problem(
            "",
            "Nothing is known to use {record}.{field}, but a duty asks for it.",
            "Take it out of the fields of the duty.",
            values,
        )
    elif "completeness" in kinds:
        problem = Problem(
            "",
            "Nothing is known to use {record}.{field}, but it counts as a part of completeness.",
            "Take it out of weights in [views].",
            values,
        )
    elif "required" in kinds:
        problem = Problem(
            "",
            "Nothing is known to use {record}.{field}, which {plugin} requires.",
            "Ask its authors for a default, or hide it in your forms and fill it by a mapping.",
            values,
        )
    else:
        problem = Problem(
            "", "Nothing is known to use {record}.{field}; nobody must fill it.", "Hide it in your forms.", values
        )
    return attrs.evolve(each, proposal=problem, lines=_lines(each, field))


def _lines(each: FieldUse, field: Field) -> tuple[str, ...]:
    """What to write in the build file, exactly; what goes is commented out."""
    key = f'"{each.record}"' if "." in each.record else each.record
    lines: list[str] = []
    if each.custom:
        lines += [
            f"# remove [custom_fields.{key}.{each.field}]",
            f"[retired_fields.{key}]",
            f'{each.field} = "{field.kind.name}"',
        ]
    for demand in each.demands:
        if demand.kind == "duty":
            lines.append(f'# {demand.where}: remove "{each.field}"')
        elif demand.kind == "completeness":
            lines.append(f"# {demand.where}: remove {each.field}")
    return tuple(lines)
