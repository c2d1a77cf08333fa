"""What a build decides about duplicates; the search for them is in :mod:`crm_core.store.duplicates`."""

from __future__ import annotations

import functools
import re
from typing import Literal

import attrs

from crm_core.fields.matching import public_domains

__all__ = ["DuplicateRules", "Tell"]

Tell = Literal["nothing", "served", "whom"]


def _region(_instance: object, _attribute: object, value: str) -> None:
    if not re.fullmatch("[A-Z]{2}|", value):
        raise ValueError("Write a country in two capital letters, such as CN.")


@attrs.frozen(kw_only=True)
class DuplicateRules:
    """``[duplicates]``: how duplicates are looked for, and what is told of those that somebody may not see.

    ``at_creation`` looks for candidates whenever an account or a contact is created. ``tell`` says what its creator may
    learn when the customer is there already and out of their sight: *nothing*; that it is *served* by somebody; or also
    *whom* to ask. Never more: neither which record, nor how many, nor what they have in common. ``region`` is the
    country of telephone numbers without a country code; ``public_domains`` are further domains that say nothing of a
    company. A key that more than ``most`` records share is no sign of a duplicate (a chain, a switchboard).
    """

    at_creation: bool = True
    tell: Tell = "nothing"
    region: str = attrs.field(default="", validator=_region)
    public_domains: tuple[str, ...] = ()
    most: int = attrs.field(default=50, validator=attrs.validators.ge(2))

    @property
    def public(self) -> frozenset[str]:
        """Every domain that says nothing of a company."""
        return _public(self.public_domains)


@functools.cache
def _public(more: tuple[str, ...]) -> frozenset[str]:
    return public_domains() | {domain.strip().lower().removeprefix("www.") for domain in more}
