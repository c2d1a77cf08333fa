"""Rows that cannot simply be moved: two owners at one time, a relation to itself, one person twice at one account.

Every resolver decides and tells; none lets a row go without a word.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol, TypeAlias

from crm_core.domain.accounts import AccountAddress, AccountRelation, Lifecycle
from crm_core.domain.activities import Participant
from crm_core.domain.contacts import Affiliation, Consent, ContactPoint
from crm_core.domain.handovers.records import OPEN, WAITING, Handover, HandoverItem
from crm_core.domain.ownership import Ownership, OwnershipRole, Share
from crm_core.records import Exclusive, RecordType, Via
from crm_core.store.differences import STORES_OWN
from crm_core.store.merges.cutting import Span, overlap, pieces, span, united
from crm_core.store.merges.work import Rows, Work

__all__ = ["LOOKED_AT", "Teller", "resolve", "turns_on_itself"]


class Teller(Protocol):
    """Who hears what became of rows."""

    def resolved(self, record_type: RecordType, id_: int, *, problem: str, **values: Any) -> None:
        """A row was not simply moved, and what became of it."""

    def conflict(self, record_type: RecordType, id_: int, *, problem: str, mend: str, **values: Any) -> None:
        """A row stands in the way."""

    def lost(self, record_type: RecordType, id_: int, *, field: str, kept: Any, lost: Any, other: int) -> None:
        """A row went into another one, and what it said of a field is lost to what stays."""

    def look_up(self, record_type: RecordType, field: str, values: Iterable[int]) -> Rows:
        """Records that have one of ``values`` in a field, whether the actor sees them or not."""

    def now(self) -> dt.datetime:
        """The present moment."""


Resolver: TypeAlias = Callable[[Work, Teller], None]


def resolve(work: Work, teller: Teller, cut: Iterable[str]) -> None:
    """Decide about the moved rows of one type; ``cut`` are types of plugins that give way to the survivor's rows."""
    _drop_what_turns_on_itself(work, teller)
    resolver = _RESOLVERS.get(work.type.name)
    if resolver is not None:
        resolver(work, teller)
        return
    for exclusive in work.type.exclusive:
        if work.type.name in set(cut):
            _cut(work, teller, exclusive)
        else:
            _refuse(work, teller, exclusive)


def turns_on_itself(record_type: RecordType) -> list[tuple[str, str]]:
    """Pairs of fields that relate two records of one type, so that a row with one record on both sides says nothing."""
    access = record_type.access
    if not isinstance(access, Via) or not access.every:
        return []
    sides = [field for field in record_type.refs if field.name in access.fields]
    return [
        (one.name, other.name)
        for number, one in enumerate(sides)
        for other in sides[number + 1 :]
        if one.target == other.target
    ]


def _drop_what_turns_on_itself(work: Work, teller: Teller) -> None:
    for one, other in turns_on_itself(work.type):
        for id_, values in list(work.moved.items()):
            if values[one] is not None and values[one] == values[other]:
                work.drop(id_)
                teller.resolved(work.type, id_, problem="it was between the two, and goes.")


# -- rows of which only one may hold ---------------------------------------------------------------------------


def _by_key(work: Work, exclusive: Exclusive, ids: Iterable[int], rows: Mapping[int, Any]) -> dict[Any, list[int]]:
    found: defaultdict[Any, list[int]] = defaultdict(list)
    for id_ in ids:
        values = rows[id_]
        if all(values.get(name) == value for name, value in exclusive.when):
            found[tuple(values.get(name) for name in exclusive.fields)].append(id_)
    return found


def _clashes(work: Work, exclusive: Exclusive) -> list[tuple[int, list[int]]]:
    """Moved rows with the rows that hold at the same time for the same key."""
    there = _by_key(work, exclusive, work.present, work.present)
    found = []
    for key, ids in _by_key(work, exclusive, work.moved, work.moved).items():
        for id_ in ids:
            own = span(work.moved[id_])
            others = [each for each in there.get(key, ()) if overlap(own, span(work.present[each]))]
            if others:
                found.append((id_, sorted(others)))
    return found


def _refuse(work: Work, teller: Teller, exclusive: Exclusive) -> None:
    for id_, others in _clashes(work, exclusive):
        teller.conflict(
            work.type, id_, problem="it would hold at the same time as {other}, for the same {key}.",
            mend="End one of them first, or let its plugin answer crm_check_merge.",
            other=others[0], key=", ".join(exclusive.fields),
        )  # fmt: skip


def _cut(work: Work, teller: Teller, exclusive: Exclusive) -> None:
    """Let a moved row hold only where the survivor has none."""
    for id_, others in _clashes(work, exclusive):
        parts = pieces(span(work.moved[id_]), [(span(work.present[each]), True) for each in others])
        free = [part for part, taken in parts if not taken]
        if not free:
            _join(
                work, teller, id_, others[0], {},
                problem="{other} holds at its time, and stays; this one goes into it.",
            )  # fmt: skip
            continue
        _spread(work, id_, [(part, {}) for part in free])
        teller.resolved(
            work.type, id_, problem="it is cut to the time in which {other} does not hold.", other=others[0]
        )


def _spread(work: Work, id_: int, parts: list[tuple[Span, dict[str, Any]]]) -> None:
    """Let a row become its last part, and new rows the others."""
    whole = dict(work.moved[id_])
    for (start, end), values in parts[:-1]:
        work.created.append(_plain(work.type, {**whole, **values, "valid_from": start, "valid_to": end}))
    (start, end), values = parts[-1]
    wanted = {**values, "valid_from": start, "valid_to": end}
    work.change(id_, **{name: value for name, value in wanted.items() if whole.get(name) != value})


def _plain(record_type: RecordType, values: Mapping[str, Any]) -> dict[str, Any]:
    plain = {name: values.get(name) for name in record_type.by_name}
    return {**plain, "custom": values["custom"]} if values.get("custom") else plain


def _ownership(work: Work, teller: Teller) -> None:
    """The survivor's owner stays; who owned the other one at that time works beside them."""
    (exclusive,) = Ownership.crm_type.exclusive
    for id_, others in _clashes(work, exclusive):
        row = work.moved[id_]
        parts: list[tuple[Span, dict[str, Any]]] = []
        for part, owner in pieces(
            span(row), [(span(work.present[each]), work.present[each]["user_id"]) for each in others]
        ):
            if owner != row["user_id"]:
                parts.append((part, {} if owner is None else {"role": OwnershipRole.COLLABORATOR}))
        if not parts:
            _join(work, teller, id_, others[0], _filled(work.present[others[0]], row), problem=_SAME)
            continue
        _spread(work, id_, parts)
        teller.resolved(
            work.type, id_,
            problem="the owner in {other} stays; this one becomes a collaborator for that time."
            if any(values for _, values in parts) else "it is cut to the time in which {other} does not hold.",
            other=others[0],
        )  # fmt: skip
    _join_same(work, teller, ("account_id", "user_id", "role", "scope"))


def _lifecycle(work: Work, teller: Teller) -> None:
    (exclusive,) = Lifecycle.crm_type.exclusive
    _cut(work, teller, exclusive)


# -- rows that say the same ------------------------------------------------------------------------------------


_SAME = "{other} says the same; this one goes into it."
_TIMES = frozenset({"valid_from", "valid_to", "confirmed_at", "consent_at"})
"""Moments that are joined by a rule, so that the other one is no loss."""


def _join_same(
    work: Work,
    teller: Teller,
    fields: tuple[str, ...],
    more: Callable[[Mapping[str, Any], Mapping[str, Any]], Mapping[str, Any] | None] | None = None,
) -> None:
    """Join a moved row with one of the survivor's that has equal ``fields`` and, if dated, meets it in time.

    ``more`` says what the joined row is besides, or nothing where the two must stand side by side. What only the moved
    row says is taken over.
    """
    there: defaultdict[Any, list[int]] = defaultdict(list)
    for id_, values in sorted(work.present.items()):
        there[tuple(values.get(name) for name in fields)].append(id_)
    for id_, row in sorted(work.moved.items()):
        for other in there.get(tuple(row.get(name) for name in fields), ()):
            held = work.present[other]
            joined: dict[str, Any] = {}
            if work.type.dated:
                if not overlap(span(row), span(held)):
                    continue
                joined["valid_from"], joined["valid_to"] = united(span(row), span(held))
            extra = more(held, row) if more is not None else {}
            if extra is None:
                continue
            _join(work, teller, id_, other, {**_filled(held, row), **extra, **joined}, problem=_SAME)
            break


def _join(work: Work, teller: Teller, id_: int, other: int, values: Mapping[str, Any], *, problem: str) -> None:
    """Let a moved row go into ``other``, which takes ``values``, and tell what is lost by that."""
    row, held = dict(work.moved[id_]), dict(work.present[other])
    work.join(id_, other, **values)
    teller.resolved(work.type, id_, problem=problem, other=other)
    own, had, has = ({**_custom(each), **_fields(work, each)} for each in (row, held, work.present[other]))
    for name, value in sorted(has.items()):
        for lost in (own.get(name), had.get(name)):
            if lost != value and not _says_nothing(lost):
                teller.lost(work.type, id_, field=name, kept=value, lost=lost, other=other)


def _fields(work: Work, row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: row.get(name) for name in work.type.by_name if name not in _TIMES}


def _custom(row: Mapping[str, Any]) -> dict[str, Any]:
    return {f"custom.{name}": value for name, value in (row.get("custom") or {}).items()}


def _says_nothing(value: Any) -> bool:
    return value is None or value is False or value is Consent.UNKNOWN or value in ("", frozenset(), [], {})


def _filled(held: Mapping[str, Any], row: Mapping[str, Any]) -> dict[str, Any]:
    """What the joined row takes from the one that goes: fields, and custom fields, that are empty in the other."""
    wanted = row.keys() - STORES_OWN - {"custom", "valid_from", "valid_to"}
    found = {name: row[name] for name in wanted if held.get(name) is None and row[name] is not None}
    own, theirs = held.get("custom") or {}, row.get("custom") or {}
    if any(own.get(name) is None for name in theirs):
        found["custom"] = {**theirs, **{name: value for name, value in own.items() if value is not None}}
    return found


def _affiliation(work: Work, teller: Teller) -> None:
    names = ("role", "title", "department")

    def more(held: Mapping[str, Any], row: Mapping[str, Any]) -> Mapping[str, Any] | None:
        if any(held.get(name) and row.get(name) and held[name] != row[name] for name in names):
            return None
        confirmed = [at for at in (held.get("confirmed_at"), row.get("confirmed_at")) if at is not None]
        return {
            "primary": held["primary"] or row["primary"],
            "confirmed_at": max(confirmed, default=None),
        }

    _join_same(work, teller, ("account_id", "contact_id"), more)


def _contact_point(work: Work, teller: Teller) -> None:
    """One way to reach somebody has one consent: the later word counts, and without dates the more careful one."""

    def more(held: Mapping[str, Any], row: Mapping[str, Any]) -> Mapping[str, Any] | None:
        said = [each for each in (held, row) if each["consent"] is not Consent.UNKNOWN]
        consent, at = Consent.UNKNOWN, None
        if said:
            if len(said) == 2 and None in (held["consent_at"], row["consent_at"]):
                chosen = next((each for each in said if each["consent"] is Consent.WITHDRAWN), said[0])
            else:
                chosen = max(said, key=lambda each: (each["consent_at"] is not None, each["consent_at"] or 0))
            consent, at = chosen["consent"], chosen["consent_at"]
        return {
            "preferred": held["preferred"] or row["preferred"],
            "consent": consent,
            "consent_at": at,
        }

    _join_same(work, teller, ("contact_id", "account_id", "kind", "value"), more)


def _handover_item(work: Work, teller: Teller) -> None:
    """What somebody is to hand over is handed over once: as the survivor's item says, which is as it was answered.

    Whoever no longer is the owner hands over what they are instead.
    """
    ids = {row["handover_id"] for rows in (work.moved, work.present) for row in rows.values()}
    handovers = teller.look_up(Handover.crm_type, "id", ids)

    def key(row: Mapping[str, Any]) -> Any:
        handover = handovers[row["handover_id"]]
        if row["state"] not in WAITING or handover["state"] not in OPEN:
            return None
        return handover["leaver_id"], row["account_id"], row["role"], row["scope"]

    waiting = {id_: row for id_, row in sorted(work.moved.items()) if key(row) is not None}
    owners = _owners(teller, {row["account_id"] for row in waiting.values()})
    for id_, row in waiting.items():
        owner = owners.get((row["account_id"], row["scope"]))
        if row["role"] is OwnershipRole.OWNER and owner not in (None, handovers[row["handover_id"]]["leaver_id"]):
            work.change(id_, role=OwnershipRole.COLLABORATOR)
            teller.resolved(work.type, id_, problem="the owner stays; this one hands over a collaborator's part.")
    there = {key(row): id_ for id_, row in sorted(work.present.items(), reverse=True)}
    for id_, row in waiting.items():
        other = there.get(key(row))
        if other is not None:
            _join(
                work, teller, id_, other, {},
                problem="{other} hands over the same, and stays; this one goes into it.",
            )  # fmt: skip


def _owners(teller: Teller, accounts: Iterable[int]) -> dict[tuple[int, str], int]:
    """By account and scope, who owns it now, or will."""
    now = teller.now()
    return {
        (row["account_id"], row["scope"]): row["user_id"]
        for _, row in sorted(teller.look_up(Ownership.crm_type, "account_id", accounts).items(), reverse=True)
        if row["role"] is OwnershipRole.OWNER and (row["valid_to"] is None or row["valid_to"] > now)
    }


def _same(*fields: str) -> Resolver:
    return lambda work, teller: _join_same(work, teller, fields)


_RESOLVERS: dict[str, Resolver] = {
    Ownership.crm_type.name: _ownership,
    Lifecycle.crm_type.name: _lifecycle,
    Affiliation.crm_type.name: _affiliation,
    ContactPoint.crm_type.name: _contact_point,
    AccountRelation.crm_type.name: _same("account_id", "other_id", "kind", "share"),
    AccountAddress.crm_type.name: _same("account_id", "kind", "address"),
    HandoverItem.crm_type.name: _handover_item,
    Participant.crm_type.name: _same("activity_id", "contact_id", "user_id"),
    Share.crm_type.name: _same("account_id", "user_id", "unit_id", "role", "reason", "because_type", "because_id"),
}

LOOKED_AT: frozenset[str] = frozenset(_RESOLVERS)
"""Types whose rows are compared with those of the survivor; of others only rows of which one may hold are."""
