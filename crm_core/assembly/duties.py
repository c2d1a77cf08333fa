"""Reporting duties and key fields of a build file, checked against what is declared."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping

from crm_core.assembly.build_file import BuildFile, DutySection
from crm_core.assembly.manifest import NAME
from crm_core.assembly.verdicts import Verdicts
from crm_core.domain.duties import Duty
from crm_core.domain.ownership import OwnershipRole
from crm_core.domain.quality import GUARDED, Steward
from crm_core.errors import CrmError, Problem, nearest
from crm_core.expressions import Environment, parse
from crm_core.fields import Field
from crm_core.records import RecordType, Types
from crm_core.store.derived import DERIVED
from crm_core.store.policy import Role
from crm_core.store.touching import hangs_on_accounts

__all__ = ["duties", "steward"]

_MOST_DAYS = 3650
Custom = Mapping[str, Mapping[str, Field]]


def duties(
    file: BuildFile, types: Types, roles: Mapping[str, Role], custom: Custom, tz: dt.tzinfo, verdicts: Verdicts
) -> dict[str, Duty]:
    """The reporting duties by name; ``verdicts`` receives what does not fit."""
    found = {}
    for name, section in file.duties.items():
        path = f"duties.{name}"
        wrong = [
            *_name_mistakes(path, name, section),
            *_record_mistakes(path, section, types, custom),
            *_who_mistakes(path, section, roles),
            *_where_mistakes(path, section, types, custom, tz),
        ]
        for problem in wrong:
            verdicts.doubt(problem, section.record if problem.path == f"{path}.record" else None)
        if not wrong:
            found[name] = Duty(
                name=name, label=section.label, record=section.record, fields=section.fields, who=section.who,
                where=section.where, every_days=section.every_days, each=section.each,
                since=section.since,
            )  # fmt: skip
    return found


def _name_mistakes(path: str, name: str, section: DutySection) -> Iterator[Problem]:
    if not NAME.fullmatch(name) or len(name) > 80:
        yield Problem(path, "{name!r} is no name for a duty.", "Write it in snake_case.", {"name": name})
    if not 1 <= section.every_days <= _MOST_DAYS:
        yield Problem(f"{path}.every_days", "Give 1 to {most} days.", "", {"most": _MOST_DAYS})


def _record_mistakes(path: str, section: DutySection, types: Types, custom: Custom) -> Iterator[Problem]:
    record_type = types.get(section.record)
    if record_type is None:
        yield Problem(f"{path}.record", "There is no record {record!r}.", "Did you mean {near}?",
                      {"record": section.record, "near": nearest(section.record, types)})  # fmt: skip
    elif not hangs_on_accounts(types, record_type):
        yield Problem(f"{path}.record", "A {record} hangs on no account.",
                      "Name the account, or a record that refers to an account or a contact.",
                      {"record": section.record})  # fmt: skip
    else:
        for number, field in enumerate(section.fields):
            yield from _field_mistakes(f"{path}.fields[{number}]", field, record_type, custom)


def _field_mistakes(path: str, name: str, record_type: RecordType, custom: Custom) -> Iterator[Problem]:
    known = [*record_type.by_name, *custom.get(record_type.name, {})]
    if name not in known:
        yield Problem(path, "{record} has no field {field!r}.", "Did you mean {near}?",
                      {"record": record_type.name, "field": name, "near": nearest(name, known)})  # fmt: skip


def _who_mistakes(path: str, section: DutySection, roles: Mapping[str, Role]) -> Iterator[Problem]:
    parts = [part.value for part in OwnershipRole]
    if not section.who:
        yield Problem(f"{path}.who", "Nobody has this duty.", 'Write who = ["owner"].')
    for number, name in enumerate(section.who):
        if name not in parts and name not in roles:
            yield Problem(f"{path}.who[{number}]", "{name!r} is neither a part in a responsibility nor a role.",
                          "Did you mean {near}?", {"name": name, "near": nearest(name, [*parts, *roles])})  # fmt: skip


def _where_mistakes(path: str, section: DutySection, types: Types, custom: Custom, tz: dt.tzinfo) -> Iterator[Problem]:
    if not section.where or "account" not in types:
        return
    # Whether somebody has a duty is told to many: it must not rest on what only a few may read.
    env = Environment(now=dt.datetime.now(dt.UTC), tz=tz, visible=lambda *_: None, custom=custom, derived=DERIVED)
    try:
        parse(section.where).bind(types, types["account"], env)
    except CrmError as error:
        values = {"plugin": error.plugin, "record": error.record, "field": error.field, **error.values}
        yield Problem(f"{path}.where", error.problem, error.mend, values)


def steward(file: BuildFile, types: Types, custom: Custom, verdicts: Verdicts) -> Steward:
    """Which fields only stewards change; ``verdicts`` receives what does not fit."""
    section = file.steward
    if not 1 <= section.stale_days <= _MOST_DAYS:
        verdicts.doubt(Problem("steward.stale_days", "Give 1 to {most} days.", "", {"most": _MOST_DAYS}))
    for record, names in section.key_fields.items():
        path = f"steward.key_fields.{record}"
        if record not in GUARDED or record not in types:
            verdicts.doubt(
                Problem(path, "Only {guarded} have key fields, not {record!r}.", "Remove it.",
                        {"guarded": ", ".join(GUARDED), "record": record})
            )  # fmt: skip
            continue
        record_type = types[record]
        for number, name in enumerate(names):
            for problem in _field_mistakes(f"{path}[{number}]", name, record_type, custom):
                verdicts.doubt(problem)
            field = record_type.by_name.get(name)
            if field is not None and field.restricted is not None:
                verdicts.doubt(
                    Problem(f"{path}[{number}]", "{field} is for a few to read, and proposals are for all.",
                            "Remove it; whoever may write it may read it.", {"field": name})
                )  # fmt: skip
    return Steward(key_fields=dict(section.key_fields), stale_days=section.stale_days)
