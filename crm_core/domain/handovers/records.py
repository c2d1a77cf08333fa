"""A handover and its items: who gives up what, who takes it over, and what has become of it."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from enum import Enum
from typing import Any

from sqlalchemy.orm import Mapped

from crm_core import fields as f
from crm_core.domain.accounts import Account
from crm_core.domain.organisation import User
from crm_core.domain.ownership import OwnershipRole
from crm_core.fields import choice, flag, moment, number, ref, text
from crm_core.records import Record, parent, record, through, via

__all__ = [
    "ANSWERABLE", "GIVEN", "MOOT", "OPEN", "READ_DETAILS", "WAITING", "Handover", "HandoverItem", "HandoverState",
    "ItemState",
]  # fmt: skip

READ_DETAILS = "handover.read_details"
"""The permission to read why somebody gives up, by which expression accounts were chosen, and which records went over:
none of it is for the successors to know.
"""


class HandoverState(Enum):
    """How far a handover has come."""

    DRAFTED = "drafted"
    OFFERED = "offered"
    DONE = "done"
    UNDONE = "undone"
    CANCELLED = "cancelled"


class ItemState(Enum):
    """How far the handover of one responsibility has come."""

    DRAFTED = "drafted"
    OFFERED = "offered"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    DONE = "done"
    KEPT = "kept"
    UNDONE = "undone"
    CANCELLED = "cancelled"


OPEN = (HandoverState.DRAFTED, HandoverState.OFFERED)
"""The states of a handover in which something is still to come of it."""

WAITING = (ItemState.DRAFTED, ItemState.OFFERED, ItemState.ACCEPTED, ItemState.REFUSED)
"""The states of an item whose responsibility still is the leaver's."""

ANSWERABLE = (ItemState.OFFERED, ItemState.ACCEPTED)
"""The states of an item that whoever is to take it over may refuse."""

GIVEN = (ItemState.OFFERED, ItemState.ACCEPTED, ItemState.DONE)
"""The states of an item by which somebody gets to see the account, or to own it."""

MOOT = (ItemState.KEPT, ItemState.UNDONE, ItemState.CANCELLED)
"""The states of an item of which nothing has come, or no longer has."""


@record(
    "handover",
    access=through("handover_item", "handover_id"),
    label="Handover",
    title="message",
    indexes=[("leaver_id", "state"), ("state", "effective_at")],
)
class Handover(Record):
    """Somebody gives up responsibility for accounts, and others take it over.

    ``effective_at`` is when the successors become responsible; without it, when the handover is done. ``split_share``
    is the part (0 to 1) of later commission that stays with whoever gives up, until ``split_until``; it is what new
    items begin with.
    """

    leaver_id: Mapped[int] = ref("user", on_delete="restrict", collection="handovers", index=False)
    scope: Mapped[str | None] = text(1000, default=None, label="Which accounts", restricted=READ_DETAILS)
    effective_at: Mapped[dt.datetime | None] = moment(default=None, label="Effective from")
    message: Mapped[str | None] = text(200, default=None)
    reason: Mapped[str | None] = text(200, default=None, label="Reason (internal)", restricted=READ_DETAILS)
    state: Mapped[HandoverState] = choice(HandoverState, default=HandoverState.DRAFTED)
    split_share: Mapped[Decimal | None] = number(4, default=None, label="Share that stays (0 to 1)")
    split_until: Mapped[dt.datetime | None] = moment(default=None, label="Shared until")

    leaver: Mapped[User] = parent("leaver_id")


@record(
    "handover_item",
    access=via("account_id"),
    label="Account of a handover",
    indexes=[("handover_id", "state"), ("account_id", "role", "scope"), ("successor_id", "state")],
)
class HandoverItem(Record):
    """One responsibility (an account, a role, a scope) that is handed over, and to whom.

    ``to_pool`` lets it end without a successor. It is ``kept`` where somebody else was responsible by the time it was
    to be done, and ``cancelled`` where its handover was given up.

    ``done_at`` is the moment from which the successor is responsible. ``moved`` lists what the handover changed, as
    pairs of record type and id; ``change_sets`` are the change sets in which it did. ``settled_at`` is when the open
    work went over, which is later than the deed where the handover takes effect in the future.
    """

    handover_id: Mapped[int] = ref("handover", collection="items", index=False)
    account_id: Mapped[int] = ref("account", collection="handovers", index=False)
    role: Mapped[OwnershipRole] = choice(OwnershipRole, default=OwnershipRole.OWNER)
    scope: Mapped[str] = text(40, default="")
    successor_id: Mapped[int | None] = ref(
        "user", default=None, on_delete="restrict", collection="takeovers", index=False
    )
    to_pool: Mapped[bool] = flag(default=False, label="Back to the pool")
    state: Mapped[ItemState] = choice(ItemState, default=ItemState.DRAFTED)
    note: Mapped[str | None] = text(500, default=None, label="Answer")
    answered_at: Mapped[dt.datetime | None] = moment(default=None)
    split_share: Mapped[Decimal | None] = number(4, default=None, label="Share that stays (0 to 1)")
    split_until: Mapped[dt.datetime | None] = moment(default=None, label="Shared until")
    done_at: Mapped[dt.datetime | None] = moment(default=None, label="Responsible since")
    settled_at: Mapped[dt.datetime | None] = moment(default=None, label="Open work moved")
    moved: Mapped[Any] = f.json(factory=list, restricted=READ_DETAILS)
    change_sets: Mapped[Any] = f.json(factory=list, restricted=READ_DETAILS)

    handover: Mapped[Handover] = parent("handover_id")
    account: Mapped[Account] = parent("account_id")
    successor: Mapped[User | None] = parent("successor_id")
