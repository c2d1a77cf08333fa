"""What the company of the machine is like, as plain Python: its build, its clock, and who may have which customer."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any
from zoneinfo import ZoneInfo

from crm_core.domain.handovers import HandoverState, ItemState

from .company_state import State, Values, owned, owners, standing

DAYS = 5
TIME_ZONE = ZoneInfo("Asia/Shanghai")
SERVICE = "service"
BUILD: dict[str, Any] = {
    "crm": {"time_zone": "Asia/Shanghai"},
    "pools": {
        "machines": {
            "where": 'industry == "machinery"',
            "roles": ["sales"],
            "in_all": {"A": 2, "*": 4},
            "recycle": [{"without": "held_activity", "days": DAYS, "warn_days": 2, "never_grades": ["A"]}],
        },
        "chemicals": {"where": 'industry == "chemicals"', "roles": ["sales"], "cooling_days": 3, "a_day": 2},
        # Somebody else may own the same accounts here.
        "service": {"where": 'grade == "B"', "scope": SERVICE, "roles": ["sales"], "in_all": {"*": 3}},
    },
}
SCOPE_OF = {name: pool.get("scope", "") for name, pool in BUILD["pools"].items()}
SCOPES = ("", SERVICE)

Claim = tuple[int, str, dt.date]


class Clock:
    """Stands still until it is moved; each look is a little later."""

    def __init__(self) -> None:
        self.moment = dt.datetime(2026, 3, 2, 1, tzinfo=dt.UTC)

    def __call__(self) -> dt.datetime:
        self.moment += dt.timedelta(microseconds=1)
        return self.moment


def day_of(moment: dt.datetime) -> dt.date:
    """The day in the company's time zone."""
    return moment.astimezone(TIME_ZONE).date()


def pool_of(state: State, account_id: int, scope: str = "") -> str | None:
    """The pool of a scope that an account belongs to, owned or not."""
    account = state.records["account", account_id]
    if not account["active"]:
        return None
    if scope == SERVICE:
        return "service" if account["grade"] == "B" else None
    return {"machinery": "machines", "chemicals": "chemicals"}.get(account["industry"])


def free(state: State, now: dt.datetime, pool: str) -> set[int]:
    """The accounts that are in a pool."""
    scope = SCOPE_OF[pool]
    taken = owned(state, now, scope)
    return {id_ for id_, _ in state.of("account") if id_ not in taken and pool_of(state, id_, scope) == pool}


def pooled(state: State, id_: int) -> bool:
    """Whether some pool takes an account once nobody owns it."""
    return any(pool_of(state, id_, scope) is not None for scope in SCOPES)


def lost(state: State, now: dt.datetime) -> set[int]:
    """Accounts for which nobody is responsible who works here, and that no pool holds."""
    active = {id_ for id_, values in state.of("user") if values["active"]}
    held = {row["account_id"] for row in standing(state, "ownership", now) if row["user_id"] in active}
    return {
        id_ for id_, values in state.of("account") if values["active"] and id_ not in held and not pooled(state, id_)
    }


def room(state: State, now: dt.datetime, user: int, pool: str, account: int, claimed: Sequence[Claim]) -> bool:
    """Whether the rules of a pool let a user have one more: capacity, claims a day, cooling off."""
    ids = {row["account_id"] for row in owners(state, now, SCOPE_OF[pool]) if row["user_id"] == user}
    mine = [state.records["account", id_] for id_ in ids]
    if pool == "service":
        return len(mine) < 3
    if pool == "machines":
        grade = state.records["account", account]["grade"]
        return len(mine) < 4 and (grade != "A" or sum(each["grade"] == "A" for each in mine) < 2)
    ended = [
        row["valid_to"]
        for _, row in state.of("ownership")
        if row["account_id"] == account and row["user_id"] == user and row["role"].value == "owner"
        and row["scope"] == "" and row["valid_to"] is not None
    ]  # fmt: skip
    if ended and day_of(now) < day_of(max(ended)) + dt.timedelta(days=3):
        return False
    return claimed.count((user, pool, day_of(now))) < 2


def require_due_and_warned(before: State, account: int, user: int, today: dt.date) -> None:
    """That a rule took an account neither too early, nor without a warning, nor of a grade that is spared."""
    values = before.records["account", account]
    assert values["industry"] == "machinery" and values["grade"] != "A"
    (since,) = (
        row["valid_from"] or row["created_at"]
        for _, row in before.of("ownership")
        if row["account_id"] == account and row["role"].value == "owner" and row["scope"] == ""
        and row["valid_to"] is None
    )  # fmt: skip
    signs = [
        row["started_at"] for _, row in before.of("activity")
        if row["account_id"] == account and row["status"].value == "held"
    ]  # fmt: skip
    idle = today - day_of(max([since, *signs]))
    assert idle > dt.timedelta(days=DAYS), "a customer was lost too early"
    warned = [
        row["at"] for _, row in before.of("pool_event")
        if row["account_id"] == account and row["kind"].value == "warned" and row["user_id"] == user
    ]  # fmt: skip
    assert warned and day_of(max(warned)) <= today - dt.timedelta(days=2), "without a warning"


# -- handovers ---------------------------------------------------------------------------------------------------


def handovers_in(state: State, *states: HandoverState) -> list[int]:
    """The handovers in one of these states."""
    return sorted(id_ for id_, values in state.of("handover") if values["state"] in states)


def offered(state: State) -> list[int]:
    """The items that somebody may answer."""
    running = handovers_in(state, HandoverState.OFFERED)
    return sorted(
        id_ for id_, values in state.of("handover_item")
        if values["state"] is ItemState.OFFERED and values["handover_id"] in running
    )  # fmt: skip


def ahead(state: State) -> list[int]:
    """The handovers that were given a day and of which something may be to do on it."""
    running = handovers_in(state, HandoverState.OFFERED, HandoverState.DONE)
    return [id_ for id_ in running if state.records["handover", id_]["effective_at"] is not None]


def overdue(state: State, now: dt.datetime) -> set[int]:
    """The handovers whose day has come: all of it accepted and not done, or done before and not settled since."""
    found = set()
    for id_ in handovers_in(state, HandoverState.OFFERED, HandoverState.DONE):
        values = state.records["handover", id_]
        items: list[Values] = [item for _, item in state.of("handover_item") if item["handover_id"] == id_]
        waiting = {item["state"] for item in items} & {
            ItemState.DRAFTED, ItemState.OFFERED, ItemState.ACCEPTED, ItemState.REFUSED,
        }  # fmt: skip
        come = values["effective_at"] is not None and values["effective_at"] <= now
        if values["state"] is HandoverState.OFFERED and come and waiting == {ItemState.ACCEPTED}:
            found.add(id_)
        if any(
            item["state"] is ItemState.DONE and item["settled_at"] is None and item["done_at"] <= now for item in items
        ):
            found.add(id_)
    return found
