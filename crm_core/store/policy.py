"""What a build decides and the store obeys: roles, vocabularies, custom fields, time zone."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from enum import IntEnum
from fnmatch import fnmatchcase
from typing import Any
from zoneinfo import ZoneInfo

import attrs

from crm_core.domain.duplicates import DuplicateRules
from crm_core.domain.duties import Duty
from crm_core.domain.merging import Rule
from crm_core.domain.pools import Pool
from crm_core.domain.quality import Steward
from crm_core.domain.references import REFERENCES
from crm_core.domain.viewing import Views
from crm_core.fields.field import Field
from crm_core.records import SoftReference

__all__ = ["DuplicateRules", "Policy", "Role", "RoleNames", "Scope"]


class Scope(IntEnum):
    """How far a permission reaches, from narrow to wide."""

    OWN = 1
    UNIT = 2
    SUBTREE = 3
    ALL = 4


@attrs.frozen
class Role:
    """A named set of permission patterns, each with its scope.

    Patterns are permission names with ``*``: ``account.*``, ``*.read``. Roles only grant; the widest grant counts.
    """

    name: str
    grants: tuple[tuple[str, Scope], ...]
    label: str = ""
    _known: dict[str, Scope | None] = attrs.field(factory=dict, init=False, eq=False, repr=False)

    def scope(self, permission: str) -> Scope | None:
        """The widest scope this role gives for ``permission``; ``None`` when it gives none."""
        # Every session asks for the same few, of every role.
        if permission not in self._known:
            scopes = (scope for pattern, scope in self.grants if fnmatchcase(permission, pattern))
            self._known[permission] = max(scopes, default=None)
        return self._known[permission]


@attrs.frozen
class RoleNames:
    """Roles within a text: each by its label, with the name beside it that people type."""

    roles: tuple[tuple[str, str], ...]

    def told(self, translate: Callable[[str], str] = str) -> str:
        """``Key account manager (kam), sales``, with the labels in another language where ``translate`` knows them."""
        found = ((name, translate(label)) for name, label in self.roles)
        return ", ".join(name if label.casefold() == name.casefold() else f"{label} ({name})" for name, label in found)

    __str__ = told


@attrs.frozen
class Policy:
    """The decisions of a build that every session needs.

    ``vocabularies`` maps a name to its words with labels; ``custom`` maps a record type to its custom fields by name;
    ``creator_owns`` makes whoever creates an account its owner unless the change set names another. ``pools`` are the
    pools by name, in the order in which an account is looked for in them. ``duties`` are the reporting duties by name,
    ``steward`` says which fields only a steward changes. ``duplicates`` says how those are looked for, ``merge`` which
    of two values survives, by record type and field; ``references`` are those that no foreign key keeps. ``views`` is
    what overviews, news and next actions go by. ``permissions`` are the names of all that the build knows.
    """

    roles: Mapping[str, Role] = attrs.field(factory=dict)
    vocabularies: Mapping[str, Mapping[str, str]] = attrs.field(factory=dict)
    custom: Mapping[str, Mapping[str, Field]] = attrs.field(factory=dict)
    tz: dt.tzinfo = attrs.field(factory=lambda: ZoneInfo("UTC"))
    creator_owns: bool = True
    currency: str = "CNY"
    settings: Mapping[str, Any] = attrs.field(factory=dict)
    pools: Mapping[str, Pool] = attrs.field(factory=dict)
    duties: Mapping[str, Duty] = attrs.field(factory=dict)
    steward: Steward = attrs.field(factory=Steward)
    duplicates: DuplicateRules = attrs.field(factory=DuplicateRules)
    views: Views = attrs.field(factory=Views)
    merge: Mapping[str, Mapping[str, Rule]] = attrs.field(factory=dict)
    references: tuple[SoftReference, ...] = REFERENCES
    permissions: frozenset[str] = frozenset()

    def named_roles(self, *names: str) -> RoleNames:
        """Roles for a text that people read."""
        labels = self.vocabularies.get("role", {})
        return RoleNames(tuple((name, labels.get(name, name)) for name in names))
