"""What a report of concealment says, as values."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Literal

import attrs

from crm_core.hooks.values import Failed

__all__ = ["KINDS", "Concealment", "Risk", "RiskKind", "parts"]

_CHUNK = 1000

RiskKind = Literal["orders_without_contact", "quiet", "known_to_one", "known_to_unit", "changed_before_leaving"]
KINDS: tuple[RiskKind, ...] = (
    "orders_without_contact", "quiet", "known_to_one", "known_to_unit", "changed_before_leaving",
)  # fmt: skip
"""They order and nobody of theirs is known; nothing was held for long; only one of us, or only one department, ever met
the person; somebody changed or deleted contact data, of people or of the account itself, shortly before leaving.
"""


@attrs.frozen(kw_only=True)
class Risk:
    """One reason to look closer. It accuses nobody: there may be good reasons.

    ``account`` is, where a person was changed, the account at which they worked then (rather their main place), of
    those that the reader sees. ``at`` is the last activity (``quiet``) or the change; ``user_id`` whoever alone knows
    the person, or changed the data; ``fields`` what was changed, and ``operation`` how: ``changed``, ``emptied`` or
    ``deleted``.
    """

    kind: RiskKind
    account_id: int | None = None
    account: str = ""
    contact_id: int | None = None
    contact: str = ""
    user_id: int | None = None
    at: dt.datetime | None = None
    record_type: str = ""
    operation: str = ""
    fields: tuple[str, ...] = ()


@attrs.frozen(kw_only=True)
class Concealment:
    """The risks at a person (``kind`` is ``user``) or a department with those below it (``unit``).

    ``accounts`` is how many they are responsible for, as far as the actor sees. ``failed`` names plugins that could not
    tell of orders, or of what was held. ``begins`` is ``None`` where everything is known of changed
    contact data; else what was recorded before that moment is detached from the database, and there may be more.
    ``tells_orders`` is whether a plugin of the build tells of orders at all: without one, no account is known to order.
    """

    kind: Literal["user", "unit"]
    id: int
    name: str
    accounts: int
    risks: tuple[Risk, ...]
    failed: tuple[Failed, ...] = ()
    begins: dt.datetime | None = None
    tells_orders: bool = True

    @property
    def counts(self) -> Mapping[str, int]:
        """How many risks of each kind."""
        return Counter(risk.kind for risk in self.risks)


def parts(ids: Sequence[int]) -> list[Sequence[int]]:
    """Ids by the thousand, as many as one statement takes."""
    return [ids[start : start + _CHUNK] for start in range(0, len(ids), _CHUNK)]
