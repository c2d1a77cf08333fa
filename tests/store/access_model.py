"""Who may see what, as plain Python: written from the documentation of access, knowing nothing of the SQL.

Times are days from now. A role grants permission patterns with a scope, 1 (own) to 4 (all).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import attrs

ALL = 4


@attrs.define
class Row:
    """One record: its kind, and the values that matter to access."""

    kind: str
    id: int
    values: dict[str, Any]
    created_by: int | None = None

    def __getitem__(self, name: str) -> Any:
        return self.values.get(name)

    def holds(self, day: float = 0) -> bool:
        start, end = self["valid_from"], self["valid_to"]
        return (start is None or start <= day) and (end is None or end > day)


DATED = frozenset({"membership", "affiliation", "account_relation", "ownership", "share"})
# What hangs on what: deleting the right-hand side deletes ("cascade") or empties the field.
REFERENCES = {
    "account": (("affiliation", "account_id"), ("activity", "account_id"), ("contact_point", "account_id"),
                ("account_relation", "account_id"), ("account_relation", "other_id"), ("ownership", "account_id"),
                ("share", "account_id")),
    "contact": (("affiliation", "contact_id"), ("contact_point", "contact_id"), ("participant", "contact_id")),
    "activity": (("participant", "activity_id"),),
}  # fmt: skip
EMPTIED = {"contact": (("activity", "contact_id"),)}


def _pattern(written: str) -> re.Pattern[str]:
    return re.compile(written.replace(".", r"\.").replace("*", ".*"))


class Model:
    """All records, and the questions."""

    def __init__(self, roles: Mapping[str, Iterable[tuple[str, int]]]) -> None:
        self.roles = {
            name: [(_pattern(pattern), int(scope)) for pattern, scope in grants] for name, grants in roles.items()
        }
        self.rows: dict[int, Row] = {}

    def of(self, kind: str) -> list[Row]:
        return [row for row in self.rows.values() if row.kind == kind]

    def ids(self, kind: str) -> set[int]:
        return {row.id for row in self.of(kind)}

    # -- rights ------------------------------------------------------------------------------------------------

    def scope(self, role: str, permission: str) -> int:
        return max((scope for pattern, scope in self.roles.get(role, ()) if pattern.fullmatch(permission)), default=0)

    def places(self, user: int) -> list[tuple[int, str]]:
        rows = (row for row in self.of("membership") if row["user_id"] == user and row.holds())
        return [(row["unit_id"], row["role"]) for row in rows]

    def widest(self, user: int, permission: str) -> int:
        return max((self.scope(role, permission) for _, role in self.places(user)), default=0)

    def beneath(self, unit: int, top: int) -> bool:
        above: int | None = unit
        while above is not None:
            if above == top:
                return True
            above = self.rows[above]["parent_id"]
        return False

    def only_place(self, contact: int) -> int | None:
        """Where an activity with that person is filed that names no account."""
        links = (link for link in self.of("affiliation") if link["contact_id"] == contact and link.holds())
        accounts = {link["account_id"] for link in links}
        return accounts.pop() if len(accounts) == 1 else None

    def reaches(self, user: int, permission: str, account: int) -> bool:
        """Whether a permission reaches an account: by ownership in its scope, or by a share."""
        owners = [row["user_id"] for row in self.of("ownership") if row["account_id"] == account and row.holds()]
        mine = self.places(user)
        for unit, role in mine:
            scope = self.scope(role, permission)
            if scope == ALL or (scope and user in owners):
                return True
            for owner in owners:
                for place, _ in self.places(owner):
                    if (scope == 2 and place == unit) or (scope == 3 and self.beneath(place, unit)):
                        return True
        return any(
            row["account_id"] == account
            and row.holds()
            and (row["user_id"] == user or row["unit_id"] in [unit for unit, _ in mine])
            and self.scope(row["role"], permission)
            for row in self.of("share")
        )

    def may(self, user: int, row: Row, permissions: frozenset[str] = frozenset()) -> bool:
        """Whether all ``permissions`` and the one to read reach a record."""
        if row.kind in ("unit", "user", "membership"):
            return True
        wanted = permissions | {f"{row.kind}.read"}
        if row.kind == "account":
            return all(self.reaches(user, permission, row.id) for permission in wanted)
        everywhere = all(self.widest(user, permission) == ALL for permission in wanted)
        granted = all(self.widest(user, permission) for permission in wanted)

        def seen(field: str) -> bool:
            return self.may(user, self.rows[row[field]], wanted)

        def mine(*people: int | None) -> bool:
            return everywhere or (granted and user in people)

        match row.kind:
            case "contact":
                links = [link for link in self.of("affiliation") if link["contact_id"] == row.id]
                return mine(row.created_by) or any(self.may(user, link, wanted) for link in links)
            case "handover":
                items = [item for item in self.of("handover_item") if item["handover_id"] == row.id]
                return mine(row.created_by) or any(self.may(user, item, wanted) for item in items)
            case "activity" | "contact_point":
                fields = ("account_id", "contact_id") if row.kind == "activity" else ("contact_id", "account_id")
                for field in fields:
                    if row[field] is not None:
                        return seen(field)
                return mine(row.created_by, row["user_id"])
            case "participant":
                return seen("activity_id") and (row["contact_id"] is None or seen("contact_id"))
            case "account_relation":
                return seen("account_id") and seen("other_id")
        return seen("account_id")

    def visible(self, user: int, kind: str, *, day: float | None = 0) -> set[int]:
        """The ids that a user sees; of dated records those that hold on a day, or (``None``) all."""
        return {
            row.id
            for row in self.of(kind)
            if (kind not in DATED or day is None or row.holds(day)) and self.may(user, row)
        }

    def changeable(self, user: int, kind: str, verb: str) -> set[int]:
        return {row.id for row in self.of(kind) if self.may(user, row, frozenset({f"{kind}.{verb}"}))}

    # -- rules -------------------------------------------------------------------------------------------------

    def overlaps(self, values: Mapping[str, Any]) -> bool:
        """Whether an owner's row would hold together with another one of the same account and scope."""
        if values["role"] != "owner":
            return False
        key = (values["account_id"], values["scope"], "owner")
        low, high = float("-inf"), float("inf")

        def bounds(get: Any) -> tuple[float, float]:
            start, end = get("valid_from"), get("valid_to")
            return (low if start is None else start, high if end is None else end)

        start, end = bounds(values.get)
        return any(
            (row["account_id"], row["scope"], row["role"]) == key
            and start < bounds(row.values.get)[1]
            and bounds(row.values.get)[0] < end
            for row in self.of("ownership")
        )

    def after_delete(self, ids: Iterable[int]) -> set[int]:
        """The ids that remain when these are deleted."""
        gone: set[int] = set()
        work = list(ids)
        while work:
            id_ = work.pop()
            if id_ in gone:
                continue
            gone.add(id_)
            for kind, field in REFERENCES.get(self.rows[id_].kind, ()):
                work += [row.id for row in self.of(kind) if row[field] == id_]
        return self.rows.keys() - gone

    def delete(self, ids: Iterable[int]) -> None:
        remaining = self.after_delete(ids)
        gone = {id_: row for id_, row in self.rows.items() if id_ not in remaining}
        for id_, row in gone.items():
            del self.rows[id_]
            for kind, field in EMPTIED.get(row.kind, ()):
                for each in self.of(kind):
                    if each[field] == id_:
                        each.values[field] = None
