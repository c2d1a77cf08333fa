"""A card as we keep it: a person, or a company, with ways to reach them and places of work."""

from __future__ import annotations

from typing import Any

import attrs

from crm_core.domain.contacts import PointKind
from crm_core.errors import Problem
from crm_core.fields import Address

__all__ = ["Person", "Place", "Point"]


@attrs.frozen
class Point:
    """A way to reach somebody."""

    kind: PointKind
    value: str
    label: str | None = None
    preferred: bool = False


@attrs.frozen
class Place:
    """Where somebody works, as the card says."""

    account: str
    department: str | None = None
    title: str | None = None
    role: str | None = None


@attrs.frozen(kw_only=True)
class Person:
    """A card as we keep it. ``company`` says that it is about a company; ``untaken`` are properties with no place here.

    ``key`` is what the other system calls the card: its ``UID``, which says that it is ``identified``, or else its name
    and ways, so that a second import finds the same. ``address`` is that of the (first) company; as ``address_point``
    it is a way to reach the person, for where the company has one already.
    """

    number: int
    key: str
    identified: bool
    name: str
    company: bool
    fields: dict[str, Any]
    points: tuple[Point, ...]
    places: tuple[Place, ...]
    address: Address | None
    address_point: Point | None
    untaken: tuple[Problem, ...]

    @property
    def note(self) -> str | None:
        """The note of the card."""
        found = self.fields.get("note")
        return found if isinstance(found, str) else None
