"""What people are shown, and reminded of: the rules of a build for overviews, news and next actions."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from types import MappingProxyType

import attrs

__all__ = ["PARTS", "WEIGHTS", "Views"]

PARTS = ("people", "decider", "reachable", "confirmed", "owner", "stage")
"""What completeness weighs beside fields of the account: whether somebody is known there, somebody who decides, how
many of the people can be reached and were confirmed of late, and whether the account has an owner and a stage."""

WEIGHTS: Mapping[str, int] = MappingProxyType(
    {
        "people": 4, "decider": 4, "reachable": 3, "confirmed": 2, "owner": 3, "stage": 1,
        "industry": 2, "address": 2, "registration_number": 2, "grade": 1, "phone": 1, "website": 1, "employees": 1,
    }
)  # fmt: skip
"""How much each counts, unless the build file says otherwise. Who decides counts most: without that, one cannot sell.
"""

_DECIDING = (
    "decid*", "decision*", "ceo", "coo", "cfo", "cto", "chief executive", "chief operating", "chief financial",
    "president", "director", "managing", "general manager", "owner", "partner", "总经理", "总监", "总裁", "董事",
    "决策", "厂长", "院长", "老板", "法人",
)  # fmt: skip

_not_negative = attrs.validators.ge(0)
_positive = attrs.validators.ge(1)


@attrs.frozen(kw_only=True)
class Views:
    """``[views]``: what overviews, news and next actions go by.

    ``confirm_days`` after which a person's place at an account is to be confirmed again; ``quiet_days`` without an
    activity held after which an account counts as quiet; ``look_ahead_days`` that the next actions look ahead;
    ``first_look_days`` that the news reach back for somebody who never looked; ``depth`` of a group that is followed
    up and down; ``news_fields`` of an account whose change is news; ``deciding_roles`` the words in a role or title by
    which somebody counts as deciding (a word with ``*`` at its end stands for all that begin so); ``weights`` of
    fields and parts in the completeness of an account, as a whole in place of the usual ones.
    """

    confirm_days: int = attrs.field(default=180, validator=_positive)
    quiet_days: int = attrs.field(default=90, validator=_positive)
    look_ahead_days: int = attrs.field(default=7, validator=_not_negative)
    first_look_days: int = attrs.field(default=14, validator=_positive)
    depth: int = attrs.field(default=5, validator=attrs.validators.and_(_positive, attrs.validators.le(10)))
    news_fields: tuple[str, ...] = (
        "name", "legal_name", "registration_number", "grade", "industry", "phone", "email", "website", "address",
        "active",
    )  # fmt: skip
    deciding_roles: tuple[str, ...] = _DECIDING
    weights: Mapping[str, int] = attrs.field(default=WEIGHTS)

    def decides(self, *words: str | None) -> bool:
        """Whether a role or title sounds as if its bearer decided."""
        said = "\n".join(word for word in words if word)
        return bool(said) and _any_of(self.deciding_roles).search(said) is not None


@functools.cache
def _any_of(roles: tuple[str, ...]) -> re.Pattern[str]:
    """Finds one of the words; Chinese has no spaces between words, so there a part is enough."""
    parts = (
        (re.escape(role) if not role.isascii() else rf"\b{re.escape(role.removesuffix('*'))}")
        + ("" if role.endswith("*") or not role.isascii() else r"\b")
        for role in roles
    )
    return re.compile("|".join(parts) or r"(?!)", re.IGNORECASE)
