"""One user of one organisation, who asks; what they should be told; and who counts."""

from __future__ import annotations

import functools
import random
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import attrs

from crm_core import Crm, CrmSession, RecordType
from crm_core.fields import Field
from crm_core.testing.conformance.marks import MARK, Mark, marks_in
from crm_core.testing.conformance.oracle import Oracle
from torture.leaks.company import Company
from torture.leaks.tally import Tally

__all__ = ["MISSING", "TOLD_OF_LOST", "Asker"]

MISSING = 999_999_999
"""The id of no record."""
TOLD_OF_LOST = frozenset(
    {("account", "name"), ("pool_event", "reason"), ("handover", "message"), ("ownership", "reason")}
)
"""The fields of which somebody is told, on purpose, when an account ceases to be theirs."""


@attrs.define(eq=False, slots=False)
class Asker:
    """``wide`` chooses the shape of the visibility condition, of which a session otherwise decides by itself."""

    company: Company
    crm: Crm
    user: int
    wide: bool
    tally: Tally
    chance: random.Random

    @property
    def oracle(self) -> Oracle:
        """Who sees what."""
        return self.company.organisation.oracle

    @property
    def login(self) -> str:
        """The login of the user."""
        return self.company.organisation.logins[self.user]

    @property
    def types(self) -> list[RecordType]:
        """All record types, in the order of their names."""
        return [record_type for _, record_type in sorted(self.crm.types.items())]

    @functools.cached_property
    def deletable(self) -> Mapping[str, list[int]]:
        """Some of the records that are seen, of every type."""
        return {each.name: self.sample(self.seen(each.name), 2) for each in self.types}

    def session(self, **options: Any) -> CrmSession:
        """A session of the user, which only reads unless it is told otherwise."""
        session = self.crm.session(self.login, **(options or {"read_only": True}))
        session.visibility.__dict__["wide"] = self.wide
        return session

    def ids(self, record: str) -> set[int]:
        """All records of a type."""
        return set(self.oracle.rows[record])

    def seen(self, record: str, *, ever: bool = False) -> set[int]:
        """Those that the user sees: of dated ones those that hold now, or (``ever``) all."""
        return self.oracle.visible(self.user, record, all_dates=ever)

    def reads(self, field: Field) -> bool:
        """Whether the user may read a field of records that they see."""
        return field.restricted is None or self.oracle.reads(self.user, field.restricted)

    def words(self, record_type: RecordType, id_: int, *, closed: bool = False) -> set[str]:
        """The words in a record that the user may read, if they see it; with ``closed`` all of them."""
        row = self.oracle.rows[record_type.name][id_]
        found: set[str] = set()
        for column, value in row.items():
            field = record_type.field_of_column.get(column)
            if field is None and column != "custom":
                continue
            if isinstance(value, str | dict | list) and (closed or field is None or self.reads(field)):
                found |= marks_in(str(value))
        return found

    def hidden(self, words: Iterable[str]) -> set[str]:
        """Those words that stand, or stood, only where the user may not read them."""
        return {
            word
            for word in words
            if self.company.marks.get(word) and not any(map(self._may_read, self.company.marks[word]))
        }

    def hidden_fields(self, words: Iterable[str]) -> set[tuple[str, str]]:
        """The record types and fields in which the hidden ones of the words stand."""
        return {(mark.record, mark.field) for word in self.hidden(words) for mark in self.company.marks[word]}

    def _may_read(self, mark: Mark) -> bool:
        record_type = self.crm.types[mark.record]
        field = record_type.by_name.get(mark.field)
        if field is not None and not self.reads(field):
            return False
        if mark.id in self.oracle.rows[mark.record]:
            return self.oracle.sees(self.user, mark.record, mark.id)
        return self.oracle.sees_everything(self.user, mark.record)

    def sample(self, ids: set[int], most: int) -> list[int]:
        """Some of the records, by chance."""
        ordered = sorted(ids)
        return sorted(self.chance.sample(ordered, most)) if len(ordered) > most else ordered

    def marked(self) -> Iterator[tuple[RecordType, int, Field, str]]:
        """Every word that stands alone in a declared field: its type, record, field, and itself."""
        for record_type in self.types:
            for id_, row in sorted(self.oracle.rows[record_type.name].items()):
                for field in record_type.fields:
                    value = row.get(field.name)
                    if isinstance(value, str) and MARK.fullmatch(value):
                        yield record_type, id_, field, value
