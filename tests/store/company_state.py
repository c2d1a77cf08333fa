"""The whole database as plain values, and what must be true of it whatever happened: read past the kernel."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import attrs
from sqlalchemy import select

from crm_core import Crm
from crm_core.store.values import from_columns

from .access_model import Model, Row

BESIDE = frozenset({"version", "updated_at"})
"""What goes on when a record is restored: everything else must be as it was."""

VISIBLE = (
    "account", "contact", "affiliation", "activity", "contact_point", "ownership", "share", "handover", "handover_item",
    "pool_event",
)  # fmt: skip
"""The kinds that the plain model of access knows, as far as this machine makes them."""

Values = dict[str, Any]


@attrs.frozen
class State:
    """Every record by type and id, with its declared fields, its creator and when it was made."""

    records: dict[tuple[str, int], Values]

    def of(self, kind: str) -> Iterator[tuple[int, Values]]:
        """The records of one type."""
        return ((id_, values) for (name, id_), values in self.records.items() if name == kind)

    def differences(self, other: State) -> dict[tuple[str, int], tuple[Values | None, Values | None]]:
        """Records that are not the same in both, with what differs."""
        found: dict[tuple[str, int], tuple[Values | None, Values | None]] = {}
        for key in self.records.keys() | other.records.keys():
            one, two = self.records.get(key), other.records.get(key)
            if one is None or two is None:
                found[key] = (one, two)
            elif one != two:
                names = {name for name in one.keys() | two.keys() if one.get(name) != two.get(name)}
                found[key] = ({name: one.get(name) for name in names}, {name: two.get(name) for name in names})
        return found


def read(crm: Crm) -> State:
    """All records, straight from their tables."""
    records: dict[tuple[str, int], Values] = {}
    with crm.store.engine.connect() as connection:
        for record_type in crm.types.values():
            for row in connection.execute(select(record_type.table)).mappings():
                values = from_columns(record_type, dict(row))
                values |= {"created_at": row["created_at"], "created_by": row["created_by"]}
                values["custom"] = dict(row["custom"] or {})
                records[record_type.name, row["id"]] = values
    return State(records)


def two_owners(state: State) -> list[Any]:
    """Pairs of owners of one account and scope whose times overlap, in the past or the future too."""
    grouped: defaultdict[tuple[int, str], list[Values]] = defaultdict(list)
    for _, row in state.of("ownership"):
        if row["role"].value == "owner":
            grouped[row["account_id"], row["scope"]].append(row)
    least, most = dt.datetime.min.replace(tzinfo=dt.UTC), dt.datetime.max.replace(tzinfo=dt.UTC)
    return [
        (key, one, other)
        for key, rows in grouped.items()
        for number, one in enumerate(rows)
        for other in rows[number + 1 :]
        if (one["valid_from"] or least) < (other["valid_to"] or most)
        and (other["valid_from"] or least) < (one["valid_to"] or most)
    ]


def dangling(crm: Crm, state: State) -> list[Any]:
    """References to records that are not there."""
    found = []
    for record_type in crm.types.values():
        refs = [(field.name, field.target) for field in record_type.refs]
        refs += [("id", record_type.extends)] if record_type.extends else []
        for id_, values in state.of(record_type.name):
            for name, target in refs:
                value = id_ if name == "id" else values[name]
                if value is not None and (target, value) not in state.records:
                    found.append((record_type.name, id_, name, target, value))
    return found


def left_behind(crm: Crm, state: State) -> list[Any]:
    """Soft references (type and id) to a record that was merged into another one."""
    gone = {(row["record_type"], row["source_id"]) for _, row in state.of("redirect")}
    return [
        (soft.record, id_, values[soft.id_field])
        for soft in crm.build.policy.references
        for id_, values in state.of(soft.record)
        if (soft.target or values[str(soft.type_field)], values[soft.id_field]) in gone
    ]


def model(crm: Crm, state: State, now: dt.datetime) -> Model:
    """The plain model of access, filled with what is in the tables."""
    result = Snapshot({role.name: role.grants for role in crm.build.policy.roles.values()})
    for kind in (*VISIBLE, "unit", "user", "membership"):
        for id_, values in state.of(kind):
            plain = {name: getattr(value, "value", value) for name, value in values.items()}
            for name in ("valid_from", "valid_to"):
                if plain.get(name) is not None:
                    plain[name] = (plain[name] - now).total_seconds()
            result.rows[id_] = Row(kind, id_, plain, values["created_by"])
    return result


class Snapshot(Model):
    """The model of one moment: nothing changes any more, so what was worked out once is kept."""

    def __init__(self, roles: Any) -> None:
        super().__init__(roles)
        self._of: defaultdict[str, list[Row]] = defaultdict(list)
        self._reached: dict[tuple[int, str, int], bool] = {}
        self._widest: dict[tuple[int, str], int] = {}

    def of(self, kind: str) -> list[Row]:
        if not self._of:
            for row in self.rows.values():
                self._of[row.kind].append(row)
        return self._of[kind]

    def reaches(self, user: int, permission: str, account: int) -> bool:
        key = (user, permission, account)
        if key not in self._reached:
            self._reached[key] = super().reaches(*key)
        return self._reached[key]

    def widest(self, user: int, permission: str) -> int:
        key = (user, permission)
        if key not in self._widest:
            self._widest[key] = super().widest(*key)
        return self._widest[key]


def standing(state: State, kind: str, now: dt.datetime) -> list[Values]:
    """The dated rows of a kind that hold now or will, the earliest first."""
    rows = [row for _, row in state.of(kind) if row["valid_to"] is None or row["valid_to"] > now]
    return sorted(rows, key=lambda row: row["valid_from"] or dt.datetime.min.replace(tzinfo=dt.UTC))


def owners(state: State, now: dt.datetime, scope: str = "") -> list[Values]:
    """The rows of owners in a scope that hold now or will, the earliest first."""
    rows = standing(state, "ownership", now)
    return [row for row in rows if row["role"].value == "owner" and row["scope"] == scope]


def owned(state: State, now: dt.datetime, scope: str = "") -> dict[int, int]:
    """Who owns which account in a scope now, or else who will."""
    return {row["account_id"]: row["user_id"] for row in reversed(owners(state, now, scope))}
