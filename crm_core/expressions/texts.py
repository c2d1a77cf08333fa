"""Functions of texts and tags."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
from sqlalchemy import and_, func, literal

from crm_core.expressions import dialects
from crm_core.expressions.environment import Row, World
from crm_core.expressions.leaves import Leaf
from crm_core.expressions.nodes import Const, Evaluate, Node, Scope, Sort, Sql
from crm_core.fields import FOLD_MARK, fold, sort_key

__all__ = ["Folded", "HasTag", "IsEmpty", "Length", "Search"]

_MEMORY: dict[str, Callable[[str, str], bool]] = {
    "contains": lambda text, part: part in text,
    "startswith": str.startswith,
    "endswith": str.endswith,
    "equals": lambda text, part: text == part,
}
_LAST_PLANE = chr(0x10FFFF)


def _two(left: Evaluate, right: Evaluate, test: Callable[[Any, Any], bool]) -> Evaluate:
    def tested(row: Row, world: World | None) -> bool | None:
        one = left(row, world)
        if one is None:
            return None
        other = right(row, world)
        return None if other is None else test(one, other)

    return tested


def _begins(text: Sql, part: Node, scope: Scope) -> Sql:
    if isinstance(part, Const) and (following := _after(part.value)):
        # By code point these are the texts with that beginning, and an index can find them.
        return and_(text >= part.sql(scope), text < literal(following))
    other = part.sql(scope)
    return func.substr(text, 1, func.length(other)) == other


def _after(prefix: str) -> str | None:
    """The first text after all that begin with ``prefix``."""
    if not prefix or prefix[-1] == _LAST_PLANE:
        return None
    code = ord(prefix[-1]) + 1
    return prefix[:-1] + chr(0xE000 if code == 0xD800 else code)


def _search_sql(how: str, text: Sql, part: Node, scope: Scope) -> Sql:
    if how == "startswith":
        return _begins(text, part, scope)
    other = part.sql(scope)
    if how == "contains":
        return dialects.position_in(text, other) > 0
    if how == "equals":
        return text == other
    length, wanted = func.length(text), func.length(other)
    return and_(length >= wanted, func.substr(text, length - wanted + 1) == other)


@attrs.frozen
class Search(Node):
    """``contains``, ``startswith`` and ``endswith``, by code point."""

    how: str
    text: Node
    part: Node

    def sql(self, scope: Scope) -> Sql:
        return _search_sql(self.how, self.text.sql(scope), self.part, scope)

    def memory(self) -> Evaluate:
        return _two(self.text.memory(), self.part.memory(), _MEMORY[self.how])


@attrs.frozen
class Folded(Node):
    """The same without regard to case and width, in the stored folded text."""

    how: str
    text: Leaf
    part: str

    def sql(self, scope: Scope) -> Sql:
        if self.how == "equals":
            # The whole stored key, so that its index is used.
            key = sort_key(self.part, surname=self.text.field.surname)
            return self.text.key_sql(scope) == literal(key)
        part = Const(fold(self.part), sort=Sort.TEXT)
        text = self.text.folded_sql(scope)
        if self.how != "startswith":
            return _search_sql(self.how, text, part, scope)
        begins = func.substr(text, 1, len(part.value)) == part.sql(scope)
        if not self._key_begins_alike(part.value):
            return begins
        stored = self.text.key_sql(scope)
        return and_(stored >= part.sql(scope), stored < literal(_after(part.value)), begins)

    @staticmethod
    def _key_begins_alike(part: str) -> bool:
        """Whether the key, too, begins with it, so that its index is used: pinyin replaces Chinese characters only."""
        return part != "" and part.isascii()

    def memory(self) -> Evaluate:
        part, surname = fold(self.part), self.text.field.surname
        if self.how == "startswith" and self._key_begins_alike(part):

            def begins(text: str, part: str) -> bool:
                if FOLD_MARK not in text:
                    return fold(text).startswith(part)
                key = sort_key(text, surname=surname)
                return key.startswith(part) and key.partition(FOLD_MARK)[2].startswith(part)

            return _two(self.text.memory(), lambda row, world: part, begins)
        return _two(self.text.folded_memory(), lambda row, world: part, _MEMORY[self.how])


@attrs.frozen
class Length(Node):
    """Characters (code points) of a text."""

    text: Node
    sort: Sort = attrs.field(default=Sort.NUMBER, kw_only=True)

    def sql(self, scope: Scope) -> Sql:
        return func.length(self.text.sql(scope))

    def memory(self) -> Evaluate:
        text = self.text.memory()

        def length(row: Row, world: World | None) -> int | None:
            value = text(row, world)
            return None if value is None else len(value)

        return length


@attrs.frozen
class HasTag(Node):
    """Whether a set of tags holds a text."""

    tags: Node
    tag: Node

    def sql(self, scope: Scope) -> Sql:
        return dialects.has_tag(self.tags.sql(scope), self.tag.sql(scope))

    def memory(self) -> Evaluate:
        return _two(self.tags.memory(), self.tag.memory(), lambda tags, tag: tag in tags)


@attrs.frozen
class IsEmpty(Node):
    """Whether a text or a set of tags is absent or empty; never null itself."""

    value: Node

    def sql(self, scope: Scope) -> Sql:
        value = self.value.sql(scope)
        if self.value.sort is Sort.TAGS:
            return func.coalesce(dialects.tag_count(value), 0) == 0
        return func.coalesce(value, "") == ""

    def memory(self) -> Evaluate:
        value = self.value.memory()
        return lambda row, world: not value(row, world)
