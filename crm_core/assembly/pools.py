"""The pools of a build file, judged against the records, roles and words of the build."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import attrs

from crm_core.assembly.build_file import BuildFile, read
from crm_core.assembly.manifest import NAME
from crm_core.assembly.verdicts import Verdicts
from crm_core.domain.pools import ALL_GRADES, HELD_ACTIVITY, SIGNALS, Pool, PoolRules, RecycleRule
from crm_core.errors import BuildError, ExpressionError, Problem, nearest
from crm_core.expressions import Environment, parse
from crm_core.fields import Field
from crm_core.fields.composites import ADDRESS_PARTS
from crm_core.records import RecordType, Types
from crm_core.store.derived import DERIVED

if TYPE_CHECKING:
    from crm_core.assembly.build import Build

__all__ = ["pools", "read_pools"]

_FAR = 36_500
_PARTS: Mapping[str, tuple[str, ...]] = {
    "address": tuple(part for part, _ in ADDRESS_PARTS), "money": ("amount", "currency"),
}  # fmt: skip


def pools(
    file: BuildFile,
    types: Types,
    roles: Mapping[str, object],
    vocabularies: Mapping[str, Mapping[str, str]],
    custom: Mapping[str, Mapping[str, Field]],
    verdicts: Verdicts,
) -> dict[str, Pool]:
    """The pools by name, in the order of the file; ``verdicts`` receives what does not fit the build."""
    result: dict[str, Pool] = {}
    record_type = types.get("account")
    if record_type is None:
        return result
    environment = Environment(
        now=dt.datetime.now(dt.UTC),
        tz=ZoneInfo(file.crm.time_zone),
        visible=lambda _type, _rows: None,
        custom=custom,
        derived=DERIVED,
    )
    for name, written in file.pools.items():
        path = f"pools.{name}"
        rules = _heard(path, written, vocabularies.get(SIGNALS, {}), verdicts)
        wrong = [*_figures(path, name, rules), *_recycling(path, rules, vocabularies.get(SIGNALS, {}))]
        verdicts.file += wrong
        # What names fields or roles may be explained by a plugin that was left out.
        doubts = [
            *_condition(f"{path}.where", rules.where, types, record_type, environment),
            *_roles(path, rules, roles),
            *_shown(path, rules, record_type, custom.get(record_type.name, {})),
        ]
        for doubt in doubts:
            verdicts.doubt(doubt)
        if not wrong and not doubts:
            result[name] = Pool.of(name, rules)
    return result


def read_pools(build: Build, given: str | Path | Mapping[str, Any]) -> dict[str, Pool]:
    """The pools of another build file (or of one that holds nothing else), judged against a build: for a simulation.

    Raises :class:`~crm_core.errors.BuildError` with everything that is wrong with them.
    """
    file, problems = read(given)
    wrong = [problem for problem in problems if problem.path.partition(".")[0] == "pools"]
    verdicts = Verdicts(file=wrong)
    policy = build.policy
    roles = {**policy.roles, **file.roles}
    found = pools(attrs.evolve(file, crm=build.file.crm), build.types, roles, policy.vocabularies, policy.custom,
                  verdicts)  # fmt: skip
    if verdicts.file:
        raise BuildError("The pools of {where} do not fit the build:", verdicts.file, where=file.where)
    return found


def _figures(path: str, name: str, rules: PoolRules) -> Iterator[Problem]:
    if not NAME.fullmatch(name) or len(name) > 40:
        yield Problem(path, "{name!r} is no name for a pool.", "Write it in snake_case, at most 40 characters.",
                      {"name": name})  # fmt: skip
    if len(rules.scope) > 40:
        yield Problem(f"{path}.scope", "A scope has at most 40 characters.", "Shorten it.")
    if rules.a_day is not None and rules.a_day < 1:
        yield Problem(f"{path}.a_day", "Nobody could claim anything.", "Give at least 1, or leave it out.")
    if not 0 <= rules.cooling_days <= _FAR:
        yield Problem(f"{path}.cooling_days", "Give 0 to {most} days.", "", {"most": _FAR})
    for grade, most in rules.in_all.items():
        if most < 0 or len(grade) > 10 or not grade:
            yield Problem(f'{path}.in_all."{grade}"', "A grade has 1 to 10 characters, and its number is not negative.",
                          "Write it as {example}.", {"example": 'in_all = { A = 10, "*" = 100 }'})  # fmt: skip
    if rules.members and not rules.assign:
        yield Problem(f"{path}.members", "Members are those that accounts are assigned to.",
                      'Add assign = "round_robin", or remove them; roles and units say who may claim.')  # fmt: skip
    if rules.assign and not (rules.members or rules.roles or rules.units):
        yield Problem(f"{path}.assign", "There is nobody to assign to.", "Name members, or roles or units.")
    for number, login in enumerate(rules.members):
        if login in rules.members[:number]:
            yield Problem(f"{path}.members[{number}]", "{value!r} is listed twice.", "Remove one of them.",
                          {"value": login})  # fmt: skip


def _heard(path: str, rules: PoolRules, signals: Mapping[str, str], verdicts: Verdicts) -> PoolRules:
    """The rules without those for signals of plugins that are switched off: nobody loses a customer by those."""
    if not verdicts.off:
        return rules
    kept = []
    for number, rule in enumerate(rules.recycle):
        if (rule.without is None) != (rule.after is None) and rule.signal not in signals:
            verdicts.warnings.append(
                Problem(f"{path}.recycle[{number}]",
                        "No plugin that is loaded tells of {signal!r}. The rule is kept, and ignored meanwhile.", "",
                        {"signal": rule.signal})
            )  # fmt: skip
        else:
            kept.append(rule)
    return attrs.evolve(rules, recycle=tuple(kept))


def _recycling(path: str, rules: PoolRules, signals: Mapping[str, str]) -> Iterator[Problem]:
    seen: set[str] = set()
    for number, rule in enumerate(rules.recycle):
        where = f"{path}.recycle[{number}]"
        if (rule.without is None) == (rule.after is None):
            yield Problem(where, "A rule says either without or after.", 'Write without = "held_activity".')
            continue
        yield from _rule(where, rule, signals)
        if rule.key in seen:
            yield Problem(where, "There is such a rule already.", "Remove one of them.")
        seen.add(rule.key)


def _rule(where: str, rule: RecycleRule, signals: Mapping[str, str]) -> Iterator[Problem]:
    key = "without" if rule.without is not None else "after"
    if rule.signal not in signals:
        # Without anybody who tells of orders, everybody would lose every customer for want of them.
        yield Problem(f"{where}.{key}", "No plugin of this build tells of {signal!r}.", "Did you mean {near}?",
                      {"signal": rule.signal, "near": nearest(rule.signal, signals)})  # fmt: skip
    elif rule.after == HELD_ACTIVITY:
        yield Problem(f"{where}.after", "Nobody loses an account for having been there.", "Write without instead.")
    if not 1 <= rule.days <= _FAR:
        yield Problem(f"{where}.days", "Give 1 to {most} days.", "", {"most": _FAR})
    if rule.since is not None and not 1900 <= rule.since.year < 9000:
        yield Problem(f"{where}.since", "{value} is no day from which silence could count.",
                      "Give the day on which the rule is switched on.", {"value": rule.since})  # fmt: skip
    if not 0 <= rule.warn_days <= rule.days:
        yield Problem(f"{where}.warn_days", "A warning comes at most as many days before as the rule has.",
                      "Give 0 to {most}.", {"most": rule.days})  # fmt: skip
    for position, grade in enumerate(rule.never_grades):
        if not 0 < len(grade) <= 10 or grade == ALL_GRADES:
            yield Problem(f"{where}.never_grades[{position}]", "{value!r} is no grade.", "Name grades of accounts.",
                          {"value": grade})  # fmt: skip


def _condition(
    path: str, where: str, types: Types, record_type: RecordType, environment: Environment
) -> Iterator[Problem]:
    if where:
        try:
            parse(where).bind(types, record_type, environment)
        except ExpressionError as error:
            values = {"plugin": error.plugin, "record": error.record, "field": error.field, **error.values}
            yield Problem(path, error.problem, error.mend, values)


def _roles(path: str, rules: PoolRules, roles: Mapping[str, object]) -> Iterator[Problem]:
    for number, role in enumerate(rules.roles):
        if role not in roles:
            yield Problem(f"{path}.roles[{number}]", "There is no role {role!r}.", "Did you mean {near}?",
                          {"role": role, "near": nearest(role, roles)})  # fmt: skip


def _shown(path: str, rules: PoolRules, record_type: RecordType, custom: Mapping[str, Field]) -> Iterator[Problem]:
    known = {field.name: field for field in record_type.fields} | dict(custom)
    names = [*known, *(f"{name}.{part}" for name, field in known.items() for part in _PARTS.get(field.kind.name, ()))]
    for number, name in enumerate(rules.show):
        where = f"{path}.show[{number}]"
        if name not in names:
            yield Problem(where, "An account has no field {name!r}.", "Did you mean {near}?",
                          {"name": name, "near": nearest(name, names)})  # fmt: skip
        elif known[name.partition(".")[0]].restricted:
            yield Problem(where, "{name!r} has readers of its own, so it is not shown to all.", "Leave it out.",
                          {"name": name})  # fmt: skip
