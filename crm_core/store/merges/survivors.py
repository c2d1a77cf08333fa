"""Which value survives: the rules for the fields of two records that become one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import attrs
from sqlalchemy import select

from crm_core.domain.merging import RULES
from crm_core.errors import PermissionDenied, Problem, ValidationError, nearest
from crm_core.fields.field import Field
from crm_core.fields.kinds import RefKind
from crm_core.records import RecordType
from crm_core.store.merges.report import FieldChoice
from crm_core.store.tables import CHANGE, CHANGE_SET
from crm_core.store.values import decode_values

if TYPE_CHECKING:
    from crm_core.store.session import CrmSession

__all__ = ["Survivors", "choose_fields"]

_LED = {"registration_country": "registration_number"}
"""Fields that mean nothing without another one, whose side they take."""


@attrs.define
class Survivors:
    """What becomes of the fields: the changes of the target, and what may be told of them."""

    changes: dict[str, Any] = attrs.field(factory=dict)
    told: list[FieldChoice] = attrs.field(factory=list)


@attrs.frozen
class _Side:
    """One field on both sides."""

    name: str
    target: Any
    source: Any
    field: Field | None


def choose_fields(
    session: CrmSession,
    record_type: RecordType,
    ids: tuple[int, int],
    values: tuple[Mapping[str, Any], Mapping[str, Any]],
    choose: Mapping[str, str],
    prefix: str = "",
) -> Survivors:
    """Decide each field in which the target's and the source's ``values`` differ.

    ``choose`` outranks the rules of the build; a side that is chosen there counts even where it is empty. Raises
    :class:`ValidationError` for a name or rule that is not known, :class:`PermissionDenied` for a field that the actor
    may not read.
    """
    hidden = session._reading.restricted_names(record_type)
    sides = {side.name: side for side in _sides(session, record_type, ids, *values)}
    _check(session, record_type, choose, hidden)
    rules = {**session.policy.merge.get(record_type.name, {}), **choose}
    differing = {name: side for name, side in sides.items() if side.target != side.source}
    newest = (
        _written_last(session, record_type, ids)
        if any(rules.get(name) == "newest" for name in differing)
        else dict[str, int]()
    )
    found = Survivors()
    chosen: dict[str, FieldChoice] = {}
    for name, side in differing.items():
        rule = rules.get(name) or ("union" if side.field is not None and side.field.kind.name == "tags" else "filled")
        winner, value = _decide(side, rule, ids, newest, explicit=name in choose)
        chosen[name] = FieldChoice(prefix + name, side.target, side.source, rule, winner, value)
    for name, leader in _LED.items():
        if name in chosen and name not in choose and leader in sides:
            # Only together do they mean anything: the number of one country with another's would be nobody's.
            led = chosen.get(leader)
            winner = led.chosen if led is not None else "target"
            if _empty(sides[leader].target) and _empty(sides[leader].source):
                continue
            if led is None and _empty(sides[name].target):
                winner = "source"  # the same number; one side knows its country
            value = sides[name].source if winner == "source" else sides[name].target
            chosen[name] = attrs.evolve(chosen[name], chosen=winner, value=value)
    custom: dict[str, Any] = {}
    for name, choice in chosen.items():
        if choice.value != choice.target:
            if name.startswith("custom."):
                custom[name.removeprefix("custom.")] = choice.value
            else:
                found.changes[name] = choice.value
        if name not in hidden:
            found.told.append(choice)
    if custom:
        found.changes["custom"] = custom
    return found


def _sides(
    session: CrmSession,
    record_type: RecordType,
    ids: tuple[int, int],
    target: Mapping[str, Any],
    source: Mapping[str, Any],
) -> Iterator[_Side]:
    for field in record_type.fields:
        one, other = target.get(field.name), source.get(field.name)
        if isinstance(field.kind, RefKind) and field.kind.target == record_type.name and field.optional:
            # What refers to the other of the two would refer to itself.
            one, other = (None if value in ids else value for value in (one, other))
            if target.get(field.name) in ids:
                yield _Side(field.name, target.get(field.name), other, None)
                continue
        yield _Side(field.name, one, other, field)
    had, has = target.get("custom") or {}, source.get("custom") or {}
    known = session.policy.custom.get(record_type.name, {})
    for name in sorted((had.keys() | has.keys()) & known.keys()):
        yield _Side(f"custom.{name}", had.get(name), has.get(name), known[name])


def _decide(
    side: _Side, rule: str, ids: tuple[int, int], newest: Mapping[str, int], *, explicit: bool
) -> tuple[Any, Any]:
    if side.field is None:
        return "source", side.source  # the target referred to one of the two
    if explicit and rule in ("target", "source"):
        return rule, getattr(side, rule)
    if _empty(side.target):
        return "source", side.source
    if _empty(side.source):
        return "target", side.target
    if rule == "union":
        return "both", _joined(side.target, side.source)
    if rule == "longest":
        winner = "source" if len(str(side.source)) > len(str(side.target)) else "target"
    elif rule == "newest":
        winner = "source" if newest.get(side.name.partition(".")[0]) == ids[1] else "target"
    else:
        winner = "source" if rule == "source" else "target"
    return winner, getattr(side, winner)


def _joined(one: Any, other: Any) -> Any:
    """The tags of both; custom fields hold them as lists."""
    return one | other if isinstance(one, frozenset) else sorted({*one, *other})


def _empty(value: Any) -> bool:
    return value is None or (isinstance(value, str | frozenset | list) and not value)


def _written_last(session: CrmSession, record_type: RecordType, ids: tuple[int, int]) -> dict[str, int]:
    """By field, which of the two records it was last written on."""
    rows = session.core(
        select(CHANGE.c.record_id, CHANGE.c.after)
        .join(CHANGE_SET, CHANGE_SET.c.id == CHANGE.c.change_set_id)
        .where(CHANGE.c.type == record_type.name, CHANGE.c.record_id.in_(ids))
        .order_by(CHANGE_SET.c.at, CHANGE_SET.c.id, CHANGE.c.position)
    )
    latest: dict[str, int] = {}
    for row in rows:
        latest |= dict.fromkeys(decode_values(None, row.after), row.record_id)
    return latest


def _check(session: CrmSession, record_type: RecordType, choose: Mapping[str, str], hidden: frozenset[str]) -> None:
    known = {*record_type.by_name, *(f"custom.{name}" for name in session.policy.custom.get(record_type.name, {}))}
    problems = []
    for name, rule in choose.items():
        if name not in known:
            near = nearest(name, known)
            problems.append(Problem(name, "There is no such field.", "Did you mean {near}?", {"near": near}))
        elif name in hidden:
            raise PermissionDenied(
                "{principal} may not read {field}, and so not choose it.",
                mend="Leave it to the rules of the build.",
                principal=session.actor.principal,
                record=record_type.name,
                field=name,
            )
        else:
            problems += rule_problems(record_type, name, rule, session.policy.custom.get(record_type.name, {}))
    if problems:
        raise ValidationError("The fields cannot be chosen like this.", problems, record=record_type.name)


def rule_problems(record_type: RecordType, name: str, rule: str, custom: Mapping[str, Field]) -> Iterator[Problem]:
    """What is wrong with a rule for a field."""
    field = record_type.by_name.get(name) or custom.get(name.removeprefix("custom."))
    if rule not in RULES:
        yield Problem(
            name, "{rule!r} is no rule.", "Choose one of: {rules}.", {"rule": rule, "rules": ", ".join(RULES)}
        )
    elif rule == "union" and field is not None and field.kind.name != "tags":
        yield Problem(name, "Only tags can be united.", "Choose one of: {rules}.", {"rules": ", ".join(RULES[:-1])})
    elif rule == "longest" and field is not None and field.kind.python != "str":
        yield Problem(name, "Only texts are longer or shorter.", "Choose one of: {rules}.",
                      {"rules": ", ".join(rule for rule in RULES if rule not in ("longest", "union"))})  # fmt: skip
